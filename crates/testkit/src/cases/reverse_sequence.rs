//! Cases of `reverse_sequence`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |time, batch| ReverseSequence { time, batch };
    suite(
        EXACT,
        reference,
        [
            case("batch first", op(1, 0), [f32s(&[3, 5, 2]).open(0), ints(DType::I64, &[3], 1, 5).open(0)]),
            case("time first", op(0, 1), [f32s(&[4, 3]), ints(DType::I32, &[3], 0, 4)]),
            case("inner axes", op(3, 1), [i8s(&[2, 3, 2, 4], 0.1, 4), ints(DType::I64, &[3], 0, 4).constant()]),
            case("nothing", op(1, 0), [f32s(&[2, 0]), ints(DType::I64, &[2], 0, 0)]),
        ],
    )
}

fn reference(op: &ReverseSequence, x: &[Array]) -> Array {
    let (x, lens) = (&x[0], &x[1]);
    x.like(&x.dims, |at| {
        let (mut index, len) = (at.to_vec(), lens.at(&[at[op.batch]]) as usize);
        if index[op.time] < len {
            index[op.time] = len - 1 - index[op.time];
        }
        x.at(&index)
    })
}
