//! Cases of `concat`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| Concat { axis };
    suite(
        EXACT,
        reference,
        [
            case("first axis", op(0), [f32s(&[2, 3]), f32s(&[1, 3])]),
            case(
                "channels",
                op(3),
                [
                    f32s(&[3, 2, 2, 3]).open(0),
                    f32s(&[3, 2, 2, 1]).open(0),
                    f32s(&[3, 2, 2, 4]).open(0),
                ],
            ),
            case("one", op(1), [f32s(&[2, 3])]),
            case("one of them empty", op(1), [f32s(&[2, 0, 2]), f32s(&[2, 3, 2])]),
            case(
                "integers",
                op(0),
                [ints(DType::I64, &[2], -9, 9), ints(DType::I64, &[3], -9, 9).constant()],
            ),
            case("quantized", op(2), [i8s(&[1, 2, 3], 0.1, 4), i8s(&[1, 2, 2], 0.1, 4)]),
            case(
                "rank 8",
                op(6),
                [f32s(&[1, 1, 2, 1, 1, 2, 1, 2]), f32s(&[1, 1, 2, 1, 1, 2, 2, 2])],
            ),
        ],
    )
}

fn reference(op: &Concat, x: &[Array]) -> Array {
    let mut dims = x[0].dims.clone();
    dims[op.axis] = x.iter().map(|x| x.dims[op.axis]).sum();
    x[0].like(&dims, |at| {
        let mut at = at.to_vec();
        for x in x {
            match at[op.axis].checked_sub(x.dims[op.axis]) {
                Some(rest) => at[op.axis] = rest,
                None => return x.at(&at),
            }
        }
        panic!("{at:?} is out of range")
    })
}
