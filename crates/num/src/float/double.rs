//! The few elementary functions that exist in f64, within 4 units in the last place.

/// The greatest integer below or at `x`.
pub fn floor(x: f64) -> f64 {
    let whole = trunc(x);
    if x < whole { whole - 1.0 } else { whole }
}

/// The next integer toward zero.
pub fn trunc(x: f64) -> f64 {
    // From 2^52 on every number is whole; NaN and infinity stay.
    if x.abs() < 4_503_599_627_370_496.0 { (x as i64 as f64).copysign(x) } else { x }
}

/// The smaller; NaN when one is.
pub fn min(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

/// The greater; NaN when one is.
pub fn max(a: f64, b: f64) -> f64 {
    if b < a || a.is_nan() { a } else { b }
}

/// The square root.
pub fn sqrt(x: f64) -> f64 {
    const SCALE: f64 = 18_014_398_509_481_984.0;
    if x == 0.0 || x.is_nan() {
        return x;
    }
    // Subnormal numbers are lifted by 2^54.
    if 0.0 < x && x < f64::MIN_POSITIVE {
        return super::wide::sqrt_64(x * SCALE) / 134_217_728.0;
    }
    super::wide::sqrt_64(x)
}

/// `e^x`
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if 709.79 < x {
        return f64::INFINITY;
    }
    if x < -745.2 {
        return 0.0;
    }
    let n = nearest(x * core::f64::consts::LOG2_E);
    let r = x - n * 0.693_147_180_369_123_8 - n * 1.908_214_929_270_587_7e-10;
    let mut p = 1.0;
    for k in (1..=14).rev() {
        p = p * r / f64::from(k) + 1.0;
    }
    // In two steps, so that results up to the greatest and down to subnormal ones come out.
    let half = (n * 0.5) as i64;
    p * power_of_two(half) * power_of_two(n as i64 - half)
}

fn nearest(x: f64) -> f64 {
    (x + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0
}

fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// The natural logarithm.
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    // Subnormal numbers are lifted by 2^54.
    let (x, lifted) =
        if x < f64::MIN_POSITIVE { (x * 18_014_398_509_481_984.0, 54.0) } else { (x, 0.0) };
    // Subtracting the bits of sqrt(1/2) makes the exponent change at that mantissa.
    let above = x.to_bits().wrapping_sub(0x3fe6_a09e_667f_3bcd).cast_signed();
    let n = (above >> 52) as f64 - lifted;
    let exponent = (above & !0xf_ffff_ffff_ffff).cast_unsigned();
    let m = f64::from_bits(x.to_bits().wrapping_sub(exponent));
    // ln(m) = 2 * atanh(s), |s| < 0.172
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 1.0 / 23.0;
    for n in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        p = p * z + 1.0 / n;
    }
    n * 0.693_147_180_369_123_8 + (2.0 * s * p + n * 1.908_214_929_270_587_7e-10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_standard_library() {
        let near = |a: f64, b: f64, units: f64| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= units * f64::EPSILON * b.abs()
        };
        for i in -7000..7000 {
            let x = f64::from(i) * 0.1 + 0.0371;
            assert!(near(exp(x), x.exp(), 4.0), "exp {x}: {} {}", exp(x), x.exp());
            let y = x.exp();
            assert!(near(ln(y), y.ln(), 4.0), "ln {y}");
            assert!(near(sqrt(y), y.sqrt(), 2.0), "sqrt {y}");
            assert_eq!(floor(x), x.floor());
            assert_eq!(trunc(x), x.trunc());
        }
        for x in [0.0, -1.0, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE / 8.0, 1e308] {
            assert!(near(ln(x), x.ln(), 4.0) && near(sqrt(x), x.sqrt(), 4.0), "{x}");
        }
        assert_eq!([exp(f64::NEG_INFINITY), exp(800.0)], [0.0, f64::INFINITY]);
    }
}
