//! Clamping to a range: ReLU, ReLU6, Clip. NaN stays NaN.

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{Element, check_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; record [`ParamsF32`].
pub const F32: Kernel = Kernel::new("clip_f32", check_f32, call_f32);
/// i8 to i8 of one quantization; record [`ParamsInt`].
pub const I8: Kernel = Kernel::new("clip_i8", |sig| check_int(sig, DType::I8), call_i8);
/// i32 to i32; record [`ParamsInt`].
pub const I32: Kernel = Kernel::new("clip_i32", |sig| check_int(sig, DType::I32), call_i32);
/// i64 to i64; record [`ParamsInt`].
pub const I64: Kernel = Kernel::new("clip_i64", |sig| check_int(sig, DType::I64), call_i64);
/// i16 to i16 of one quantization; record [`ParamsInt`].
pub const I16: Kernel = Kernel::new("clip_i16", |sig| check_int(sig, DType::I16), call_i16);
/// u8 to u8 of one quantization; record [`ParamsInt`].
pub const U8: Kernel = Kernel::new("clip_u8", |sig| check_int(sig, DType::U8), call_u8);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, I32, I64, I16, U8];

/// The f32 form as the plan stores it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// Lower bound, minus infinity when there is none.
    pub min: f32,
    /// Upper bound, infinity when there is none.
    pub max: f32,
}

/// The integer forms, quantized or not. The ends of the range of i32 stand for no bound.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsInt {
    /// Lower bound.
    pub min: i32,
    /// Upper bound.
    pub max: i32,
}

/// One input and one output of the same type and dimensions; one unit per element.
pub(crate) fn check_same(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != dtype || y.dtype != dtype {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<ParamsF32>()?;
    if params.min.is_nan() || params.max.is_nan() {
        return Err(Fault::Record);
    }
    check_same(sig, DType::F32)
}

fn check_int(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let params = sig.params::<ParamsInt>()?;
    if params.max < params.min {
        return Err(Fault::Record);
    }
    check_same(sig, dtype)
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsF32>()?;
    map(call, |x| float::clamp(x, params.min, params.max))
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let ParamsInt { min, max } = call.params()?;
    let (min, max) = (min.clamp(-128, 127) as i8, max.clamp(-128, 127) as i8);
    map(call, |x: i8| x.max(min).min(max))
}

fn call_u8(call: &mut Call) -> Result<(), Fault> {
    let ParamsInt { min, max } = call.params()?;
    let (min, max) = (min.clamp(0, 255) as u8, max.clamp(0, 255) as u8);
    map(call, |x: u8| x.max(min).min(max))
}

fn call_i16(call: &mut Call) -> Result<(), Fault> {
    let ParamsInt { min, max } = call.params()?;
    let (min, max) = (min.clamp(-32768, 32767) as i16, max.clamp(-32768, 32767) as i16);
    map(call, |x: i16| x.max(min).min(max))
}

fn call_i32(call: &mut Call) -> Result<(), Fault> {
    let ParamsInt { min, max } = call.params()?;
    map(call, |x: i32| x.max(min).min(max))
}

fn call_i64(call: &mut Call) -> Result<(), Fault> {
    let ParamsInt { min, max } = call.params()?;
    let min = if min == i32::MIN { i64::MIN } else { i64::from(min) };
    let max = if max == i32::MAX { i64::MAX } else { i64::from(max) };
    map(call, |x: i64| x.max(min).min(max))
}

/// `y = f(x)` for the call's share of the elements.
pub(crate) fn map<T: Element, U: Element>(
    call: &mut Call,
    f: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let units = call.units.clone();
    let x = call.input(0)?.elements::<T>();
    let x = x.get(units).unwrap_or_default();
    for (y, &x) in call.output(0)?.elements::<U>().iter_mut().zip(x) {
        *y = f(x);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn values_are_brought_into_the_range() {
        let x = Tensor::f32(&[5], &[-3.0, -0.5, 0.5, 7.0, f32::NAN]);
        let y = run(&F32, &ParamsF32 { min: 0.0, max: 6.0 }, &[x], &[(DType::F32, &[5])]);
        let y = y[0].to_f32();
        assert_eq!(y[..4], [0.0, 0.0, 0.5, 6.0]);
        assert!(y[4].is_nan());

        let x = Tensor::i8(&[4], &[-128, -5, 3, 127]);
        let y = run(&I8, &ParamsInt { min: -5, max: 1000 }, &[x], &[(DType::I8, &[4])]);
        assert_eq!(y[0].to_i8(), [-5, -5, 3, 127]);
    }
}
