//! The f64 form.

use embarca_num::DType;
use embarca_num::float::double;

use super::{Kind, Params, Plan, check_axes, fold};
use crate::{Call, Fault, Needs, Signature};

pub(super) fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    Kind::from_code(params.kind)?;
    if sig.input(0)?.dtype != DType::F64 || sig.output(0)?.dtype != DType::F64 {
        return Err(Fault::Type);
    }
    check_axes(sig, params.axes)
}

pub(super) fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let source = call.input(0)?;
    let range = call.units.clone();
    let plan = &Plan::new(source.ty, params.axes);
    let (x, y) = (source.elements::<f64>(), call.output(0)?.elements::<f64>());
    let add = |a: f64, b: f64| a + b;
    let mul = |a: f64, b: f64| a * b;
    let square = |sum: f64, x: f64| sum + x * x;
    let same = |sum: f64, _: usize| sum;
    match Kind::from_code(params.kind)? {
        Kind::Sum => fold(plan, range, x, y, (0.0, add, add), same),
        Kind::Mean => fold(plan, range, x, y, (0.0, add, add), |sum, n| sum / n as f64),
        Kind::Max => {
            fold(plan, range, x, y, (f64::NEG_INFINITY, double::max, double::max), same);
        }
        Kind::Min => fold(plan, range, x, y, (f64::INFINITY, double::min, double::min), same),
        Kind::Prod => fold(plan, range, x, y, (1.0, mul, mul), same),
        Kind::L1 => fold(plan, range, x, y, (0.0, |sum, x: f64| sum + x.abs(), add), same),
        Kind::L2 => fold(plan, range, x, y, (0.0, square, add), |sum, _| double::sqrt(sum)),
        Kind::SumSquare => fold(plan, range, x, y, (0.0, square, add), same),
        Kind::LogSum => fold(plan, range, x, y, (0.0, add, add), |sum, _| double::ln(sum)),
        Kind::LogSumExp => {
            let start = Scaled { top: f64::NEG_INFINITY, sum: 0.0 };
            let step = |a: Scaled, x| a.join(Scaled { top: x, sum: 1.0 });
            fold(plan, range, x, y, (start, step, Scaled::join), |a, _| a.top + double::ln(a.sum));
        }
    }
    Ok(())
}

/// `sum * e^top`, where `top` is the greatest exponent so far.
#[derive(Clone, Copy)]
struct Scaled {
    top: f64,
    sum: f64,
}

impl Scaled {
    fn join(self, other: Self) -> Self {
        let top = double::max(self.top, other.top);
        let part = |a: Self| {
            if a.top == top { a.sum } else { a.sum * double::exp(a.top - top) }
        };
        Self { top, sum: part(self) + part(other) }
    }
}
