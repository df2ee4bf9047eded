//! Depthwise convolution with one output a channel, of any kernel: tap by tap, several channels at
//! a time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::gather::Sizes;
use super::{Param, Shape, Sums};
use crate::Fault;
use crate::device::frame::product;
use crate::device::{Byte, Bytes, Frame, clamp};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Taps {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the scratch: a window, none when every window lies within the input.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`fours`].
    pub weights: u32,
    /// Offset of the parameters, a [`Param`] for each channel.
    pub params: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Zero point of the input.
    pub zero: i8,
    /// Zero.
    pub reserved: u8,
    /// Height, width.
    pub output: [u16; 2],
    /// Height, width.
    pub kernel: [u8; 2],
    /// Along height, width.
    pub stride: [u8; 2],
    /// Along height, width.
    pub dilation: [u8; 2],
    /// Above, to the left.
    pub pad: [u8; 2],
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub spare: [u8; 2],
}

impl Taps {
    fn sizes(&self) -> Sizes {
        let &Self { input, kernel, stride, dilation, pad, zero, .. } = self;
        Sizes { input, kernel, stride, dilation, pad, zero }
    }

    /// Bytes of scratch.
    pub fn scratch(&self) -> u32 {
        if self.sizes().all_inside(self.output) { 0 } else { self.sizes().window() }
    }
}

/// Channels at a time.
const LANES: usize = 4;

/// Weights `[taps][channels]` in the order of the loop: all taps of four channels, then of the next
/// four; the last ones, fewer than four, one by one.
pub fn fours(weights: &[i8], channels: usize, out: &mut [i8]) {
    let taps = weights.len() / channels.max(1);
    let whole = channels - channels % LANES;
    for (index, &w) in weights.iter().enumerate() {
        let (tap, channel) = (index / channels, index % channels);
        let at = if channel < whole {
            (channel / LANES * taps + tap) * LANES + channel % LANES
        } else {
            channel * taps + tap
        };
        if let Some(out) = out.get_mut(at) {
            *out = w;
        }
    }
}

/// Runs or checks the step.
pub fn taps<P: Sums>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Taps = frame.params()?;
    let [height, width, channels] = step.input.map(u32::from);
    let [out_h, out_w] = step.output.map(u32::from);
    let [kernel_h, kernel_w] = step.kernel.map(u32::from);
    let taps = kernel_h * kernel_w;
    let empty = taps == 0 || channels == 0 || step.dilation.contains(&0);
    if empty || step.reserved != 0 || step.spare != [0; 2] {
        return Err(Fault::Record);
    }
    let x = frame.arena(step.x, product(&[height, width, channels])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, channels])?)?;
    let scratch = frame.arena(step.scratch, step.scratch())?;
    let weights = frame.constants(step.weights, product(&[taps, channels])?)?;
    let params = Param::list(frame, step.params, channels)?;
    if frame.dry {
        return Ok(());
    }
    let sizes = step.sizes();
    let [line, step_right] = sizes.steps();
    let [rows, columns] = [kernel_h, kernel_w];
    let inner = Shape { rows, columns, step: step_right, line };
    let gathered = Shape { rows, columns, step: channels, line: kernel_w * channels };
    let run = Run { weights, params, taps: taps as usize };
    let mut pixels = y.chunks_exact((channels as usize).max(1));
    for out_y in 0..step.output[0] {
        for out_x in 0..step.output[1] {
            let Some(y) = pixels.next() else { break };
            let (row, column, inside) = sizes.corner(out_y, out_x);
            if inside {
                let x = x.get(sizes.place(row, column)..).unwrap_or_default();
                run.pixel::<P>(x, &inner, y);
            } else {
                sizes.gather::<P>(x, (row, column), scratch);
                run.pixel::<P>(scratch, &gathered, y);
            }
        }
    }
    clamp(y, step.act);
    Ok(())
}

struct Run<'a> {
    weights: &'a [u8],
    params: &'a [Param],
    taps: usize,
}

impl Run<'_> {
    /// All channels of an output, whose window starts with `x`.
    fn pixel<P: Sums>(&self, mut x: Bytes<'_>, shape: &Shape, y: Bytes<'_>) {
        let (blocks, rest) = y.as_chunks::<LANES>();
        let (params, last) = self.params.as_chunks::<LANES>();
        let mut weights = self.weights;
        for (params, y) in params.iter().zip(blocks) {
            let (now, later) = weights.split_at_checked(LANES * self.taps).unwrap_or_default();
            let mut sums = params.each_ref().map(|param| param.bias);
            P::taps(x, now, shape, &mut sums);
            P::finish(&sums, params, y);
            x = x.get(LANES..).unwrap_or_default();
            weights = later;
        }
        for (param, y) in last.iter().zip(rest) {
            let (now, later) = weights.split_at_checked(self.taps).unwrap_or_default();
            let mut sums = [param.bias];
            portable(x, now, shape, &mut sums);
            P::finish(&sums, core::slice::from_ref(param), core::slice::from_ref(y));
            x = x.get(1..).unwrap_or_default();
            weights = later;
        }
    }
}

/// Adds the products of one tap.
#[inline(always)]
fn multiply<const N: usize>(sums: &mut [i32; N], x: &[Byte; N], w: &[u8; N]) {
    for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
        *sum = sum.wrapping_add(i32::from(x.get() as i8) * i32::from(*w as i8));
    }
}

/// The portable form of [`Sums::taps`].
pub(super) fn portable<const N: usize>(x: Bytes<'_>, w: &[u8], shape: &Shape, sums: &mut [i32; N]) {
    let mut weights = w.as_chunks::<N>().0.iter();
    let mut row = x;
    for _ in 0..shape.rows {
        let mut rest = row;
        for _ in 0..shape.columns {
            let (Some(w), Some(x)) = (weights.next(), rest.first_chunk()) else { return };
            multiply(sums, x, w);
            rest = rest.get(shape.step as usize..).unwrap_or_default();
        }
        row = row.get(shape.line as usize..).unwrap_or_default();
    }
}
