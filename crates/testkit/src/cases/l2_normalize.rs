//! Cases of `l2_normalize`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |epsilon| L2Normalize { epsilon };
    suite(
        rounded(4),
        reference,
        [
            case("rows", op(1e-6), [f32s(&[3, 9]).open(0)]),
            case("channels", op(1e-6), [f32s(&[2, 2, 3, 4])]),
            case("a row of zeros", op(1e-4), [values(DType::F32, &[1, 3], &[0.0; 3])]),
            case("short rows", op(10.0), [f32s(&[2, 3])]),
            case("nothing", op(1e-6), [f32s(&[0, 3])]),
            case("quantized", op(1e-6), [i8s(&[3, 7], 0.1, 11)]).yields(1.0 / 128.0, 0),
        ],
    )
}

fn reference(op: &L2Normalize, x: &[Array]) -> Array {
    let last = x[0].dims.len() - 1;
    let rows = x[0].rows(last, |row| {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(op.epsilon.into());
        row.iter().map(|x| x / length).collect()
    });
    rows.summing(x[0].dims[last])
}
