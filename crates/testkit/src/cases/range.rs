//! Cases of `range`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |len| Range { len: Dim::Known(len) };
    let of = |dtype, numbers: [f64; 3]| numbers.map(|number| values(dtype, &[], &[number]));
    suite(
        rounded(2),
        reference,
        [
            case("i64", op(4), of(DType::I64, [3.0, 15.0, 3.0])),
            case("i32 backwards", op(5), of(DType::I32, [5.0, 0.0, -1.0])),
            case("f32", op(7), of(DType::F32, [0.5, 2.25, 0.25])),
            case("f32 with rounded steps", op(9), of(DType::F32, [-0.3, 0.6, 0.1])),
            case("empty", op(0), of(DType::I64, [3.0, 3.0, 1.0])),
        ],
    )
}

fn reference(op: &Range, x: &[Array]) -> Array {
    let (start, delta) = (x[0].data[0], x[2].data[0]);
    let len = op.len.known().expect("a number") as usize;
    x[0].like(&[len], |at| start + at[0] as f64 * delta).summing(2)
}
