//! A twin of the i8 depthwise convolution that sums several pixels at a time, with weights widened
//! to 16 bits beforehand. Integer sums do not depend on their order, so the results are the same.

use core::ops::Range;

use embarca_num::fixed::{Requant, Rescale};
use zerocopy::FromBytes;

use super::{ParamsI8, Shape, i8};
use crate::{
    Call, Fault, Kernel, Pack, Signature,
    packing::{WIDE_I16, wide_i16},
    spatial::Taps,
    tail::{TailI8, factor, factors},
};

/// The twin of `depthwise_conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "depthwise_conv2d_i8_wide",
    check: i8::check,
    run: call,
    pack: Some(Pack { packing: WIDE_I16, input: 1, len, pack }),
};

/// Channels of a tile.
const LANES: usize = 8;

/// Channels that are rescaled together, a multiple of [`LANES`].
const SPAN: usize = 64;

/// Pixels of a tile: with [`LANES`] channels their sums fill eight vectors of four.
const TILE: usize = 4;

fn len(sig: &Signature) -> Result<usize, Fault> {
    sig.input(1)?.len()?.checked_mul(2).ok_or(Fault::TooLarge)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    wide_i16(params.tail.w_zero as i16, w, packed);
    Ok(())
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (x, w, bias, factors) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let outputs = Outputs {
        tail: &params.tail,
        shape: &shape,
        w: w.elements(),
        bias: bias.as_ref().map(|bias| bias.elements()),
        factors: factors.elements(),
    };
    outputs.run(units, x.elements(), y.elements());
    Ok(())
}

struct Outputs<'a> {
    tail: &'a TailI8,
    shape: &'a Shape,
    /// [`WIDE_I16`]
    w: &'a [i16],
    bias: Option<&'a [i32]>,
    factors: &'a [Requant],
}

impl Outputs<'_> {
    /// Rows `units` of the output.
    fn run(&self, units: Range<usize>, x: &[i8], y: &mut [i8]) {
        let channels = self.shape.output[2];
        let full = if self.shape.multiplier == 1 { channels / LANES * LANES } else { 0 };
        for first in (0..full).step_by(SPAN) {
            let span = Span::new(self, first, (full - first).min(SPAN));
            self.for_each_row(units.clone(), x, y, |down, x, y| span.run(down, x, y));
        }
        if full < channels {
            self.for_each_row(units, x, y, |down, x, y| {
                for (ox, y) in y.chunks_exact_mut(channels).enumerate() {
                    let window = (down, self.shape.axes[1].taps(ox));
                    for (o, y) in y.iter_mut().enumerate().skip(full) {
                        let sum = self.sum_one(window, o, x);
                        *y = self.tail.apply(sum, factor(self.factors, o));
                    }
                }
            });
        }
    }

    /// Calls `each` with the taps that meet the input, the image and the output of every row.
    fn for_each_row(
        &self,
        units: Range<usize>,
        x: &[i8],
        y: &mut [i8],
        mut each: impl FnMut(Taps, &[i8], &mut [i8]),
    ) {
        let height = self.shape.output[0];
        for (unit, y) in units.zip(y.chunks_exact_mut(self.shape.row().max(1))) {
            let image = &x[unit / height * self.shape.image()..][..self.shape.image()];
            each(self.shape.axes[0].taps(unit % height), image, y);
        }
    }

    /// The sum of one output channel.
    fn sum_one(&self, (down, across): (Taps, Taps), o: usize, x: &[i8]) -> i32 {
        let [_, width, channels] = self.shape.input;
        let (kw, outputs) = (self.shape.axes[1].len(), self.shape.output[2]);
        let mut sum = self.bias.map_or(0, |bias| bias[o]);
        for (ky, iy) in down.iter() {
            for (kx, ix) in across.iter() {
                let x = x[(iy * width + ix) * channels + o / self.shape.multiplier];
                let w = self.w[(ky * kw + kx) * outputs + o];
                let x = i32::from(x) - self.tail.in_zero;
                sum = sum.wrapping_add(x * i32::from(w));
            }
        }
        sum
    }
}

/// Up to [`SPAN`] neighbouring channels, a multiple of [`LANES`].
struct Span<'a> {
    outputs: &'a Outputs<'a>,
    first: usize,
    count: usize,
    factors: Rescale<SPAN>,
    bias: [i32; SPAN],
}

impl<'a> Span<'a> {
    fn new(outputs: &'a Outputs, first: usize, count: usize) -> Self {
        let mut bias = [0; SPAN];
        if let Some(values) = outputs.bias {
            bias[..count].copy_from_slice(&values[first..first + count]);
        }
        Self { outputs, first, count, factors: factors(outputs.factors, first), bias }
    }

    /// One row of the output.
    fn run(&self, down: Taps, x: &[i8], y: &mut [i8]) {
        let Shape { axes: [_, axis], output: [_, width, channels], .. } = *self.outputs.shape;
        let inside = axis.inside(width);
        let mut at = 0;
        while at < width {
            let across = axis.taps(at);
            let y = &mut y[at * channels..];
            if inside.contains(&at) && at + TILE <= inside.end {
                self.tile::<TILE>(down, across, x, y);
                at += TILE;
            } else {
                self.tile::<1>(down, across, x, y);
                at += 1;
            }
        }
    }

    /// `P` pixels that meet the same taps.
    #[inline(always)]
    fn tile<const P: usize>(&self, down: Taps, across: Taps, x: &[i8], y: &mut [i8]) {
        let Outputs { shape, w, tail, .. } = *self.outputs;
        let [_, width, channels] = shape.input;
        let step = shape.axes[1].stride() * channels;
        let zero = tail.in_zero as i16;
        let mut all = [self.bias; P];
        for group in (0..self.count).step_by(LANES) {
            let mut sums = [[0i32; LANES]; P];
            for (ky, iy) in down.iter() {
                let first = self.first + group;
                let mut at = (iy * width + across.at) * channels + first;
                let mut w_at = (ky * shape.axes[1].len() + across.first) * channels + first;
                for _ in 0..across.count {
                    let Some(w) = w[w_at..].first_chunk::<LANES>() else { break };
                    for p in 0..P {
                        let Some(x) = x[at + p * step..].first_chunk::<LANES>() else { break };
                        for lane in 0..LANES {
                            let x = i16::from(x[lane]).wrapping_sub(zero);
                            let product = i32::from(x) * i32::from(w[lane]);
                            sums[p][lane] = sums[p][lane].wrapping_add(product);
                        }
                    }
                    at += across.step * channels;
                    w_at += channels;
                }
            }
            for p in 0..P {
                for (to, sum) in all[p][group..group + LANES].iter_mut().zip(sums[p]) {
                    *to = to.wrapping_add(sum);
                }
            }
        }
        for p in 0..P {
            let y = &mut y[p * channels + self.first..][..self.count];
            tail.store(&mut all[p][..self.count], &self.factors, y);
        }
    }
}
