//! Quantization of f32 activations at run time, for models whose weights alone are i8.

/// To `(scale, zero point)` and i8 values over the range of `x` widened to hold 0: LiteRT's
/// `PortableAsymmetricQuantizeFloats` (`kernels/internal/reference/portable_tensor_utils.cc`).
pub fn quantize_asymmetric(x: &[f32], q: &mut [i8]) -> (f32, i16) {
    let low = x.iter().copied().fold(0.0, f32::min);
    let high = x.iter().copied().fold(0.0, f32::max);
    if low == high {
        q.fill(0);
        return (1.0, 0);
    }
    let scale = (high - low) / 255.0;
    let from_low = -128.0 - low / scale;
    let from_high = 127.0 - high / scale;
    let low_error = 128.0 + (low / scale).abs();
    let high_error = 127.0 + (high / scale).abs();
    let zero = if low_error < high_error { from_low } else { from_high };
    let zero = round_half_away(f64::from(zero.clamp(-128.0, 127.0))) as i16;
    let inverse = 1.0 / scale;
    for (q, x) in q.iter_mut().zip(x) {
        let y = f32::from(zero) + x * inverse;
        *q = round_half_away(f64::from(y)).clamp(-128, 127) as i8;
    }
    (scale, zero)
}

/// To the scale and i8 values in -127 to 127: LiteRT's `PortableSymmetricQuantizeFloats`.
pub fn quantize_symmetric(x: &[f32], q: &mut [i8]) -> f32 {
    let range = x.iter().fold(0.0f32, |range, x| range.max(x.abs()));
    if range == 0.0 {
        q.fill(0);
        return 1.0;
    }
    let inverse = 127.0 / range;
    for (q, x) in q.iter_mut().zip(x) {
        *q = round_half_away(f64::from(x * inverse)).clamp(-127, 127) as i8;
    }
    range / 127.0
}

/// Halves away from zero; NaN becomes 0, and what does not fit saturates.
fn round_half_away(x: f64) -> i64 {
    embarca_num::build::round_half_away(x)
}
