//! Rows brought to length 1 along the last axis. Split into rows.
//!
//! f32: `x / max(sqrt(sum of x^2), epsilon)`; the sum runs along the axis. i8: TFLite's
//! `reference_integer_ops::L2Normalization`, to scale 1/128 and zero point 0.

use embarca_num::{
    DType,
    fixed::{inverse_sqrt, saturate_i8},
    float,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; the record is epsilon, an f32.
pub const F32: Kernel = Kernel::new("l2_normalize_f32", check_f32, call_f32);

/// i8 to i8; the record is the input's zero point, an i32.
pub const I8: Kernel = Kernel::new("l2_normalize_i8", check_i8, call_i8);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8];

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != dtype || y.dtype != dtype {
        return Err(Fault::Type);
    }
    let Some(&width) = x.dims.last() else { return Err(Fault::Shape) };
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(x.len()?.checked_div(width as usize).unwrap_or(0)))
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let _: f32 = sig.params()?;
    check(sig, DType::F32)
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    let zero: i32 = sig.params()?;
    if !(-128..=127).contains(&zero) {
        return Err(Fault::Record);
    }
    check(sig, DType::I8)
}

fn for_each_row<T>(call: &mut Call, each: impl Fn(&[T], &mut [T])) -> Result<(), Fault>
where
    T: FromBytes + IntoBytes + Immutable + KnownLayout,
{
    let x = call.input(0)?;
    let width = x.ty.dims.last().map_or(1, |&dim| dim as usize).max(1);
    let units = call.units.clone();
    let rows = x.elements::<T>().chunks_exact(width).skip(units.start).take(units.len());
    for (x, y) in rows.zip(call.output(0)?.elements().chunks_exact_mut(width)) {
        each(x, y);
    }
    Ok(())
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let epsilon = call.params()?;
    for_each_row(call, |x, y| run_f32(epsilon, x, y))
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let zero = call.params()?;
    for_each_row(call, |x, y| run_i8(zero, x, y))
}

/// One row.
pub fn run_f32(epsilon: f32, x: &[f32], y: &mut [f32]) {
    let length = float::sqrt(x.iter().fold(0.0, |sum, x| sum + x * x)).max(epsilon);
    for (y, x) in y.iter_mut().zip(x) {
        *y = x / length;
    }
}

/// One row.
pub fn run_i8(zero: i32, x: &[i8], y: &mut [i8]) {
    let squares = x.iter().map(|&x| (i32::from(x) - zero).pow(2));
    let factor = inverse_sqrt(squares.fold(0, i32::wrapping_add), 7);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = saturate_i8(factor.apply(i32::from(x) - zero));
    }
}
