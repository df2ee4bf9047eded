//! `x`, or `slope * x` where it is negative; the slope broadcasts to `x`.

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::{call_with, check_types};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32, f32 to f32; no record.
pub const F32: Kernel = Kernel::new("prelu_f32", check_f32, call_f32);
/// i8, i8 to i8, equal to TFLM's reference kernel; record [`ParamsI8`].
pub const I8: Kernel = Kernel::new("prelu_i8", check_i8, call_i8);
/// The i8 form with one slope, equal to TFLM's leaky ReLU; record [`LeakyI8`].
pub const LEAKY_I8: Kernel = Kernel::new("leaky_relu_i8", check_leaky, call_leaky);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, LEAKY_I8];

/// The i8 form as the plan stores it. Factors in f64 from f32 scales, as TFLM forms them
/// (`micro/kernels/prelu_common.cc`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// Zero point of the input.
    pub in_zero: i32,
    /// Zero point of the slopes.
    pub slope_zero: i32,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Applied from the input's zero point up: input scale over output scale.
    pub keep: Requant,
    /// Applied below it to the product: input scale times slope scale over output scale.
    pub leak: Requant,
}

/// The form with one slope.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LeakyI8 {
    /// Zero point of the input.
    pub in_zero: i32,
    /// Zero point of the output.
    pub out_zero: i32,
    /// -1 when the slope is negative (its magnitude is in `leak`), else 1.
    pub sign: i32,
    /// Applied from the input's zero point up.
    pub keep: Requant,
    /// Applied below it.
    pub leak: Requant,
}

fn is_zero(zero: i32) -> bool {
    (-128..=127).contains(&zero)
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    same_as_x(sig)?;
    check_types(sig, DType::F32, DType::F32)
}

/// The slope may not enlarge the input.
fn same_as_x(sig: &Signature) -> Result<(), Fault> {
    if sig.input(0)?.dims == sig.output(0)?.dims { Ok(()) } else { Err(Fault::Shape) }
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsI8>()?;
    let zeros = is_zero(p.in_zero) && is_zero(p.slope_zero) && is_zero(p.out_zero);
    if !zeros || !p.keep.is_valid() || !p.leak.is_valid() {
        return Err(Fault::Record);
    }
    same_as_x(sig)?;
    check_types(sig, DType::I8, DType::I8)
}

fn check_leaky(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<LeakyI8>()?;
    let sign = matches!(p.sign, -1 | 1);
    let zeros = is_zero(p.in_zero) && is_zero(p.out_zero);
    if !zeros || !sign || !p.keep.is_valid() || !p.leak.is_valid() {
        return Err(Fault::Record);
    }
    crate::clip::check_same(sig, DType::I8)
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    call_with(call, |x: f32, slope: f32| if x < 0.0 { slope * x } else { x })
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsI8>()?;
    call_with(call, |x: i8, slope: i8| prelu_i8(&p, x, slope))
}

fn call_leaky(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<LeakyI8>()?;
    crate::clip::map(call, |x: i8| leaky_i8(&p, x))
}

/// One element.
pub fn prelu_i8(p: &ParamsI8, x: i8, slope: i8) -> i8 {
    let x = i32::from(x) - p.in_zero;
    let y =
        if x < 0 { p.leak.apply(x * (i32::from(slope) - p.slope_zero)) } else { p.keep.apply(x) };
    saturate_i8(y.wrapping_add(p.out_zero))
}

/// One element.
pub fn leaky_i8(p: &LeakyI8, x: i8) -> i8 {
    let x = i32::from(x) - p.in_zero;
    let y = if x < 0 { p.leak.apply(x).wrapping_mul(p.sign) } else { p.keep.apply(x) };
    saturate_i8(y.wrapping_add(p.out_zero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn a_slope_for_each_channel() {
        let x = Tensor::f32(&[2, 2], &[-1.0, -2.0, 3.0, -4.0]);
        let slope = Tensor::f32(&[2], &[0.5, 0.25]);
        let y = run(&F32, &(), &[x, slope], &[(DType::F32, &[2, 2])]);
        assert_eq!(y[0].to_f32(), [-0.5, -0.5, 3.0, -1.0]);
    }

    #[test]
    fn halving_negative_ties() {
        let one = Requant::new(1 << 30, 1).unwrap();
        let half = Requant::new(1 << 30, 0).unwrap();
        let params = LeakyI8 { in_zero: 0, out_zero: 0, sign: 1, keep: one, leak: half };
        let x = Tensor::i8(&[5], &[-128, -3, -1, 0, 127]);
        let y = run(&LEAKY_I8, &params, &[x], &[(DType::I8, &[5])]);
        assert_eq!(y[0].to_i8(), [-64, -1, 0, 0, 127]);
    }
}
