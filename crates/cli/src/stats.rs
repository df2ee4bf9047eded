//! Latencies, memory, and how much two arrays differ.

/// Latencies in milliseconds, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(Vec<f64>);

impl Latencies {
    /// From latencies in any order.
    pub fn new(mut ms: Vec<f64>) -> Self {
        ms.sort_by(f64::total_cmp);
        Self(ms)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest latency that `percent` of the runs did not exceed; NaN when there are none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    /// Runs a second, from the mean.
    pub fn per_second(&self) -> f64 {
        1000.0 * self.0.len() as f64 / self.0.iter().sum::<f64>()
    }
}

/// The most memory that this process has held so far, in bytes; `None` where the system does not
/// say.
pub fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// How far `b` is from `a`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest absolute difference.
    pub max: f64,
    /// Cosine of the angle between the two; 1 for equal directions.
    pub cosine: f64,
    /// Signal to noise in decibels, `a` being the signal; infinite for equal arrays.
    pub sqnr: f64,
    /// How many elements differ.
    pub different: usize,
}

impl Difference {
    /// Between two arrays of the same length. Two NaNs are equal; NaN against a number is an
    /// infinite difference.
    pub fn between(a: &[f64], b: &[f64]) -> Self {
        let (mut max, mut different) = (0f64, 0);
        let (mut aa, mut bb, mut ab, mut noise) = (0.0, 0.0, 0.0, 0.0);
        for (&x, &y) in a.iter().zip(b) {
            if x == y || (x.is_nan() && y.is_nan()) {
                if x.is_finite() {
                    (aa, bb, ab) = (aa + x * x, bb + y * y, ab + x * y);
                }
                continue;
            }
            different += 1;
            let distance = (x - y).abs();
            let distance = if distance.is_nan() { f64::INFINITY } else { distance };
            max = max.max(distance);
            noise += distance * distance;
            if x.is_finite() && y.is_finite() {
                (aa, bb, ab) = (aa + x * x, bb + y * y, ab + x * y);
            }
        }
        let cosine = if different == 0 || (aa == 0.0 && bb == 0.0) {
            1.0
        } else if aa == 0.0 || bb == 0.0 {
            0.0
        } else {
            (ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0)
        };
        let sqnr = if noise == 0.0 { f64::INFINITY } else { 10.0 * (aa / noise).log10() };
        Self { max, cosine, sqnr, different }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_observed_values() {
        let latencies = Latencies::new(vec![3.0, 1.0, 2.0, 4.0]);
        let at = [0, 25, 50, 90, 99, 100].map(|percent| latencies.percentile(percent));
        assert_eq!(at, [1.0, 1.0, 2.0, 4.0, 4.0, 4.0]);
        assert_eq!(latencies.per_second(), 400.0);
        assert!(Latencies::new(Vec::new()).percentile(50).is_nan());
    }

    #[test]
    fn differences() {
        let equal = Difference::between(&[1.0, f64::NAN, -2.0], &[1.0, f64::NAN, -2.0]);
        assert_eq!((equal.max, equal.cosine, equal.different), (0.0, 1.0, 0));
        assert_eq!(equal.sqnr, f64::INFINITY);
        let turned = Difference::between(&[1.0, 0.0], &[0.0, 1.0]);
        assert_eq!((turned.max, turned.cosine, turned.different), (1.0, 0.0, 2));
        assert!((turned.sqnr - 10.0 * 0.5f64.log10()).abs() < 1e-12);
        assert_eq!(Difference::between(&[1.0], &[f64::NAN]).max, f64::INFINITY);
        assert_eq!(Difference::between(&[0.0], &[1.0]).cosine, 0.0);
    }
}
