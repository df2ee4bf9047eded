//! The i8 form with ONNX's rescaling ([`crate::onnx`]): QLinearConv. Inputs: x, w, bias (i32,
//! optional), scales (f32 `[O]`: input scale times weight scale over output scale).

use embarca_num::DType;

use super::{ParamsI8, Shape, i8::dot};
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    onnx::{check_scales, scale, store},
    tail::{TailI8, check_bias, check_types},
};

/// i8 to i8; the record is a [`ParamsI8`].
pub const ONNX: Kernel = Kernel::new("conv2d_onnx", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    params.tail.check()?;
    check_types(sig, [DType::I8; 3], 4)?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
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
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, scales: scales.elements() };
    run(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// The constants of the output channels.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Weights.
    pub w: &'a [i8],
    /// Starting sums.
    pub bias: Option<&'a [i32]>,
    /// Rescaling of the sums.
    pub scales: &'a [f32],
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
    let (x_zero, w_zero) = (tail.in_zero as i16, tail.w_zero as i16);
    shape.for_each_pixel(units, y, |at, pixel| {
        for (o, y) in pixel.iter_mut().enumerate() {
            let mut sum = channels.bias.map_or(0, |bias| bias[o]);
            shape.for_each_tap(x, channels.w, at, o, |x, w| {
                sum = sum.wrapping_add(dot(x, x_zero, w, w_zero));
            });
            *y = store(tail, sum, scale(channels.scales, o));
        }
    });
}
