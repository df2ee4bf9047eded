//! The f32 form: the sum runs over ky, kx in this order; then the bias is added.

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    spatial::Window,
    tail::{ClampF32, check_bias, check_types},
};

/// The record; also that of the hybrid form.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Fused activation.
    pub clamp: ClampF32,
}

/// f32 to f32; inputs x, w, bias.
pub const F32: Kernel = Kernel::new("depthwise_conv2d_f32", check, call);

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    check_types(sig, [DType::F32; 3], 3)?;
    let shape = Shape::of(&params.window, sig)?;
    check_bias(sig, 2, DType::F32, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    run(params.clamp, &shape, units, x.elements(), w.elements(), bias, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let add = |sum: f32, x: f32, w: f32| sum + x * w;
    shape.for_each_sum(units, x, w, y, add, |first, sums, y| {
        for (lane, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
            *y = clamp.apply(sum + bias.map_or(0.0, |bias| bias[first + lane]));
        }
    });
}
