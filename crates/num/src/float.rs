//! Elementary functions in f32 with the same bits on every target: no `libm`, no fused operations.

/// Adds `n` to the exponent of `x`, in two steps so that subnormal results round once.
fn scale_by_power_of_two(x: f32, n: i32) -> f32 {
    let half = n / 2;
    let power = |n: i32| f32::from_bits(((n.clamp(-126, 127) + 127) as u32) << 23);
    x * power(half) * power(n - half)
}

/// `e^x`, within 1 ULP. Method: Cody-Waite reduction to `|r| <= ln2 / 2`, degree-6 minimax
/// polynomial (Cephes `expf` coefficients).
pub fn exp(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    if 88.73 < x {
        return f32::INFINITY;
    }
    if x < -103.98 {
        return 0.0;
    }
    let n = (x * core::f32::consts::LOG2_E + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let k = n as f32;
    let r = (x - k * 0.693_359_4) - k * -2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = p * r + c;
    }
    scale_by_power_of_two(p * r * r + r + 1.0, n)
}
