//! ONNX's rescaling of integer sums: one product in f32, rounded once, halves to even, as ONNX
//! Runtime's `MlasRequantizeOutput` (`onnxruntime/core/mlas/lib/quantize.cpp`).

use embarca_num::{DType, float};

use crate::tail::TailI8;
use crate::{Fault, Signature};

/// From a sum, bias included, to what is stored: `saturate(round(sum * scale) + out_zero)`.
#[inline(always)]
pub fn store(tail: &TailI8, sum: i32, scale: f32) -> i8 {
    let low = (tail.act_min - tail.out_zero) as f32;
    let high = (tail.act_max - tail.out_zero) as f32;
    let y = float::round_half_even(float::clamp(sum as f32 * scale, low, high));
    // A NaN scale yields 0 here, and the zero point is within the bounds of i8.
    (y as i32 + tail.out_zero) as i8
}

/// The scale of channel `index`; an absent one yields 0.
#[inline(always)]
pub fn scale(scales: &[f32], index: usize) -> f32 {
    scales.get(index).copied().unwrap_or_default()
}

/// Checks the scales at input `index`: f32 `[channels]`.
pub fn check_scales(sig: &Signature, index: usize, channels: u32) -> Result<(), Fault> {
    let scales = sig.input(index)?;
    if scales.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    if scales.dims != [channels] {
        return Err(Fault::Shape);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_even_and_bounds_hold() {
        let tail = TailI8 { in_zero: 0, w_zero: 0, out_zero: 3, act_min: -128, act_max: 100 };
        let cases = [
            (1, 0.5, 3),
            (3, 0.5, 5),
            (-1, 0.5, 3),
            (-3, 0.5, 1),
            (1 << 30, 1.0, 100),
            (-(1 << 30), 1e9, -128),
            (5, f32::NAN, 3),
            (16_777_217, 1.0 / 16_777_216.0, 4),
        ];
        for (sum, scale, y) in cases {
            assert_eq!(store(&tail, sum, scale), y, "{sum} * {scale}");
        }
    }
}
