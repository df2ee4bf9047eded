//! Integers without quantization, and logic. Sums and products wrap.

use core::ops::Range;

use embarca_num::DType;

use super::{Kind, Params, apply, check_types};
use crate::walk::{Element, Walk};
use crate::{Call, Fault, Needs, Signature};

/// An integer type, computed in i64 and cut to its own width.
pub trait Lane: Element {
    /// The type.
    const DTYPE: DType;
    /// Bits of the type.
    const BITS: u32;
    /// The same number.
    fn wide(self) -> i64;
    /// The low bits.
    fn narrow(wide: i64) -> Self;
    /// The nearest value.
    fn saturate(wide: i64) -> Self;
}

impl Lane for i8 {
    const DTYPE: DType = DType::I8;
    const BITS: u32 = 8;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for u8 {
    const DTYPE: DType = DType::U8;
    const BITS: u32 = 8;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for i16 {
    const DTYPE: DType = DType::I16;
    const BITS: u32 = 16;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for u16 {
    const DTYPE: DType = DType::U16;
    const BITS: u32 = 16;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for i32 {
    const DTYPE: DType = DType::I32;
    const BITS: u32 = 32;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for u32 {
    const DTYPE: DType = DType::U32;
    const BITS: u32 = 32;
    fn wide(self) -> i64 {
        i64::from(self)
    }
    fn narrow(wide: i64) -> Self {
        wide as Self
    }
    fn saturate(wide: i64) -> Self {
        wide.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }
}

impl Lane for i64 {
    const DTYPE: DType = DType::I64;
    const BITS: u32 = 64;
    fn wide(self) -> i64 {
        self
    }
    fn narrow(wide: i64) -> Self {
        wide
    }
    fn saturate(wide: i64) -> Self {
        wide
    }
}

pub(super) fn check<T: Lane>(sig: &Signature) -> Result<Needs, Fault> {
    let kind = Kind::from_code(sig.params::<Params>()?.kind)?;
    if kind == Kind::Atan2 {
        return Err(Fault::Record);
    }
    check_types(sig, T::DTYPE, T::DTYPE)
}

pub(super) fn check_bool(sig: &Signature) -> Result<Needs, Fault> {
    let kind = Kind::from_code(sig.params::<Params>()?.kind)?;
    if !matches!(kind, Kind::And | Kind::Or | Kind::Xor) {
        return Err(Fault::Record);
    }
    check_types(sig, DType::Bool, DType::Bool)
}

pub(super) fn call<T: Lane>(call: &mut Call) -> Result<(), Fault> {
    let kind = Kind::from_code(call.params::<Params>()?.kind)?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_int::<T>(kind, &walk, units, a.elements(), b.elements(), y.elements())
}

pub(super) fn call_bool(call: &mut Call) -> Result<(), Fault> {
    let kind = Kind::from_code(call.params::<Params>()?.kind)?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_bool(kind, &walk, units, a.data, b.data, y.data)
}

/// The elements `range` of the output.
///
/// # Errors
/// `DivideByZero` when a divisor is zero, a `Record` fault when the kind has no integer form.
pub fn run_int<T: Lane>(
    kind: Kind,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[T],
    b: &[T],
    y: &mut [T],
) -> Result<(), Fault> {
    let divides = matches!(kind, Kind::Div | Kind::Rem | Kind::Mod | Kind::FloorDiv);
    if divides && !range.is_empty() && b.iter().any(|b| b.wide() == 0) {
        return Err(Fault::DivideByZero);
    }
    let f: fn(i64, i64) -> i64 = match kind {
        Kind::Add => i64::wrapping_add,
        Kind::Sub => i64::wrapping_sub,
        Kind::Mul => i64::wrapping_mul,
        Kind::Div => i64::wrapping_div,
        Kind::Min => Ord::min,
        Kind::Max => Ord::max,
        Kind::Pow => pow,
        Kind::Rem => i64::wrapping_rem,
        Kind::Mod => floor_mod,
        Kind::FloorDiv => floor_div,
        Kind::SquaredDifference => |a, b| a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
        Kind::And => |a, b| a & b,
        Kind::Or => |a, b| a | b,
        Kind::Xor => |a, b| a ^ b,
        Kind::ShiftLeft => |a, b| if (0..64).contains(&b) { a << b } else { 0 },
        Kind::ShiftRight => |a, b| a >> if (0..64).contains(&b) { b } else { 63 },
        Kind::Atan2 => return Err(Fault::Record),
    };
    apply(walk, range, a, b, y, |a, b| T::narrow(f(a.wide(), b.wide())));
    Ok(())
}

/// Logic on the elements `range` of the output; any byte other than zero is true.
///
/// # Errors
/// A `Record` fault when the kind is not logical.
pub fn run_bool(
    kind: Kind,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[u8],
    b: &[u8],
    y: &mut [u8],
) -> Result<(), Fault> {
    let f: fn(bool, bool) -> bool = match kind {
        Kind::And => |a, b| a & b,
        Kind::Or => |a, b| a | b,
        Kind::Xor => |a, b| a ^ b,
        _ => return Err(Fault::Record),
    };
    apply(walk, range, a, b, y, |a, b| u8::from(f(a != 0, b != 0)));
    Ok(())
}

fn pow(base: i64, exponent: i64) -> i64 {
    match (base, exponent) {
        (_, 0..) => {
            // `base^exponent` is the product of its low and its high half's power.
            let (low, high) = (exponent as u32, (exponent >> 32) as u32);
            let raised = base.wrapping_pow(1 << 31).wrapping_pow(2).wrapping_pow(high);
            base.wrapping_pow(low).wrapping_mul(raised)
        }
        (1, _) => 1,
        (-1, _) => 1 - 2 * (exponent & 1),
        _ => 0,
    }
}

fn floor_mod(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn floor_div(a: i64, b: i64) -> i64 {
    let down = a.wrapping_rem(b) != 0 && (a < 0) != (b < 0);
    a.wrapping_div(b) - i64::from(down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_divide_and_wrap_as_documented() {
        let cases: [(Kind, i32, i32, i32); 20] = [
            (Kind::Add, i32::MAX, 1, i32::MIN),
            (Kind::Mul, 1 << 20, 1 << 12, 0),
            (Kind::Div, -7, 2, -3),
            (Kind::Div, i32::MIN, -1, i32::MIN),
            (Kind::FloorDiv, -7, 2, -4),
            (Kind::FloorDiv, 7, -2, -4),
            (Kind::FloorDiv, -8, 2, -4),
            (Kind::Rem, -7, 2, -1),
            (Kind::Mod, -7, 2, 1),
            (Kind::Mod, 7, -2, -1),
            (Kind::Pow, 3, 4, 81),
            (Kind::Pow, -1, -3, -1),
            (Kind::Pow, 2, -1, 0),
            (Kind::SquaredDifference, 3, -4, 49),
            (Kind::Min, -3, 2, -3),
            (Kind::Xor, 6, 3, 5),
            (Kind::ShiftLeft, 1, 31, i32::MIN),
            (Kind::ShiftLeft, 1, 32, 0),
            (Kind::ShiftRight, -8, 1, -4),
            (Kind::ShiftRight, -8, 99, -1),
        ];
        for (kind, a, b, expected) in cases {
            let walk = Walk::broadcast(&[], [&[], &[]]);
            let mut y = [0];
            run_int(kind, &walk, 0..1, &[a], &[b], &mut y).unwrap();
            assert_eq!(y, [expected], "{kind:?} of {a} and {b}");
        }
    }

    #[test]
    fn powers_take_every_exponent() {
        let walk = Walk::broadcast(&[], [&[], &[]]);
        let mut y = [0i64];
        for (base, exponent, expected) in [
            (-1, 1 << 32, 1),
            (-1, i64::MAX, -1),
            (2, 1 << 40, 0),
            (3, (1 << 62) + 3, 27),
            (7, 5, 16_807),
        ] {
            run_int(Kind::Pow, &walk, 0..1, &[base], &[exponent], &mut y).unwrap();
            assert_eq!(y, [expected], "{base} to the power of {exponent}");
        }
    }

    #[test]
    fn a_zero_divisor_is_a_fault() {
        let walk = Walk::broadcast(&[2], [&[2], &[2]]);
        let mut y = [0; 2];
        for kind in [Kind::Div, Kind::Rem, Kind::Mod, Kind::FloorDiv] {
            let result = run_int(kind, &walk, 0..2, &[1i64, 2], &[1, 0], &mut y);
            assert_eq!(result, Err(Fault::DivideByZero));
        }
    }
}
