//! Cases of `gather_elements`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| GatherElements { axis };
    suite(
        EXACT,
        reference,
        [
            case("rows", op(0), [f32s(&[4, 3]), below(4, &[2, 3])]),
            case("columns", op(1), [f32s(&[2, 4, 2]), ints(DType::I64, &[2, 3, 1], -4, 3)]),
            case(
                "i32 indices",
                op(1),
                [ints(DType::I64, &[3, 3], -9, 9), ints(DType::I32, &[3, 2], 0, 2)],
            ),
            case("no indices", op(0), [f32s(&[4, 3]), below(4, &[0, 3])]),
        ],
    )
}

fn reference(op: &GatherElements, x: &[Array]) -> Array {
    let (x, places) = (&x[0], &x[1]);
    x.like(&places.dims, |at| {
        let mut index = at.to_vec();
        index[op.axis] = places.index(at, x.dims[op.axis]);
        x.at(&index)
    })
}
