//! Element-wise functions of one tensor.

use embarca_num::float::{self, double};
use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::Lane;
use crate::clip::{check_same, map};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; record [`ParamsF32`].
pub const F32: Kernel = Kernel::new("unary_f32", check_f32, call_f32);
/// i32 to i32; record [`ParamsInt`].
pub const I32: Kernel = Kernel::new("unary_i32", check_int::<i32>, call_int::<i32>);
/// i64 to i64; record [`ParamsInt`].
pub const I64: Kernel = Kernel::new("unary_i64", check_int::<i64>, call_int::<i64>);
/// bool to bool, "not"; no record.
pub const NOT: Kernel = Kernel::new("not_bool", check_not, call_not);
/// f32 to bool; record [`ParamsTest`].
pub const TEST: Kernel = Kernel::new("test_f32", check_test, call_test);
/// i8 to i8 without quantization; record [`ParamsInt`].
pub const I8: Kernel = Kernel::new("unary_i8", check_int::<i8>, call_int::<i8>);
/// u8 to u8 without quantization; record [`ParamsInt`].
pub const U8: Kernel = Kernel::new("unary_u8", check_int::<u8>, call_int::<u8>);
/// i16 to i16 without quantization; record [`ParamsInt`].
pub const I16: Kernel = Kernel::new("unary_i16", check_int::<i16>, call_int::<i16>);
/// u16 to u16; record [`ParamsInt`].
pub const U16: Kernel = Kernel::new("unary_u16", check_int::<u16>, call_int::<u16>);
/// u32 to u32; record [`ParamsInt`].
pub const U32: Kernel = Kernel::new("unary_u32", check_int::<u32>, call_int::<u32>);
/// f64 to f64, for few functions; record [`ParamsInt`].
pub const F64: Kernel = Kernel::new("unary_f64", check_f64, call_f64);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] =
    &[F32, I32, I64, NOT, TEST, I8, U8, I16, U16, U32, F64];

/// The functions. `a`, `b` and `c` are the record's parameters. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Kind {
    Abs = 0,
    Neg = 1,
    Exp = 2,
    /// The natural logarithm.
    Log = 3,
    Sqrt = 4,
    /// `1 / sqrt(x)`
    Rsqrt = 5,
    /// `1 / x`
    Reciprocal = 6,
    Floor = 7,
    Ceil = 8,
    /// To the nearest integer, halves to the even one.
    Round = 9,
    /// -1, 0 or 1; NaN of NaN.
    Sign = 10,
    Sin = 11,
    Cos = 12,
    Tan = 13,
    Asin = 14,
    Acos = 15,
    Atan = 16,
    Sinh = 17,
    Cosh = 18,
    Asinh = 19,
    Acosh = 20,
    Atanh = 21,
    Tanh = 22,
    /// `1 / (1 + e^-x)`
    Sigmoid = 23,
    Erf = 24,
    /// `ln(1 + e^x)`
    Softplus = 25,
    /// `x / (1 + |x|)`
    Softsign = 26,
    /// `x * sigmoid(a * x)`
    Silu = 27,
    /// `x * clamp(x + 3, 0, 6) / 6`
    HardSwish = 28,
    /// `clamp(a * x + b, 0, 1)`
    HardSigmoid = 29,
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`
    GeluTanh = 30,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`
    Gelu = 31,
    /// `x` when positive, else `a * (e^x - 1)`
    Elu = 32,
    /// `b * x` when positive, else `b * a * (e^x - 1)`
    Selu = 33,
    /// `max(x, 0) + min(a * (e^(x / a) - 1), 0)`
    Celu = 34,
    /// `x * tanh(ln(1 + e^x))`
    Mish = 35,
    /// `x * x`
    Square = 36,
    /// `x`, or `a * x` when negative
    LeakyRelu = 37,
    /// `x` when above `a`, else 0
    ThresholdedRelu = 38,
    /// To the next integer toward zero.
    Trunc = 39,
    /// To the nearest integer, halves away from zero.
    RoundAway = 40,
    Expm1 = 41,
    /// `ln(1 + x)`
    Log1p = 42,
    /// `x - b` above `a`, `x + b` below `-a`, else 0 (ONNX Shrink)
    Shrink = 43,
    /// `(a + b * x) ^ c` (Caffe Power)
    Power = 44,
    /// `x * clamp(a * x + b, 0, 1)` (ONNX HardSwish has `a` 1/6, `b` 1/2)
    HardSwishScaled = 45,
}

impl Kind {
    const ALL: [Self; 46] = [
        Self::Abs,
        Self::Neg,
        Self::Exp,
        Self::Log,
        Self::Sqrt,
        Self::Rsqrt,
        Self::Reciprocal,
        Self::Floor,
        Self::Ceil,
        Self::Round,
        Self::Sign,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Sinh,
        Self::Cosh,
        Self::Asinh,
        Self::Acosh,
        Self::Atanh,
        Self::Tanh,
        Self::Sigmoid,
        Self::Erf,
        Self::Softplus,
        Self::Softsign,
        Self::Silu,
        Self::HardSwish,
        Self::HardSigmoid,
        Self::GeluTanh,
        Self::Gelu,
        Self::Elu,
        Self::Selu,
        Self::Celu,
        Self::Mish,
        Self::Square,
        Self::LeakyRelu,
        Self::ThresholdedRelu,
        Self::Trunc,
        Self::RoundAway,
        Self::Expm1,
        Self::Log1p,
        Self::Shrink,
        Self::Power,
        Self::HardSwishScaled,
    ];

    /// The function with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        Self::ALL.get(code as usize).copied().ok_or(Fault::Record)
    }
}

/// The record of the f32 form.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// A [`Kind`].
    pub kind: u32,
    /// The function's first parameter, 0 when it has none.
    pub a: f32,
    /// The second.
    pub b: f32,
    /// The third.
    pub c: f32,
}

/// The record of the integer forms.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsInt {
    /// [`Kind::Abs`], [`Kind::Neg`], [`Kind::Sign`] or [`Kind::Square`], or bitwise "not": [`BIT_NOT`].
    pub kind: u32,
}

/// The kind of the integer forms that inverts every bit.
pub const BIT_NOT: u32 = 0x100;

/// The record of the tests.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsTest {
    /// A set of [`TEST_NAN`], [`TEST_POSITIVE_INFINITY`] and [`TEST_NEGATIVE_INFINITY`].
    pub what: u32,
}

/// True of NaN.
pub const TEST_NAN: u32 = 1;
/// True of infinity.
pub const TEST_POSITIVE_INFINITY: u32 = 2;
/// True of minus infinity.
pub const TEST_NEGATIVE_INFINITY: u32 = 4;

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    Kind::from_code(sig.params::<ParamsF32>()?.kind)?;
    check_same(sig, DType::F32)
}

fn check_int<T: Lane>(sig: &Signature) -> Result<Needs, Fault> {
    int_function(sig.params::<ParamsInt>()?.kind)?;
    check_same(sig, T::DTYPE)
}

fn check_not(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    check_same(sig, DType::Bool)
}

fn check_f64(sig: &Signature) -> Result<Needs, Fault> {
    function_f64(sig.params::<ParamsInt>()?.kind)?;
    check_same(sig, DType::F64)
}

fn check_test(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<ParamsTest>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != DType::F32 || y.dtype != DType::Bool {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(crate::walk::check_size(x)?))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsF32>()?;
    let units = call.units.clone();
    let x = call.input(0)?.elements::<f32>().get(units).unwrap_or_default();
    run_f32(&params, x, call.output(0)?.elements())
}

fn call_int<T: Lane>(call: &mut Call) -> Result<(), Fault> {
    let f = int_function(call.params::<ParamsInt>()?.kind)?;
    map(call, |x: T| T::narrow(f(x.wide())))
}

fn call_f64(call: &mut Call) -> Result<(), Fault> {
    let f = function_f64(call.params::<ParamsInt>()?.kind)?;
    map(call, f)
}

fn call_not(call: &mut Call) -> Result<(), Fault> {
    map(call, |x: u8| u8::from(x == 0))
}

fn call_test(call: &mut Call) -> Result<(), Fault> {
    let what = call.params::<ParamsTest>()?.what;
    let is = |bit: u32, test: bool| what & bit != 0 && test;
    map(call, |x: f32| {
        let infinite = is(TEST_POSITIVE_INFINITY, x == f32::INFINITY)
            || is(TEST_NEGATIVE_INFINITY, x == f32::NEG_INFINITY);
        u8::from(is(TEST_NAN, x.is_nan()) || infinite)
    })
}

/// The functions that exist in f64.
fn function_f64(kind: u32) -> Result<fn(f64) -> f64, Fault> {
    Ok(match Kind::from_code(kind)? {
        Kind::Abs => f64::abs,
        Kind::Neg => |x| -x,
        Kind::Exp => double::exp,
        Kind::Log => double::ln,
        Kind::Sqrt => double::sqrt,
        Kind::Rsqrt => |x| 1.0 / double::sqrt(x),
        Kind::Reciprocal => |x| 1.0 / x,
        Kind::Floor => double::floor,
        Kind::Ceil => |x| -double::floor(-x),
        Kind::Trunc => double::trunc,
        Kind::Sign => |x| if x == 0.0 || x.is_nan() { x } else { 1f64.copysign(x) },
        Kind::Sigmoid => |x| 1.0 / (1.0 + double::exp(-x)),
        Kind::Square => |x| x * x,
        _ => return Err(Fault::Record),
    })
}

fn int_function(kind: u32) -> Result<fn(i64) -> i64, Fault> {
    if kind == BIT_NOT {
        return Ok(|x| !x);
    }
    Ok(match Kind::from_code(kind)? {
        Kind::Abs => i64::wrapping_abs,
        Kind::Neg => i64::wrapping_neg,
        Kind::Sign => i64::signum,
        Kind::Square => |x| x.wrapping_mul(x),
        _ => return Err(Fault::Record),
    })
}

/// `y = f(x)`
///
/// # Errors
/// A `Record` fault when the kind is unknown.
pub fn run_f32(params: &ParamsF32, x: &[f32], y: &mut [f32]) -> Result<(), Fault> {
    let ParamsF32 { a, b, c, .. } = *params;
    match Kind::from_code(params.kind)? {
        Kind::Abs => each(x, y, f32::abs),
        Kind::Neg => each(x, y, |x| -x),
        Kind::Exp => each(x, y, float::exp),
        Kind::Log => each(x, y, float::ln),
        Kind::Sqrt => each(x, y, float::sqrt),
        Kind::Rsqrt => each(x, y, float::rsqrt),
        Kind::Reciprocal => each(x, y, |x| 1.0 / x),
        Kind::Floor => each(x, y, float::floor),
        Kind::Ceil => each(x, y, float::ceil),
        Kind::Round => each(x, y, float::round_half_even),
        Kind::RoundAway => each(x, y, float::round_half_away),
        Kind::Trunc => each(x, y, float::trunc),
        Kind::Sign => each(x, y, sign),
        Kind::Sin => each(x, y, float::sin),
        Kind::Cos => each(x, y, float::cos),
        Kind::Tan => each(x, y, float::tan),
        Kind::Asin => each(x, y, float::asin),
        Kind::Acos => each(x, y, float::acos),
        Kind::Atan => each(x, y, float::atan),
        Kind::Sinh => each(x, y, float::sinh),
        Kind::Cosh => each(x, y, float::cosh),
        Kind::Asinh => each(x, y, float::asinh),
        Kind::Acosh => each(x, y, float::acosh),
        Kind::Atanh => each(x, y, float::atanh),
        Kind::Tanh => each(x, y, float::tanh),
        Kind::Sigmoid => each(x, y, float::sigmoid),
        Kind::Erf => each(x, y, float::erf),
        Kind::Expm1 => each(x, y, float::expm1),
        Kind::Log1p => each(x, y, float::ln_1p),
        Kind::Softplus => each(x, y, float::softplus),
        Kind::Softsign => each(x, y, |x| x / (1.0 + x.abs())),
        Kind::Silu => each(x, y, |x| x * float::sigmoid(a * x)),
        Kind::HardSwish => each(x, y, |x| x * float::clamp(x + 3.0, 0.0, 6.0) / 6.0),
        Kind::HardSigmoid => each(x, y, |x| float::clamp(a * x + b, 0.0, 1.0)),
        Kind::HardSwishScaled => each(x, y, |x| x * float::clamp(a * x + b, 0.0, 1.0)),
        Kind::GeluTanh => each(x, y, gelu_tanh),
        Kind::Gelu => each(x, y, gelu),
        Kind::Elu => each(x, y, |x| if x < 0.0 { a * float::expm1(x) } else { x }),
        Kind::Selu => each(x, y, |x| b * if x < 0.0 { a * float::expm1(x) } else { x }),
        Kind::Celu => each(x, y, |x| if x < 0.0 { a * float::expm1(x / a) } else { x }),
        Kind::Mish => each(x, y, mish),
        Kind::Square => each(x, y, |x| x * x),
        Kind::LeakyRelu => each(x, y, |x| if x < 0.0 { a * x } else { x }),
        Kind::ThresholdedRelu => each(x, y, |x| if x <= a { 0.0 } else { x }),
        Kind::Shrink => each(x, y, |x| shrink(x, a, b)),
        Kind::Power => {
            if c == 1.0 {
                each(x, y, |x| a + b * x);
            } else if c == 2.0 {
                each(x, y, |x| (a + b * x) * (a + b * x));
            } else {
                each(x, y, |x| float::pow(a + b * x, c));
            }
        }
    }
    Ok(())
}

fn each(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

fn sign(x: f32) -> f32 {
    if x == 0.0 || x.is_nan() { x } else { 1f32.copysign(x) }
}

fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let inner = SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + float::tanh(inner))
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + float::erf(x * core::f32::consts::FRAC_1_SQRT_2))
}

/// With `e = e^x`, `tanh(ln(1 + e)) = n / (n + 2)` where `n = e * (e + 2)`.
fn mish(x: f32) -> f32 {
    let e = float::exp(if x < 20.0 { x } else { 20.0 });
    let n = e * (e + 2.0);
    if 20.0 <= x { x } else { x * (n / (n + 2.0)) }
}

fn shrink(x: f32, threshold: f32, bias: f32) -> f32 {
    if threshold < x {
        x - bias
    } else if x < -threshold {
        x + bias
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;

    use super::*;
    use crate::testing::{Tensor, run};

    fn at(kind: Kind, (a, b, c): (f32, f32, f32), x: f32) -> f32 {
        let mut y = [0.0];
        run_f32(&ParamsF32 { kind: kind as u32, a, b, c }, &[x], &mut y).unwrap();
        y[0]
    }

    #[test]
    fn every_kind_has_its_own_number() {
        for (code, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, code);
        }
        assert!(Kind::from_code(Kind::ALL.len() as u32).is_err());
    }

    #[test]
    fn activations_match_their_formulas() {
        let none = (0.0, 0.0, 0.0);
        type Reference = fn(f64) -> f64;
        let sigmoid: Reference = |x| 1.0 / (1.0 + (-x).exp());
        let cases: [(Kind, (f32, f32, f32), Reference); 17] = [
            (Kind::Silu, (1.0, 0.0, 0.0), |x| x / (1.0 + (-x).exp())),
            (Kind::Silu, (1.702, 0.0, 0.0), |x| x / (1.0 + (-1.702 * x).exp())),
            (Kind::Sigmoid, none, sigmoid),
            (Kind::Softsign, none, |x| x / (1.0 + x.abs())),
            (Kind::HardSwish, none, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
            (Kind::HardSigmoid, (0.2, 0.5, 0.0), |x| (0.2 * x + 0.5).clamp(0.0, 1.0)),
            (Kind::GeluTanh, none, |x| {
                let inner = (2.0 / core::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }),
            (Kind::Elu, (1.5, 0.0, 0.0), |x| if x < 0.0 { 1.5 * x.exp_m1() } else { x }),
            (Kind::Selu, (1.67, 1.05, 0.0), |x| 1.05 * if x < 0.0 { 1.67 * x.exp_m1() } else { x }),
            (Kind::Celu, (2.0, 0.0, 0.0), |x| if x < 0.0 { 2.0 * (x / 2.0).exp_m1() } else { x }),
            (Kind::Mish, none, |x| x * x.exp().ln_1p().tanh()),
            (Kind::Square, none, |x| x * x),
            (Kind::LeakyRelu, (0.1, 0.0, 0.0), |x| if x < 0.0 { 0.1 * x } else { x }),
            (Kind::ThresholdedRelu, (1.0, 0.0, 0.0), |x| if x > 1.0 { x } else { 0.0 }),
            (Kind::Shrink, (0.5, 0.25, 0.0), |x| match x {
                x if x > 0.5 => x - 0.25,
                x if x < -0.5 => x + 0.25,
                _ => 0.0,
            }),
            (Kind::Power, (8.0, 0.5, 1.5), |x| (8.0 + 0.5 * x).powf(1.5)),
            (Kind::HardSwishScaled, (0.2, 0.5, 0.0), |x| x * (0.2 * x + 0.5).clamp(0.0, 1.0)),
        ];
        for (kind, params, reference) in cases {
            for i in -120..=120 {
                let x = i as f32 * 0.125;
                let want = reference(f64::from(x));
                let y = f64::from(at(kind, params, x));
                let bound = 2e-6 * want.abs().max(f64::from(x.abs())).max(1e-3);
                assert!((y - want).abs() <= bound, "{kind:?}({x}) = {y}, not {want}");
            }
        }
        // Wolfram: gelu(1) and gelu(-2).
        assert!((at(Kind::Gelu, none, 1.0) - 0.841_344_7).abs() < 1e-6);
        assert!((at(Kind::Gelu, none, -2.0) + 0.045_500_26).abs() < 1e-6);
        assert_eq!([at(Kind::Sign, none, -3.0), at(Kind::Sign, none, 0.0)], [-1.0, 0.0]);
    }

    #[test]
    fn integers_and_tests() {
        let x = Tensor::i32(&[3], &[-5, 0, i32::MIN]);
        let cases = [
            (Kind::Abs as u32, [5, 0, i32::MIN]),
            (Kind::Neg as u32, [5, 0, i32::MIN]),
            (Kind::Sign as u32, [-1, 0, -1]),
            (BIT_NOT, [4, -1, i32::MAX]),
        ];
        for (kind, want) in cases {
            let y = run(&I32, &ParamsInt { kind }, from_ref(&x), &[(DType::I32, &[3])]);
            assert_eq!(y[0].to_i32(), want);
        }
        let x = Tensor::f32(&[4], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0]);
        for (what, want) in [(1, [1, 0, 0, 0]), (2, [0, 1, 0, 0]), (6, [0, 1, 1, 0])] {
            let y = run(&TEST, &ParamsTest { what }, from_ref(&x), &[(DType::Bool, &[4])]);
            assert_eq!(y[0].bytes(), want);
        }
    }
}
