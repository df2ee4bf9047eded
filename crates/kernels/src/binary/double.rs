//! The f64 form, and u64, which does not fit the integers' i64.

use embarca_num::DType;
use embarca_num::float::double;

use super::{Kind, Params, call_with, check_types};
use crate::{Call, Fault, Needs, Signature};

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    function(Kind::from_code(sig.params::<Params>()?.kind)?)?;
    check_types(sig, DType::F64, DType::F64)
}

pub(super) fn call(call: &mut Call) -> Result<(), Fault> {
    let f = function(Kind::from_code(call.params::<Params>()?.kind)?)?;
    call_with(call, f)
}

fn function(kind: Kind) -> Result<fn(f64, f64) -> f64, Fault> {
    Ok(match kind {
        Kind::Add => |a, b| a + b,
        Kind::Sub => |a, b| a - b,
        Kind::Mul => |a, b| a * b,
        Kind::Div => |a, b| a / b,
        Kind::Min => double::min,
        Kind::Max => double::max,
        Kind::Rem => |a, b| a % b,
        Kind::Mod => |a, b| {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        },
        Kind::FloorDiv => |a, b| double::floor(a / b),
        Kind::SquaredDifference => |a, b| (a - b) * (a - b),
        _ => return Err(Fault::Record),
    })
}

pub(super) fn check_u64(sig: &Signature) -> Result<Needs, Fault> {
    function_u64(Kind::from_code(sig.params::<Params>()?.kind)?)?;
    check_types(sig, DType::U64, DType::U64)
}

pub(super) fn call_u64(call: &mut Call) -> Result<(), Fault> {
    let kind = Kind::from_code(call.params::<Params>()?.kind)?;
    let divides = matches!(kind, Kind::Div | Kind::Rem | Kind::Mod | Kind::FloorDiv);
    let divisors = call.input(1)?.elements::<u64>();
    if divides && !call.units.is_empty() && divisors.contains(&0) {
        return Err(Fault::DivideByZero);
    }
    call_with(call, function_u64(kind)?)
}

fn function_u64(kind: Kind) -> Result<fn(u64, u64) -> u64, Fault> {
    Ok(match kind {
        Kind::Add => u64::wrapping_add,
        Kind::Sub => u64::wrapping_sub,
        Kind::Mul => u64::wrapping_mul,
        Kind::Div | Kind::FloorDiv => |a, b| a.checked_div(b).unwrap_or(0),
        Kind::Rem | Kind::Mod => |a, b| a.checked_rem(b).unwrap_or(0),
        Kind::Min => Ord::min,
        Kind::Max => Ord::max,
        Kind::Pow => |a, b| a.wrapping_pow(b.min(u32::MAX.into()) as u32),
        Kind::SquaredDifference => |a, b| a.abs_diff(b).wrapping_mul(a.abs_diff(b)),
        Kind::And => |a, b| a & b,
        Kind::Or => |a, b| a | b,
        Kind::Xor => |a, b| a ^ b,
        Kind::ShiftLeft => |a, b| if b < 64 { a << b } else { 0 },
        Kind::ShiftRight => |a, b| if b < 64 { a >> b } else { 0 },
        Kind::Atan2 => return Err(Fault::Record),
    })
}
