//! Cases of `space_to_batch`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |block: &[i64], before: &[i64], after: &[i64]| SpaceToBatch {
        block: block.to_vec(),
        before: before.to_vec(),
        after: after.to_vec(),
    };
    suite(
        EXACT,
        reference,
        [
            case("two axes", op(&[2, 3], &[0, 0], &[0, 0]), [f32s(&[3, 4, 6, 2]).open(0)]),
            case("padded", op(&[2, 2], &[1, 0], &[0, 3]), [f32s(&[2, 3, 5, 2])]),
            case("one axis", op(&[3], &[1], &[1]), [f32s(&[2, 4, 5])]),
            case(
                "padded with zero points",
                op(&[2, 2], &[1, 1], &[1, 0]),
                [i8s(&[2, 2, 3, 3], 0.1, 4)],
            ),
            case("no channels", op(&[2, 2], &[0, 0], &[0, 0]), [f32s(&[1, 2, 2, 0])]),
        ],
    )
}

fn reference(op: &SpaceToBatch, x: &[Array]) -> Array {
    let x = &x[0];
    let blocks: Vec<usize> = op.block.iter().map(|&block| block as usize).collect();
    let images = x.dims[0];
    let mut dims = x.dims.clone();
    for (axis, block) in blocks.iter().enumerate() {
        dims[0] *= block;
        dims[axis + 1] = (dims[axis + 1] + (op.before[axis] + op.after[axis]) as usize) / block;
    }
    x.like(&dims, |at| {
        let (mut index, mut part) = (at.to_vec(), at[0] / images);
        index[0] = at[0] % images;
        for (axis, block) in blocks.iter().enumerate().rev() {
            let place = at[axis + 1] * block + part % block;
            part /= block;
            match place.checked_sub(op.before[axis] as usize) {
                Some(place) if place < x.dims[axis + 1] => index[axis + 1] = place,
                _ => return 0.0,
            }
        }
        x.at(&index)
    })
}
