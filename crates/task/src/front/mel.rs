//! Windows, mel filters and cosine transforms: the tables of a sound front, formed in f64.

use std::f64::consts::{LN_10, PI};

use crate::error::TaskError;
use crate::stage::Result;

/// A window of `len` samples by name: periodic as for spectra, or symmetric.
pub fn window(name: &str, len: usize) -> Result<Vec<f32>> {
    let (shape, period) = match name.strip_suffix("-symmetric") {
        Some(shape) => (shape, len.saturating_sub(1).max(1)),
        None => (name, len),
    };
    let terms: &[f64] = match shape {
        "hann" => &[0.5, 0.5],
        "hamming" => &[0.54, 0.46],
        "blackman" => &[0.42, 0.5, 0.08],
        "rectangle" => &[1.0],
        _ => {
            let known =
                ["hann", "hann-symmetric", "hamming", "hamming-symmetric", "blackman", "rectangle"];
            return Err(TaskError::choice("sound.shape", name, &known));
        }
    };
    let value = |n: usize| -> f64 {
        let cosine = |k: usize| (2.0 * PI * (k * n) as f64 / period as f64).cos();
        let signed = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        terms.iter().enumerate().map(|(k, term)| signed(k) * term * cosine(k)).sum()
    };
    Ok((0..len).map(|n| value(n) as f32).collect())
}

/// Whose mel filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// `tf.signal.linear_to_mel_weight_matrix`, and Kaldi's: `1127 ln(1 + f / 700)`, triangles that are
    /// straight over mel, nothing of frequency 0.
    TensorFlow,
    /// librosa's and torchaudio's `htk`: `2595 log10(1 + f / 700)`, triangles that are straight over Hz.
    Htk,
    /// librosa's default, of Slaney's Auditory Toolbox: linear up to 1000 Hz, then logarithmic;
    /// triangles that are straight over Hz.
    Slaney,
}

impl Scale {
    /// The scale of this name.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "tensorflow" => Self::TensorFlow,
            "htk" => Self::Htk,
            "slaney" => Self::Slaney,
            _ => {
                return Err(TaskError::choice("sound.mel", name, &["tensorflow", "htk", "slaney"]));
            }
        })
    }

    fn mel(self, hertz: f64) -> f64 {
        match self {
            Self::TensorFlow => 1127.0 * (hertz / 700.0).ln_1p(),
            Self::Htk => 2595.0 / LN_10 * (hertz / 700.0).ln_1p(),
            Self::Slaney if hertz < 1000.0 => hertz * 3.0 / 200.0,
            Self::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::TensorFlow => 700.0 * (mel / 1127.0).exp_m1(),
            Self::Htk => 700.0 * (mel * LN_10 / 2595.0).exp_m1(),
            Self::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
            Self::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// What the filters are made of.
#[derive(Clone, Copy, Debug)]
pub struct Filters {
    /// Whose.
    pub scale: Scale,
    /// The length of the transform.
    pub fft: usize,
    /// Samples a second.
    pub rate: u32,
    /// Filters.
    pub bands: usize,
    /// Edges in Hz.
    pub edges: [f64; 2],
    /// Whether each filter is divided by half its width in Hz (librosa's `norm="slaney"`).
    pub equal_area: bool,
}

impl Filters {
    /// The matrix from a spectrum to bands, `[fft / 2 + 1, bands]` in rows.
    pub fn matrix(&self) -> Vec<f32> {
        let scale = self.scale;
        let [low, high] = self.edges.map(|edge| scale.mel(edge));
        let step = (high - low) / (self.bands + 1) as f64;
        let corner = |i: usize| low + step * i as f64;
        let straight =
            |x: f64, [a, b, c]: [f64; 3]| ((x - a) / (b - a)).min((c - x) / (c - b)).max(0.0);
        let mut values = Vec::with_capacity((self.fft / 2 + 1) * self.bands);
        for bin in 0..=self.fft / 2 {
            let hertz = bin as f64 * f64::from(self.rate) / self.fft as f64;
            for band in 0..self.bands {
                let mels = [corner(band), corner(band + 1), corner(band + 2)];
                let [a, b, c] = mels.map(|mel| scale.hertz(mel));
                let weight = match scale {
                    Scale::TensorFlow if bin == 0 => 0.0,
                    Scale::TensorFlow => straight(scale.mel(hertz), mels),
                    _ => straight(hertz, [a, b, c]),
                };
                let area = if self.equal_area { 2.0 / (c - a) } else { 1.0 };
                values.push((weight * area) as f32);
            }
        }
        values
    }
}

/// The matrix of a cosine transform of the second kind, `[bands, coefficients]` in rows. `ortho` keeps
/// lengths; otherwise the first coefficient is larger by the root of 2, as TensorFlow has it.
pub fn cosines(bands: usize, coefficients: usize, ortho: bool) -> Vec<f32> {
    let n = bands as f64;
    let mut values = Vec::with_capacity(bands * coefficients);
    for band in 0..bands {
        for k in 0..coefficients {
            let scale = if ortho && k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
            values.push((scale * (PI * k as f64 * (band as f64 + 0.5) / n).cos()) as f32);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows() {
        assert_eq!(window("hann", 4).unwrap(), [0.0, 0.5, 1.0, 0.5]);
        assert_eq!(window("hann-symmetric", 3).unwrap(), [0.0, 1.0, 0.0]);
        assert_eq!(window("rectangle", 2).unwrap(), [1.0, 1.0]);
        let blackman = window("blackman", 4).unwrap();
        assert!(blackman[0].abs() < 1e-7 && (blackman[2] - 1.0).abs() < 1e-7, "{blackman:?}");
        assert!(window("bow", 4).unwrap_err().to_string().contains("'bow' is not known"));
    }

    #[test]
    fn scales_return() {
        for scale in [Scale::TensorFlow, Scale::Htk, Scale::Slaney] {
            for hertz in [0.0, 20.0, 999.0, 1000.0, 7600.0] {
                assert!((scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-6, "{scale:?} {hertz}");
            }
        }
        assert!((Scale::Slaney.mel(1000.0) - 15.0).abs() < 1e-12);
        assert!((Scale::Htk.mel(1000.0) - 999.9855).abs() < 1e-3);
    }

    #[test]
    fn cosines_keep_lengths() {
        let matrix = cosines(8, 8, true);
        for a in 0..8 {
            for b in 0..8 {
                let dot: f32 = (0..8).map(|row| matrix[row * 8 + a] * matrix[row * 8 + b]).sum();
                assert!((dot - f32::from(u8::from(a == b))).abs() < 1e-6);
            }
        }
    }
}
