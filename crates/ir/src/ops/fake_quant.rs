//! TFLite's FAKE_QUANT: real numbers rounded as a quantization would.

use embarca_kernels::unary::Kind;

use super::prelude::*;
use super::{Add, Clip, Mul, Sub, Unary};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("FAKE_QUANT")];
pub const U8_AS_I8: Option<&str> = None;

/// As `NudgeQuantizationRange` and `FakeQuantizeArray` (`kernels/internal/quantization_util.h`), all
/// in f32.
pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (min, max) = (node.float("min", 0.0)?, node.float("max", 0.0)?);
    let bits = node.int("num_bits", 0)?;
    if !(2..=16).contains(&bits) {
        return Err(ImportError::malformed(format!("{bits} is out of range")).attribute("num_bits"));
    }
    if !(min <= 0.0 && 0.0 <= max && min < max) {
        let message = format!("{min} to {max} is no range around zero");
        return Err(ImportError::malformed(message).attribute("min"));
    }
    let lowest = if node.flag("narrow_range", false)? { 1.0 } else { 0.0 };
    let highest = ((1u32 << bits) - 1) as f32;
    let scale = (max - min) / (highest - lowest);
    let zero = lowest - min / scale;
    let zero = if zero < lowest {
        lowest
    } else if highest < zero {
        highest
    } else {
        zero.round()
    };
    let (low, high) = ((lowest - zero) * scale, (highest - zero) * scale);
    let x = b.op(Clip { min: low, max: high }, &[node.input(0)?])?;
    let (inverse, scale, low) = (b.scalar(1.0 / scale), b.scalar(scale), b.scalar(low));
    let steps = b.op(Sub {}, &[x, low])?;
    let steps = b.op(Mul {}, &[steps, inverse])?;
    let steps = b.op(Unary::plain(Kind::RoundAway), &[steps])?;
    let y = b.op(Mul {}, &[steps, scale])?;
    one(b.op(Add {}, &[y, low])?)
}
