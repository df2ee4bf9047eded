//! Between pixels and channels, and between pixels and batches; channels last.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{self, Walk, check_size, moved_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Blocks of pixels of N,H,W,C become channels; record [`Params`].
pub const SPACE_TO_DEPTH: Kernel =
    Kernel::new("space_to_depth", check_space_to_depth, call_space_to_depth);
/// Channels of N,H,W,C become blocks of pixels; record [`Params`].
pub const DEPTH_TO_SPACE: Kernel =
    Kernel::new("depth_to_space", check_depth_to_space, call_depth_to_space);
/// Blocks along the spatial axes, zero points around them, become batches; record [`BatchParams`].
pub const SPACE_TO_BATCH: Kernel =
    Kernel::new("space_to_batch", check_space_to_batch, call_space_to_batch);
/// The inverse of [`SPACE_TO_BATCH`], cropping; record [`BatchParams`].
pub const BATCH_TO_SPACE: Kernel =
    Kernel::new("batch_to_space", check_batch_to_space, call_batch_to_space);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH, BATCH_TO_SPACE];

/// The place in the block is the slower part of the channel (TFLite, ONNX's DCR).
pub const BLOCK_FIRST: u32 = 0;
/// The place in the block is the faster part of the channel (ONNX's CRD).
pub const BLOCK_LAST: u32 = 1;

/// Block size and order of the channels.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Height and width of a block, at least 1.
    pub block: u32,
    /// [`BLOCK_FIRST`] or [`BLOCK_LAST`].
    pub order: u32,
}

/// Blocks of one or two spatial axes, which follow the batch axis.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BatchParams {
    /// Block size along each axis, at least 1; the second is 1 when there is one spatial axis.
    pub block: [u32; 2],
    /// Padding (or cropping) before each axis; what comes after follows from the dimensions.
    pub before: [u32; 2],
    /// The padding element, as bytes in little-endian order, then zeros.
    pub value: [u32; 2],
}

/// N,H,W,C of both sides; `deep` has the greater C.
fn check_depth(sig: &Signature, deep_is_output: bool) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    if params.block == 0 || BLOCK_LAST < params.order {
        return Err(Fault::Record);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    check_size(x)?;
    let len = check_size(y)?;
    let (wide, deep) = if deep_is_output { (x, y) } else { (y, x) };
    let ([n, h, w, c], [dn, dh, dw, dc]) = (wide.dims, deep.dims) else {
        return Err(Fault::Shape);
    };
    let times = |a: u32, b: u32, c: u32| u64::from(a) * u64::from(b) * u64::from(c);
    let block = params.block;
    let fits = n == dn
        && u64::from(*h) == times(*dh, block, 1)
        && u64::from(*w) == times(*dw, block, 1)
        && block <= 1 << 15
        && u64::from(*dc) == times(*c, block, block);
    if fits { Ok(Needs::split(len)) } else { Err(Fault::Shape) }
}

fn check_space_to_depth(sig: &Signature) -> Result<Needs, Fault> {
    check_depth(sig, true)
}

fn check_depth_to_space(sig: &Signature) -> Result<Needs, Fault> {
    check_depth(sig, false)
}

fn call_space_to_depth(call: &mut Call) -> Result<(), Fault> {
    let Params { block, order } = call.params()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let ([_, _, _, c], [n, h, w, _]) = (x.ty.dims, y.ty.dims) else { return Err(Fault::Shape) };
    let [c, n, h, w, b] = [*c, *n, *h, *w, block].map(|dim| dim as usize);
    let at = strides(x.ty.dims);
    let of_block = [(b, [at[1]]), (b, [at[2]])];
    let channel = (c, [at[3]]);
    let [i, j, k] = if order == BLOCK_FIRST {
        [of_block[0], of_block[1], channel]
    } else {
        [channel, of_block[0], of_block[1]]
    };
    let step = b as isize;
    let loops = [(n, [at[0]]), (h, [at[1] * step]), (w, [at[2] * step]), i, j, k];
    walk::copy_bytes(&Walk::new(loops, [0]), units, &x, y)
}

fn call_depth_to_space(call: &mut Call) -> Result<(), Fault> {
    let Params { block, order } = call.params()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let ([n, h, w, _], [_, _, _, c]) = (x.ty.dims, y.ty.dims) else { return Err(Fault::Shape) };
    let [n, h, w, c, b] = [*n, *h, *w, *c, block].map(|dim| dim as usize);
    let at = strides(x.ty.dims);
    // Elements of the deep channel between neighbours in the block and in the channel.
    let (row, column, channel) = if order == BLOCK_FIRST {
        ((b * c) as isize, c as isize, 1)
    } else {
        (b as isize, 1, (b * b) as isize)
    };
    let loops =
        [(n, [at[0]]), (h, [at[1]]), (b, [row]), (w, [at[2]]), (b, [column]), (c, [channel])];
    walk::copy_bytes(&Walk::new(loops, [0]), units, &x, y)
}

/// N,H,W and the bytes of the rest: a missing second spatial axis is 1.
fn spatial(dims: &[u32], two: bool, size: usize) -> Option<[usize; 4]> {
    let taken = if two { 3 } else { 2 };
    let (front, rest) = dims.split_at_checked(taken)?;
    let rest = rest.iter().map(|&dim| dim as usize).product::<usize>() * size;
    let dim = |i: usize| front.get(i).map_or(1, |&dim| dim as usize);
    Some([dim(0), dim(1), dim(2), rest])
}

/// Whether the second axis is spatial too: it is unless nothing happens along it.
fn is_two(params: &BatchParams, rank: usize) -> bool {
    2 < rank && (params.block[1] != 1 || 3 < rank)
}

/// `few` has fewer batches. Cropping or padding is at most what the blocks cover.
fn check_batch(sig: &Signature, few_is_output: bool) -> Result<Needs, Fault> {
    let params = sig.params::<BatchParams>()?;
    if params.block.contains(&0) || params.block.iter().any(|&block| 1 << 15 < block) {
        return Err(Fault::Record);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let size = moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    check_size(x)?;
    let len = check_size(y)?;
    let (few, many) = if few_is_output { (y, x) } else { (x, y) };
    let two = is_two(&params, few.dims.len());
    if few.dims.len() != many.dims.len() || few.dims.len() < 2 || (two && few.dims.len() < 3) {
        return Err(Fault::Shape);
    }
    let (Some(small), Some(large)) = (spatial(few.dims, two, size), spatial(many.dims, two, size))
    else {
        return Err(Fault::Shape);
    };
    let blocks = u64::from(params.block[0]) * u64::from(params.block[1]);
    let mut fits = large[0] as u64 == small[0] as u64 * blocks && large[3] == small[3];
    for i in 0..2 {
        // What is padded or cropped lies within the blocks.
        let covered = large[i + 1] as u64 * u64::from(params.block[i]);
        let needed = small[i + 1] as u64 + u64::from(params.before[i]);
        fits &= needed <= covered;
    }
    if !fits {
        return Err(Fault::Shape);
    }
    let row = y.dims.len().min(if two { 3 } else { 2 });
    let rows = y.dims.iter().take(row).map(|&dim| dim as usize).product();
    Ok(Needs::split(if len == 0 { 0 } else { rows }))
}

fn check_space_to_batch(sig: &Signature) -> Result<Needs, Fault> {
    check_batch(sig, false)
}

fn check_batch_to_space(sig: &Signature) -> Result<Needs, Fault> {
    check_batch(sig, true)
}

fn call_space_to_batch(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<BatchParams>()?;
    let [block_h, block_w] = params.block.map(|block| block as usize);
    let [top, left] = params.before.map(|before| before as usize);
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let size = x.ty.dtype.size();
    let two = is_two(&params, x.ty.dims.len());
    let [n, h, w, row] = spatial(x.ty.dims, two, size).ok_or(Fault::Shape)?;
    let [_, out_h, out_w, _] = spatial(y.ty.dims, two, size).ok_or(Fault::Shape)?;
    for (unit, y) in units.zip(y.data.chunks_exact_mut(row.max(1))) {
        let (batch, at) = (unit / (out_h * out_w), unit % (out_h * out_w));
        let (place, batch) = (batch / n, batch % n);
        let down = (at / out_w * block_h + place / block_w).checked_sub(top);
        let right = (at % out_w * block_w + place % block_w).checked_sub(left);
        match down.zip(right) {
            Some((i, j)) if i < h && j < w => {
                let from = ((batch * h + i) * w + j) * row;
                y.copy_from_slice(&x.data[from..from + row]);
            }
            _ => {
                let value = params.value.as_bytes();
                for y in y.chunks_exact_mut(size) {
                    y.copy_from_slice(&value[..size]);
                }
            }
        }
    }
    Ok(())
}

fn call_batch_to_space(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<BatchParams>()?;
    let [block_h, block_w] = params.block.map(|block| block as usize);
    let [top, left] = params.before.map(|before| before as usize);
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let size = x.ty.dtype.size();
    let two = is_two(&params, x.ty.dims.len());
    let [_, in_h, in_w, row] = spatial(x.ty.dims, two, size).ok_or(Fault::Shape)?;
    let [n, h, w, _] = spatial(y.ty.dims, two, size).ok_or(Fault::Shape)?;
    for (unit, y) in units.zip(y.data.chunks_exact_mut(row.max(1))) {
        let (batch, at) = (unit / (h * w), unit % (h * w));
        let (i, j) = (at / w + top, at % w + left);
        let place = i % block_h * block_w + j % block_w;
        let from = (((place * n + batch) * in_h + i / block_h) * in_w + j / block_w) * row;
        y.copy_from_slice(&x.data[from..from + row]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use std::vec::Vec;

    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn blocks_become_channels_and_return() {
        // ONNX, DepthToSpace: the example of the specification, channels last.
        let x = Tensor::i32(
            &[1, 1, 2, 8],
            &[0, 9, 18, 27, 36, 45, 54, 63, 1, 10, 19, 28, 37, 46, 55, 64],
        );
        let to = [(DType::I32, &[1, 2, 4, 2][..])];
        let dcr = run(&DEPTH_TO_SPACE, &Params { block: 2, order: BLOCK_FIRST }, from_ref(&x), &to);
        assert_eq!(dcr[0].to_i32(), [0, 9, 18, 27, 1, 10, 19, 28, 36, 45, 54, 63, 37, 46, 55, 64]);
        let crd = run(&DEPTH_TO_SPACE, &Params { block: 2, order: BLOCK_LAST }, from_ref(&x), &to);
        assert_eq!(crd[0].to_i32(), [0, 36, 9, 45, 1, 37, 10, 46, 18, 54, 27, 63, 19, 55, 28, 64]);
        let back = [(DType::I32, &[1, 1, 2, 8][..])];
        for (order, y) in [(BLOCK_FIRST, dcr), (BLOCK_LAST, crd)] {
            let y = run(&SPACE_TO_DEPTH, &Params { block: 2, order }, &y, &back);
            assert_eq!(y[0], x);
        }
    }

    #[test]
    fn blocks_become_batches_and_return() {
        let x = Tensor::i8(&[1, 3, 3, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let params = BatchParams { block: [2, 2], before: [1, 0], value: [0xf7, 0] };
        let to = [(DType::I8, &[4, 2, 2, 1][..])];
        let y = run(&SPACE_TO_BATCH, &params, from_ref(&x), &to);
        assert_eq!(y[0].to_i8(), [-9, -9, 4, 6, -9, -9, 5, -9, 1, 3, 7, 9, 2, -9, 8, -9]);
        let back = run(&BATCH_TO_SPACE, &params, &y, &[(DType::I8, &[1, 3, 3, 1])]);
        assert_eq!(back[0], x);
    }

    #[test]
    fn one_spatial_axis() {
        let x: Vec<i32> = (0..12).collect();
        let x = Tensor::i32(&[1, 6, 2], &x);
        let params = BatchParams { block: [3, 1], before: [0, 0], value: [0, 0] };
        let y = run(&SPACE_TO_BATCH, &params, from_ref(&x), &[(DType::I32, &[3, 2, 2])]);
        assert_eq!(y[0].to_i32(), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        let back = run(&BATCH_TO_SPACE, &params, &y, &[(DType::I32, &[1, 6, 2])]);
        assert_eq!(back[0], x);
    }
}
