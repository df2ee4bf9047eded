//! The 16x8 form: TFLite's `reference_integer_ops::ConvPerChannel` on i16. Inputs: x, w (i8), bias
//! (optional), factors (i32 `[O, 2]`).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    spatial::Window,
    tail::factor,
    wide::{self, Bias, Channels, TailI16, dot},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI16 {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Divides the channels of x and y; at least 1.
    pub groups: u32,
    /// Width of the sums and fused activation.
    pub tail: TailI16,
}

/// i16 to i16.
pub const I16: Kernel = Kernel::new("conv2d_i16", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI16 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    wide::check(sig, &params.tail, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI16 = call.params()?;
    let (x, w, factors) = (call.input(0)?, call.input(1)?, call.input(3)?);
    let bias = Bias::new(&params.tail, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
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
    shape.for_each_pixel(units, y, |at, pixel| {
        for (o, y) in pixel.iter_mut().enumerate() {
            let mut sum = channels.bias.get(o);
            shape.for_each_tap(x, channels.w, at, o, |x, w| sum = sum.wrapping_add(dot(x, w)));
            *y = tail.apply(sum, factor(channels.factors, o));
        }
    });
}
