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

/// A real factor as a [`Requant`], rounded like TFLite's `QuantizeMultiplier`
/// (`tensorflow/lite/kernels/internal/quantization_util.cc`). `None` when it is negative, not
/// finite or `2^30` and more.
pub fn requant(factor: f64) -> Option<Requant> {
    if !(0.0..1_073_741_824.0).contains(&factor) {
        return None;
    }
    let (fraction, mut shift) = frexp(factor);
    let mut multiplier = round_half_away(fraction * 2_147_483_648.0);
    if multiplier == 1 << 31 {
        multiplier /= 2;
        shift += 1;
    }
    if shift < -31 {
        return Requant::new(0, 0);
    }
    Requant::new(multiplier as i32, shift)
}

/// To the nearest integer, halves away from zero, like C's `round`. `x` must fit an `i64`.
pub fn round_half_away(x: f64) -> i64 {
    let whole = x as i64;
    let rest = x - whole as f64;
    if 0.5 <= rest {
        whole + 1
    } else if rest <= -0.5 {
        whole - 1
    } else {
        whole
    }
}
