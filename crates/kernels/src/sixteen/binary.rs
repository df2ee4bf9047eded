//! Operators on two tensors that broadcast.

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::{Kind, call_with, check_types};
use crate::walk::check_broadcast;
use crate::wide::check_bounds;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Sums, differences and squared differences; record [`ParamsSum`].
pub const SUM: Kernel = Kernel::new("sum_i16", check_sum, call_sum);
/// Products; record [`ParamsMul`].
pub const MUL: Kernel = Kernel::new("mul_i16", check_mul, call_mul);
/// Leaky ReLU whose slopes (i8) are an input; record [`ParamsPrelu`].
pub const PRELU: Kernel = Kernel::new("prelu_i16", check_prelu, call_prelu);

/// Both inputs are shifted up by `shift` and brought to a common scale, combined, and brought to the
/// output's scale; what does not fit 32 bits on the way wraps.
///
/// Factors as TFLM forms them (`micro/kernels/add_common.cc`, `sub_common.cc`,
/// `squared_difference.cc`), `m = 2 * max(a, b)`: `in_scale` is `a / m` and `b / m`; `out_scale` is
/// `m / (2^15 * y)`, for the squared difference `m^2 / y`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsSum {
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
    /// Lower bound of the output, -32768 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 32767 when there is none.
    pub act_max: i32,
}

/// Products: `factor` is `a * b / y`, formed in f64 from the f32 scales. There are no zero points.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsMul {
    /// Factor of the product.
    pub factor: Requant,
    /// Lower bound of the output, -32768 when there is none.
    pub act_min: i32,
    /// Upper bound of the output, 32767 when there is none.
    pub act_max: i32,
}

/// As the 8-bit form, `micro/kernels/prelu_common.cc`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsPrelu {
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

/// Whether the values, which may have been read from a file, are zero points of i16.
fn are_zeros(zeros: &[i32]) -> bool {
    zeros.iter().all(|zero| (-32768..=32767).contains(zero))
}

fn check_sum(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsSum>()?;
    let known = matches!(Kind::from_code(p.kind)?, Kind::Add | Kind::Sub | Kind::SquaredDifference);
    let [a, b] = p.in_scale;
    let factors = a.is_valid() && b.is_valid() && p.out_scale.is_valid();
    check_bounds(p.act_min, p.act_max)?;
    if !known || !factors || !are_zeros(&p.in_zero) || !are_zeros(&[p.out_zero]) {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I16, DType::I16)
}

fn check_mul(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsMul>()?;
    check_bounds(p.act_min, p.act_max)?;
    if !p.factor.is_valid() {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I16, DType::I16)
}

fn check_prelu(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsPrelu>()?;
    let zeros = are_zeros(&[p.in_zero, p.out_zero]) && (-128..=127).contains(&p.slope_zero);
    if !zeros || !p.keep.is_valid() || !p.leak.is_valid() {
        return Err(Fault::Record);
    }
    let (x, slope, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.inputs.len() != 2 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != DType::I16 || slope.dtype != DType::I8 || y.dtype != DType::I16 {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_broadcast(&[x, slope], y)?))
}

fn call_sum(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsSum>()?;
    let kind = Kind::from_code(p.kind)?;
    let left = if kind == Kind::SquaredDifference { 0 } else { 15 };
    let scaled = |x: i16, i: usize| {
        p.in_scale[i].apply((i32::from(x) - p.in_zero[i]).wrapping_shl(left))
    };
    let finish = |raw: i32| {
        let y = p.out_scale.apply(raw).wrapping_add(p.out_zero);
        y.clamp(p.act_min, p.act_max) as i16
    };
    call_with(call, |a: i16, b: i16| {
        let (a, b) = (scaled(a, 0), scaled(b, 1));
        finish(match kind {
            Kind::Add => a.wrapping_add(b),
            Kind::Sub => a.wrapping_sub(b),
            _ => a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
        })
    })
}

fn call_mul(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsMul>()?;
    call_with(call, |a: i16, b: i16| {
        p.factor.apply(i32::from(a) * i32::from(b)).clamp(p.act_min, p.act_max) as i16
    })
}

fn call_prelu(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsPrelu>()?;
    call_with(call, |x: i16, slope: i8| {
        let x = i32::from(x) - p.in_zero;
        let slope = i32::from(slope) - p.slope_zero;
        let y = if x < 0 { p.leak.apply(x.wrapping_mul(slope)) } else { p.keep.apply(x) };
        saturate_i16(y.wrapping_add(p.out_zero))
    })
}
