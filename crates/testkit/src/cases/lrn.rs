//! Cases of `lrn`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = Lrn { before: 2, after: 2, alpha: 1e-1, beta: 0.75, bias: 1.0 };
    let lopsided = Lrn { before: 0, after: 1, beta: 0.5, ..op.clone() };
    let far = Lrn { before: 100, after: 100, bias: 2.0, ..op.clone() };
    suite(
        rounded(4),
        reference,
        [
            case("five channels", op.clone(), [f32s(&[3, 2, 2, 9]).open(0)]),
            case("lopsided", lopsided, [reals(&[2, 3, 4], -3.0, 3.0)]),
            case("further than there are", far, [f32s(&[1, 5])]),
            case("nothing", op, [f32s(&[0, 2, 2, 3])]),
        ],
    )
}

fn reference(op: &Lrn, x: &[Array]) -> Array {
    let last = x[0].dims.len() - 1;
    let rows = x[0].rows(last, |row| {
        let scaled = |c: usize| {
            let near =
                c.saturating_sub(op.before as usize)..(c + 1 + op.after as usize).min(row.len());
            let squares: f64 = row[near].iter().map(|x| x * x).sum();
            row[c] / (f64::from(op.bias) + f64::from(op.alpha) * squares).powf(op.beta.into())
        };
        (0..row.len()).map(scaled).collect()
    });
    rows.summing((op.before + op.after + 1).min(x[0].dims[last] as u32) as usize)
}
