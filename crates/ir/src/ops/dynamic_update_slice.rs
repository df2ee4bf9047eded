//! A tensor with a block replaced at a place that is computed: TFLite's DYNAMIC_UPDATE_SLICE.

use embarca_kernels::scatter::Kind;

use super::prelude::*;
use super::scatter_nd::Meeting;
use super::{Add, Maximum, Minimum, ScatterNd};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::tflite("DYNAMIC_UPDATE_SLICE"),
    Spelling::tflite("STABLEHLO_DYNAMIC_UPDATE_SLICE"),
];
pub const U8_AS_I8: Option<&str> = Some("moves data");

/// The most places that are written one by one: 128 MiB of indices for rank 4.
const MOST: usize = 1 << 22;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, update, mut start) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let known = |value: ValueId| b.ty(value).known_dims();
    let (Some(whole), Some(block)) = (known(x), known(update)) else {
        let message = "tensors of open size are not supported";
        return Err(ImportError::unsupported(message).hint("fix the sizes with --shape"));
    };
    let rank = whole.len();
    let fits = rank == block.len() && whole.iter().zip(&block).all(|(x, u)| u <= x);
    if !fits {
        return Err(ImportError::malformed(format!("{} into {}", b.ty(update), b.ty(x))));
    }
    let quant = b.ty(x).quant.clone();
    if rank == 0 || block.contains(&0) {
        return one(if rank == 0 { update } else { x });
    }
    // Leading axes that are replaced one index at a time are addressed, the rest moves whole.
    let same = whole.iter().zip(&block).rev().take_while(|(x, u)| x == u).count();
    let addressed = (rank - same).max(1);
    let places = block[..addressed].iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
    let Some(places) = places.filter(|places| *places <= MOST) else {
        return Err(ImportError::unsupported("the block is too large"));
    };
    if b.operand(start).ints().is_none() && b.ty(start).dims != [Dim::Known(rank as i64)] {
        return Err(ImportError::malformed(format!("a place of {} for {rank} axes", b.ty(start))));
    }
    start = super::cast::to(b, start, DType::I64)?;
    if addressed < rank {
        let dims = vec![Dim::Known(addressed as i64)];
        start = b.op(super::Slice { starts: vec![0], steps: vec![1], dims }, &[start])?;
    }
    // A block that would stick out is moved inside.
    let room: Vec<i64> = (0..addressed).map(|i| (whole[i] - block[i]) as i64).collect();
    let (room, zeros) = (b.i64s(&room), b.i64s(&vec![0; addressed]));
    let start = b.op(Maximum {}, &[start, zeros])?;
    let start = b.op(Minimum {}, &[start, room])?;
    let mut grid = Vec::with_capacity(places * addressed);
    for place in 0..places {
        let mut rest = place;
        let mut index = vec![0i64; addressed];
        for axis in (0..addressed).rev() {
            index[axis] = (rest % block[axis]) as i64;
            rest /= block[axis];
        }
        grid.extend(index);
    }
    let mut dims = block[..addressed].to_vec();
    dims.push(addressed);
    let grid = b.constant(Const::from_i64(&dims, &grid), None);
    let places = b.op(Add {}, &[grid, start])?;
    let y = b.op(ScatterNd { by: Meeting(Kind::Replace) }, &[x, places, update])?;
    b.set_quant(y, quant);
    one(y)
}
