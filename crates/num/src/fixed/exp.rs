//! Exponential, logistic, hyperbolic tangent and logarithm on 32-bit fixed-point numbers, as
//! gemmlowp defines them (`fixedpoint/fixedpoint.h`) and TFLite's integer kernels use them.
//!
//! "Qm" stands for an `i32` with m integer bits: the value is `raw / 2^(31 - m)`. Only additions
//! that gemmlowp leaves unsaturated wrap here.

use super::{Requant, doubling_high_mul, round_shift};

/// The product of a Qa and a Qb, a Q(a + b).
const fn mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN { i32::MAX } else { doubling_high_mul(a, b) }
}

/// `x * 2^by`, saturating, `by` from 0 to 31.
const fn shift_left(x: i32, by: u32) -> i32 {
    let wide = (x as i64) << (by & 31);
    if (i32::MAX as i64) < wide {
        i32::MAX
    } else if wide < i32::MIN as i64 {
        i32::MIN
    } else {
        wide as i32
    }
}

/// `(a + b) / 2`, ties away from zero.
const fn half_sum(a: i32, b: i32) -> i32 {
    let sum = a as i64 + b as i64;
    ((sum + if 0 <= sum { 1 } else { -1 }) / 2) as i32
}

/// `x * 2^left_shift * multiplier / 2^31`: TFLite's `MultiplyByQuantizedMultiplierGreaterThanOne`.
pub const fn rescale_up(x: i32, multiplier: i32, left_shift: u32) -> i32 {
    mul(x.wrapping_shl(left_shift), multiplier)
}

/// `e^x` of a Q0 in `[-1/4, 0)`, as Q0: Taylor's expansion around -1/8.
const fn exp_last_quarter(x: i32) -> i32 {
    const EXP_MINUS_EIGHTH: i32 = 1_895_147_668;
    const ONE_THIRD: i32 = 715_827_883;
    let x = x.wrapping_add(1 << 28);
    let x2 = mul(x, x);
    let x3 = mul(x2, x);
    let x4 = mul(x2, x2);
    let tail = mul(round_shift(x4, 2).wrapping_add(x3), ONE_THIRD).wrapping_add(x2);
    let sum = x.wrapping_add(round_shift(tail, 1));
    EXP_MINUS_EIGHTH.wrapping_add(mul(EXP_MINUS_EIGHTH, sum))
}

/// `e^x` for a Q`BITS` that is not positive, as Q0; `BITS` from 1 to 29.
pub const fn exp_negative<const BITS: u32>(x: i32) -> i32 {
    /// `e^(-2^(k - 2))` as Q0, by k.
    const POWERS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if x == 0 {
        return i32::MAX;
    }
    if 5 < BITS && x < -(1i32 << (36 - BITS)) {
        return 0;
    }
    let quarter = 1 << (29 - BITS);
    let part = (x & (quarter - 1)) - quarter;
    let mut result = exp_last_quarter(shift_left(part, BITS));
    let rest = part.wrapping_sub(x);
    let mut k = 0;
    while k < POWERS.len() && (k as u32) < BITS + 2 {
        if rest & (quarter << k) != 0 {
            result = mul(result, POWERS[k]);
        }
        k += 1;
    }
    result
}

/// About `2 / (1 + x)` of a Q0 in `[0, 1)`, as Q2: three Newton steps.
const fn two_over_one_plus(x: i32) -> i32 {
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 1_515_870_810;
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -1_010_580_540;
    let half_denominator = half_sum(x, i32::MAX);
    let mut y =
        FORTY_EIGHT_SEVENTEENTHS.wrapping_add(mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS));
    let mut step = 0;
    while step < 3 {
        let error = (1i32 << 29).wrapping_sub(mul(half_denominator, y));
        y = y.wrapping_add(shift_left(mul(y, error), 2));
        step += 1;
    }
    y
}

/// `1 / (1 + x)` of a Q0 in `[0, 1)`, as Q0.
pub const fn one_over_one_plus(x: i32) -> i32 {
    shift_left(two_over_one_plus(x), 1)
}

/// `(r, n)` with `1 / x = r * 2^-n`, r a Q0 in `(1/2, 1]`, for a positive Q`bits`: TFLite's
/// `GetReciprocal`.
pub const fn scaled_reciprocal(x: i32, bits: u32) -> (i32, i32) {
    let headroom = x.leading_zeros();
    let minus_one = (x as u32).wrapping_shl(headroom).wrapping_sub(1 << 31) as i32;
    (one_over_one_plus(minus_one), bits as i32 - headroom as i32)
}

/// `1 / (1 + e^-x)` of a Q`BITS`, as Q0; `BITS` from 1 to 29.
pub const fn logistic<const BITS: u32>(x: i32) -> i32 {
    if x == 0 {
        return 1 << 30;
    }
    let magnitude = if 0 < x { x } else { x.wrapping_neg() };
    let positive = one_over_one_plus(exp_negative::<BITS>(magnitude.wrapping_neg()));
    if 0 < x { positive } else { i32::MAX - positive }
}

/// `tanh x` of a Q(`BITS` - 1), as Q0: `BITS`, from 2 to 29, counts the integer bits of `2x`.
pub const fn tanh<const BITS: u32>(x: i32) -> i32 {
    if x == 0 {
        return 0;
    }
    let negative = if x < 0 { x } else { x.wrapping_neg() };
    let y = two_over_one_plus(exp_negative::<BITS>(negative)).wrapping_sub(1 << 29);
    let y = shift_left(y, 2);
    if x < 0 { y.wrapping_neg() } else { y }
}

/// `ln x` of a Q12 that is at least 1, as Q5: TFLite's
/// `log_x_for_x_greater_than_or_equal_to_1<5>` (`kernels/internal/common.h`).
pub const fn ln_q12_as_q5(x: i32) -> i32 {
    const IN_BITS: i32 = 12;
    const ACC_BITS: u32 = 6;
    const LN_2: i32 = 1_488_522_236;
    const SQRT_SQRT_HALF: i32 = 1_805_811_301;
    const SQRT_HALF: i32 = 1_518_500_250;
    const ALPHA_N: i32 = 117_049_297;
    const ALPHA_D: i32 = 127_690_142;
    const ALPHA_I: i32 = 1_057_819_769;
    const ALPHA_F: i32 = 638_450_708;
    let x = if x < 1 { 1 } else { x };
    let quarter = round_shift(536_870_912, ACC_BITS);

    let headroom = x.leading_zeros();
    let r_a = shift_left(mul(shift_left(x, headroom - 1), SQRT_HALF), 1);
    let power_a = shift_left(IN_BITS - headroom as i32, 31 - ACC_BITS).saturating_add(quarter);

    let headroom = mul(x, SQRT_HALF).leading_zeros() - 1;
    let r_b = shift_left(x, headroom);
    let power_b = shift_left(IN_BITS - headroom as i32, 31 - ACC_BITS).saturating_sub(quarter);

    let r = if r_a < r_b { r_a } else { r_b };
    let power = if power_a < power_b { power_b } else { power_a };
    let p = half_sum(r, SQRT_SQRT_HALF);
    let q = r.wrapping_sub(SQRT_SQRT_HALF);
    let q = q.wrapping_add(q);
    let square = mul(q, q);
    let numerator = mul(q, r).wrapping_add(mul(mul(q, square), ALPHA_N));
    let inner = ALPHA_I.wrapping_add(q).wrapping_add(mul(ALPHA_D, square));
    let denominator_minus_one = mul(p, inner).wrapping_add(mul(ALPHA_F, q));
    let reciprocal = one_over_one_plus(denominator_minus_one);
    let fraction = mul(round_shift(numerator, ACC_BITS), reciprocal);
    shift_left(mul(power, LN_2).wrapping_add(fraction), 1)
}

/// `2^left_shift / sqrt(x)`, as TFLite's `GetInvSqrtQuantizedMultiplierExp`; 0 and 1 count as 1. The
/// multiplier need not be normalized.
pub const fn inverse_sqrt(x: i32, left_shift: i32) -> Requant {
    const HALF_SQRT_2: i32 = 1_518_500_250;
    const THREE_HALVES: i32 = (1 << 28) + (1 << 27);
    if x <= 1 {
        return Requant { multiplier: i32::MAX, shift: left_shift };
    }
    let mut x = x;
    let mut shift = 11;
    while 1 << 29 <= x {
        x /= 4;
        shift += 1;
    }
    let pairs = (x.leading_zeros() - 1) / 2 - 1;
    shift -= pairs as i32;
    x <<= 2 * pairs;
    let half = round_shift(x >> 1, 1);
    // Newton's iteration on Q3, from 1.
    let mut y = 1i32 << 28;
    let mut step = 0;
    while step < 5 {
        let cube = shift_left(mul(mul(y, y), y), 6);
        y = shift_left(mul(THREE_HALVES, y).wrapping_sub(mul(half, cube)), 3);
        step += 1;
    }
    y = mul(y, HALF_SQRT_2);
    if shift < 0 {
        y = y.wrapping_shl(shift.unsigned_abs());
        shift = 0;
    }
    Requant { multiplier: y, shift: left_shift - shift }
}

/// `factor / sqrt(x)` of a positive number, as TFLite's `RsqrtEvalQuantized` rounds it
/// (`micro/kernels/elementwise.cc`): over a number with 20 bits behind the point.
pub const fn scaled_inverse_sqrt(x: i32, factor: Requant) -> i32 {
    const BITS: i32 = 20;
    let inverse = inverse_sqrt(x, BITS).apply(1);
    Requant { shift: factor.shift.wrapping_sub(BITS), ..factor }.apply(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-like hashes over 200,000 pseudo-random inputs, from gemmlowp's own header.
    #[test]
    fn equals_gemmlowp() {
        let mut state = 12345u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        let mut hashes = [0u64; 6];
        let mut mix = |i: usize, value: i32| {
            hashes[i] = (hashes[i] ^ u64::from(value as u32)).wrapping_mul(1_099_511_628_211);
        };
        for _ in 0..200_000 {
            let x = next() as i32;
            let x = x >> (next() >> 28);
            let negative = if 0 < x { -x } else { x };
            mix(0, exp_negative::<5>(negative));
            mix(1, logistic::<4>(x));
            mix(2, exp_negative::<12>(negative));
            mix(3, tanh::<5>(x));
            let mut positive = -(negative | 1);
            if positive < 1 << 19 {
                positive += 1 << 19;
            }
            let (reciprocal, shift) = scaled_reciprocal(positive, 12);
            mix(4, reciprocal);
            mix(4, shift);
            mix(5, ln_q12_as_q5(positive));
        }
        assert_eq!(
            hashes,
            [
                0x4e161c99624eee38,
                0x973a0b30d9f97207,
                0x72765ccadd387d85,
                0xd9ac006800bd117d,
                0x48289e46b57f4930,
                0x12145533aef2992a
            ]
        );
    }
}
