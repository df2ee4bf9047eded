//! DynamicQuantizeLinear: u8 under a scale and zero point computed from the data.

use embarca_kernels::{reduce, unary};

use super::prelude::*;
use super::reduce::Reduction;
use super::{Add, Div, Maximum, Minimum, Reduce, Sub, Unary, cast};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("DynamicQuantizeLinear", 11)];
pub const U8_AS_I8: Option<&str> = None;

/// Outputs: `y = saturate(round(x / scale) + zero)`, scale, zero, where the range includes zero:
/// `scale = (max(x, 0) - min(x, 0)) / 255`, `zero = saturate(round(-min(x, 0) / scale))`.
pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let zero = b.scalar(0.0);
    let all: Vec<usize> = (0..b.rank(x)).collect();
    let mut bound = |kind| {
        let by = Reduction(kind);
        b.op(Reduce { by, axes: all.clone(), keep: false }, &[x])
    };
    let (low, high) = (bound(reduce::Kind::Min)?, bound(reduce::Kind::Max)?);
    let (low, high) = (b.op(Minimum {}, &[low, zero])?, b.op(Maximum {}, &[high, zero])?);
    let range = b.op(Sub {}, &[high, low])?;
    let levels = b.scalar(255.0);
    let scale = b.op(Div {}, &[range, levels])?;
    let round = |b: &mut Builder<'_>, value| b.op(Unary::plain(unary::Kind::Round), &[value]);
    let below = b.op(Sub {}, &[zero, low])?;
    let steps = b.op(Div {}, &[below, scale])?;
    let steps = round(b, steps)?;
    let point = b.clip(steps, 0.0, 255.0)?;
    let y = b.op(Div {}, &[x, scale])?;
    let y = round(b, y)?;
    let y = b.op(Add {}, &[y, point])?;
    let y = b.clip(y, 0.0, 255.0)?;
    Ok(vec![cast::to(b, y, DType::U8)?, scale, cast::to(b, point, DType::U8)?])
}
