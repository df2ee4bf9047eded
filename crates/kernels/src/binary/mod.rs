//! Element-wise operators on two tensors that broadcast as in NumPy.
//!
//! `*_f32` may clamp its result (a fused activation); integers wrap; the quantized forms follow
//! TFLM's reference kernels.

mod double;
mod float;
mod int;
mod quant;

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use float::{ParamsF32, run_f32};
pub use int::{Lane, run_bool, run_int};
pub use quant::{ParamsDivI8, ParamsMulI8, ParamsSumI8, run_div, run_mul_i8, run_sum_i8};

use crate::walk::{Element, Walk, check_broadcast};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32, f32 to f32; record [`ParamsF32`].
pub const F32: Kernel = Kernel::new("binary_f32", float::check, float::call);
/// i32, i32 to i32; record [`Params`].
pub const I32: Kernel = Kernel::new("binary_i32", int::check::<i32>, int::call::<i32>);
/// i64, i64 to i64; record [`Params`].
pub const I64: Kernel = Kernel::new("binary_i64", int::check::<i64>, int::call::<i64>);
/// u8, u8 to u8, without quantization; record [`Params`].
pub const U8: Kernel = Kernel::new("binary_u8", int::check::<u8>, int::call::<u8>);
/// i8, i8 to i8, without quantization or (minimum, maximum) with one for all; record [`Params`].
pub const I8: Kernel = Kernel::new("binary_i8", int::check::<i8>, int::call::<i8>);
/// bool, bool to bool; record [`Params`] with a kind of `And`, `Or`, `Xor`.
pub const BOOL: Kernel = Kernel::new("binary_bool", int::check_bool, int::call_bool);
/// Quantized sums, differences and squared differences; record [`ParamsSumI8`].
pub const SUM_I8: Kernel = Kernel::new("sum_i8", quant::check_sum, quant::call_sum);
/// Quantized products; record [`ParamsMulI8`].
pub const MUL_I8: Kernel = Kernel::new("mul_i8", quant::check_mul, quant::call_mul);
/// i16, i16 to i16, without quantization or (minimum, maximum) with one for all; record [`Params`].
pub const I16: Kernel = Kernel::new("binary_i16", int::check::<i16>, int::call::<i16>);
/// u32, u32 to u32; record [`Params`].
pub const U32: Kernel = Kernel::new("binary_u32", int::check::<u32>, int::call::<u32>);
/// Quantized quotients; record [`ParamsDivI8`].
pub const DIV_I8: Kernel =
    Kernel::new("div_i8", quant::check_div::<i8>, quant::call_div::<i8>);
/// The quotient of quantized i16; record [`ParamsDivI8`].
pub const DIV_I16: Kernel =
    Kernel::new("div_i16", quant::check_div::<i16>, quant::call_div::<i16>);
/// u16, u16 to u16; record [`Params`].
pub const U16: Kernel = Kernel::new("binary_u16", int::check::<u16>, int::call::<u16>);
/// f64, f64 to f64; record [`Params`].
pub const F64: Kernel = Kernel::new("binary_f64", double::check, double::call);
/// u64, u64 to u64; record [`Params`].
pub const U64: Kernel = Kernel::new("binary_u64", double::check_u64, double::call_u64);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] =
    &[F32, I32, I64, U8, I8, BOOL, SUM_I8, MUL_I8, I16, U32, DIV_I8, U16, F64, U64, DIV_I16];

/// What is computed of `a` and `b`. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// `a + b`
    Add = 0,
    /// `a - b`
    Sub = 1,
    /// `a * b`
    Mul = 2,
    /// `a / b`, toward zero for integers.
    Div = 3,
    /// The smaller; NaN when one is.
    Min = 4,
    /// The greater; NaN when one is.
    Max = 5,
    /// `a` to the power of `b`. Integers: toward zero for negative exponents, 0 for `0^-n`.
    Pow = 6,
    /// The remainder with the sign of `a` (C's `fmod` and `%`).
    Rem = 7,
    /// The remainder with the sign of `b` (Python's `%`).
    Mod = 8,
    /// `a / b` toward minus infinity.
    FloorDiv = 9,
    /// `(a - b)^2`
    SquaredDifference = 10,
    /// The angle of the point `(b, a)`; f32 only.
    Atan2 = 11,
    /// Bitwise on integers, logical on bool.
    And = 12,
    /// Bitwise on integers, logical on bool.
    Or = 13,
    /// Bitwise on integers, logical on bool.
    Xor = 14,
    /// `a << b`; 0 from the width of the type on. Integers only.
    ShiftLeft = 15,
    /// `a >> b`, arithmetic for signed types. Integers only.
    ShiftRight = 16,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Min,
        Self::Max,
        Self::Pow,
        Self::Rem,
        Self::Mod,
        Self::FloorDiv,
        Self::SquaredDifference,
        Self::Atan2,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::ShiftLeft,
        Self::ShiftRight,
    ];

    /// The kind with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        Self::ALL.get(code as usize).copied().ok_or(Fault::Record)
    }
}

/// The record of the integer and logical kernels.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A [`Kind`].
    pub kind: u32,
}

/// Two inputs of type `x` that broadcast to one output of type `y`; one unit per element.
pub(crate) fn check_types(sig: &Signature, x: DType, y: DType) -> Result<Needs, Fault> {
    let (a, b, out) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.inputs.len() != 2 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if a.dtype != x || b.dtype != x || out.dtype != y {
        return Err(Fault::Type);
    }
    Ok(Needs::split(check_broadcast(&[a, b], out)?))
}

/// Runs `f` on the call's share of the elements.
pub(crate) fn call_with<T: Element, V: Element, U: Element>(
    call: &mut Call,
    f: impl Fn(T, V) -> U,
) -> Result<(), Fault> {
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    apply(&walk, units, a.elements(), b.elements(), y.elements(), f);
    Ok(())
}

/// `y = f(a, b)` for the elements `range` of the output.
pub(crate) fn apply<T: Copy, V: Copy, U: Copy>(
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[T],
    b: &[V],
    y: &mut [U],
    f: impl Fn(T, V) -> U,
) {
    let (_, strides) = walk.inner();
    walk.rows(range, |to, [ia, ib]| {
        let y = &mut y[to];
        let len = y.len();
        match strides {
            [0, 0] => y.fill(f(a[ia], b[ib])),
            [0, _] => {
                let a = a[ia];
                for (y, &b) in y.iter_mut().zip(&b[ib..ib + len]) {
                    *y = f(a, b);
                }
            }
            [_, 0] => {
                let b = b[ib];
                for (y, &a) in y.iter_mut().zip(&a[ia..ia + len]) {
                    *y = f(a, b);
                }
            }
            _ => {
                for ((y, &a), &b) in y.iter_mut().zip(&a[ia..ia + len]).zip(&b[ib..ib + len]) {
                    *y = f(a, b);
                }
            }
        }
    });
}
