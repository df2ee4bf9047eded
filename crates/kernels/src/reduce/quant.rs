//! Quantized means and sums, equal to TFLM's reference kernel (`QuantizedMeanOrSum` in
//! `tensorflow/lite/kernels/internal/reference/reduce.h`).

use core::ops::Range;

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Kind, Plan, check_axes, fold};
use crate::{Call, Fault, Needs, Signature};

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// [`Kind::Sum`] or [`Kind::Mean`].
    pub kind: u32,
    /// Bit `i` is set when axis `i` is reduced.
    pub axes: u32,
    /// Zero point of the input.
    pub in_zero: i32,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Input scale over output scale, divided in f64. The count comes in when the kernel runs.
    pub factor: Requant,
}

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsI8>()?;
    let known = matches!(Kind::from_code(p.kind)?, Kind::Sum | Kind::Mean);
    let byte = |zero| (-128..=127).contains(&zero);
    if !known || !p.factor.is_valid() || !byte(p.in_zero) || !byte(p.out_zero) {
        return Err(Fault::Record);
    }
    if sig.input(0)?.dtype != DType::I8 || sig.output(0)?.dtype != DType::I8 {
        return Err(Fault::Type);
    }
    check_axes(sig, p.axes)
}

pub(super) fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsI8>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let plan = Plan::new(x.ty, params.axes);
    run_i8(&params, &plan, units, x.elements(), call.output(0)?.elements());
    Ok(())
}

/// The elements `range` of the output. Sums wrap in 32 bits.
pub fn run_i8(p: &ParamsI8, plan: &Plan, range: Range<usize>, x: &[i8], y: &mut [i8]) {
    let count = plan.count as i64;
    let factor =
        if p.kind == Kind::Mean as u32 { p.factor.divided_by(plan.count as u32) } else { p.factor };
    let zeros = (i64::from(p.in_zero) * count) as i32;
    let add = |a: i32, b: i32| a.wrapping_add(b);
    let step = |a: i32, x: i8| a.wrapping_add(i32::from(x));
    // The reference leaves an output of no elements at zero.
    let finish = |sum: i32, n: usize| match n {
        0 => 0,
        _ => saturate_i8(factor.apply(sum.wrapping_sub(zeros)).wrapping_add(p.out_zero)),
    };
    fold(plan, range, x, y, (0, step, add), finish);
}
