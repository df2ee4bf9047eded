//! From one sample rate to another.

use std::f64::consts::PI;

use crate::{DataError, DataLimits, Result};

/// How samples between samples are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Straight lines between samples: fast, and what lies above the new Nyquist rate aliases.
    Linear,
    /// A windowed-sinc low-pass that suppresses aliases, as `scipy.signal.resample_poly` with its
    /// default window (Kaiser, beta 5, ten zero crossings on each side), in f64.
    #[default]
    Polyphase,
}

/// Zero crossings of the filter on each side.
const HALF_WIDTH: u64 = 10;

/// Bounds the filter to 5 million taps; rates with a common divisor stay far below.
const MAX_RATIO_TERM: u64 = 1 << 18;

/// Changes the sample rate; the result has `ceil(len * to / from)` samples. Outside the recording
/// is silence (the last sample repeats for [`Method::Linear`]).
///
/// # Errors
/// A rate of zero, rates that are nearly coprime and huge (polyphase), or a result beyond the
/// limits.
pub fn resample(
    samples: &[f32],
    from: u32,
    to: u32,
    method: Method,
    limits: &DataLimits,
) -> Result<Vec<f32>> {
    let (up, down) = ratio(from, to)?;
    let len = (samples.len() as u64).saturating_mul(up).div_ceil(down);
    limits.elements(len)?;
    if up == down {
        return Ok(samples.to_vec());
    }
    match method {
        Method::Linear => Ok(linear(samples, up, down, len)),
        Method::Polyphase => {
            check_ratio(from, to, up, down)?;
            Ok(polyphase(samples, up, down, len))
        }
    }
}

/// The ratio of two rates in lowest terms: to, from.
fn ratio(from: u32, to: u32) -> Result<(u64, u64)> {
    if from == 0 || to == 0 {
        return Err(DataError::argument(format!("resampling from {from} Hz to {to} Hz")));
    }
    let divisor = gcd(from.into(), to.into());
    Ok((u64::from(to) / divisor, u64::from(from) / divisor))
}

fn check_ratio(from: u32, to: u32, up: u64, down: u64) -> Result<()> {
    if up.max(down) <= MAX_RATIO_TERM {
        return Ok(());
    }
    Err(DataError::unsupported(format!(
        "resampling from {from} Hz to {to} Hz: the ratio is {up}/{down}; choose the linear method or \
         rates with a common divisor"
    )))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn linear(samples: &[f32], up: u64, down: u64, len: u64) -> Vec<f32> {
    let last = samples.last().copied().unwrap_or(0.0);
    let at = |index: u64| {
        usize::try_from(index).ok().and_then(|index| samples.get(index)).copied().unwrap_or(last)
    };
    (0..len)
        .map(|i| {
            let (index, rest) = (i * down / up, i * down % up);
            let (a, b) = (f64::from(at(index)), f64::from(at(index + 1)));
            (a + (b - a) * (rest as f64 / up as f64)) as f32
        })
        .collect()
}

fn polyphase(samples: &[f32], up: u64, down: u64, len: u64) -> Vec<f32> {
    let mut out = Vec::with_capacity(len as usize);
    let mut filter = Resampler::of(up, down);
    filter.push(samples, &mut out);
    filter.finish(&mut out);
    out
}

/// [`Method::Polyphase`] for sound that comes block by block: the same samples as [`resample()`] of the
/// whole, each as soon as what it depends on is there.
#[derive(Clone, Debug)]
pub struct Resampler {
    up: u64,
    down: u64,
    half: u64,
    filter: Vec<f64>,
    /// The samples that are needed still, of which the first has the number `start`.
    kept: Vec<f32>,
    start: u64,
    /// Samples that came, and that were made of them.
    came: u64,
    made: u64,
}

impl Resampler {
    /// From one rate to another.
    ///
    /// # Errors
    /// A rate of zero, or rates that are nearly coprime and huge.
    pub fn new(from: u32, to: u32) -> Result<Self> {
        let (up, down) = ratio(from, to)?;
        check_ratio(from, to, up, down)?;
        Ok(Self::of(up, down))
    }

    fn of(up: u64, down: u64) -> Self {
        let half = HALF_WIDTH * up.max(down);
        let filter =
            if up == down { Vec::new() } else { low_pass(half, up.max(down) as f64, up as f64) };
        Self { up, down, half, filter, kept: Vec::new(), start: 0, came: 0, made: 0 }
    }

    /// Takes samples, and adds what can be made of them to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.came += samples.len() as u64;
        if self.up == self.down {
            out.extend_from_slice(samples);
            self.made = self.came;
            return;
        }
        self.kept.extend_from_slice(samples);
        // The last sample under the filter has come.
        while (self.made * self.down + self.half) / self.up < self.came {
            self.make(out);
        }
        let needed = (self.made * self.down).saturating_sub(self.half).div_ceil(self.up);
        let gone = (needed.saturating_sub(self.start) as usize).min(self.kept.len());
        self.kept.copy_within(gone.., 0);
        self.kept.truncate(self.kept.len() - gone);
        self.start += gone as u64;
    }

    /// Ends the sound with silence and begins another one.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let len = (self.came * self.up).div_ceil(self.down);
        while self.made < len {
            self.make(out);
        }
        self.kept.clear();
        (self.start, self.came, self.made) = (0, 0, 0);
    }

    /// `y[m] = sum over k of x[k] * h[m * down - k * up + half]`.
    fn make(&mut self, out: &mut Vec<f32>) {
        let (up, half) = (self.up, self.half);
        // The samples under the filter, and the tap above the first of them; from one sample to
        // the next the tap moves by `up` to the left.
        let center = self.made * self.down;
        let first = center.saturating_sub(half).div_ceil(up);
        let end = ((center + half) / up + 1).min(self.came);
        let place = |number: u64| number.saturating_sub(self.start) as usize;
        let window = self.kept.get(place(first)..place(end.max(first))).unwrap_or(&[]);
        let tap = (center + half).saturating_sub(first * up) as usize;
        let taps = self.filter.get(..=tap).unwrap_or(&[]).iter().rev().step_by(up as usize);
        let sum: f64 = window.iter().zip(taps).map(|(&x, h)| f64::from(x) * h).sum();
        out.push(sum as f32);
        self.made += 1;
    }
}

/// A sinc with zeros every `period` taps under a Kaiser window; its taps sum to `gain`.
fn low_pass(half: u64, period: f64, gain: f64) -> Vec<f64> {
    const BETA: f64 = 5.0;
    let half = half as i64;
    let tap = |n: i64| {
        let x = PI * n as f64 / period;
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        let edge = n as f64 / half as f64;
        sinc * bessel_i0(BETA * (1.0 - edge * edge).max(0.0).sqrt())
    };
    let mut taps: Vec<f64> = (-half..=half).map(tap).collect();
    let scale = gain / taps.iter().sum::<f64>();
    taps.iter_mut().for_each(|tap| *tap *= scale);
    taps
}

/// The modified Bessel function of order zero by its power series, for `x` up to 5.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..30 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(samples: &[f32], from: u32, to: u32, method: Method) -> Vec<f32> {
        resample(samples, from, to, method, &DataLimits::default()).unwrap()
    }

    #[test]
    fn linear_follows_straight_lines() {
        assert_eq!(run(&[0.0, 1.0], 1, 2, Method::Linear), [0.0, 0.5, 1.0, 1.0]);
        assert_eq!(run(&[0.0, 1.0, 2.0, 3.0, 4.0], 2, 1, Method::Linear), [0.0, 2.0, 4.0]);
        assert_eq!(run(&[0.0, 3.0, 6.0], 3, 2, Method::Linear), [0.0, 4.5]);
        assert_eq!(run(&[], 3, 2, Method::Linear), []);
    }

    #[test]
    fn golden_of_scipy() {
        // scipy.signal.resample_poly([0, 1, 0, -1, .5, .25, -.75], up, down), SciPy 1.17.
        let x = [0.0, 1.0, 0.0, -1.0, 0.5, 0.25, -0.75];
        for (up, down, golden) in GOLDEN {
            let y = run(&x, down, up, Method::Polyphase);
            assert_eq!(y.len(), golden.len());
            for (a, b) in y.iter().zip(golden) {
                assert!((a - b).abs() < 1e-6, "{up}/{down}: {y:?}");
            }
        }
    }

    const GOLDEN: [(u32, u32, &[f32]); 5] = [
        (
            2,
            1,
            &[
                0.0, 0.5204805, 1.0005175, 0.8403446, 0.0, -0.8570369, -1.0005175, -0.3395213,
                0.5002587, 0.7596258, 0.2501294, -0.4841609, -0.7503881, -0.4295269,
            ],
        ),
        (
            3,
            2,
            &[
                0.0, 0.7187489, 0.984573, 0.0, -1.0060732, -0.6209792, 0.5003031, 0.6605702,
                -0.2637286, -0.7504546, -0.2693084,
            ],
        ),
        (1, 2, &[0.4314526, -0.0252325, -0.0883261, -0.1398005]),
        (2, 3, &[0.2917526, 0.515888, -0.6961767, 0.4824043, -0.5410619]),
        (160, 441, &[0.2523427, -0.0121259, -0.1638389]),
    ];

    #[test]
    fn polyphase_keeps_tones_and_drops_aliases() {
        let tone = |hz: f64, rate: f64, len: usize| -> Vec<f32> {
            (0..len).map(|i| (2.0 * PI * hz * i as f64 / rate).sin() as f32).collect()
        };
        let y = run(&tone(440.0, 44100.0, 44100), 44100, 16000, Method::Polyphase);
        assert_eq!(y.len(), 16000);
        let expected = tone(440.0, 16000.0, 16000);
        let inner = 1000..15000;
        for (a, b) in y[inner.clone()].iter().zip(&expected[inner.clone()]) {
            assert!((a - b).abs() < 2e-3, "{a} {b}");
        }
        // 15 kHz is beyond what 16 kHz can hold.
        let y = run(&tone(15000.0, 44100.0, 44100), 44100, 16000, Method::Polyphase);
        assert!(y[inner].iter().all(|x| x.abs() < 0.02));
    }

    #[test]
    fn blocks_become_what_the_whole_becomes() {
        let x: Vec<f32> = (0..3000).map(|i| ((i * i % 97) as f32 - 48.0) / 48.0).collect();
        for (from, to) in
            [(44100, 16000), (8000, 16000), (16000, 16000), (22050, 48000), (48000, 7999)]
        {
            let whole = resample(&x, from, to, Method::Polyphase, &DataLimits::default()).unwrap();
            let mut resampler = Resampler::new(from, to).unwrap();
            for len in [1, 7, 1000, 3000] {
                let mut blocks = Vec::new();
                x.chunks(len).for_each(|block| resampler.push(block, &mut blocks));
                resampler.finish(&mut blocks);
                assert_eq!(whole, blocks, "{from} to {to}, {len} at once");
            }
        }
    }

    #[test]
    fn refusals() {
        let limits = DataLimits { max_elements: 10, ..DataLimits::default() };
        assert!(resample(&[0.0; 4], 1, 3, Method::Linear, &limits).is_err());
        assert!(resample(&[0.0; 4], 0, 3, Method::Linear, &limits).is_err());
        let error = resample(&[0.0; 4], 4_000_037, 4_000_021, Method::Polyphase, &limits);
        assert!(error.unwrap_err().to_string().contains("choose the linear method"));
    }
}
