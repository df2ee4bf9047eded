//! Twins of the depthwise convolutions with i8 weights. They sum several pixels at a time, with
//! weights widened to 16 bits beforehand. Integer sums do not depend on their order, so the results
//! are the same.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsF32, ParamsI8, Shape, hybrid, i8, onnx};
use crate::{
    Call, Fault, Kernel, Pack, Signature,
    finish::{Finish, FinishHybrid, FinishI8, FinishOnnx, SPAN},
    hybrid::quantize_asymmetric,
    packing::{WIDE_I16, wide_i16},
    spatial::Taps,
};

/// The twin of `depthwise_conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "depthwise_conv2d_i8_wide",
    check: i8::check,
    run: call_i8,
    pack: Some(Pack { packing: WIDE_I16, input: 1, len, pack: pack_i8 }),
};

/// The twin of `depthwise_conv2d_onnx`.
pub const ONNX: Kernel = Kernel {
    name: "depthwise_conv2d_onnx_wide",
    check: onnx::check,
    run: call_onnx,
    pack: Some(Pack { packing: WIDE_I16, input: 1, len, pack: pack_i8 }),
};

/// The twin of `depthwise_conv2d_hybrid`.
pub const HYBRID: Kernel = Kernel {
    name: "depthwise_conv2d_hybrid_wide",
    check: hybrid::check,
    run: call_hybrid,
    pack: Some(Pack { packing: WIDE_I16, input: 1, len, pack: |_, w, packed| pack(0, w, packed) }),
};

/// Channels of a tile.
const LANES: usize = 8;

/// Pixels of a tile: with [`LANES`] channels their sums fill eight vectors of four.
const TILE: usize = 4;

fn len(sig: &Signature) -> Result<usize, Fault> {
    sig.input(1)?.len()?.checked_mul(2).ok_or(Fault::TooLarge)
}

fn pack_i8(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    pack(params.tail.w_zero as i16, w, packed)
}

fn pack(w_zero: i16, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    wide_i16(w_zero, w, packed);
    Ok(())
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (bias, factors) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    let finish = FinishI8 { tail: &params.tail, bias, factors: factors.elements() };
    call_with(call, &params, finish)
}

fn call_onnx(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (bias, scales) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    let finish = FinishOnnx { tail: &params.tail, bias, scales: scales.elements() };
    call_with(call, &params, finish)
}

fn call_with(call: &mut Call, params: &ParamsI8, finish: impl Finish<Y = i8>) -> Result<(), Fault> {
    let (x, w, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let zero = params.tail.in_zero as i16;
    let outputs = Outputs { finish, zero, shape: &shape, w: w.elements() };
    outputs.run(units, x.elements(), y.elements());
    Ok(())
}

fn call_hybrid(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let quantized = call.scratch.get_mut(..shape.image()).ok_or(Fault::TooLarge)?;
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    let (x, mut y, height) = (x.elements::<f32>(), y.elements::<f32>(), shape.output[0].max(1));
    let mut start = units.start;
    while start < units.end {
        let image = start / height;
        let end = units.end.min((image + 1) * height);
        let x = &x[image * shape.image()..][..shape.image()];
        let (scale, zero) = quantize_asymmetric(x, quantized);
        let finish = FinishHybrid {
            clamp: params.clamp,
            bias: bias.as_ref().map(|bias| bias.elements()),
            scales: scales.elements(),
            scale,
            joined: true,
        };
        let outputs = Outputs { finish, zero, shape: &shape, w: w.elements() };
        let (part, rest) = y.split_at_mut((end - start) * shape.row());
        outputs.run(start - image * height..end - image * height, quantized, part);
        (y, start) = (rest, end);
    }
    Ok(())
}

struct Outputs<'a, F> {
    finish: F,
    /// Zero point of the input.
    zero: i16,
    shape: &'a Shape,
    /// [`WIDE_I16`]
    w: &'a [i16],
}

impl<F: Finish> Outputs<'_, F> {
    /// Rows `units` of the output.
    fn run(&self, units: Range<usize>, x: &[i8], y: &mut [F::Y]) {
        let [height, _, channels] = self.shape.output;
        for first in (0..channels).step_by(SPAN) {
            let count = (channels - first).min(SPAN);
            let mut start = [0; SPAN];
            self.finish.start(first, &mut start[..count]);
            let constants = self.finish.span(first, count);
            let span = Span { outputs: self, first, count, start, constants };
            let rows = y.chunks_exact_mut(self.shape.row().max(1));
            for (unit, y) in units.clone().zip(rows) {
                let image = &x[unit / height * self.shape.image()..][..self.shape.image()];
                span.row(self.shape.axes[0].taps(unit % height), image, y);
            }
        }
    }
}

/// Up to [`SPAN`] neighbouring channels.
struct Span<'a, F: Finish> {
    outputs: &'a Outputs<'a, F>,
    first: usize,
    count: usize,
    /// Where their sums begin.
    start: [i32; SPAN],
    constants: F::Span,
}

impl<F: Finish> Span<'_, F> {
    /// One row of the output.
    fn row(&self, down: Taps, x: &[i8], y: &mut [F::Y]) {
        let Shape { axes: [_, axis], output: [_, width, channels], .. } = *self.outputs.shape;
        let inside = axis.inside(width);
        let mut at = 0;
        while at < width {
            let window = (down, axis.taps(at));
            let y = &mut y[at * channels..];
            if inside.contains(&at) && at + TILE <= inside.end {
                self.tile::<TILE>(window, x, y);
                at += TILE;
            } else {
                self.tile::<1>(window, x, y);
                at += 1;
            }
        }
    }

    /// `P` pixels that meet the same taps.
    #[inline(always)]
    fn tile<const P: usize>(&self, window: (Taps, Taps), x: &[i8], y: &mut [F::Y]) {
        let Outputs { shape, ref finish, .. } = *self.outputs;
        let mut sums = [self.start; P];
        let full = if shape.multiplier == 1 { self.count / LANES * LANES } else { 0 };
        for lane in (0..full).step_by(LANES) {
            self.add_lanes(lane, window, x, &mut sums);
        }
        if full < self.count {
            self.add_each(full, window, x, &mut sums);
        }
        for (p, sums) in sums.iter_mut().enumerate() {
            let y = &mut y[p * shape.output[2] + self.first..][..self.count];
            finish.store(&self.constants, &mut sums[..self.count], y);
        }
    }

    /// Adds the taps of [`LANES`] channels from `lane` on.
    #[inline(always)]
    fn add_lanes<const P: usize>(
        &self,
        lane: usize,
        (down, across): (Taps, Taps),
        x: &[i8],
        sums: &mut [[i32; SPAN]; P],
    ) {
        let Outputs { shape, w, zero, .. } = *self.outputs;
        let [_, width, channels] = shape.input;
        let step = shape.axes[1].stride() * channels;
        let mut local = [[0i32; LANES]; P];
        for (ky, iy) in down.iter() {
            let first = self.first + lane;
            let mut at = (iy * width + across.at) * channels + first;
            let mut w_at = (ky * shape.axes[1].len() + across.first) * channels + first;
            for _ in 0..across.count {
                let Some(w) = w[w_at..].first_chunk::<LANES>() else { break };
                for p in 0..P {
                    let Some(x) = x[at + p * step..].first_chunk::<LANES>() else { break };
                    for i in 0..LANES {
                        let x = i16::from(x[i]).wrapping_sub(zero);
                        let product = i32::from(x) * i32::from(w[i]);
                        local[p][i] = local[p][i].wrapping_add(product);
                    }
                }
                at += across.step * channels;
                w_at += channels;
            }
        }
        for (sums, local) in sums.iter_mut().zip(local) {
            for (sum, local) in sums[lane..lane + LANES].iter_mut().zip(local) {
                *sum = sum.wrapping_add(local);
            }
        }
    }

    /// Adds the taps of the channels from `lane` on, one by one.
    #[inline(never)]
    fn add_each<const P: usize>(
        &self,
        lane: usize,
        (down, across): (Taps, Taps),
        x: &[i8],
        sums: &mut [[i32; SPAN]; P],
    ) {
        let Outputs { shape, w, zero, .. } = *self.outputs;
        let ([_, width, channels], outputs) = (shape.input, shape.output[2]);
        let step = shape.axes[1].stride() * channels;
        for (ky, iy) in down.iter() {
            for (kx, ix) in across.iter() {
                let at = (iy * width + ix) * channels;
                let w = &w[(ky * shape.axes[1].len() + kx) * outputs..][..outputs];
                for lane in lane..self.count {
                    let o = self.first + lane;
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let x = i32::from(x[at + p * step + o / shape.multiplier]);
                        let product = (x - i32::from(zero)) * i32::from(w[o]);
                        sums[lane] = sums[lane].wrapping_add(product);
                    }
                }
            }
        }
    }
}
