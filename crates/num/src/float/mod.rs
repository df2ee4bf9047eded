//! Elementary functions in f32 with the same bits on every target: no `libm`, no fused operations.
//!
//! Each is within 2 units in the last place of the true value ([`sigmoid`]: 2.1). What inner loops call ([`exp`],
//! [`ln`], [`tanh`], [`sigmoid`], rounding) stays in f32 without branches, so that loops over it
//! become vector code; the rest is computed in f64 and rounded once.

pub mod double;
pub mod fourier;
mod rounding;
mod wide;

pub use rounding::{ceil, floor, round_half_away, round_half_even, trunc};
pub use wide::{
    acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, erf, expm1, ln_1p, pow, sin, sinh,
    softplus, tan,
};

/// `v` brought into `min..=max`; NaN stays NaN.
#[inline]
pub fn clamp(v: f32, min: f32, max: f32) -> f32 {
    let v = if v < min { min } else { v };
    if max < v { max } else { v }
}

/// The smaller; NaN when one is.
#[inline]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// The greater; NaN when one is.
#[inline]
pub fn max(a: f32, b: f32) -> f32 {
    if b < a || a.is_nan() { a } else { b }
}

/// The square root, rounded as IEEE 754 asks, so that a hardware instruction gives the same bits.
///
/// Method: an estimate of `1 / sqrt(x)` from the exponent, three Newton steps and one of Heron in
/// f64. The root of an f32 is at least `2^-51` away, relatively, from the middle between two f32,
/// which is more than the error of the last step.
#[inline]
pub fn sqrt(x: f32) -> f32 {
    let root = wide::sqrt_64(f64::from(x)) as f32;
    let special = x == 0.0 || x == f32::INFINITY || x.is_nan();
    if special {
        x
    } else if x < 0.0 {
        f32::NAN
    } else {
        root
    }
}

/// `1 / sqrt(x)`.
#[inline]
pub fn rsqrt(x: f32) -> f32 {
    1.0 / sqrt(x)
}

/// `e^x`. Method: Cody-Waite reduction to `|r| <= ln2 / 2`, degree-6 minimax polynomial (Cephes
/// `expf` coefficients).
#[inline]
pub fn exp(x: f32) -> f32 {
    // Beyond these the result is zero or infinite.
    let x = clamp(x, -104.0, 89.0);
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
    let shifted = x * core::f32::consts::LOG2_E + 12_582_912.0;
    let k = shifted - 12_582_912.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(0x4b40_0000);
    let r = (x - k * 0.693_359_4) - k * -2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = p * r + c;
    }
    scale_by_power_of_two(p * r * r + r + 1.0, n)
}

/// Multiplies by `2^n` in two steps, so that subnormal results round once.
#[inline]
fn scale_by_power_of_two(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    x * power(half) * power(n.wrapping_sub(half))
}

/// The natural logarithm. Method: reduction to `[sqrt(1/2), sqrt(2))`, degree-9 minimax polynomial
/// (Cephes `logf` coefficients).
#[inline]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = if subnormal { x * 8_388_608.0 } else { x }.to_bits();
    // Subtracting the bits of sqrt(1/2) makes the exponent change at that mantissa.
    let above = bits.wrapping_sub(0x3f35_04f3) as i32;
    let exponent = (above >> 23) - if subnormal { 23 } else { 0 };
    let m = f32::from_bits(bits.wrapping_sub((above & !0x7f_ffff) as u32)) - 1.0;
    let e = exponent as f32;
    let mut p = 7.037_683_6e-2;
    for c in [
        -0.115_146_1,
        0.116_769_98,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_58,
        0.200_007_15,
        -0.249_999_94,
        0.333_333_3,
    ] {
        p = p * m + c;
    }
    let z = m * m;
    let y = p * m * z + e * -2.121_944_4e-4 - 0.5 * z;
    let y = m + y + e * 0.693_359_4;
    if x == 0.0 {
        f32::NEG_INFINITY
    } else if x < 0.0 {
        f32::NAN
    } else if x < f32::INFINITY {
        y
    } else {
        x
    }
}

/// The hyperbolic tangent. Method: degree-11 odd minimax polynomial below 0.625 (Cephes `tanhf`
/// coefficients), `1 - 2 / (e^2x + 1)` from there.
#[inline]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    for c in [2.063_909e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8] {
        p = p * z + c;
    }
    let small = p * z * x + x;
    let large = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { small } else { large }
}

/// `1 / (1 + e^-x)`.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let above = if x < 0.0 { e } else { 1.0 };
    above / (1.0 + e)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, PI};

    use super::*;

    type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64, (f32, f32));

    /// Distance between `got` and `want` in units of the last place of `want` as an f32.
    fn ulps(got: f32, want: f64) -> f64 {
        let rounded = want as f32;
        if got == rounded || got.is_nan() && want.is_nan() {
            return 0.0;
        }
        let below = f32::from_bits(rounded.to_bits() & 0x7f80_0000);
        let ulp = f64::from((below / 8_388_608.0).max(f32::from_bits(1)));
        (f64::from(got) - want).abs() / ulp
    }

    fn worst(name: &str, f: fn(f32) -> f32, reference: fn(f64) -> f64, low: f32, high: f32) {
        let mut worst = (0.0, 0.0);
        let mut probe = |x: f32| {
            let error = ulps(f(x), reference(f64::from(x)));
            if error.is_nan() || worst.0 < error {
                worst = (error, x);
            }
        };
        let steps = 200_000;
        for i in 0..=steps {
            let share = i as f32 / steps as f32;
            probe(low * (1.0 - share) + high * share);
        }
        // Every 20,011th of all bit patterns within the range.
        for bits in (0..=u32::MAX).step_by(20_011) {
            let x = f32::from_bits(bits);
            if (low..=high).contains(&x) {
                probe(x);
            }
        }
        let bound = if name == "sigmoid" { 2.1 } else { 2.0 };
        assert!(worst.0 <= bound, "{name}({:e}) is {} units off", worst.1, worst.0);
    }

    #[test]
    fn every_function_is_within_two_units() {
        let all = (f32::MIN, f32::MAX);
        let cases: [Case; 26] = [
            ("exp", exp, f64::exp, (-110.0, 89.0)),
            ("expm1", expm1, f64::exp_m1, (-110.0, 89.0)),
            ("ln", ln, f64::ln, (0.0, f32::MAX)),
            ("ln_1p", ln_1p, f64::ln_1p, (-1.0, f32::MAX)),
            ("sqrt", sqrt, f64::sqrt, (0.0, f32::MAX)),
            ("rsqrt", rsqrt, |x| 1.0 / x.sqrt(), (0.0, f32::MAX)),
            ("tanh", tanh, f64::tanh, (-100.0, 100.0)),
            ("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), (-86.0, 100.0)),
            ("softplus", softplus, |x| if x < 30.0 { x.exp().ln_1p() } else { x }, (-86.0, 1e5)),
            ("sin", sin, f64::sin, (-1e6, 1e6)),
            ("cos", cos, f64::cos, (-1e6, 1e6)),
            ("tan", tan, f64::tan, (-1e6, 1e6)),
            ("sin", sin, f64::sin, all),
            ("cos", cos, f64::cos, all),
            ("asin", asin, f64::asin, (-1.0, 1.0)),
            ("acos", acos, f64::acos, (-1.0, 1.0)),
            ("atan", atan, f64::atan, all),
            ("sinh", sinh, f64::sinh, (-89.0, 89.0)),
            ("cosh", cosh, f64::cosh, (-89.0, 89.0)),
            ("asinh", asinh, reference_asinh, all),
            ("acosh", acosh, f64::acosh, (1.0, 1e18)),
            ("atanh", atanh, f64::atanh, (-1.0, 1.0)),
            ("floor", floor, f64::floor, all),
            ("ceil", ceil, f64::ceil, all),
            ("trunc", trunc, f64::trunc, all),
            ("round_half_even", round_half_even, f64::round_ties_even, all),
        ];
        for (name, f, reference, (low, high)) in cases {
            worst(name, f, reference, low, high);
        }
        worst("round_half_away", round_half_away, f64::round, f32::MIN, f32::MAX);
        worst("round_half_away", round_half_away, f64::round, -8.0, 8.0);
        worst("round_half_even", round_half_even, f64::round_ties_even, -8.0, 8.0);
    }

    /// The standard library's loses digits of small numbers.
    fn reference_asinh(x: f64) -> f64 {
        let a = x.abs();
        (a + a * a / (1.0 + (1.0 + a * a).sqrt())).ln_1p().copysign(x)
    }

    #[test]
    fn square_roots_are_exact() {
        for bits in (0..0x7f80_0000).step_by(1009) {
            let x = f32::from_bits(bits);
            assert_eq!(sqrt(x).to_bits(), x.sqrt().to_bits(), "sqrt({x:e})");
        }
        for i in 0..4096 {
            let x = (i * i) as f32;
            assert_eq!(sqrt(x), i as f32);
        }
    }

    #[test]
    fn powers_are_within_two_units() {
        for i in 0..2000 {
            let x = f32::from_bits(0x3000_0000 + i * 0x0001_7f31);
            for j in -60..60 {
                let y = j as f32 * 0.37;
                let want = f64::from(x).powf(f64::from(y));
                if want < 1e38 && 1e-37 < want {
                    assert!(ulps(pow(x, y), want) <= 2.0, "pow({x:e}, {y})");
                }
            }
        }
        let cases = [(-2.0, 3.0), (-2.0, 4.0), (-2.0, 0.5), (0.0, 0.0), (0.0, -1.0), (-0.0, 3.0)];
        for (x, y) in cases {
            assert!(ulps(pow(x, y), f64::from(x).powf(f64::from(y))) == 0.0, "pow({x}, {y})");
        }
    }

    #[test]
    fn erf_matches_its_table() {
        // Abramowitz and Stegun, table 7.1, and the limits.
        let cases = [
            (0.0, 0.0),
            (1e-6, 1.128_379_167_095_5e-6),
            (0.02, 0.022_564_574_7),
            (0.5, 0.520_499_877_8),
            (0.9, 0.796_908_212_4),
            (1.0, 0.842_700_792_9),
            (1.5, 0.966_105_146_5),
            (2.0, 0.995_322_265_0),
            (3.0, 0.999_977_909_503_0),
            (3.9, 0.999_999_965_2),
            (5.0, 1.0),
            (f32::INFINITY, 1.0),
        ];
        for (x, want) in cases {
            assert!(ulps(erf(x), want) <= 2.0, "erf({x}) = {:e}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert!(erf(f32::NAN).is_nan());
        // The derivative is the Gaussian.
        for i in 0..400 {
            let x = f64::from(i) * 0.01;
            let h = 1.0 / 64.0;
            let (high, low) = (erf((x + h) as f32), erf((x - h) as f32));
            let slope = f64::from(high - low) / (2.0 * h);
            let gauss = 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp();
            let bound = 1e-5 + h * h / 6.0 * gauss * (4.0 * x * x + 2.0);
            assert!((slope - gauss).abs() < bound, "slope at {x}: {slope} and {gauss}");
        }
    }

    #[test]
    fn limits_and_not_a_number() {
        let functions: [fn(f32) -> f32; 22] = [
            exp,
            expm1,
            ln,
            ln_1p,
            sqrt,
            tanh,
            sigmoid,
            softplus,
            sin,
            cos,
            tan,
            asin,
            acos,
            atan,
            sinh,
            cosh,
            asinh,
            acosh,
            atanh,
            floor,
            ceil,
            round_half_even,
        ];
        for (i, f) in functions.into_iter().enumerate() {
            assert!(f(f32::NAN).is_nan(), "function {i} of NaN");
        }
        let inf = f32::INFINITY;
        assert_eq!([exp(inf), exp(-inf), exp(-104.5), exp(88.8)], [inf, 0.0, 0.0, inf]);
        assert_eq!([ln(0.0), ln(inf), ln(1.0)], [-inf, inf, 0.0]);
        assert_eq!([tanh(inf), tanh(-inf), sigmoid(inf), sigmoid(-inf)], [1.0, -1.0, 1.0, 0.0]);
        assert_eq!([softplus(inf), softplus(-inf)], [inf, 0.0]);
        assert_eq!([atan(inf), atan2(0.0, -1.0)], [FRAC_PI_2, PI]);
        assert_eq!([atan2(-1.0, 0.0), atan2(1.0, 1.0)], [-FRAC_PI_2, FRAC_PI_4]);
        for x in [-1.0, f32::MIN_POSITIVE * -0.5, -inf] {
            assert!(ln(x).is_nan() && sqrt(x).is_nan());
        }
        assert!(asin(1.1).is_nan() && acosh(0.9).is_nan() && atanh(-1.1).is_nan());
        assert!(sin(inf).is_nan() && cos(-inf).is_nan());
        assert_eq!(floor(-0.0).to_bits(), (-0.0f32).to_bits());
    }
}
