//! A twin of the i8 depthwise convolution whose weights are widened to 16 bits beforehand. Integer
//! sums do not depend on their order, so the results are the same.

use core::ops::Range;

use embarca_num::fixed::Requant;
use zerocopy::FromBytes;

use super::{LANES, ParamsI8, Shape, i8};
use crate::{
    Call, Fault, Kernel, Pack, Signature,
    packing::WIDE_I16,
    spatial::Taps,
    tail::{TailI8, factor},
};

/// The twin of `depthwise_conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "depthwise_conv2d_i8_wide",
    check: i8::check,
    run: call,
    pack: Some(Pack { packing: WIDE_I16, input: 1, len, pack }),
};

fn len(sig: &Signature) -> Result<usize, Fault> {
    sig.input(1)?.len()?.checked_mul(2).ok_or(Fault::TooLarge)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    for (to, &w) in packed.iter_mut().zip(w) {
        *to = i16::from(w).wrapping_sub(params.tail.w_zero as i16);
    }
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
        let [height, width, outputs] = self.shape.output;
        let mut pixels = y.chunks_exact_mut(outputs.max(1));
        for unit in units {
            let image = &x[unit / height * self.shape.image()..][..self.shape.image()];
            let down = self.shape.axes[0].taps(unit % height);
            for (ox, y) in pixels.by_ref().take(width).enumerate() {
                let window = (down, self.shape.axes[1].taps(ox));
                let full = if self.shape.multiplier == 1 { outputs / LANES * LANES } else { 0 };
                for first in (0..full).step_by(LANES) {
                    let sums = self.sum(window, first, image);
                    self.store(first, &sums, &mut y[first..first + LANES]);
                }
                for (o, y) in y.iter_mut().enumerate().skip(full) {
                    let sum = self.sum_one(window, o, image);
                    self.store(o, &[sum], core::slice::from_mut(y));
                }
            }
        }
    }

    /// The sums of [`LANES`] channels.
    #[inline(always)]
    fn sum(&self, (down, across): (Taps, Taps), first: usize, x: &[i8]) -> [i32; LANES] {
        let ([_, width, channels], kw) = (self.shape.input, self.shape.axes[1].len());
        let zero = self.tail.in_zero as i16;
        let mut sums = [0i32; LANES];
        for (ky, iy) in down.iter() {
            for (kx, ix) in across.iter() {
                let x = &x[(iy * width + ix) * channels + first..][..LANES];
                let w = &self.w[(ky * kw + kx) * channels + first..][..LANES];
                for lane in 0..LANES {
                    let x = i16::from(x[lane]).wrapping_sub(zero);
                    let product = i32::from(x) * i32::from(w[lane]);
                    sums[lane] = sums[lane].wrapping_add(product);
                }
            }
        }
        sums
    }

    /// The sum of one output channel.
    fn sum_one(&self, (down, across): (Taps, Taps), o: usize, x: &[i8]) -> i32 {
        let [_, width, channels] = self.shape.input;
        let (kw, outputs) = (self.shape.axes[1].len(), self.shape.output[2]);
        let mut sum = 0i32;
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

    #[inline(always)]
    fn store(&self, first: usize, sums: &[i32], y: &mut [i8]) {
        for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
            let bias = self.bias.map_or(0, |bias| bias[first + lane]);
            *y = self.tail.apply(sum.wrapping_add(bias), factor(self.factors, first + lane));
        }
    }
}
