//! The f32 form.

use core::ops::Range;

use embarca_num::{DType, float};

use super::{Kind, Params, Plan, check_axes, fold};
use crate::{Call, Fault, Needs, Signature};

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    Kind::from_code(params.kind)?;
    if sig.input(0)?.dtype != DType::F32 || sig.output(0)?.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    check_axes(sig, params.axes)
}

pub(super) fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let plan = Plan::new(x.ty, params.axes);
    let kind = Kind::from_code(params.kind)?;
    run_f32(kind, &plan, units, x.elements(), call.output(0)?.elements());
    Ok(())
}

/// The elements `range` of the output.
pub fn run_f32(kind: Kind, plan: &Plan, range: Range<usize>, x: &[f32], y: &mut [f32]) {
    let add = |a: f32, b: f32| a + b;
    let max = |a: f32, b: f32| float::max(a, b);
    let min = |a: f32, b: f32| float::min(a, b);
    let mul = |a: f32, b: f32| a * b;
    let square = |sum: f32, x: f32| sum + x * x;
    let same = |sum: f32, _: usize| sum;
    match kind {
        Kind::Sum => fold(plan, range, x, y, (0.0, add, add), same),
        Kind::Mean => fold(plan, range, x, y, (0.0, add, add), |sum, n| sum / n as f32),
        Kind::Max => fold(plan, range, x, y, (f32::NEG_INFINITY, max, max), same),
        Kind::Min => fold(plan, range, x, y, (f32::INFINITY, min, min), same),
        Kind::Prod => fold(plan, range, x, y, (1.0, mul, mul), same),
        Kind::L1 => fold(plan, range, x, y, (0.0, |sum, x: f32| sum + x.abs(), add), same),
        Kind::L2 => fold(plan, range, x, y, (0.0, square, add), |sum, _| float::sqrt(sum)),
        Kind::SumSquare => fold(plan, range, x, y, (0.0, square, add), same),
        Kind::LogSum => fold(plan, range, x, y, (0.0, add, add), |sum, _| float::ln(sum)),
        Kind::LogSumExp => {
            let start = Scaled { top: f32::NEG_INFINITY, sum: 0.0 };
            let step = |a: Scaled, x| a.join(Scaled { top: x, sum: 1.0 });
            fold(plan, range, x, y, (start, step, Scaled::join), |a, _| a.top + float::ln(a.sum));
        }
    }
}

/// `sum * e^top`, where `top` is the greatest exponent so far.
#[derive(Clone, Copy)]
struct Scaled {
    top: f32,
    sum: f32,
}

impl Scaled {
    fn join(self, other: Self) -> Self {
        let top = float::max(self.top, other.top);
        let part = |a: Self| {
            if a.top == top { a.sum } else { a.sum * float::exp(a.top - top) }
        };
        Self { top, sum: part(self) + part(other) }
    }
}
