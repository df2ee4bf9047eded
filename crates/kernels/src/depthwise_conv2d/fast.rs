//! A twin of the f32 depthwise convolution that sums several pixels at a time. Every sum keeps the
//! order of the definition, so the results are the same bits.

use core::ops::Range;

use super::{ParamsF32, Shape, f32};
use crate::{Call, Fault, Kernel, spatial::Taps, tail::ClampF32};

/// The twin of `depthwise_conv2d_f32`.
pub const F32: Kernel = Kernel::new("depthwise_conv2d_f32_tiles", f32::check, call);

/// Channels of a tile. Others are left to the definition.
const LANES: usize = 8;

/// Pixels of a tile: with [`LANES`] channels their sums fill eight vectors of four.
const TILE: usize = 4;

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    if shape.multiplier != 1 || !shape.output[2].is_multiple_of(LANES) {
        f32::run(params.clamp, &shape, units, x.elements(), w.elements(), bias, y.elements());
        return Ok(());
    }
    let outputs = Outputs {
        clamp: params.clamp,
        shape: &shape,
        groups: shape.output[2] / LANES,
        x: x.elements::<f32>().as_chunks().0,
        w: w.elements::<f32>().as_chunks().0,
        bias: bias.map(|bias| bias.as_chunks().0),
    };
    outputs.run(units, y.elements::<f32>().as_chunks_mut().0);
    Ok(())
}

struct Outputs<'a> {
    clamp: ClampF32,
    shape: &'a Shape,
    /// Groups of [`LANES`] channels.
    groups: usize,
    x: &'a [[f32; LANES]],
    w: &'a [[f32; LANES]],
    bias: Option<&'a [[f32; LANES]]>,
}

impl Outputs<'_> {
    /// Rows `units` of the output.
    fn run(&self, units: Range<usize>, y: &mut [[f32; LANES]]) {
        let ([rows, width, _], groups) = (self.shape.output, self.groups);
        let image = self.shape.input[0] * self.shape.input[1] * groups;
        let inside = self.shape.axes[1].inside(width);
        for (unit, y) in units.zip(y.chunks_exact_mut((width * groups).max(1))) {
            let x = &self.x[unit / rows * image..][..image];
            let down = self.shape.axes[0].taps(unit % rows);
            let mut at = 0;
            while at < width {
                let across = self.shape.axes[1].taps(at);
                let y = &mut y[at * groups..];
                if inside.contains(&at) && at + TILE <= inside.end {
                    self.tile::<TILE>(down, across, x, y);
                    at += TILE;
                } else {
                    self.tile::<1>(down, across, x, y);
                    at += 1;
                }
            }
        }
    }

    /// All channels of `P` pixels that meet the same taps.
    #[inline(always)]
    fn tile<const P: usize>(
        &self,
        down: Taps,
        across: Taps,
        x: &[[f32; LANES]],
        y: &mut [[f32; LANES]],
    ) {
        let groups = self.groups;
        let (width, kw) = (self.shape.input[1], self.shape.axes[1].len());
        let step = self.shape.axes[1].stride() * groups;
        for group in 0..groups {
            let mut sums = [[0.0; LANES]; P];
            for (ky, iy) in down.iter() {
                let mut at = (iy * width + across.at) * groups + group;
                let mut w_at = (ky * kw + across.first) * groups + group;
                for _ in 0..across.count {
                    let w = &self.w[w_at];
                    for p in 0..P {
                        let x = &x[at + p * step];
                        for lane in 0..LANES {
                            sums[p][lane] += x[lane] * w[lane];
                        }
                    }
                    at += across.step * groups;
                    w_at += groups;
                }
            }
            let bias = self.bias.map_or([0.0; LANES], |bias| bias[group]);
            for p in 0..P {
                let y = &mut y[p * groups + group];
                for lane in 0..LANES {
                    y[lane] = self.clamp.apply(sums[p][lane] + bias[lane]);
                }
            }
        }
    }
}
