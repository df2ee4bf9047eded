//! The i32 form without quantization: ConvInteger, whose inputs come less their zero points. Sums
//! wrap. Inputs: x, w, bias (optional), all i32.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    spatial::Window,
    tail::{check_bias, check_types},
};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI32 {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Divides the channels of x and y; at least 1.
    pub groups: u32,
}

/// i32 to i32.
pub const I32: Kernel = Kernel::new("conv2d_i32", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI32 = sig.params()?;
    check_types(sig, [DType::I32; 3], 3)?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    check_bias(sig, 2, DType::I32, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    run(&shape, units, x.elements(), w.elements(), bias, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run(
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[i32],
    w: &[i32],
    bias: Option<&[i32]>,
    y: &mut [i32],
) {
    shape.for_each_pixel(units, y, |at, pixel| {
        for (o, y) in pixel.iter_mut().enumerate() {
            let mut sum = bias.map_or(0, |bias| bias[o]);
            shape.for_each_tap(x, w, at, o, |x, w| sum = sum.wrapping_add(dot(x, w)));
            *y = sum;
        }
    });
}

/// Sum of `x * w`.
#[inline(always)]
pub fn dot(x: &[i32], w: &[i32]) -> i32 {
    x.iter().zip(w).fold(0i32, |sum, (&x, &w)| sum.wrapping_add(x.wrapping_mul(w)))
}
