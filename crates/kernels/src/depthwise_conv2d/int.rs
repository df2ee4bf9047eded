//! The i32 form without quantization: ConvInteger where every group has one input channel. Sums
//! wrap. Inputs: x, w, bias (optional), all i32. The record is a [`Window`].

use embarca_num::DType;

use super::Shape;
use crate::{
    Call, Fault, Kernel, Needs, Signature,
    spatial::Window,
    tail::{check_bias, check_types},
};

/// i32 to i32.
pub const I32: Kernel = Kernel::new("depthwise_conv2d_i32", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    check_types(sig, [DType::I32; 3], 3)?;
    let shape = Shape::of(&sig.params::<Window>()?, sig)?;
    check_bias(sig, 2, DType::I32, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let window: Window = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&window, x.ty, w.ty, y.ty)?;
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
    let add = |sum: i32, x: i32, w: i32| sum.wrapping_add(x.wrapping_mul(w));
    shape.for_each_sum(units, x, w, y, add, |first, sums, y| {
        for (lane, (y, &sum)) in y.iter_mut().zip(sums).enumerate() {
            *y = sum.wrapping_add(bias.map_or(0, |bias| bias[first + lane]));
        }
    });
}
