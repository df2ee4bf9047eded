//! Comparisons of two tensors that broadcast as in NumPy; the result is bool.

use embarca_num::DType;
use embarca_num::fixed::Requant;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::{call_with, check_types};
use crate::walk::Element;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; record [`Params`].
pub const F32: Kernel = Kernel::new("compare_f32", |s| check(s, DType::F32), call::<f32>);
/// i32; record [`Params`].
pub const I32: Kernel = Kernel::new("compare_i32", |s| check(s, DType::I32), call::<i32>);
/// i64; record [`Params`].
pub const I64: Kernel = Kernel::new("compare_i64", |s| check(s, DType::I64), call::<i64>);
/// u8 without quantization or with one for both; record [`Params`].
pub const U8: Kernel = Kernel::new("compare_u8", |s| check(s, DType::U8), call::<u8>);
/// i8 without quantization or with one for both; record [`Params`].
pub const I8: Kernel = Kernel::new("compare_i8", |s| check(s, DType::I8), call::<i8>);
/// bool, false being smaller; record [`Params`].
pub const BOOL: Kernel = Kernel::new("compare_bool", |s| check(s, DType::Bool), call::<u8>);
/// i8 of two quantizations; record [`ParamsQuant`].
pub const QUANT_I8: Kernel = Kernel::new("compare_quant_i8", check_quant, call_quant);
/// i16 without quantization or with one for both; record [`Params`].
pub const I16: Kernel = Kernel::new("compare_i16", |s| check(s, DType::I16), call::<i16>);
/// u16; record [`Params`].
pub const U16: Kernel = Kernel::new("compare_u16", |s| check(s, DType::U16), call::<u16>);
/// u32; record [`Params`].
pub const U32: Kernel = Kernel::new("compare_u32", |s| check(s, DType::U32), call::<u32>);
/// u64; record [`Params`].
pub const U64: Kernel = Kernel::new("compare_u64", |s| check(s, DType::U64), call::<u64>);
/// f64; record [`Params`].
pub const F64: Kernel = Kernel::new("compare_f64", |s| check(s, DType::F64), call::<f64>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I32, I64, U8, I8, BOOL, QUANT_I8, I16, U16, U32, U64, F64];

/// The comparisons. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Kind {
    Equal = 0,
    NotEqual = 1,
    Less = 2,
    LessEqual = 3,
    Greater = 4,
    GreaterEqual = 5,
}

impl Kind {
    /// The comparison with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        let all = [
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessEqual,
            Self::Greater,
            Self::GreaterEqual,
        ];
        all.get(code as usize).copied().ok_or(Fault::Record)
    }

    /// Whether `a` and `b` compare so. Nothing but "not equal" holds of NaN.
    #[inline]
    pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => a < b,
            Self::LessEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
        }
    }
}

/// The record of the plain forms.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A [`Kind`].
    pub kind: u32,
}

/// The record of the quantized form: TFLM shifts both inputs by 8 bits and scales them
/// (`micro/kernels/comparisons.cc`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsQuant {
    /// A [`Kind`].
    pub kind: u32,
    /// Zero points of the inputs.
    pub in_zero: [i32; 2],
    /// The inputs' scales.
    pub in_scale: [Requant; 2],
}

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    Kind::from_code(sig.params::<Params>()?.kind)?;
    check_types(sig, dtype, DType::Bool)
}

fn check_quant(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<ParamsQuant>()?;
    Kind::from_code(p.kind)?;
    let zeros = p.in_zero.iter().all(|zero| (-128..=127).contains(zero));
    if !zeros || !p.in_scale.iter().all(|scale| scale.is_valid()) {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I8, DType::Bool)
}

fn call<T: Element + PartialOrd>(call: &mut Call) -> Result<(), Fault> {
    let kind = Kind::from_code(call.params::<Params>()?.kind)?;
    call_with(call, |a: T, b: T| u8::from(kind.holds(a, b)))
}

fn call_quant(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsQuant>()?;
    let kind = Kind::from_code(p.kind)?;
    let scaled = |x: i8, i: usize| p.in_scale[i].apply((i32::from(x) - p.in_zero[i]) << 8);
    call_with(call, |a: i8, b: i8| u8::from(kind.holds(scaled(a, 0), scaled(b, 1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn every_comparison() {
        let a = Tensor::f32(&[4], &[1.0, 2.0, 3.0, f32::NAN]);
        let b = Tensor::f32(&[1], &[2.0]);
        let cases = [
            (Kind::Equal, [0, 1, 0, 0]),
            (Kind::NotEqual, [1, 0, 1, 1]),
            (Kind::Less, [1, 0, 0, 0]),
            (Kind::LessEqual, [1, 1, 0, 0]),
            (Kind::Greater, [0, 0, 1, 0]),
            (Kind::GreaterEqual, [0, 1, 1, 0]),
        ];
        for (kind, want) in cases {
            let params = Params { kind: kind as u32 };
            let y = run(&F32, &params, &[a.clone(), b.clone()], &[(DType::Bool, &[4])]);
            assert_eq!(y[0].bytes(), want, "{kind:?}");
        }
    }
}
