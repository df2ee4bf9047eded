//! Cases of `transpose`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |perm: &[usize]| Transpose { perm: perm.to_vec() };
    suite(
        EXACT,
        reference,
        [
            case("channels last", op(&[0, 2, 3, 1]), [f32s(&[3, 5, 2, 4]).open(0)]),
            case("channels first", op(&[0, 3, 1, 2]), [i8s(&[1, 2, 4, 5], 0.1, 4)]),
            case("a matrix", op(&[1, 0]), [ints(DType::I64, &[3, 4], -9, 9)]),
            case("nothing moves", op(&[0, 1, 2]), [f32s(&[2, 3, 4])]),
            case("axes of one", op(&[2, 0, 1]), [f32s(&[1, 5, 1])]),
            case("rank 8", op(&[7, 2, 5, 0, 3, 6, 1, 4]), [f32s(&[1, 2, 1, 2, 3, 1, 2, 2])]),
            case("a number", op(&[]), [f32s(&[])]),
            case("no elements", op(&[1, 0]), [f32s(&[0, 4])]),
            case("scales along an axis", op(&[1, 0]), [weights(&[3, 4], 0)]),
        ],
    )
}

fn reference(op: &Transpose, x: &[Array]) -> Array {
    let x = &x[0];
    let dims: Vec<usize> = op.perm.iter().map(|&axis| x.dims[axis]).collect();
    x.like(&dims, |at| {
        let mut index = at.to_vec();
        for (&i, &axis) in at.iter().zip(&op.perm) {
            index[axis] = i;
        }
        x.at(&index)
    })
}
