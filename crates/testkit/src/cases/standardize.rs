//! Cases of `standardize`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |epsilon| Standardize { epsilon };
    suite(
        rounded(8),
        reference,
        [
            case("rows", op(1e-5), [f32s(&[3, 16]).open(0)]),
            case("rank 4", op(1e-3), [reals(&[2, 1, 3, 8], 0.0, 1.0)]),
            case("one element", op(1e-3), [f32s(&[4, 1])]),
            case("nothing", op(1e-5), [f32s(&[0, 3])]),
        ],
    )
}

fn reference(op: &Standardize, x: &[Array]) -> Array {
    let last = x[0].dims.len() - 1;
    let rows = x[0].rows(last, |row| {
        let mean = |row: &[f64]| row.iter().sum::<f64>() / row.len() as f64;
        let center = mean(row);
        let apart: Vec<f64> = row.iter().map(|x| x - center).collect();
        let variance = mean(&apart.iter().map(|x| x * x).collect::<Vec<_>>());
        apart.iter().map(|x| x / (variance + f64::from(op.epsilon)).sqrt()).collect()
    });
    rows.summing(x[0].dims[last])
}
