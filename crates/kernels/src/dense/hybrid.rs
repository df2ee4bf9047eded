//! The hybrid form: f32 activations, i8 weights with one scale for each output.
//!
//! As LiteRT's reference `EvalHybrid` of `fully_connected.cc`: each row of x is quantized by itself
//! (see [`crate::hybrid`]) to `q` with scale `s` and, in the asymmetric form, zero point `z`; then
//! `y = clamp(bias[o] + f32(sum of w * q - z * sum of w) * (s * w_scale[o]))`. A row of zeros
//! yields the bias alone. Inputs: x, w (i8), bias (f32, optional), w_scale (f32 `[O]`).

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    conv2d::{hybrid::Channels, i8::dot},
    hybrid::{quantize_asymmetric, quantize_symmetric},
    tail::{ClampF32, check_bias, check_types},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsHybrid {
    /// 1 when x is quantized with a zero point, 0 when without.
    pub asymmetric: u32,
    /// Fused activation.
    pub clamp: ClampF32,
}

/// f32 and i8 to f32.
pub const HYBRID: Kernel = Kernel::new("dense_hybrid", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsHybrid = sig.params()?;
    if 1 < params.asymmetric {
        return Err(Fault::Record);
    }
    check_types(sig, [DType::F32, DType::I8, DType::F32], 4)?;
    let shape = Shape::of(sig)?;
    check_bias(sig, 2, DType::F32, shape.outputs as u32)?;
    sig.input(3)?;
    check_bias(sig, 3, DType::F32, shape.outputs as u32)?;
    Ok(Needs { units: shape.units(), scratch: shape.inputs })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsHybrid = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let quantized = call.scratch.get_mut(..shape.inputs).ok_or(Fault::TooLarge)?;
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, scales: scales.elements() };
    run(&params, &shape, units, x.elements(), &channels, quantized, y.elements());
    Ok(())
}

/// Elements `units` of the output. `quantized` holds one row of x.
pub fn run(
    params: &ParamsHybrid,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    channels: &Channels,
    quantized: &mut [i8],
    y: &mut [f32],
) {
    let mut current = None;
    let (mut scale, mut zero) = (1.0, 0);
    for (y, unit) in y.iter_mut().zip(units) {
        let row = unit / shape.outputs;
        let (x, o, w) = shape.operands(unit, x, channels.w);
        if current != Some(row) {
            current = Some(row);
            (scale, zero) = match params.asymmetric {
                0 => (quantize_symmetric(x, quantized), 0),
                _ => quantize_asymmetric(x, quantized),
            };
        }
        let sum = dot(quantized, zero, w, 0) as f32;
        let bias = channels.bias.map_or(0.0, |bias| bias[o]);
        *y = params.clamp.apply(bias + sum * (scale * channels.scales[o]));
    }
}
