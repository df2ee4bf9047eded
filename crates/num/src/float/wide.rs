//! Functions that compute in f64 with an error far below an f32's last place, then round once.
//! Polynomials are Taylor series unless said otherwise.

use core::f64::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_6, LOG2_E, PI};

/// `e^x - 1`.
#[inline]
pub fn expm1(x: f32) -> f32 {
    let wide = f64::from(x);
    let small = wide + 0.5 * wide * wide;
    let large = exp_64(wide) - 1.0;
    if x == 0.0 {
        x
    } else if wide.abs() < 1e-5 {
        small as f32
    } else {
        large as f32
    }
}

/// The natural logarithm of `1 + x`.
#[inline]
pub fn ln_1p(x: f32) -> f32 {
    let wide = f64::from(x);
    if x == 0.0 {
        x
    } else if wide.abs() < 1e-7 {
        (wide - 0.5 * wide * wide) as f32
    } else {
        ln_64(1.0 + wide) as f32
    }
}

/// `ln(1 + e^x)`.
#[inline]
pub fn softplus(x: f32) -> f32 {
    let wide = f64::from(x);
    let e = exp_64(-wide.abs());
    let rest = if e < 1e-7 { e - 0.5 * e * e } else { ln_64(1.0 + e) };
    let above = if wide < 0.0 { 0.0 } else { wide };
    (above + rest) as f32
}

/// `x` to the power of `y`, with the special cases of IEEE 754.
pub fn pow(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f32::NAN;
    }
    let magnitude = if y.is_infinite() {
        match (x.abs(), 0.0 < y) {
            (1.0, _) => 1.0,
            (a, up) if (1.0 < a) == up => f32::INFINITY,
            _ => 0.0,
        }
    } else if x == 0.0 || x.is_infinite() {
        if (x == 0.0) == (0.0 < y) { 0.0 } else { f32::INFINITY }
    } else {
        exp_64(f64::from(y) * ln_64(f64::from(x.abs()))) as f32
    };
    if x.is_sign_positive() {
        return magnitude;
    }
    let whole = super::trunc(y) == y;
    let odd = whole && y.abs() < 16_777_216.0 && y as i32 & 1 == 1;
    if odd {
        -magnitude
    } else if whole || x == 0.0 || x.is_infinite() {
        magnitude
    } else {
        f32::NAN
    }
}

/// The sine of `x` radians.
#[inline]
pub fn sin(x: f32) -> f32 {
    if x == 0.0 {
        return x;
    }
    let (quadrant, r) = reduce(x);
    let value = if quadrant & 1 == 0 { sin_64(r) } else { cos_64(r) };
    (if quadrant & 2 == 0 { value } else { -value }) as f32
}

/// The cosine of `x` radians.
#[inline]
pub fn cos(x: f32) -> f32 {
    let (quadrant, r) = reduce(x);
    let value = if quadrant & 1 == 0 { cos_64(r) } else { sin_64(r) };
    (if quadrant.wrapping_add(1) & 2 == 0 { value } else { -value }) as f32
}

/// The tangent of `x` radians.
#[inline]
pub fn tan(x: f32) -> f32 {
    if x == 0.0 {
        return x;
    }
    let (quadrant, r) = reduce(x);
    let (sin, cos) = (sin_64(r), cos_64(r));
    (if quadrant & 1 == 0 { sin / cos } else { -cos / sin }) as f32
}

/// The arc sine; NaN outside `-1..=1`.
pub fn asin(x: f32) -> f32 {
    let wide = f64::from(x);
    if x == 0.0 {
        return x;
    }
    atan2_64(wide, sqrt_64((1.0 - wide) * (1.0 + wide))) as f32
}

/// The arc cosine; NaN outside `-1..=1`.
pub fn acos(x: f32) -> f32 {
    let wide = f64::from(x);
    atan2_64(sqrt_64((1.0 - wide) * (1.0 + wide)), wide) as f32
}

/// The arc tangent.
pub fn atan(x: f32) -> f32 {
    if x == 0.0 { x } else { atan2_64(f64::from(x), 1.0) as f32 }
}

/// The angle of the point `(x, y)`, within `-pi..=pi`.
pub fn atan2(y: f32, x: f32) -> f32 {
    atan2_64(f64::from(y), f64::from(x)) as f32
}

/// The hyperbolic sine.
pub fn sinh(x: f32) -> f32 {
    let wide = f64::from(x);
    if wide.abs() < 1e-4 {
        return x;
    }
    let e = exp_64(wide);
    (0.5 * (e - 1.0 / e)) as f32
}

/// The hyperbolic cosine.
pub fn cosh(x: f32) -> f32 {
    let e = exp_64(f64::from(x));
    (0.5 * (e + 1.0 / e)) as f32
}

/// The inverse of [`sinh`].
pub fn asinh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    if a < 1e-4 {
        return x;
    }
    (ln_64(a + sqrt_64(a * a + 1.0)) as f32).copysign(x)
}

/// The inverse of [`cosh`]; NaN below 1.
pub fn acosh(x: f32) -> f32 {
    let wide = f64::from(x);
    if wide < 1.0 {
        return f32::NAN;
    }
    // With t = x - 1, acosh(x) = ln(1 + t + sqrt(t * (t + 2))).
    let t = wide - 1.0;
    let u = t + sqrt_64(t * (t + 2.0));
    (if u < 1e-7 { u - 0.5 * u * u } else { ln_64(1.0 + u) }) as f32
}

/// The inverse of `tanh`; NaN outside `-1..=1`.
pub fn atanh(x: f32) -> f32 {
    let wide = f64::from(x);
    if wide.abs() < 1e-4 {
        return x;
    }
    (0.5 * ln_64((1.0 + wide) / (1.0 - wide))) as f32
}

/// The error function. Above 1: `1 - e^(-x^2) * p(x)`, where `p` is the polynomial of degree 11
/// that interpolates `e^(x^2) * erfc(x)` on `1..=4` (error below 4e-9).
pub fn erf(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let z = a * a;
    if x.is_nan() || x == 0.0 {
        return x;
    }
    let value = if a < 1.0 {
        // (-1)^n / (n! * (2n + 1)), from n = 12 down.
        let mut p = 8.350_702_795_147_24e-11;
        for c in [
            -1.089_222_103_714_857_3e-9,
            1.312_253_296_380_280_5e-8,
            -1.450_385_222_315_046_8e-7,
            1.458_916_900_093_370_6e-6,
            -1.322_751_322_751_322_7e-5,
            1.068_376_068_376_068_4e-4,
            -7.575_757_575_757_576e-4,
            4.629_629_629_629_629e-3,
            -2.380_952_380_952_381e-2,
            0.1,
            -1.0 / 3.0,
            1.0,
        ] {
            p = p * z + c;
        }
        core::f64::consts::FRAC_2_SQRT_PI * a * p
    } else if a < 4.0 {
        let t = (a - 2.5) / 1.5;
        let mut p = -3.692_872_360_011_887e-5;
        for c in [
            9.640_451_522_145_062e-5,
            -1.439_485_978_130_998_3e-4,
            3.678_686_724_680_079_6e-4,
            -1.017_117_774_385_338_5e-3,
            2.425_885_101_209_547e-3,
            -5.567_332_909_496_006e-3,
            1.248_403_568_575_139_2e-2,
            -2.700_572_528_974_362e-2,
            5.611_095_841_163_244_6e-2,
            -0.111_521_004_695_382_15,
            0.210_806_357_528_338_87,
        ] {
            p = p * t + c;
        }
        1.0 - exp_64(-z) * p
    } else {
        1.0
    };
    (value as f32).copysign(x)
}

/// `x` as `quadrant * pi / 2 + r` with `|r|` at most a little above `pi / 4`.
#[inline]
fn reduce(x: f32) -> (i32, f64) {
    let wide = f64::from(x);
    if x.abs() < 1e8 {
        // pi / 2 in two parts, the first of 25 bits, so that its product with n is exact.
        let n = nearest(wide * FRAC_2_PI);
        let r = wide - n * 1.570_796_310_901_641_8 - n * 1.589_325_477_352_819_7e-8;
        (n as i32, r)
    } else if x.is_finite() {
        reduce_large(x)
    } else {
        (0, f64::NAN)
    }
}

/// Payne and Hanek: multiplies only those bits of `2 / pi` that reach the quadrant and below it.
fn reduce_large(x: f32) -> (i32, f64) {
    /// The fraction bits of `2 / pi`, most significant first.
    const TWO_OVER_PI: [u32; 8] = [
        0xa2f9_836e,
        0x4e44_1529,
        0xfc27_57d1,
        0xf534_ddc0,
        0xdb62_9599,
        0x3c43_9041,
        0xfe51_63ab,
        0xdebb_c561,
    ];
    let bits = x.to_bits();
    let mantissa = u128::from(bits & 0x7f_ffff | 0x80_0000);
    // |x| = mantissa * 2^exponent; from 1e8 on the exponent is at least 3, at most 104.
    let exponent = (bits >> 23 & 0xff).saturating_sub(150);
    let first = exponent.saturating_sub(2);
    let word = |i: u32| u128::from(TWO_OVER_PI.get(i as usize).copied().unwrap_or(0));
    let at = first / 32;
    let window = word(at) << 96 | word(at + 1) << 64 | word(at + 2) << 32 | word(at + 3);
    // 96 bits of 2 / pi from `first` on; the product is in units of 2^-94 of a quadrant.
    let window = window << (first % 32) >> 32;
    let product = (mantissa * window) << 32;
    let quadrant = (product >> 126) as i32;
    let fraction = (product << 2 >> 64) as u64 as i64;
    // As a signed number, the fraction is relative to the nearest quadrant.
    let r = fraction as f64 * (FRAC_PI_2 / 18_446_744_073_709_551_616.0);
    let nearest = quadrant + i32::from(fraction < 0);
    if x < 0.0 { (-nearest, -r) } else { (nearest, r) }
}

/// `|r| < 0.8`
#[inline]
fn sin_64(r: f64) -> f64 {
    let z = r * r;
    let mut p = 1.605_904_383_682_161_3e-10;
    for c in [
        -2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-6,
        -1.984_126_984_126_984e-4,
        8.333_333_333_333_333e-3,
        -1.0 / 6.0,
    ] {
        p = p * z + c;
    }
    r + r * z * p
}

/// `|r| < 0.8`
#[inline]
fn cos_64(r: f64) -> f64 {
    let z = r * r;
    let mut p = 2.087_675_698_786_81e-9;
    for c in [
        -2.755_731_922_398_589e-7,
        2.480_158_730_158_73e-5,
        -1.388_888_888_888_889e-3,
        1.0 / 24.0,
        -0.5,
        1.0,
    ] {
        p = p * z + c;
    }
    p
}

fn atan2_64(y: f64, x: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let (a, b) = (y.abs(), x.abs());
    let angle = if a == 0.0 && b == 0.0 {
        0.0
    } else if a == b {
        PI / 4.0
    } else if a < b {
        atan_64(a / b)
    } else {
        FRAC_PI_2 - atan_64(b / a)
    };
    let angle = if x.is_sign_negative() { PI - angle } else { angle };
    angle.copysign(y)
}

/// `0 <= x <= 1`
fn atan_64(x: f64) -> f64 {
    const SQRT_3: f64 = 1.732_050_807_568_877_2;
    let far = 0.267_949_192_431_122_7 < x;
    let r = if far { (SQRT_3 * x - 1.0) / (SQRT_3 + x) } else { x };
    let z = r * r;
    let mut p = 1.0 / 21.0;
    for n in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        p = 1.0 / n - p * z;
    }
    if far { FRAC_PI_6 + r * p } else { r * p }
}

/// The square root of a normal number or zero, within one unit of the last place.
#[inline]
pub(super) fn sqrt_64(x: f64) -> f64 {
    if x == 0.0 || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    let half = 0.5 * x;
    // Halving and negating the exponent estimates 1 / sqrt(x) within 3.5 %.
    let mut r = f64::from_bits(0x5fe6_eb50_c7b5_37a9_u64.wrapping_sub(x.to_bits() >> 1));
    for _ in 0..3 {
        r *= 1.5 - half * r * r;
    }
    let root = x * r;
    0.5 * (root + x / root)
}

/// To the nearest integer of at most 51 bits.
#[inline]
fn nearest(x: f64) -> f64 {
    (x + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0
}

/// `e^x`; beyond `e^150`, which no f32 holds, `e^150`, and below `e^-150` that.
#[inline]
fn exp_64(x: f64) -> f64 {
    let x = if x < -150.0 { -150.0 } else { x };
    let x = if 150.0 < x { 150.0 } else { x };
    let n = nearest(x * LOG2_E);
    let r = x - n * 0.693_147_180_369_123_8 - n * 1.908_214_929_270_587_7e-10;
    // 1 / n!, from n = 11 down.
    let mut p = 2.505_210_838_544_172e-8;
    for c in [
        2.755_731_922_398_589_4e-7,
        2.755_731_922_398_589e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * r + c;
    }
    p * f64::from_bits(((n as i64 + 1023) as u64) << 52)
}

/// The natural logarithm of a normal number, zero or infinity; NaN of negative numbers.
#[inline]
fn ln_64(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if !x.is_finite() {
        return x;
    }
    // Subtracting the bits of sqrt(1/2) makes the exponent change at that mantissa.
    let above = x.to_bits().wrapping_sub(0x3fe6_a09e_667f_3bcd) as i64;
    let n = (above >> 52) as f64;
    let m = f64::from_bits(x.to_bits().wrapping_sub((above & !0xf_ffff_ffff_ffff) as u64));
    // ln(m) = 2 * atanh(s)
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 1.0 / 17.0;
    for n in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        p = p * z + 1.0 / n;
    }
    n * 0.693_147_180_369_123_8 + (2.0 * s * p + n * 1.908_214_929_270_587_7e-10)
}
