//! The 16-bit floats, as bits: conversion to and from f32, rounded to nearest, halves to even.

/// The value of an IEEE 754 binary16.
pub const fn f16_to_f32(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let magnitude = (bits & 0x7fff) as u32;
    let wide = if 0x7c00 <= magnitude {
        // Infinity and NaN keep their payload; a signalling NaN becomes quiet.
        let quiet = if magnitude == 0x7c00 { 0 } else { 0x0040_0000 };
        0x7f80_0000 | (magnitude & 0x3ff) << 13 | quiet
    } else if 0x0400 <= magnitude {
        (magnitude << 13) + (112 << 23)
    } else {
        // A subnormal is its bits times 2^-24.
        let value = magnitude as f32 * (1.0 / 16_777_216.0);
        value.to_bits()
    };
    f32::from_bits(sign | wide)
}

/// The nearest binary16; infinity from 65520 on.
pub const fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if 0x7f80_0000 < magnitude {
        return sign | 0x7e00 | (magnitude >> 13) as u16 & 0x1ff;
    }
    if 0x4780_0000 <= magnitude {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Below 2^-14, adding 0.5 rounds to multiples of 2^-24.
        let rounded = f32::from_bits(magnitude) + 0.5;
        return sign | (rounded.to_bits() - 0x3f00_0000) as u16;
    }
    let odd = magnitude >> 13 & 1;
    sign | ((magnitude - (112 << 23) + 0xfff + odd) >> 13) as u16
}

/// The value of a bfloat16.
pub const fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

/// The nearest bfloat16.
pub const fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    let odd = bits >> 16 & 1;
    (bits.wrapping_add(0x7fff + odd) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a finite binary16 by its definition.
    fn defined(bits: u16) -> f64 {
        let exponent = i32::from(bits >> 10 & 31);
        let fraction = f64::from(bits & 0x3ff) / 1024.0;
        let power = |n: i32| if n < 0 { 1.0 / f64::from(1 << -n) } else { f64::from(1 << n) };
        let magnitude = if exponent == 0 {
            fraction * power(-14)
        } else {
            (1.0 + fraction) * power(exponent - 15)
        };
        if bits & 0x8000 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn every_f16_has_its_value_and_returns() {
        for bits in 0..=u16::MAX {
            let wide = f16_to_f32(bits);
            if bits & 0x7c00 == 0x7c00 {
                assert_eq!(wide.is_nan(), bits & 0x3ff != 0);
                assert_eq!(f32_to_f16(wide) & 0x7c00, 0x7c00);
            } else {
                assert_eq!(f64::from(wide), defined(bits), "{bits:#x}");
                assert_eq!(f32_to_f16(wide), bits);
            }
        }
    }

    #[test]
    fn between_two_f16_the_nearer_wins() {
        for low in (0..0x7bffu16).step_by(7) {
            let (a, b) = (f16_to_f32(low), f16_to_f32(low + 1));
            let middle = (a + b) / 2.0;
            let even = if low & 1 == 0 { low } else { low + 1 };
            assert_eq!(f32_to_f16(middle), even);
            assert_eq!(f32_to_f16(f32::from_bits(middle.to_bits() - 1)), low);
            assert_eq!(f32_to_f16(-f32::from_bits(middle.to_bits() + 1)), (low + 1) | 0x8000);
        }
        assert_eq!([f32_to_f16(65519.0), f32_to_f16(65520.0)], [0x7bff, 0x7c00]);
        assert_eq!([f32_to_f16(f32::INFINITY), f32_to_f16(-1e30)], [0x7c00, 0xfc00]);
    }

    #[test]
    fn bf16_rounds_to_even() {
        let cases = [
            (0x3f80_0000, 0x3f80),
            (0x3f80_8000, 0x3f80),
            (0x3f81_8000, 0x3f82),
            (0x3f80_8001, 0x3f81),
            (0x7f7f_ffff, 0x7f80),
            (0xff80_0000, 0xff80),
        ];
        for (bits, want) in cases {
            assert_eq!(f32_to_bf16(f32::from_bits(bits)), want, "{bits:#x}");
        }
        assert!(bf16_to_f32(f32_to_bf16(f32::NAN)).is_nan());
        assert_eq!(bf16_to_f32(0x4049), 3.140_625);
    }
}
