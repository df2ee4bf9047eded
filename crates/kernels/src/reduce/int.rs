//! Integers without quantization, and logic.

use core::ops::Range;

use embarca_num::DType;

use super::{Kind, Params, Plan, check_axes, fold};
use crate::binary::Lane;
use crate::{Call, Fault, Needs, Signature};

pub(super) fn check<T: Lane>(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    let kind = Kind::from_code(params.kind)?;
    if matches!(kind, Kind::L2 | Kind::LogSum | Kind::LogSumExp) {
        return Err(Fault::Record);
    }
    if sig.input(0)?.dtype != T::DTYPE || sig.output(0)?.dtype != T::DTYPE {
        return Err(Fault::Type);
    }
    check_axes(sig, params.axes)
}

pub(super) fn check_bool(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    if !matches!(Kind::from_code(params.kind)?, Kind::Min | Kind::Max) {
        return Err(Fault::Record);
    }
    if sig.input(0)?.dtype != DType::Bool || sig.output(0)?.dtype != DType::Bool {
        return Err(Fault::Type);
    }
    check_axes(sig, params.axes)
}

pub(super) fn call<T: Lane>(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let plan = Plan::new(x.ty, params.axes);
    let kind = Kind::from_code(params.kind)?;
    run_int::<T>(kind, &plan, units, x.elements(), call.output(0)?.elements())
}

pub(super) fn call_bool(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let plan = Plan::new(x.ty, params.axes);
    let all = Kind::from_code(params.kind)? == Kind::Min;
    run_bool(all, &plan, units, x.data, call.output(0)?.data);
    Ok(())
}

/// The elements `range` of the output, computed in i64 and cut to the width of `T`.
///
/// # Errors
/// A `Record` fault when the kind has no integer form.
pub fn run_int<T: Lane>(
    kind: Kind,
    plan: &Plan,
    range: Range<usize>,
    x: &[T],
    y: &mut [T],
) -> Result<(), Fault> {
    let add = |a: i64, b: i64| a.wrapping_add(b);
    let same = |a: i64, _: usize| T::narrow(a);
    let (start, step, join): (i64, fn(i64, i64) -> i64, fn(i64, i64) -> i64) = match kind {
        Kind::Sum | Kind::Mean => (0, add, add),
        Kind::Max => (i64::MIN, Ord::max, Ord::max),
        Kind::Min => (i64::MAX, Ord::min, Ord::min),
        Kind::Prod => (1, i64::wrapping_mul, i64::wrapping_mul),
        Kind::L1 => (0, |a, b| a.wrapping_add(b.wrapping_abs()), add),
        Kind::SumSquare => (0, |a, b| a.wrapping_add(b.wrapping_mul(b)), add),
        Kind::L2 | Kind::LogSum | Kind::LogSumExp => return Err(Fault::Record),
    };
    let step = |a: i64, x: T| step(a, x.wide());
    if kind == Kind::Mean {
        let mean = |a: i64, n: usize| T::narrow(a.checked_div(n as i64).unwrap_or(0));
        fold(plan, range, x, y, (start, step, join), mean);
    } else {
        fold(plan, range, x, y, (start, step, join), same);
    }
    Ok(())
}

/// Whether all, or any, are true: any byte other than zero is.
pub fn run_bool(all: bool, plan: &Plan, range: Range<usize>, x: &[u8], y: &mut [u8]) {
    let and = |a: bool, b: bool| a & b;
    let or = |a: bool, b: bool| a | b;
    let finish = |a: bool, _: usize| u8::from(a);
    if all {
        fold(plan, range, x, y, (true, |a: bool, x: u8| a & (x != 0), and), finish);
    } else {
        fold(plan, range, x, y, (false, |a: bool, x: u8| a | (x != 0), or), finish);
    }
}
