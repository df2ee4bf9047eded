//! Cases of `space_to_depth`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |block, block_last| SpaceToDepth { block, block_last };
    suite(
        EXACT,
        reference,
        [
            case("blocks of 2", op(2, false), [f32s(&[3, 4, 6, 3]).open(0)]),
            case("block last", op(2, true), [f32s(&[2, 4, 6, 3])]),
            case("blocks of 3", op(3, false), [i8s(&[1, 6, 3, 2], 0.1, 4)]),
            case("blocks of 1", op(1, true), [f32s(&[1, 2, 2, 3])]),
            case("no images", op(2, false), [f32s(&[0, 2, 2, 4])]),
        ],
    )
}

fn reference(op: &SpaceToDepth, x: &[Array]) -> Array {
    let x = &x[0];
    let block = op.block as usize;
    let channels = x.dims[3];
    let dims = [x.dims[0], x.dims[1] / block, x.dims[2] / block, channels * block * block];
    x.like(&dims, |at| {
        let (part, channel) = match op.block_last {
            true => (at[3] % (block * block), at[3] / (block * block)),
            false => (at[3] / channels, at[3] % channels),
        };
        x.at(&[at[0], at[1] * block + part / block, at[2] * block + part % block, channel])
    })
}
