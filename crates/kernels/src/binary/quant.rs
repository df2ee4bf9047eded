//! The quantized i8 forms, equal to TFLM's reference kernels.

use core::ops::Range;

use embarca_num::DType;
use embarca_num::fixed::{Requant, doubling_high_mul, rescale_up, round_shift, scaled_reciprocal};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Kind, apply, check_types};
use crate::reduce::Level;
use crate::walk::Walk;
use crate::{Call, Fault, Needs, Signature};

/// Sums, differences and squared differences: both inputs are shifted up and brought to a common
/// scale, combined, and brought to the output's scale.
///
/// Factors as TFLM forms them (`micro/kernels/add_common.cc`, `sub_common.cc`,
/// `squared_difference.cc`), in f64 from the f32 scales, `m = 2 * max(a, b)`: `in_scale` is `a / m`
/// and `b / m`; `out_scale` is `m / (2^20 * y)`, for the squared difference `m^2 / (2^14 * y)` with
/// the product `2^14 * y` in f32.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsSumI8 {
    /// [`Kind::Add`], [`Kind::Sub`] or [`Kind::SquaredDifference`].
    pub kind: u32,
    /// Zero points of the inputs.
    pub in_zero: [i32; 2],
    /// Factors of the inputs after the shift.
    pub in_scale: [Requant; 2],
    /// Factor of the result.
    pub out_scale: Requant,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Lower bound of the output, -128 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 127 when there is none.
    pub act_max: i32,
}

/// Products: `factor` is `a * b / y`, formed in f64 from the f32 scales.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsMulI8 {
    /// Zero points of the inputs.
    pub in_zero: [i32; 2],
    /// Factor of the product.
    pub factor: Requant,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Lower bound of the output, -128 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 127 when there is none.
    pub act_max: i32,
}

/// Whether the values, which may have been read from a file, are zero points of i8.
fn are_zeros(zeros: &[i32]) -> bool {
    zeros.iter().all(|zero| (-128..=127).contains(zero))
}

/// Whether the values, which may have been read from a file, are a range of i8.
fn is_range(min: i32, max: i32) -> bool {
    -128 <= min && min <= max && max <= 127
}

pub(super) fn check_sum(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsSumI8>()?;
    let known = matches!(Kind::from_code(p.kind)?, Kind::Add | Kind::Sub | Kind::SquaredDifference);
    let [a, b] = p.in_scale;
    let factors = a.is_valid() && b.is_valid() && p.out_scale.is_valid();
    let zeros = are_zeros(&p.in_zero) && are_zeros(&[p.out_zero]);
    if !known || !factors || !zeros || !is_range(p.act_min, p.act_max) {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I8, DType::I8)
}

pub(super) fn check_mul(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsMulI8>()?;
    let zeros = are_zeros(&p.in_zero) && are_zeros(&[p.out_zero]);
    if !p.factor.is_valid() || !zeros || !is_range(p.act_min, p.act_max) {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I8, DType::I8)
}

pub(super) fn call_sum(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsSumI8>()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_sum_i8(&params, &walk, units, a.elements(), b.elements(), y.elements());
    Ok(())
}

pub(super) fn call_mul(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsMulI8>()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_mul_i8(&params, &walk, units, a.elements(), b.elements(), y.elements());
    Ok(())
}

/// The elements `range` of the output.
pub fn run_sum_i8(
    p: &ParamsSumI8,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[i8],
    b: &[i8],
    y: &mut [i8],
) {
    let squared = p.kind == Kind::SquaredDifference as u32;
    // 9 bits times 2^20, or the square of 9 bits times 2^7, fit an i32.
    let left = if squared { 7 } else { 20 };
    let scaled = |x: i8, i: usize| p.in_scale[i].apply((i32::from(x) - p.in_zero[i]) << left);
    let finish = |raw: i32| {
        let y = p.out_scale.apply(raw).wrapping_add(p.out_zero);
        y.clamp(p.act_min, p.act_max) as i8
    };
    if squared {
        apply(walk, range, a, b, y, |a, b| {
            let difference = scaled(a, 0).wrapping_sub(scaled(b, 1));
            finish(difference.wrapping_mul(difference))
        });
    } else if p.kind == Kind::Sub as u32 {
        apply(walk, range, a, b, y, |a, b| finish(scaled(a, 0).wrapping_sub(scaled(b, 1))));
    } else {
        apply(walk, range, a, b, y, |a, b| finish(scaled(a, 0).wrapping_add(scaled(b, 1))));
    }
}

/// The elements `range` of the output.
pub fn run_mul_i8(
    p: &ParamsMulI8,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[i8],
    b: &[i8],
    y: &mut [i8],
) {
    apply(walk, range, a, b, y, |a, b| {
        let product = (i32::from(a) - p.in_zero[0]) * (i32::from(b) - p.in_zero[1]);
        let y = p.factor.apply(product).wrapping_add(p.out_zero);
        y.clamp(p.act_min, p.act_max) as i8
    });
}

/// Quotients: `factor` is `a / (b * y)`, formed in f32 from the scales.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsDivI8 {
    /// Zero points of the inputs.
    pub in_zero: [i32; 2],
    /// Factor of the quotient.
    pub factor: Requant,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Lower bound of the output, -128 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 127 when there is none.
    pub act_max: i32,
}

pub(super) fn check_div<T: Level>(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsDivI8>()?;
    let [low, high] = T::BOUNDS;
    let [a, b] = p.in_zero;
    let fits = [a, b, p.out_zero, p.act_min, p.act_max].iter().all(|v| low <= *v && *v <= high);
    if !p.factor.is_valid() || !fits || p.act_max < p.act_min {
        return Err(Fault::Record);
    }
    check_types(sig, T::DTYPE, T::DTYPE)
}

pub(super) fn call_div<T: Level>(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsDivI8>()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_div::<T>(&params, &walk, units, a.elements(), b.elements(), y.elements())
}

/// The elements `range` of the output.
///
/// # Errors
/// `DivideByZero` when a divisor stands for zero.
pub fn run_div<T: Level>(
    p: &ParamsDivI8,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[T],
    b: &[T],
    y: &mut [T],
) -> Result<(), Fault> {
    if !range.is_empty() && b.iter().any(|&b| b.into() == p.in_zero[1]) {
        return Err(Fault::DivideByZero);
    }
    apply(walk, range, a, b, y, |a, b| {
        let (a, b): (i32, i32) = (a.into(), b.into());
        let (a, b) = (a - p.in_zero[0], b - p.in_zero[1]);
        let (a, b) = if b < 0 { (-a, -b) } else { (a, b) };
        // The inverse is a multiplier, and the dividend fills its register.
        let (inverse, exponent) = scaled_reciprocal(b, 31);
        let headroom = if a < 0 { !a } else { a }.leading_zeros() - 1;
        let quotient = rescale_up(a, inverse, headroom);
        let shift = exponent + headroom as i32 - p.factor.shift();
        let scaled = doubling_high_mul(quotient, p.factor.multiplier());
        // Shifts beyond the register leave less than one half; the reference shifts by too much.
        let scaled = if 31 < shift { 0 } else { round_shift(scaled, shift.max(0) as u32) };
        T::store(scaled.wrapping_add(p.out_zero).clamp(p.act_min, p.act_max))
    });
    Ok(())
}
