//! Floats of 4 and 8 bits, as bits: conversion to and from f32.
//!
//! The formats are those of "FP8 Formats for Deep Learning" (arXiv 2209.05433), of "8-bit Numerical
//! Formats for Deep Neural Networks" (arXiv 2206.02915; the `Fnuz` types) and of the Open Compute
//! Project's "Microscaling Formats" (E8M0, E2M1). Numbers outside the range follow the tables of
//! ONNX's `Cast`.

use crate::DType;

/// What the bits of a float of one byte or less mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    fraction_bits: u32,
    bias: i32,
    /// The greatest finite magnitude, as bits.
    greatest: u8,
    sign: u8,
    not_a_number: Option<u8>,
    infinity: Option<u8>,
    /// Whether there is no negative zero, its bits being NaN.
    one_zero: bool,
}

impl Format {
    /// The format of a type with sign, exponent and fraction; `None` for all other types.
    pub const fn of(dtype: DType) -> Option<Self> {
        let plain = Self {
            fraction_bits: 0,
            bias: 0,
            greatest: 0,
            sign: 0x80,
            not_a_number: None,
            infinity: None,
            one_zero: false,
        };
        Some(match dtype {
            DType::F8E4M3Fn => Self {
                fraction_bits: 3,
                bias: 7,
                greatest: 0x7e,
                not_a_number: Some(0x7f),
                ..plain
            },
            DType::F8E4M3Fnuz => Self {
                fraction_bits: 3,
                bias: 8,
                greatest: 0x7f,
                not_a_number: Some(0x80),
                one_zero: true,
                ..plain
            },
            DType::F8E5M2 => Self {
                fraction_bits: 2,
                bias: 15,
                greatest: 0x7b,
                not_a_number: Some(0x7e),
                infinity: Some(0x7c),
                ..plain
            },
            DType::F8E5M2Fnuz => Self {
                fraction_bits: 2,
                bias: 16,
                greatest: 0x7f,
                not_a_number: Some(0x80),
                one_zero: true,
                ..plain
            },
            DType::F4E2M1 => Self { fraction_bits: 1, bias: 1, greatest: 7, sign: 8, ..plain },
            _ => return None,
        })
    }

    /// The value.
    pub fn to_f32(self, bits: u8) -> f32 {
        let magnitude = bits & (self.sign - 1);
        let sign = if bits & self.sign == 0 { 1.0 } else { -1.0 };
        if self.one_zero && bits == self.sign {
            return f32::NAN;
        }
        if self.greatest < magnitude {
            return if self.infinity == Some(magnitude) { sign * f32::INFINITY } else { f32::NAN };
        }
        let fraction = u32::from(magnitude) & ((1 << self.fraction_bits) - 1);
        let exponent = (u32::from(magnitude) >> self.fraction_bits).cast_signed();
        let (significand, exponent) = match exponent {
            0 => (fraction, 1),
            exponent => (fraction | 1 << self.fraction_bits, exponent),
        };
        let power = exponent - self.bias - self.fraction_bits.cast_signed();
        // Powers from 2^-19 to 2^13 are normal.
        let unit = f32::from_bits((127 + power).cast_unsigned() << 23);
        sign * (significand as f32 * unit)
    }

    /// The nearest value, halves to even. Beyond the greatest: with `saturate` the greatest, else
    /// infinity or, where there is none, NaN. A type without NaN has a negative zero in its place.
    pub fn from_f32(self, x: f32, saturate: bool) -> u8 {
        let bits = x.to_bits();
        let sign = if x.is_sign_negative() { self.sign } else { 0 };
        if x.is_nan() {
            return match self.not_a_number {
                Some(nan) if nan == self.sign => nan,
                Some(nan) => nan | sign,
                None => self.sign,
            };
        }
        let rounded = self.round(bits & 0x7fff_ffff);
        let magnitude = match u8::try_from(rounded) {
            Ok(magnitude) if magnitude <= self.greatest => magnitude,
            _ if saturate => self.greatest,
            _ => match (self.infinity, self.not_a_number) {
                (Some(infinity), _) => infinity,
                (None, Some(nan)) if nan == self.sign => return nan,
                (None, Some(nan)) => nan,
                (None, None) => self.greatest,
            },
        };
        if magnitude == 0 && self.one_zero { 0 } else { sign | magnitude }
    }

    /// The bits of a magnitude (bits of an f32 that is not NaN), as if exponents had no end.
    fn round(self, bits: u32) -> u32 {
        let exponent = (bits >> 23).cast_signed();
        // Subnormal numbers of f32 are far below half the smallest number of every format.
        if exponent == 0 {
            return 0;
        }
        let significand = bits & 0x7f_ffff | 0x80_0000;
        let own = exponent - 127 + self.bias;
        let (drop, base) = if 0 < own {
            (23 - self.fraction_bits, (own - 1).cast_unsigned() << self.fraction_bits)
        } else {
            (23 - self.fraction_bits + (1 - own).cast_unsigned(), 0)
        };
        if 24 < drop {
            return 0;
        }
        let half = 1u32 << (drop - 1);
        let (whole, rest) = (significand >> drop, significand & ((half << 1) - 1));
        let up = half < rest || (half == rest && whole & 1 == 1);
        // The leading one of a normal number adds one to the exponent in `base`.
        base + whole + u32::from(up)
    }
}

/// Where a scale of type E8M0 goes that is no power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleRounding {
    /// To the next power of two.
    Up,
    /// To the power of two below.
    Down,
    /// To the nearer one, the middle up.
    Nearest,
}

/// The value of an E8M0 scale: `2^(bits - 127)`, or NaN.
pub fn e8m0_to_f32(bits: u8) -> f32 {
    match bits {
        0xff => f32::NAN,
        0 => f32::from_bits(0x40_0000),
        bits => f32::from_bits(u32::from(bits) << 23),
    }
}

/// An E8M0 scale; NaN of NaN and infinity. The sign is lost. With `saturate`, what rounds beyond
/// the greatest power stays there instead of becoming NaN.
pub fn f32_to_e8m0(x: f32, rounding: ScaleRounding, saturate: bool) -> u8 {
    let bits = x.to_bits() & 0x7fff_ffff;
    let (exponent, fraction) = ((bits >> 23) as u8, bits & 0x7f_ffff);
    if exponent == 0xff {
        return 0xff;
    }
    let up = match rounding {
        ScaleRounding::Down => false,
        ScaleRounding::Up => fraction != 0,
        ScaleRounding::Nearest => 0x40_0000 < fraction || (fraction == 0x40_0000 && 0 < exponent),
    };
    if up && saturate && exponent == 0xfe { exponent } else { exponent + u8::from(up) }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    const TYPES: [DType; 5] =
        [DType::F8E4M3Fn, DType::F8E4M3Fnuz, DType::F8E5M2, DType::F8E5M2Fnuz, DType::F4E2M1];

    #[test]
    fn every_value_returns() {
        for dtype in TYPES {
            let format = Format::of(dtype).unwrap();
            for bits in 0..=format.sign | (format.sign - 1) {
                let value = format.to_f32(bits);
                let back = format.from_f32(value, false);
                if value.is_nan() {
                    assert!(format.to_f32(back).is_nan(), "{dtype} {bits:#x}");
                } else {
                    assert_eq!(back, bits, "{dtype} {value}");
                }
            }
        }
    }

    #[test]
    fn known_values_and_ends() {
        let of = |dtype| Format::of(dtype).unwrap();
        let greatest = [448.0, 240.0, 57344.0, 57344.0, 6.0];
        for (dtype, greatest) in TYPES.into_iter().zip(greatest) {
            let format = of(dtype);
            assert_eq!(format.to_f32(format.greatest), greatest, "{dtype}");
            for x in [greatest * 4.0, f32::INFINITY] {
                assert_eq!(format.to_f32(format.from_f32(x, true)), greatest, "{dtype}");
                assert_eq!(format.to_f32(format.from_f32(-x, true)), -greatest, "{dtype}");
            }
        }
        assert_eq!(of(DType::F8E5M2).from_f32(1e9, false), 0x7c);
        assert_eq!(of(DType::F8E4M3Fn).from_f32(1e9, false), 0x7f);
        assert_eq!(of(DType::F8E4M3Fnuz).from_f32(1e9, false), 0x80);
        assert_eq!(of(DType::F8E4M3Fnuz).from_f32(-0.0, false), 0);
        // 2.5 lies between 2 and 3; 17 between 16 and 18: both go to the even one.
        assert_eq!(of(DType::F4E2M1).to_f32(of(DType::F4E2M1).from_f32(2.5, true)), 2.0);
        assert_eq!(of(DType::F8E4M3Fn).to_f32(of(DType::F8E4M3Fn).from_f32(17.0, true)), 16.0);
    }

    #[test]
    fn the_nearest_value_is_found() {
        for dtype in TYPES {
            let format = Format::of(dtype).unwrap();
            let values: std::vec::Vec<f32> =
                (0..=format.greatest).map(|b| format.to_f32(b)).collect();
            for pair in values.windows(2) {
                let (low, high) = (f64::from(pair[0]), f64::from(pair[1]));
                for part in [0.25, 0.499, 0.501, 0.75] {
                    let x = (low + (high - low) * part) as f32;
                    let want = if part < 0.5 { pair[0] } else { pair[1] };
                    assert_eq!(format.to_f32(format.from_f32(x, true)), want, "{dtype} {x}");
                }
            }
        }
    }

    #[test]
    fn scales_are_powers_of_two() {
        use ScaleRounding::*;
        let cases = [
            (1.0, [127, 127, 127]),
            (1.5, [128, 127, 128]),
            (1.25, [128, 127, 127]),
            (0.0, [0, 0, 0]),
            (f32::INFINITY, [255, 255, 255]),
            (3.4e38, [254, 254, 254]),
        ];
        for (x, want) in cases {
            let ours = [Up, Down, Nearest].map(|rounding| f32_to_e8m0(x, rounding, true));
            assert_eq!(ours, want, "{x}");
        }
        assert_eq!(e8m0_to_f32(127), 1.0);
        assert_eq!(e8m0_to_f32(0), 2f32.powi(-127));
    }
}
