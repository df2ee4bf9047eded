//! Discrete Fourier transform of real samples, in f64.
//!
//! Decimation in time by 2 as often as the length allows, then sums over what is left, so that every
//! length works and the usual ones are fast.

/// A complex number: real and imaginary part.
pub type Complex = [f64; 2];

/// The transform of the samples `x[first]`, `x[first + stride]`, ... into `y`, zeros where `x` has
/// ended: `y[k] = sum over j of x[first + j * stride] * e^(-2 pi i j k / n)`, `n` being `y.len()`.
///
/// `turns[k]` is `e^(-2 pi i k / (n * stride))` for `k` below `n * stride`; with fewer, the result is
/// left as it is.
pub fn transform(y: &mut [Complex], x: &[f32], turns: &[Complex], first: usize, stride: usize) {
    let n = y.len();
    if n == 0 || turns.len() < n.saturating_mul(stride) {
        return;
    }
    if !n.is_multiple_of(2) {
        for (k, y) in y.iter_mut().enumerate() {
            let mut sum = [0.0; 2];
            for (j, x) in x.iter().skip(first).step_by(stride.max(1)).take(n).enumerate() {
                let turn = turns[j * k % n * stride];
                sum = [sum[0] + f64::from(*x) * turn[0], sum[1] + f64::from(*x) * turn[1]];
            }
            *y = sum;
        }
        return;
    }
    // The depth is the number of halvings, at most the bits of a length.
    let (even, odd) = y.split_at_mut(n / 2);
    transform(even, x, turns, first, 2 * stride);
    transform(odd, x, turns, first + stride, 2 * stride);
    for (k, (a, b)) in even.iter_mut().zip(odd).enumerate() {
        let [re, im] = turns[k * stride];
        let turned = [b[0] * re - b[1] * im, b[0] * im + b[1] * re];
        *b = [a[0] - turned[0], a[1] - turned[1]];
        *a = [a[0] + turned[0], a[1] + turned[1]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `e^(-2 pi i / 12)` to the powers of 0 to 11.
    fn turns() -> [Complex; 12] {
        let (h, r) = (0.5, 0.866_025_403_784_438_6);
        [
            [1.0, 0.0],
            [r, -h],
            [h, -r],
            [0.0, -1.0],
            [-h, -r],
            [-r, -h],
            [-1.0, 0.0],
            [-r, h],
            [-h, r],
            [0.0, 1.0],
            [h, r],
            [r, h],
        ]
    }

    #[test]
    fn halves_and_sums_agree() {
        let x: [f32; 11] = [1.0, -2.0, 0.5, 3.0, 0.0, 1.5, -1.0, 2.0, 0.25, -0.5, 4.0];
        let mut y = [[0.0; 2]; 12];
        transform(&mut y, &x, &turns(), 0, 1);
        for (k, y) in y.iter().enumerate() {
            let mut want = [0.0; 2];
            for (j, x) in x.iter().enumerate() {
                let turn = turns()[j * k % 12];
                want = [want[0] + f64::from(*x) * turn[0], want[1] + f64::from(*x) * turn[1]];
            }
            assert!((y[0] - want[0]).abs() < 1e-12 && (y[1] - want[1]).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn too_few_turns_change_nothing() {
        let mut y = [[7.0; 2]; 12];
        transform(&mut y, &[1.0], &turns()[..11], 0, 1);
        transform(&mut [], &[1.0], &[], 0, 1);
        assert_eq!(y, [[7.0; 2]; 12]);
    }
}
