//! The 16x8 form: TFLM's `reference_integer_ops::FullyConnected` on i16. Inputs: x, w (i8), bias
//! (optional), factors (i32 `[O, 2]`).

use core::ops::Range;

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    tail::factor,
    wide::{self, Bias, Channels, TailI16, dot},
};

/// i16 to i16; the record is a [`TailI16`].
pub const I16: Kernel = Kernel::new("dense_i16", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let shape = Shape::of(sig)?;
    wide::check(sig, &sig.params()?, shape.outputs as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let tail: TailI16 = call.params()?;
    let (x, w, factors) = (call.input(0)?, call.input(1)?, call.input(3)?);
    let bias = Bias::new(&tail, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let channels = Channels { w: w.elements(), bias, factors: factors.elements() };
    run(&tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Elements `units` of the output.
pub fn run(
    tail: &TailI16,
    shape: &Shape,
    units: Range<usize>,
    x: &[i16],
    channels: &Channels,
    y: &mut [i16],
) {
    for (y, unit) in y.iter_mut().zip(units) {
        let (x, o, w) = shape.operands(unit, x, channels.w);
        let sum = dot(x, w).wrapping_add(channels.bias.get(o));
        *y = tail.apply(sum, factor(channels.factors, o));
    }
}
