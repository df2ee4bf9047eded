//! Quantized means and sums, equal to TFLM's reference kernel (`QuantizedMeanOrSum` in
//! `tensorflow/lite/kernels/internal/reference/reduce.h`).

use core::ops::Range;

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i8, saturate_i16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Kind, Plan, check_axes, fold};
use crate::walk::Element;
use crate::{Call, Fault, Needs, Signature};

/// The stored integers of a quantized tensor.
pub trait Level: Element + Into<i32> {
    /// The element type.
    const DTYPE: DType;
    /// The smallest and the largest.
    const BOUNDS: [i32; 2];

    /// `value` limited to the type.
    fn store(value: i32) -> Self;

    /// The low bits of `value`.
    fn wrap(value: i32) -> Self;
}

impl Level for i8 {
    const DTYPE: DType = DType::I8;
    const BOUNDS: [i32; 2] = [-128, 127];

    fn store(value: i32) -> Self {
        saturate_i8(value)
    }

    fn wrap(value: i32) -> Self {
        value as i8
    }
}

impl Level for i16 {
    const DTYPE: DType = DType::I16;
    const BOUNDS: [i32; 2] = [-32768, 32767];

    fn store(value: i32) -> Self {
        saturate_i16(value)
    }

    fn wrap(value: i32) -> Self {
        value as i16
    }
}

/// The record, for either width.
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

pub(super) fn check<T: Level>(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsI8>()?;
    let known = matches!(Kind::from_code(p.kind)?, Kind::Sum | Kind::Mean);
    let [low, high] = T::BOUNDS;
    let fits = |zero: i32| low <= zero && zero <= high;
    if !known || !p.factor.is_valid() || !fits(p.in_zero) || !fits(p.out_zero) {
        return Err(Fault::Record);
    }
    if sig.input(0)?.dtype != T::DTYPE || sig.output(0)?.dtype != T::DTYPE {
        return Err(Fault::Type);
    }
    check_axes(sig, p.axes)
}

pub(super) fn call<T: Level>(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsI8>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let plan = Plan::new(x.ty, params.axes);
    run::<T>(&params, &plan, units, x.elements(), call.output(0)?.elements());
    Ok(())
}

/// The elements `range` of the output. Sums wrap in 32 bits.
pub fn run<T: Level>(p: &ParamsI8, plan: &Plan, range: Range<usize>, x: &[T], y: &mut [T]) {
    let count = plan.count as i64;
    let factor =
        if p.kind == Kind::Mean as u32 { p.factor.divided_by(plan.count as u32) } else { p.factor };
    let zeros = (i64::from(p.in_zero) * count) as i32;
    let add = |a: i32, b: i32| a.wrapping_add(b);
    let step = |a: i32, x: T| a.wrapping_add(x.into());
    // The reference leaves an output of no elements at zero.
    let finish = |sum: i32, n: usize| match n {
        0 => T::store(0),
        _ => T::store(factor.apply(sum.wrapping_sub(zeros)).wrapping_add(p.out_zero)),
    };
    fold(plan, range, x, y, (0, step, add), finish);
}
