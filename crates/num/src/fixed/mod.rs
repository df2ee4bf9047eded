//! Fixed-point rescaling: the one definition of integer arithmetic in Embarca. No floats here.

mod exp;
mod lanes;
mod sixteen;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use exp::{
    exp_negative, inverse_sqrt, ln_q12_as_q5, logistic, one_over_one_plus, rescale_up,
    scaled_inverse_sqrt, scaled_reciprocal, tanh,
};
pub use lanes::Rescale;
pub use sixteen::{Steps, logistic_16, tanh_16};

/// A non-negative real factor, held as `multiplier * 2^(shift - 31)`.
///
/// The host builds it once and the plan stores it; a device only calls [`Requant::apply`].
/// It rounds twice, like the TFLite reference built with its default flags.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Requant {
    multiplier: i32,
    shift: i32,
}

impl Requant {
    /// `None` unless `multiplier` is zero or at least `2^30`, and `shift` is in `-31..=30`.
    pub const fn new(multiplier: i32, shift: i32) -> Option<Self> {
        let requant = Self { multiplier, shift };
        if requant.is_valid() { Some(requant) } else { None }
    }

    /// Whether the fields, which may have been read from a file, are what [`Requant::new`] accepts.
    pub const fn is_valid(self) -> bool {
        let normalized = self.multiplier == 0 || 1 << 30 <= self.multiplier;
        normalized && -31 <= self.shift && self.shift <= 30
    }

    /// `x` times the factor. The value of an invalid factor is unspecified but never a panic.
    ///
    /// Without a branch: neighbouring channels often shift in different directions.
    #[inline]
    pub const fn apply(self, x: i32) -> i32 {
        let toward_right = self.shift >> 31;
        let left = (self.shift & !toward_right) as u32 & 31;
        let right = (self.shift.wrapping_neg() & toward_right) as u32 & 31;
        round_shift(doubling_high_mul(x.wrapping_shl(left), self.multiplier), right)
    }

    /// The factor over `count`, formed as TFLite's `QuantizedMeanOrSum` does (`reference/reduce.h`):
    /// an integer division of the multiplier, which may leave it below `2^30`. The factor itself
    /// when `count` is zero.
    pub const fn divided_by(self, count: u32) -> Self {
        if count == 0 {
            return self;
        }
        let bits = count.ilog2() as i32;
        let room = self.shift.saturating_add(31);
        let by = if bits < room { bits } else { room };
        let by = if by < 0 { 0 } else { by };
        let multiplier = ((self.multiplier as i64) << by) / count as i64;
        Self { multiplier: multiplier as i32, shift: self.shift.wrapping_sub(by) }
    }

    /// The 31-bit multiplier.
    pub const fn multiplier(self) -> i32 {
        self.multiplier
    }

    /// The power of two, positive to the left.
    pub const fn shift(self) -> i32 {
        self.shift
    }
}

/// A non-negative real factor for accumulators of 16-bit activations, held as
/// `multiplier * 2^(shift - 15)` and rounded once, like TFLite's 64-bit `MultiplyByQuantizedMultiplier`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Requant16x8 {
    multiplier: i32,
    shift: i32,
}

impl Requant16x8 {
    /// From the 31-bit factor that the host computes. `None` when its shift is above 7.
    pub const fn new(factor: Requant) -> Option<Self> {
        let multiplier = if factor.multiplier < 0x7fff_0000 {
            (factor.multiplier + (1 << 15)) >> 16
        } else {
            0x7fff
        };
        let reduced = Self { multiplier, shift: factor.shift };
        if reduced.is_valid() { Some(reduced) } else { None }
    }

    /// Whether the fields, which may have been read from a file, are what [`Requant16x8::new`]
    /// yields.
    pub const fn is_valid(self) -> bool {
        0 <= self.multiplier && self.multiplier <= 0x7fff && -31 <= self.shift && self.shift <= 7
    }

    /// `x` times the factor, for `|x| < 2^47`. The value of an invalid factor is unspecified but
    /// never a panic.
    pub const fn apply(self, x: i64) -> i32 {
        let by = 15i32.wrapping_sub(self.shift) as u32 & 63;
        let half = 1i64 << (by.wrapping_sub(1) & 63);
        (x.wrapping_mul(self.multiplier as i64).wrapping_add(half) >> by) as i32
    }
}

/// High half of `2ab`, ties toward plus infinity. Cannot saturate when `b` is not negative.
pub const fn doubling_high_mul(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// [`doubling_high_mul`] from products of 16-bit halves, for cores without products of 64 bits.
pub const fn doubling_high_mul_by_halves(a: i32, b: i32) -> i32 {
    let (a_low, a_high) = (a as u32 & 0xffff, a >> 16);
    let (b_low, b_high) = (b as u32 & 0xffff, b >> 16);
    let low = a_low * b_low;
    // No sum here leaves 32 bits: 0x8000 * 0xffff + 0xffff is the most.
    let middle = a_high * b_low as i32 + (low >> 16) as i32;
    let other = a_low as i32 * b_high + (middle & 0xffff);
    let high = (a_high * b_high).wrapping_add(middle >> 16).wrapping_add(other >> 16);
    let low = (other as u32) << 16 | low & 0xffff;
    high.wrapping_shl(1).wrapping_add(((low >> 30) as i32 + 1) >> 1)
}

/// `x / 2^by`, ties away from zero, `by` at most 31. NEON's rounding shift sends negative ties the
/// other way.
pub const fn round_shift(x: i32, by: u32) -> i32 {
    let half = (1i64 << by) >> 1;
    let below_zero = (x < 0 && by != 0) as i64;
    ((x as i64 + half - below_zero) >> by) as i32
}

/// `x / 2^15`, ties toward plus infinity, cut to 16 bits: KISS FFT's `sround`.
pub const fn round_up_shift_15(x: i32) -> i16 {
    (x.wrapping_add(1 << 14) >> 15) as i16
}

/// `x` brought into the range of `i8`.
pub const fn saturate_i8(x: i32) -> i8 {
    if x < -128 {
        -128
    } else if 127 < x {
        127
    } else {
        x as i8
    }
}

/// `x` brought into the range of `i16`.
pub const fn saturate_i16(x: i32) -> i16 {
    if x < -32768 {
        -32768
    } else if 32767 < x {
        32767
    } else {
        x as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_halves_are_equal() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.cast_signed() >> (state >> 3 & 31)
        };
        let edges = [0, 1, -1, 0xffff, 0x1_0000, -0x1_0000, 1 << 30, i32::MAX, -i32::MAX];
        for _ in 0..20_000 {
            let (a, b) = (next(), next());
            for (a, b) in edges.map(|edge| (a, edge)).into_iter().chain([(a, b), (i32::MIN, b)]) {
                let b = if b == i32::MIN { 1 } else { b };
                assert_eq!(doubling_high_mul_by_halves(a, b), doubling_high_mul(a, b), "{a} {b}");
            }
        }
    }
}
