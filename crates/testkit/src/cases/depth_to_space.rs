//! Cases of `depth_to_space`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |block, block_last| DepthToSpace { block, block_last };
    suite(
        EXACT,
        reference,
        [
            case("block first", op(2, false), [f32s(&[3, 2, 3, 8]).open(0)]),
            case("block last", op(2, true), [f32s(&[2, 2, 3, 8])]),
            case("blocks of 3", op(3, false), [i8s(&[1, 2, 1, 18], 0.1, 4)]),
            case("blocks of 1", op(1, true), [f32s(&[1, 2, 2, 3])]),
            case("no images", op(2, false), [f32s(&[0, 2, 2, 4])]),
        ],
    )
}

fn reference(op: &DepthToSpace, x: &[Array]) -> Array {
    let x = &x[0];
    let block = op.block as usize;
    let channels = x.dims[3] / (block * block);
    let dims = [x.dims[0], x.dims[1] * block, x.dims[2] * block, channels];
    x.like(&dims, |at| {
        let part = at[1] % block * block + at[2] % block;
        let channel =
            if op.block_last { at[3] * block * block + part } else { part * channels + at[3] };
        x.at(&[at[0], at[1] / block, at[2] / block, channel])
    })
}
