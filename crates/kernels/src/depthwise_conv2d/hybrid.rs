//! The hybrid form: f32 activations, i8 weights with one scale for each output channel, computed
//! as the asymmetric form of [`crate::conv2d::hybrid`] (LiteRT's `DepthwiseConvHybridPerChannel`),
//! but for the order `f32(sum) * (w_scale[o] * s) + bias[o]`.
//! Inputs: x, w (i8), bias (f32, optional), w_scale (f32 `[C*M]`).

use core::ops::Range;

use embarca_num::DType;

use super::{ParamsF32, Shape, i8::product};
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    conv2d::hybrid::Channels,
    hybrid::quantize_asymmetric,
    tail::{ClampF32, check_bias, check_types},
};

/// f32 and i8 to f32; the record of the f32 form.
pub const HYBRID: Kernel = Kernel::new("depthwise_conv2d_hybrid", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    check_types(sig, [DType::F32, DType::I8, DType::F32], 4)?;
    let shape = Shape::of(&params.window, sig)?;
    let channels = shape.output[2] as u32;
    check_bias(sig, 2, DType::F32, channels)?;
    sig.input(3)?;
    check_bias(sig, 3, DType::F32, channels)?;
    Ok(Needs { units: shape.units(), scratch: shape.image() })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let quantized = call.scratch.get_mut(..shape.image()).ok_or(Fault::TooLarge)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, scales: scales.elements() };
    let quantized = <[i8] as zerocopy::FromBytes>::mut_from_bytes(quantized).unwrap_or_default();
    run(params.clamp, &shape, units, x.elements(), &channels, quantized, y.elements());
    Ok(())
}

/// Rows `units` of the output. `quantized` holds one image.
pub fn run(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
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
        let (scale, zero) = quantize_asymmetric(x, quantized);
        let (y, tail) = rest.split_at_mut((end - start) * shape.row());
        let add = product(zero, 0);
        let local = start - image * rows..end - image * rows;
        shape.for_each_sum(local, quantized, channels.w, y, add, |first, sums, y| {
            for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
                let o = first + lane;
                let product = sum as f32 * (channels.scales[o] * scale);
                *y = clamp.apply(product + channels.bias.map_or(0.0, |bias| bias[o]));
            }
        });
        (rest, start) = (tail, end);
    }
}
