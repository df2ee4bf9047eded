//! Logistic and hyperbolic tangent of 16-bit numbers by interpolation, as TFLite's 16-bit kernels
//! compute them (`kernels/internal/reference/integer_ops/{logistic,tanh}.h`).

/// About `65536 / (1 + e^(-i / 24))`: TFLite's `sigmoid_table_uint16`, to the last unit.
const LOGISTIC: [u16; 256] = [
    32_768, 33_451, 34_133, 34_813, 35_493, 36_169, 36_843, 37_513, 38_180, 38_841, 39_498, 40_149,
    40_794, 41_432, 42_064, 42_688, 43_304, 43_912, 44_511, 45_102, 45_683, 46_255, 46_817, 47_369,
    47_911, 48_443, 48_964, 49_475, 49_975, 50_464, 50_942, 51_409, 51_865, 52_311, 52_745, 53_169,
    53_581, 53_983, 54_374, 54_755, 55_125, 55_485, 55_834, 56_174, 56_503, 56_823, 57_133, 57_433,
    57_724, 58_007, 58_280, 58_544, 58_800, 59_048, 59_288, 59_519, 59_743, 59_959, 60_168, 60_370,
    60_565, 60_753, 60_935, 61_110, 61_279, 61_441, 61_599, 61_750, 61_896, 62_036, 62_172, 62_302,
    62_428, 62_549, 62_666, 62_778, 62_886, 62_990, 63_090, 63_186, 63_279, 63_368, 63_454, 63_536,
    63_615, 63_691, 63_765, 63_835, 63_903, 63_968, 64_030, 64_090, 64_148, 64_204, 64_257, 64_308,
    64_357, 64_405, 64_450, 64_494, 64_536, 64_576, 64_614, 64_652, 64_687, 64_721, 64_754, 64_786,
    64_816, 64_845, 64_873, 64_900, 64_926, 64_950, 64_974, 64_997, 65_019, 65_039, 65_060, 65_079,
    65_097, 65_115, 65_132, 65_149, 65_164, 65_179, 65_194, 65_208, 65_221, 65_234, 65_246, 65_258,
    65_269, 65_280, 65_291, 65_301, 65_310, 65_319, 65_328, 65_337, 65_345, 65_352, 65_360, 65_367,
    65_374, 65_381, 65_387, 65_393, 65_399, 65_404, 65_410, 65_415, 65_420, 65_425, 65_429, 65_433,
    65_438, 65_442, 65_445, 65_449, 65_453, 65_456, 65_459, 65_462, 65_465, 65_468, 65_471, 65_474,
    65_476, 65_479, 65_481, 65_483, 65_485, 65_488, 65_489, 65_491, 65_493, 65_495, 65_497, 65_498,
    65_500, 65_501, 65_503, 65_504, 65_505, 65_507, 65_508, 65_509, 65_510, 65_511, 65_512, 65_513,
    65_514, 65_515, 65_516, 65_517, 65_517, 65_518, 65_519, 65_520, 65_520, 65_521, 65_522, 65_522,
    65_523, 65_523, 65_524, 65_524, 65_525, 65_525, 65_526, 65_526, 65_526, 65_527, 65_527, 65_528,
    65_528, 65_528, 65_529, 65_529, 65_529, 65_529, 65_530, 65_530, 65_530, 65_530, 65_531, 65_531,
    65_531, 65_531, 65_531, 65_532, 65_532, 65_532, 65_532, 65_532, 65_532, 65_533, 65_533, 65_533,
    65_533, 65_533, 65_533, 65_533, 65_533, 65_534, 65_534, 65_534, 65_534, 65_534, 65_534, 65_534,
    65_534, 65_534, 65_534, 65_535,
];

/// How a 16-bit input is brought to steps of 1/24, each of 512 (logistic) or 256 (tanh) parts:
/// `(x * multiplier + half) >> shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Multiplies first.
    pub multiplier: i32,
    /// Then shifts to the right, from 0 to 31.
    pub shift: u32,
}

impl Steps {
    /// For an input of 12 fraction bits.
    pub const Q12: Self = Self { multiplier: 3, shift: 0 };

    const fn apply(self, x: i16) -> i32 {
        let shift = self.shift & 31;
        let half = if shift == 0 { 0 } else { 1i32 << (shift - 1) };
        (x as i32).wrapping_mul(self.multiplier).wrapping_add(half) >> shift
    }
}

/// Between two entries of the table, `1 << bits` parts apart; `full` behind its end.
const fn interpolate(magnitude: u32, bits: u32, full: u32) -> u32 {
    let at = (magnitude >> bits) as usize;
    if 255 <= at {
        return full << bits;
    }
    let (a, b) = (LOGISTIC[at] as u32, LOGISTIC[at + 1] as u32);
    (a << bits) + (magnitude & ((1 << bits) - 1)) * (b - a)
}

/// `1 / (1 + e^-x)` as a Q0 of 15 fraction bits.
pub const fn logistic_16(x: i16, steps: Steps) -> i16 {
    let x = steps.apply(x);
    // Behind the end of the table one part in 65536 more is missing than in it.
    let y = interpolate(x.unsigned_abs(), 9, 0xfffe);
    let y = if 0 <= x { y + (1 << 9) } else { (1 << 25) - y + (1 << 9) - 1 };
    (y >> 10) as i16
}

/// `tanh x` as a Q0 of 15 fraction bits.
pub const fn tanh_16(x: i16, steps: Steps) -> i16 {
    let x = steps.apply(x);
    let y = interpolate(x.unsigned_abs(), 8, 0xffff) as i32;
    let y = if 0 <= x { y - (1 << 23) + (1 << 7) } else { -y + (1 << 23) + (1 << 7) - 1 };
    (y >> 8) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_real_functions() {
        for x in i16::MIN..=i16::MAX {
            let real = f64::from(x) / 4096.0;
            let logistic = 32768.0 / (1.0 + (-real).exp());
            let apart = (f64::from(logistic_16(x, Steps::Q12)) - logistic).abs();
            assert!(apart < 12.0, "logistic of {x} is {apart} away");
            let apart = (f64::from(tanh_16(x, Steps::Q12)) - 32768.0 * real.tanh()).abs();
            assert!(apart < 24.0, "tanh of {x} is {apart} away");
        }
    }

    #[test]
    fn odd_shifts_do_not_panic() {
        let steps = Steps { multiplier: i32::MAX, shift: 77 };
        assert_eq!(logistic_16(0, steps), 16384);
        assert_eq!(tanh_16(0, steps), 0);
    }
}
