//! From one element type to another where one is a float of at most 8 bits or an integer of less
//! than 8, each element of which takes one byte.
//!
//! From float to integer: toward zero, then the low bits, as from integer to integer.

use embarca_num::small::{Format, ScaleRounding, e8m0_to_f32, f32_to_e8m0};
use embarca_num::{DType, half};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any two types with a number for each element but f64 and 64-bit integers; record [`Params`].
pub const ANY: Kernel = Kernel::new("cast_small", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// 1 when floats beyond the greatest become the greatest, 0 when they become infinity or NaN.
    pub saturate: u32,
    /// How a number becomes a power of two: 0 up, 1 down, 2 to the nearest.
    pub rounding: u32,
}

/// Whether the type can be cast from and to.
pub fn is_supported(dtype: DType) -> bool {
    use DType::*;
    matches!(dtype, F32 | F16 | Bf16 | I8 | U8 | I16 | U16 | I32) || is_small(dtype)
}

/// Whether it is one of the types that only this kernel knows.
pub fn is_small(dtype: DType) -> bool {
    use DType::*;
    matches!(dtype, F8E8M0 | I4 | U4 | I2 | U2) || Format::of(dtype).is_some()
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if 1 < params.saturate || 2 < params.rounding {
        return Err(Fault::Record);
    }
    if !is_supported(x.dtype) || !is_supported(y.dtype) {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

#[derive(Clone, Copy)]
enum Number {
    Int(i32),
    Float(f32),
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let units = call.units.clone();
    let x = call.input(0)?;
    let y = call.output(0)?;
    let (from, to) = (x.ty.dtype, y.ty.dtype);
    let x = x.data.get(units.start * from.size()..units.end * from.size()).ok_or(Fault::Shape)?;
    for (x, y) in x.chunks_exact(from.size()).zip(y.data.chunks_exact_mut(to.size())) {
        write(params, to, read(from, x), y);
    }
    Ok(())
}

fn bytes<const N: usize>(x: &[u8]) -> [u8; N] {
    x.first_chunk().copied().unwrap_or([0; N])
}

fn read(dtype: DType, x: &[u8]) -> Number {
    use DType::*;
    let [byte] = bytes::<1>(x);
    match dtype {
        F32 => Number::Float(f32::from_le_bytes(bytes(x))),
        F16 => Number::Float(half::f16_to_f32(u16::from_le_bytes(bytes(x)))),
        Bf16 => Number::Float(half::bf16_to_f32(u16::from_le_bytes(bytes(x)))),
        F8E8M0 => Number::Float(e8m0_to_f32(byte)),
        I8 | I4 | I2 => Number::Int(byte.cast_signed().into()),
        U8 | U4 | U2 => Number::Int(byte.into()),
        I16 => Number::Int(i16::from_le_bytes(bytes(x)).into()),
        U16 => Number::Int(u16::from_le_bytes(bytes(x)).into()),
        I32 => Number::Int(i32::from_le_bytes(bytes(x))),
        dtype => match Format::of(dtype) {
            Some(format) => Number::Float(format.to_f32(byte)),
            None => Number::Int(0),
        },
    }
}

/// Whether an integer type has a sign, and its bits.
fn width(dtype: DType) -> (bool, u32) {
    match dtype {
        DType::I8 => (true, 8),
        DType::U8 => (false, 8),
        DType::I16 => (true, 16),
        DType::U16 => (false, 16),
        DType::I4 => (true, 4),
        DType::U4 => (false, 4),
        DType::I2 => (true, 2),
        DType::U2 => (false, 2),
        _ => (true, 32),
    }
}

fn write(params: Params, dtype: DType, value: Number, y: &mut [u8]) {
    use DType::*;
    let float = match value {
        Number::Int(value) => value as f32,
        Number::Float(value) => value,
    };
    let int = || {
        let whole = match value {
            Number::Float(value) => value as i32,
            Number::Int(value) => value,
        };
        let (signed, bits) = width(dtype);
        let up = whole << (32 - bits);
        if signed { up >> (32 - bits) } else { (up.cast_unsigned() >> (32 - bits)).cast_signed() }
    };
    match dtype {
        F32 => y.copy_from_slice(&float.to_le_bytes()),
        F16 => y.copy_from_slice(&half::f32_to_f16(float).to_le_bytes()),
        Bf16 => y.copy_from_slice(&half::f32_to_bf16(float).to_le_bytes()),
        I16 | U16 => y.copy_from_slice(&(int() as u16).to_le_bytes()),
        I32 => y.copy_from_slice(&int().to_le_bytes()),
        F8E8M0 => {
            let rounding = match params.rounding {
                0 => ScaleRounding::Up,
                1 => ScaleRounding::Down,
                _ => ScaleRounding::Nearest,
            };
            y.copy_from_slice(&[f32_to_e8m0(float, rounding, params.saturate == 1)]);
        }
        dtype => {
            let byte = match Format::of(dtype) {
                Some(format) => format.from_f32(float, params.saturate == 1),
                None => int() as u8,
            };
            y.copy_from_slice(&[byte]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    fn cast(x: &Tensor, to: DType) -> Tensor {
        let params = Params { saturate: 1, rounding: 0 };
        let dims = x.dims.clone();
        run(&ANY, &params, std::slice::from_ref(x), &[(to, &dims)]).remove(0)
    }

    #[test]
    fn small_integers_wrap_and_small_floats_saturate() {
        let x = Tensor::f32(&[5], &[-9.0, -1.5, 0.5, 1.0, 20.0]);
        assert_eq!(cast(&x, DType::I4).bytes(), [7, 0xff, 0, 1, 4]);
        assert_eq!(cast(&x, DType::U2).bytes(), [3, 3, 0, 1, 0]);
        assert_eq!(cast(&cast(&x, DType::I4), DType::F32).to_f32(), [7.0, -1.0, 0.0, 1.0, 4.0]);
        let float = cast(&cast(&x, DType::F4E2M1), DType::F32).to_f32();
        assert_eq!(float, [-6.0, -1.5, 0.5, 1.0, 6.0]);
        assert_eq!(cast(&cast(&x, DType::I4), DType::I2).bytes(), [0xff, 0xff, 0, 1, 0]);
    }
}
