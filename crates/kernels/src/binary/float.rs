//! The f32 form, with an optional clamp.

use core::ops::Range;

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Kind, apply, check_types};
use crate::walk::Walk;
use crate::{Call, Fault, Needs, Signature};

/// The f32 form as the plan stores it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// A [`Kind`] other than the bitwise ones.
    pub kind: u32,
    /// Lower bound of the result, minus infinity when there is none.
    pub act_min: f32,
    /// Upper bound of the result, infinity when there is none.
    pub act_max: f32,
}

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<ParamsF32>()?;
    let known = (Kind::from_code(params.kind)? as u32) <= Kind::Atan2 as u32;
    if !known || params.act_min.is_nan() || params.act_max.is_nan() {
        return Err(Fault::Record);
    }
    check_types(sig, DType::F32, DType::F32)
}

pub(super) fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<ParamsF32>()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run_f32(&params, &walk, units, a.elements(), b.elements(), y.elements())
}

/// The elements `range` of the output.
///
/// # Errors
/// A `Record` fault when the kind has no f32 form.
pub fn run_f32(
    params: &ParamsF32,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
) -> Result<(), Fault> {
    let clamp = |v| float::clamp(v, params.act_min, params.act_max);
    match Kind::from_code(params.kind)? {
        Kind::Add => apply(walk, range, a, b, y, |a, b| clamp(a + b)),
        Kind::Sub => apply(walk, range, a, b, y, |a, b| clamp(a - b)),
        Kind::Mul => apply(walk, range, a, b, y, |a, b| clamp(a * b)),
        Kind::Div => apply(walk, range, a, b, y, |a, b| clamp(a / b)),
        Kind::Min => apply(walk, range, a, b, y, |a, b| clamp(float::min(a, b))),
        Kind::Max => apply(walk, range, a, b, y, |a, b| clamp(float::max(a, b))),
        Kind::SquaredDifference => {
            apply(walk, range, a, b, y, |a: f32, b| clamp((a - b) * (a - b)));
        }
        kind => {
            let f = rare(kind)?;
            apply(walk, range, a, b, y, |a, b| clamp(f(a, b)));
        }
    }
    Ok(())
}

/// The kinds that do not deserve a loop of their own.
fn rare(kind: Kind) -> Result<fn(f32, f32) -> f32, Fault> {
    Ok(match kind {
        Kind::Pow => float::pow,
        Kind::Rem => |a, b| a % b,
        Kind::Mod => floor_mod,
        Kind::FloorDiv => |a, b| float::floor(a / b),
        Kind::Atan2 => float::atan2,
        _ => return Err(Fault::Record),
    })
}

fn floor_mod(a: f32, b: f32) -> f32 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}
