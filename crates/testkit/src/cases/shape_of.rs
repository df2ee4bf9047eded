//! Cases of `shape_of`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |start, end| ShapeOf { start, end, to: DType::I64 };
    suite(
        EXACT,
        reference,
        [
            case("all", op(0, 3), [f32s(&[3, 2, 5]).open(0)]),
            case(
                "one axis as i32",
                ShapeOf { to: DType::I32, ..op(1, 2) },
                [i8s(&[2, 3, 5], 0.1, 4).open(1)],
            ),
            case("of a number", op(0, 0), [f32s(&[])]),
            case("of nothing", op(0, 2), [ints(DType::I64, &[0, 4], 0, 1)]),
        ],
    )
}

fn reference(op: &ShapeOf, x: &[Array]) -> Array {
    let dims = &x[0].dims[op.start..op.end];
    Array::from_fn(op.to, &[dims.len()], |at| dims[at[0]] as f64)
}
