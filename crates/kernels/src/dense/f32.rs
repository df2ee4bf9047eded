//! The f32 form: the sum runs over i; then the bias is added.

use core::ops::Range;

use embarca_num::DType;

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    tail::{ClampF32, check_bias, check_types},
};

/// f32 to f32; inputs x, w, bias; the record is a [`ClampF32`].
pub const F32: Kernel = Kernel::new("dense_f32", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let _: ClampF32 = sig.params()?;
    check_types(sig, [DType::F32; 3], 3)?;
    let shape = Shape::of(sig)?;
    check_bias(sig, 2, DType::F32, shape.outputs as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let clamp: ClampF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    run(clamp, &shape, units, x.elements(), w.elements(), bias, y.elements());
    Ok(())
}

/// Elements `units` of the output.
pub fn run(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    for (y, unit) in y.iter_mut().zip(units) {
        let (x, o, w) = shape.operands(unit, x, w);
        let sum = x.iter().zip(w).fold(0.0, |sum, (x, w)| sum + x * w);
        *y = clamp.apply(sum + bias.map_or(0.0, |bias| bias[o]));
    }
}
