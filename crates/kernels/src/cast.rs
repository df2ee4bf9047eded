//! From one element type to another.
//!
//! Between integers the low bits are kept. From float to integer: toward zero, saturating, NaN to
//! 0 (8- and 16-bit integers: by way of i32, whose low bits are kept, as C compilers do). To bool:
//! whether it is not zero. Between floats: to nearest, halves to even.

use embarca_num::{DType, half};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any two of f32, f64, f16, bf16, bool and the integers of 8 to 64 bits; no record.
pub const ANY: Kernel = Kernel::new("cast", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// Whether the type can be cast from and to.
pub fn is_supported(dtype: DType) -> bool {
    use DType::*;
    matches!(dtype, F32 | F64 | F16 | Bf16 | Bool | I8 | U8 | I16 | U16 | I32 | U32 | I64 | U64)
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if !is_supported(x.dtype) || !is_supported(y.dtype) {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

/// An element on its way: every integer type fits the first, every float type the second.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let units = call.units.clone();
    let x = call.input(0)?;
    let y = call.output(0)?;
    let (from, to) = (x.ty.dtype, y.ty.dtype);
    let x = x.data.get(units.start * from.size()..units.end * from.size()).ok_or(Fault::Shape)?;
    if from == to {
        y.data.copy_from_slice(x);
        return Ok(());
    }
    for (x, y) in x.chunks_exact(from.size()).zip(y.data.chunks_exact_mut(to.size())) {
        write(to, read(from, x), y);
    }
    Ok(())
}

/// The first bytes of an element as an array.
fn bytes<const N: usize>(x: &[u8]) -> [u8; N] {
    x.first_chunk().copied().unwrap_or([0; N])
}

fn read(dtype: DType, x: &[u8]) -> Number {
    use DType::*;
    match dtype {
        F32 => Number::Float(f32::from_le_bytes(bytes(x)).into()),
        F64 => Number::Float(f64::from_le_bytes(bytes(x))),
        F16 => Number::Float(half::f16_to_f32(u16::from_le_bytes(bytes(x))).into()),
        Bf16 => Number::Float(half::bf16_to_f32(u16::from_le_bytes(bytes(x))).into()),
        Bool => Number::Int((bytes::<1>(x)[0] != 0).into()),
        I8 => Number::Int(i8::from_le_bytes(bytes(x)).into()),
        U8 => Number::Int(u8::from_le_bytes(bytes(x)).into()),
        I16 => Number::Int(i16::from_le_bytes(bytes(x)).into()),
        U16 => Number::Int(u16::from_le_bytes(bytes(x)).into()),
        I32 => Number::Int(i32::from_le_bytes(bytes(x)).into()),
        U32 => Number::Int(u32::from_le_bytes(bytes(x)).into()),
        U64 => Number::Int(u64::from_le_bytes(bytes(x)).into()),
        _ => Number::Int(i64::from_le_bytes(bytes(x)).into()),
    }
}

fn write(dtype: DType, value: Number, y: &mut [u8]) {
    use DType::*;
    let float = match value {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    };
    // One rounding, also from 64-bit integers.
    let single = match value {
        Number::Int(value) => value as f32,
        Number::Float(value) => value as f32,
    };
    let int = |bits: u32| match value {
        Number::Int(value) => value,
        Number::Float(value) if bits <= 32 => (value as i32).into(),
        Number::Float(value) => (value as i64).into(),
    };
    let truth = match value {
        Number::Int(value) => value != 0,
        Number::Float(value) => value != 0.0,
    };
    match dtype {
        F32 => y.copy_from_slice(&single.to_le_bytes()),
        F64 => y.copy_from_slice(&float.to_le_bytes()),
        F16 => y.copy_from_slice(&half::f32_to_f16(single).to_le_bytes()),
        Bf16 => y.copy_from_slice(&half::f32_to_bf16(single).to_le_bytes()),
        Bool => y.copy_from_slice(&[truth.into()]),
        I8 | U8 => y.copy_from_slice(&(int(8) as u8).to_le_bytes()),
        I16 | U16 => y.copy_from_slice(&(int(16) as u16).to_le_bytes()),
        I32 => y.copy_from_slice(&(int(32) as i32).to_le_bytes()),
        U32 => match value {
            Number::Float(value) => y.copy_from_slice(&(value as u32).to_le_bytes()),
            Number::Int(value) => y.copy_from_slice(&(value as u32).to_le_bytes()),
        },
        U64 => match value {
            Number::Float(value) => y.copy_from_slice(&(value as u64).to_le_bytes()),
            Number::Int(value) => y.copy_from_slice(&(value as u64).to_le_bytes()),
        },
        _ => y.copy_from_slice(&(int(64) as i64).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    fn cast(x: &Tensor, to: DType) -> Tensor {
        let dims = x.dims.clone();
        run(&ANY, &(), std::slice::from_ref(x), &[(to, &dims)]).remove(0)
    }

    #[test]
    fn values_survive_where_they_can() {
        let x = Tensor::f32(&[6], &[-1.9, 300.0, f32::NAN, 3e9, 0.0, 0.3]);
        assert_eq!(cast(&x, DType::I32).to_i32(), [-1, 300, 0, i32::MAX, 0, 0]);
        assert_eq!(cast(&x, DType::I64).to_i64(), [-1, 300, 0, 3_000_000_000, 0, 0]);
        assert_eq!(cast(&x, DType::Bool).bytes(), [1, 1, 1, 1, 0, 1]);
        assert_eq!(cast(&x, DType::U8).bytes()[1], 44);
        let x = Tensor::i64(&[3], &[-1, 1 << 40, (1 << 53) + 1]);
        assert_eq!(cast(&x, DType::I32).to_i32(), [-1, 0, 1]);
        assert_eq!(cast(&x, DType::F32).to_f32(), [-1.0, 1_099_511_627_776.0, 9.007_199e15]);
        let x = Tensor::f32(&[2], &[1.0, -2.5]);
        for through in [DType::F16, DType::Bf16, DType::F64] {
            assert_eq!(cast(&cast(&x, through), DType::F32), x);
        }
    }
}
