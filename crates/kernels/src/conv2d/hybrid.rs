//! The hybrid form: f32 activations, i8 weights.
//!
//! As LiteRT's `conv.cc` computes them, rounded to f32 after each step; each image of the batch is
//! quantized as a whole (see [`crate::hybrid`]) to `q` with scale `s` and zero point `z`:
//! - one scale for all weights (`EvalHybrid`): symmetric,
//!   `y = clamp(f32(sum of w * q) * (s * w_scale) + bias[o])`;
//! - one scale for each output channel (`EvalHybridPerChannel`): asymmetric,
//!   `y = clamp(f32(sum of w * (q - z)) * w_scale[o] * s + bias[o])`.
//!
//! Inputs: x, w (i8), bias (f32, optional), w_scale (f32 `[O]` in both forms).

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Shape, i8::dot};
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    hybrid::{quantize_asymmetric, quantize_symmetric},
    spatial::Window,
    tail::{ClampF32, check_bias, check_types},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsHybrid {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Divides the channels of x and y; at least 1.
    pub groups: u32,
    /// 1 for the form with one scale for each output channel, else 0.
    pub per_channel: u32,
    /// Fused activation.
    pub clamp: ClampF32,
}

/// f32 and i8 to f32.
pub const HYBRID: Kernel = Kernel::new("conv2d_hybrid", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsHybrid = sig.params()?;
    if 1 < params.per_channel {
        return Err(Fault::Record);
    }
    check_types(sig, [DType::F32, DType::I8, DType::F32], 4)?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let channels = shape.output[2] as u32;
    check_bias(sig, 2, DType::F32, channels)?;
    sig.input(3)?;
    check_bias(sig, 3, DType::F32, channels)?;
    Ok(Needs { units: shape.units(), scratch: shape.image() })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsHybrid = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let quantized = call.scratch.get_mut(..shape.image()).ok_or(Fault::TooLarge)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, scales: scales.elements() };
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    run(&params, &shape, units, x.elements(), &channels, quantized, y.elements());
    Ok(())
}

/// The constants of the output channels.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Weights.
    pub w: &'a [i8],
    /// Added last.
    pub bias: Option<&'a [f32]>,
    /// Scales of the weights.
    pub scales: &'a [f32],
}

/// Rows `units` of the output. `quantized` holds one image.
pub fn run(
    params: &ParamsHybrid,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[f32],
    channels: &Channels,
    quantized: &mut [i8],
    y: &mut [f32],
) {
    let rows = shape.output[0].max(1);
    let mut rest = y;
    let mut start = units.start;
    while start < units.end {
        let image = start / rows;
        let end = units.end.min((image + 1) * rows);
        let x = &x[image * shape.image()..(image + 1) * shape.image()];
        let (scale, zero) = match params.per_channel {
            0 => (quantize_symmetric(x, quantized), 0),
            _ => quantize_asymmetric(x, quantized),
        };
        let (y, tail) = rest.split_at_mut((end - start) * shape.row());
        shape.for_each_pixel(start..end, y, |[_, oy, ox], pixel| {
            for (o, y) in pixel.iter_mut().enumerate() {
                let mut sum = 0i32;
                shape.for_each_tap(quantized, channels.w, [0, oy, ox], o, |x, w| {
                    sum = sum.wrapping_add(dot(x, zero, w, 0));
                });
                let product = match params.per_channel {
                    0 => sum as f32 * (scale * channels.scales[o]),
                    _ => sum as f32 * channels.scales[o] * scale,
                };
                *y = params.clamp.apply(product + channels.bias.map_or(0.0, |bias| bias[o]));
            }
        });
        (rest, start) = (tail, end);
    }
}
