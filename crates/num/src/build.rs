//! Host-side construction of fixed-point factors from real ones. Uses f64; devices never call it.

use crate::fixed::Requant;

/// A finite positive f64 as `(fraction in [0.5, 1), exponent)`, like C's `frexp`.
pub fn frexp(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    if exponent == 0 {
        let (fraction, exponent) = frexp(x * (1u64 << 54) as f64);
        return (fraction, exponent - 54);
    }
    let fraction = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    (fraction, exponent - 1022)
}

/// A finite positive real factor as `multiplier * 2^(shift - 31)` with a multiplier of at least
/// `2^30`, rounded like TFLite's `QuantizeMultiplier`
/// (`tensorflow/lite/kernels/internal/quantization_util.cc`), whatever the shift.
fn quantize_multiplier(factor: f64) -> (i32, i32) {
    let (fraction, shift) = frexp(factor);
    match round_half_away(fraction * 2_147_483_648.0) {
        0x8000_0000 => (1 << 30, shift + 1),
        multiplier => (multiplier as i32, shift),
    }
}

/// A real factor as a [`Requant`], rounded like TFLite's `QuantizeMultiplier`. `None` when it is
/// negative, not finite or `2^30` and more.
pub fn requant(factor: f64) -> Option<Requant> {
    if !(0.0..1_073_741_824.0).contains(&factor) {
        return None;
    }
    let (multiplier, shift) = quantize_multiplier(factor);
    if shift < -31 { Requant::new(0, 0) } else { Requant::new(multiplier, shift) }
}

/// As [`requant`], for factors of `2^31` and more too: their left shift counts modulo 32. The
/// reference shifts an `int` by more bits than it has there, which x86-64 computes so; results of
/// such factors are saturated or of no use, but models hold them.
pub fn requant_wrapping(factor: f64) -> Option<Requant> {
    if !factor.is_finite() || factor < 1_073_741_824.0 {
        return requant(factor);
    }
    let (multiplier, shift) = quantize_multiplier(factor);
    Requant::new(multiplier, shift & 31)
}

/// What an integer softmax needs of its input's scale: `(multiplier, left shift, smallest
/// difference that counts)`, as TFLite's `PreprocessSoftmaxScaling` and `CalculateInputRadius` with
/// 5 integer bits. `None` when `beta * scale` is below `2^-26` or not finite.
pub fn softmax_scale(beta: f32, scale: f32) -> Option<(i32, u32, i32)> {
    let factor = f64::from(beta) * f64::from(scale) * f64::from(1 << 26);
    if !(1.0..f64::INFINITY).contains(&factor) {
        return None;
    }
    let (multiplier, shift) = quantize_multiplier(factor.min(2_147_483_647.0));
    let shift = u32::try_from(shift).ok()?;
    let radius = (31i64 << 26) >> shift;
    Some((multiplier, shift, -(radius as i32)))
}

/// The factor that undoes the scaling of [`softmax_scale`], as TFLite's
/// `PreprocessLogSoftmaxScalingExp`.
pub fn softmax_unscale(multiplier: i32, left_shift: u32) -> Option<Requant> {
    let one = 1i64.checked_shl(31u32.checked_sub(left_shift)?)?;
    requant(one as f64 / f64::from(multiplier))
}

/// To the nearest integer, halves away from zero, like C's `round`. NaN becomes 0; what does
/// not fit an `i64` saturates.
pub fn round_half_away(x: f64) -> i64 {
    let whole = x as i64;
    let rest = x - whole as f64;
    if 0.5 <= rest {
        whole.saturating_add(1)
    } else if rest <= -0.5 {
        whole.saturating_sub(1)
    } else {
        whole
    }
}
