//! Cases of `batch_to_space`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |block: &[i64], before: &[i64], after: &[i64]| BatchToSpace {
        block: block.to_vec(),
        before: before.to_vec(),
        after: after.to_vec(),
    };
    suite(
        EXACT,
        reference,
        [
            case("two axes", op(&[2, 3], &[0, 0], &[0, 0]), [f32s(&[12, 2, 3, 2])]),
            case("cropped", op(&[2, 2], &[1, 0], &[0, 3]), [f32s(&[4, 3, 4, 2])]),
            case("one axis", op(&[3], &[1], &[1]), [f32s(&[6, 2, 4])]),
            case("quantized", op(&[2, 2], &[0, 1], &[1, 0]), [i8s(&[8, 2, 2, 3], 0.1, 4)]),
            case("no channels", op(&[2, 2], &[0, 0], &[0, 0]), [f32s(&[4, 2, 2, 0])]),
        ],
    )
}

fn reference(op: &BatchToSpace, x: &[Array]) -> Array {
    let x = &x[0];
    let blocks: Vec<usize> = op.block.iter().map(|&block| block as usize).collect();
    let images = x.dims[0] / blocks.iter().product::<usize>();
    let mut dims = x.dims.clone();
    dims[0] = images;
    for (axis, block) in blocks.iter().enumerate() {
        dims[axis + 1] = dims[axis + 1] * block - (op.before[axis] + op.after[axis]) as usize;
    }
    x.like(&dims, |at| {
        let (mut index, mut part) = (at.to_vec(), 0);
        for (axis, block) in blocks.iter().enumerate() {
            let place = at[axis + 1] + op.before[axis] as usize;
            (index[axis + 1], part) = (place / block, part * block + place % block);
        }
        index[0] = part * images + at[0];
        x.at(&index)
    })
}
