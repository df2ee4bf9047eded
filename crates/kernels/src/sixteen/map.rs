//! Operators on one tensor.

use embarca_num::DType;
use embarca_num::fixed::{
    Requant, Steps, logistic_16, saturate_i16, scaled_inverse_sqrt, tanh_16,
};
use embarca_num::float;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::clip::{check_same, map};
use crate::wide::check_bounds;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// A factor on each side of zero: leaky ReLU, ReLU, absolute value; record [`ParamsScale`].
pub const SCALE: Kernel = Kernel::new("scale_i16", check_scale, call_scale);
/// Logistic function or hyperbolic tangent; record [`ParamsCurve`]. The output has 15 fraction bits.
pub const CURVE: Kernel = Kernel::new("curve_i16", check_curve, call_curve);

/// Square root by way of f32, toward zero; record [`ParamsSqrt`].
pub const SQRT: Kernel = Kernel::new("sqrt_i16", check_sqrt, call_sqrt);
/// Inverse square root; the record is a [`Requant`]. Zero and negative numbers yield the largest.
pub const RSQRT: Kernel = Kernel::new("rsqrt_i16", check_rsqrt, call_rsqrt);

/// The record: scales.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsSqrt {
    /// Of the input.
    pub x_scale: f32,
    /// Of the output.
    pub y_scale: f32,
}

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsScale {
    /// Zero point of the input.
    pub in_zero: i32,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Applied from the input's zero point up.
    pub keep: Requant,
    /// Applied below it.
    pub leak: Requant,
    /// What happens below the input's zero point: 0 nothing else, 1 the result is negated, 2 the
    /// number is.
    pub negate: u32,
    /// Lower bound of the output, -32768 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 32767 when there is none.
    pub act_max: i32,
}

/// The record: [`Steps`] of the input.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsCurve {
    /// 0 for the logistic function, 1 for the hyperbolic tangent.
    pub tanh: u32,
    /// Multiplies first.
    pub multiplier: i32,
    /// Then shifts to the right, from 0 to 31.
    pub shift: u32,
}

fn check_scale(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsScale>()?;
    check_bounds(p.act_min, p.act_max)?;
    let zeros = [p.in_zero, p.out_zero].iter().all(|zero| (-32768..=32767).contains(zero));
    if !zeros || 2 < p.negate || !p.keep.is_valid() || !p.leak.is_valid() {
        return Err(Fault::Record);
    }
    check_same(sig, DType::I16)
}

fn check_curve(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsCurve>()?;
    if 1 < p.tanh || 31 < p.shift || p.multiplier < 0 {
        return Err(Fault::Record);
    }
    check_same(sig, DType::I16)
}

fn call_scale(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsScale>()?;
    map(call, |x: i16| {
        let x = i32::from(x) - p.in_zero;
        let y = match (x < 0, p.negate) {
            (false, _) => p.keep.apply(x),
            (true, 0) => p.leak.apply(x),
            (true, 1) => p.leak.apply(x).wrapping_neg(),
            (true, _) => p.leak.apply(-x),
        };
        y.wrapping_add(p.out_zero).clamp(p.act_min, p.act_max) as i16
    })
}

fn call_curve(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsCurve>()?;
    let steps = Steps { multiplier: p.multiplier, shift: p.shift };
    if p.tanh == 1 {
        map(call, |x: i16| tanh_16(x, steps))
    } else {
        map(call, |x: i16| logistic_16(x, steps))
    }
}

fn check_sqrt(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsSqrt>()?;
    if !(0.0 < p.x_scale && 0.0 < p.y_scale) {
        return Err(Fault::Record);
    }
    check_same(sig, DType::I16)
}

fn check_rsqrt(sig: &Signature) -> Result<Needs, Fault> {
    if !sig.params::<Requant>()?.is_valid() {
        return Err(Fault::Record);
    }
    check_same(sig, DType::I16)
}

/// LiteRT's `SqrtEvalQuantized` (`kernels/elementwise.cc`).
fn call_sqrt(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsSqrt>()?;
    map(call, |x: i16| {
        saturate_i16((float::sqrt(p.x_scale * f32::from(x)) / p.y_scale) as i32)
    })
}

fn call_rsqrt(call: &mut Call) -> Result<(), Fault> {
    let factor = call.params::<Requant>()?;
    map(call, |x: i16| match x {
        ..=0 => i16::MAX,
        _ => saturate_i16(scaled_inverse_sqrt(x.into(), factor)),
    })
}
