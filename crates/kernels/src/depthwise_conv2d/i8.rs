//! The i8 form: TFLite's `reference_integer_ops::DepthwiseConvPerChannel`, with a weight zero
//! point for models that were unsigned. Inputs: x, w, bias (i32, optional), factors (i32
//! `[C*M, 2]`: one [`Requant`] for each output channel).

use core::ops::Range;

use embarca_num::{DType, fixed::Requant};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    conv2d::i8::Channels,
    spatial::Window,
    tail::{TailI8, check_bias, check_factors, check_types, factor},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Zero points and fused activation.
    pub tail: TailI8,
}

/// i8 to i8.
pub const I8: Kernel = Kernel::new("depthwise_conv2d_i8", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    params.tail.check()?;
    check_types(sig, [DType::I8; 3], 4)?;
    let shape = Shape::of(&params.window, sig)?;
    let channels = shape.output[2] as u32;
    check_bias(sig, 2, DType::I32, channels)?;
    check_factors(sig, 3, channels)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (x, w, bias, factors) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, factors: factors.elements::<Requant>() };
    run(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run(
    tail: &TailI8,
    shape: &Shape,
    units: Range<usize>,
    x: &[i8],
    channels: &Channels,
    y: &mut [i8],
) {
    let add = product(tail.in_zero as i16, tail.w_zero as i16);
    shape.for_each_sum(units, x, channels.w, y, add, |first, sums, y| {
        for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
            let bias = channels.bias.map_or(0, |bias| bias[first + lane]);
            *y = tail.apply(sum.wrapping_add(bias), factor(channels.factors, first + lane));
        }
    });
}

/// Adds `(x - x_zero) * (w - w_zero)`; the zero points are those of i8.
#[inline(always)]
pub(super) fn product(x_zero: i16, w_zero: i16) -> impl Fn(i32, i8, i8) -> i32 {
    move |sum, x, w| {
        let x = i16::from(x).wrapping_sub(x_zero);
        let w = i16::from(w).wrapping_sub(w_zero);
        sum.wrapping_add(i32::from(x) * i32::from(w))
    }
}
