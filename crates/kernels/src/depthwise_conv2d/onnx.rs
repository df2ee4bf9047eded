//! The i8 form with ONNX's rescaling ([`crate::onnx`]): QLinearConv where every group has one input
//! channel. Inputs: x, w, bias (i32, optional), scales (f32 `[C*M]`).

use embarca_num::DType;

use super::{ParamsI8, Shape, i8::product};
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    conv2d::onnx::Channels,
    onnx::{check_scales, scale, store},
    tail::{TailI8, check_bias, check_types},
};

/// i8 to i8; the record is a [`ParamsI8`].
pub const ONNX: Kernel = Kernel::new("depthwise_conv2d_onnx", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    params.tail.check()?;
    check_types(sig, [DType::I8; 3], 4)?;
    let shape = Shape::of(&params.window, sig)?;
    let channels = shape.output[2] as u32;
    check_bias(sig, 2, DType::I32, channels)?;
    check_scales(sig, 3, channels)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, scales: scales.elements() };
    run(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run(
    tail: &TailI8,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[i8],
    channels: &Channels,
    y: &mut [i8],
) {
    let add = product(tail.in_zero as i16, tail.w_zero as i16);
    shape.for_each_sum(units, x, channels.w, y, add, |first, sums, y| {
        for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
            let bias = channels.bias.map_or(0, |bias| bias[first + lane]);
            *y = store(tail, sum.wrapping_add(bias), scale(channels.scales, first + lane));
        }
    });
}
