//! The i8 form: TFLM's `reference_integer_ops::FullyConnected` and its per-channel form. Inputs:
//! x, w, bias (i32, optional), factors (i32 `[O, 2]`: one [`Requant`] for each output channel).
//!
//! [`Requant`]: embarca_num::fixed::Requant

use core::ops::Range;

use embarca_num::DType;

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    conv2d::i8::{Channels, dot},
    tail::{TailI8, check_bias, check_factors, check_types, factor},
};

/// i8 to i8; the record is a [`TailI8`].
pub const I8: Kernel = Kernel::new("dense_i8", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let tail: TailI8 = sig.params()?;
    tail.check()?;
    check_types(sig, [DType::I8; 3], 4)?;
    let shape = Shape::of(sig)?;
    check_bias(sig, 2, DType::I32, shape.outputs as u32)?;
    check_factors(sig, 3, shape.outputs as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let tail: TailI8 = call.params()?;
    let (x, w, bias, factors) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, factors: factors.elements() };
    run(&tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Elements `units` of the output.
pub fn run(
    tail: &TailI8,
    shape: &Shape,
    units: Range<usize>,
    x: &[i8],
    channels: &Channels,
    y: &mut [i8],
) {
    for (y, unit) in y.iter_mut().zip(units) {
        let (x, o, w) = shape.operands(unit, x, channels.w);
        let sum = dot(x, tail.in_zero as i16, w, tail.w_zero as i16);
        let bias = channels.bias.map_or(0, |bias| bias[o]);
        *y = tail.apply(sum.wrapping_add(bias), factor(channels.factors, o));
    }
}
