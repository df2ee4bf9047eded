//! Rescaling of many channels, written so that it becomes vector code where the machine has
//! neither 64-bit shifts that keep the sign nor a shift of its own for each lane.

use super::Requant;

/// The factors of up to `N` neighbouring channels, prepared for many sums.
///
/// Signed numbers are moved up by `2^31` and multiplied as unsigned ones; what that adds to a
/// product is a multiple of the other operand, which is taken off afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Rescale<const N: usize> {
    multiplier: [u32; N],
    /// `2^(31 - right shift)`: multiplying by it and shifting by 31 is that shift.
    power: [u32; N],
    /// 1 where there is a right shift. It sends the ties of negative numbers away from zero.
    tie: [u32; N],
    /// From the first product to a number moved up by `2^31`, less `tie`.
    offset: [u32; N],
    /// `2^(left shift)`
    left: [u32; N],
    any_left: bool,
}

impl<const N: usize> Rescale<N> {
    /// From at most `N` factors; the value of invalid ones is unspecified but never a panic.
    pub fn new(factors: &[Requant]) -> Self {
        let zero = [0; N];
        let mut lanes = Self {
            multiplier: zero,
            power: zero,
            tie: zero,
            offset: zero,
            left: zero,
            any_left: factors.iter().any(|factor| 0 < factor.shift),
        };
        for (i, factor) in factors.iter().enumerate().take(N) {
            let right = factor.shift.wrapping_neg().clamp(0, 31) as u32;
            let tie = u32::from(right != 0);
            lanes.multiplier[i] = factor.multiplier as u32;
            lanes.power[i] = 1 << (31 - right);
            lanes.tie[i] = tie;
            lanes.offset[i] = (factor.multiplier as u32).wrapping_add(1 << 31).wrapping_add(tie);
            lanes.left[i] = 1 << factor.shift.clamp(0, 31);
        }
        lanes
    }

    /// Turns every `x[i]` into `factors[i].apply(x[i])`; `x` has at most `N`.
    pub fn apply(&self, x: &mut [i32]) {
        let len = x.len().min(N);
        let (multiplier, power) = (&self.multiplier[..len], &self.power[..len]);
        let (tie, offset) = (&self.tie[..len], &self.offset[..len]);
        if self.any_left {
            for (x, left) in x.iter_mut().zip(&self.left) {
                *x = x.wrapping_mul(*left as i32);
            }
        }
        for (i, x) in x[..len].iter_mut().enumerate() {
            let up = *x as u32 ^ 1 << 31;
            let product = high_mul(up, multiplier[i]).wrapping_sub(offset[i]);
            let product = product.wrapping_add(tie[i] & (product >> 31));
            *x = high_mul(product, power[i]).wrapping_sub(power[i]) as i32;
        }
    }
}

/// `a * b / 2^31` with ties up.
#[inline(always)]
const fn high_mul(a: u32, b: u32) -> u32 {
    ((a as u64 * b as u64 + (1 << 30)) >> 31) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_equal_one_at_a_time() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        for shift in -31..=30 {
            for round in 0..400 {
                let mut factors = [Requant::default(); 11];
                for (i, factor) in factors.iter_mut().enumerate() {
                    let multiplier = match (i + round) % 6 {
                        0 => 1 << 30,
                        1 => i32::MAX,
                        2 if round % 5 == 0 => 0,
                        _ => (next() >> 2) as i32 | 1 << 30,
                    };
                    // Mostly one direction, sometimes both in one group.
                    let shift = if round % 7 == 0 { (next() % 62) as i32 - 31 } else { shift };
                    *factor = Requant::new(multiplier, shift).unwrap();
                }
                let x: [i32; 11] = core::array::from_fn(|i| match (i + round) % 7 {
                    0 => (next() as i32) >> (next() % 32),
                    1 => i32::MIN + (next() % 3) as i32,
                    2 => i32::MAX - (next() % 3) as i32,
                    3 => (next() % 17) as i32 - 8,
                    // Ties of the second rounding.
                    4 => (2 * (next() % 64) as i32 - 63) << (next() % 24),
                    5 => 0,
                    _ => next() as i32,
                });
                let len = round % 12;
                let mut y = x;
                Rescale::<11>::new(&factors[..len]).apply(&mut y[..len]);
                for i in 0..len {
                    assert_eq!(y[i], factors[i].apply(x[i]), "{:?} of {}", factors[i], x[i]);
                }
            }
        }
    }

    #[test]
    fn hostile_factors_do_not_panic() {
        for shift in [i32::MIN, -40, 31, 32, i32::MAX] {
            for multiplier in [i32::MIN, -1, 1, i32::MAX] {
                let factor = Requant { multiplier, shift };
                Rescale::<3>::new(&[factor; 4]).apply(&mut [i32::MIN, -1, 1, i32::MAX]);
            }
        }
    }
}
