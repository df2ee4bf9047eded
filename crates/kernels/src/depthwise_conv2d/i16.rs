//! The 16x8 form: TFLite's `reference_integer_ops::DepthwiseConvPerChannel` on i16. Inputs: x, w
//! (i8), bias (optional), factors (i32 `[C * M, 2]`).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    spatial::Window,
    tail::factor,
    wide::{self, Bias, Channels, TailI16},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI16 {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Width of the sums and fused activation.
    pub tail: TailI16,
}

/// i16 to i16.
pub const I16: Kernel = Kernel::new("depthwise_conv2d_i16", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI16 = sig.params()?;
    let shape = Shape::of(&params.window, sig)?;
    wide::check(sig, &params.tail, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI16 = call.params()?;
    let (x, w, factors) = (call.input(0)?, call.input(1)?, call.input(3)?);
    let bias = Bias::new(&params.tail, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let channels = Channels { w: w.elements(), bias, factors: factors.elements() };
    run(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run(
    tail: &TailI16,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[i16],
    channels: &Channels,
    y: &mut [i16],
) {
    let add = |sum: i64, x: i16, w: i8| sum.wrapping_add((i32::from(x) * i32::from(w)).into());
    shape.for_each_sum(units, x, channels.w, y, add, |first, sums, y| {
        for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
            let sum = sum.wrapping_add(channels.bias.get(first + lane));
            *y = tail.apply(sum, factor(channels.factors, first + lane));
        }
    });
}
