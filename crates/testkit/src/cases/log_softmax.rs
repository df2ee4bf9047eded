//! Cases of `log_softmax`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| LogSoftmax { axis };
    let x = |dims: &[usize]| reals(dims, -4.0, 4.0);
    suite(
        rounded(4),
        reference,
        [
            case("rows", op(1), [x(&[3, 10]).open(0)]),
            case("another axis", op(1), [x(&[2, 5, 3])]),
            case("far apart", op(0), [values(DType::F32, &[3], &[80.0, 80.0, -80.0])]),
            case("nothing", op(1), [x(&[0, 3])]),
            case("quantized", op(1), [i8s(&[3, 10], 0.1, 4)]).yields(1.0 / 16.0, 127),
        ],
    )
}

fn reference(op: &LogSoftmax, x: &[Array]) -> Array {
    let rows = x[0].rows(op.axis, |row| {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - max).exp()).sum();
        row.iter().map(|x| x - max - sum.ln()).collect()
    });
    rows.summing(x[0].dims[op.axis])
}
