//! Softmax and its logarithm along the last axis of a row-major matrix of any rank.
//!
//! f32: `e = exp(x - max)`, `y = e / sum(e)` or `y = x - max - ln(sum(e))`; the sum runs along the
//! axis. i8: TFLite's `reference_ops::Softmax` and `LogSoftmax` on fixed-point numbers: the input's
//! differences to the maximum become Q5.26, the sum is a Q12.19. Split into rows.

use embarca_num::{
    DType,
    fixed::{
        Requant, doubling_high_mul, exp_negative, ln_q12_as_q5, rescale_up, round_shift,
        saturate_i8, scaled_reciprocal,
    },
    float,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// Softmax, f32 to f32; no record.
pub const F32: Kernel = Kernel::new("softmax_f32", check_f32, call_f32);

/// Softmax, i8 to i8 with scale 1/256 and zero point -128; the record is a [`ParamsI8`].
pub const I8: Kernel = Kernel::new("softmax_i8", check_i8, call_i8);

/// Logarithm of softmax, f32 to f32; no record.
pub const LOG_F32: Kernel = Kernel::new("log_softmax_f32", check_f32, call_log_f32);

/// Logarithm of softmax, i8 to i8 with scale 1/16 and zero point 127; the record is a
/// [`ParamsLogI8`].
pub const LOG_I8: Kernel = Kernel::new("log_softmax_i8", check_log_i8, call_log_i8);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, LOG_F32, LOG_I8];

/// The i8 record, made by [`embarca_num::build::softmax_scale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// From input units to Q5.26: 31-bit multiplier, not negative.
    pub multiplier: i32,
    /// From input units to Q5.26: power of two, 0 to 31.
    pub left_shift: u32,
    /// Differences to the maximum below this one (which is not positive) count as nothing.
    pub diff_min: i32,
}

/// The i8 record of the logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsLogI8 {
    /// Scale of the input.
    pub scale: ParamsI8,
    /// From Q5.26 back to input units.
    pub back: Requant,
}

impl ParamsI8 {
    /// A `Record` fault when a field is outside its range.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.multiplier < 0 || 31 < self.left_shift || 0 < self.diff_min {
            return Err(Fault::Record);
        }
        Ok(())
    }

    fn scale(&self, diff: i32) -> i32 {
        rescale_up(diff, self.multiplier, self.left_shift)
    }

    /// `e^diff` as Q0.
    pub(crate) fn exp(&self, diff: i32) -> i32 {
        exp_negative::<5>(self.scale(diff))
    }

    /// The sum of the exponentials as Q12.
    fn sum(&self, max: i32, x: &[i8]) -> i32 {
        let diffs = x.iter().map(|&x| i32::from(x) - max).filter(|&diff| self.diff_min <= diff);
        diffs.fold(0, |sum: i32, diff| sum.wrapping_add(round_shift(self.exp(diff), 12)))
    }
}

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != dtype || y.dtype != dtype {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    let width = x.dims.last().map_or(1, |&dim| dim as usize);
    Ok(Needs::split(x.len()?.checked_div(width).unwrap_or(0)))
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    if sig.record.is_empty() { check(sig, DType::F32) } else { Err(Fault::Record) }
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<ParamsI8>()?.check()?;
    check(sig, DType::I8)
}

fn check_log_i8(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsLogI8 = sig.params()?;
    params.scale.check()?;
    if !params.back.is_valid() {
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
    for_each_row(call, run_f32)
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let params = call.params()?;
    for_each_row(call, |x, y| run_i8(&params, x, y))
}

fn call_log_f32(call: &mut Call) -> Result<(), Fault> {
    for_each_row(call, run_log_f32)
}

fn call_log_i8(call: &mut Call) -> Result<(), Fault> {
    let params = call.params()?;
    for_each_row(call, |x, y| run_log_i8(&params, x, y))
}

/// One row.
pub fn run_f32(x: &[f32], y: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = float::exp(x - max);
        sum += *y;
    }
    for y in y {
        *y /= sum;
    }
}

/// One row.
pub fn run_log_f32(x: &[f32], y: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = x.iter().fold(0.0, |sum, &x| sum + float::exp(x - max));
    let log = float::ln(sum);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x - max - log;
    }
}

/// One row.
pub fn run_i8(params: &ParamsI8, x: &[i8], y: &mut [i8]) {
    let max = i32::from(x.iter().copied().max().unwrap_or(i8::MIN));
    let (scale, bits) = scaled_reciprocal(params.sum(max, x), 12);
    let shift = (bits + 31 - 8).clamp(0, 31) as u32;
    for (y, &x) in y.iter_mut().zip(x) {
        let diff = i32::from(x) - max;
        *y = if params.diff_min <= diff {
            saturate_i8(round_shift(doubling_high_mul(scale, params.exp(diff)), shift) - 128)
        } else {
            -128
        };
    }
}

/// One row.
pub fn run_log_i8(params: &ParamsLogI8, x: &[i8], y: &mut [i8]) {
    let ParamsLogI8 { scale, back } = params;
    let max = i32::from(x.iter().copied().max().unwrap_or(i8::MIN));
    let log = ln_q12_as_q5(scale.sum(max, x));
    let low = back.apply(log.wrapping_add(i32::MIN)).max(scale.diff_min.saturating_sub(1));
    for (y, &x) in y.iter_mut().zip(x) {
        let diff = i32::from(x) - max;
        *y = if low < diff {
            saturate_i8(round_shift(scale.scale(diff).wrapping_sub(log), 22).saturating_add(127))
        } else {
            -128
        };
    }
}
