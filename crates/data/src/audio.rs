//! Sound: WAV files in, mono samples between -1 and 1 out.

mod resample;

pub use resample::{Method, resample};

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};

use crate::{DataError, DataLimits, ErrorKind, Result};

/// One channel of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Samples per second.
    pub rate: u32,
    /// The samples; full scale is -1 to 1. Floating-point files may exceed it.
    pub samples: Vec<f32>,
    /// The same samples as they stand in the file, when it is 16-bit mono.
    pub pcm16: Option<Vec<i16>>,
}

impl Audio {
    /// The length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate.max(1))
    }

    /// The sound at another sample rate; unchanged, `pcm16` included, when it has that already.
    ///
    /// # Errors
    /// As [`resample()`].
    pub fn at_rate(&self, rate: u32, method: Method, limits: &DataLimits) -> Result<Self> {
        if rate == self.rate {
            return Ok(self.clone());
        }
        let samples = resample(&self.samples, self.rate, rate, method, limits)?;
        Ok(Self { rate, samples, pcm16: None })
    }
}

/// Decodes a WAV file: PCM of 8, 16, 24 or 32 bits, or 32-bit floating point.
///
/// Integers are divided by their full scale (`x / 32768` for 16 bits), and several channels are
/// averaged, both in f64 before rounding to f32.
///
/// # Errors
/// A damaged or truncated file, a compressed one, a NaN among the samples, or more samples than
/// the limits allow.
pub fn decode_wav(bytes: &[u8], limits: &DataLimits) -> Result<Audio> {
    limits.bytes(bytes.len() as u64)?;
    if !bytes.starts_with(b"RIFF") {
        return Err(DataError::malformed("not a WAV file: it does not start with RIFF"));
    }
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(wav_error)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if channels == 0 || sample_rate == 0 {
        return Err(DataError::malformed(format!("WAV: {channels} channels at {sample_rate} Hz")));
    }
    let count = u64::from(reader.len());
    if (bytes.len() as u64) < count.saturating_mul(u64::from(bits_per_sample / 8)) {
        return Err(DataError::malformed(format!(
            "WAV: it declares {count} samples and ends before them; save the recording again"
        )));
    }
    limits.elements(count)?;

    let channels = usize::from(channels);
    let mut mono = Mono::new(channels, usize::try_from(count).unwrap_or(0) / channels);
    let mut pcm16 = None;
    match (sample_format, bits_per_sample) {
        (SampleFormat::Int, 16) => {
            let mut exact = Vec::new();
            for sample in reader.samples::<i16>() {
                let sample = sample.map_err(wav_error)?;
                mono.push(f64::from(sample) / 32768.0)?;
                if channels == 1 {
                    exact.push(sample);
                }
            }
            pcm16 = (channels == 1).then_some(exact);
        }
        (SampleFormat::Int, bits @ (8 | 24 | 32)) => {
            let scale = 0.5f64.powi(i32::from(bits) - 1);
            for sample in reader.samples::<i32>() {
                mono.push(f64::from(sample.map_err(wav_error)?) * scale)?;
            }
        }
        (SampleFormat::Float, 32) => {
            for sample in reader.samples::<f32>() {
                mono.push(f64::from(sample.map_err(wav_error)?))?;
            }
        }
        (format, bits) => {
            return Err(DataError::unsupported(format!(
                "WAV: {bits}-bit {format:?} samples; save it as 16-bit PCM"
            )));
        }
    }
    Ok(Audio { rate: sample_rate, samples: mono.samples, pcm16 })
}

/// Averages frames of samples.
struct Mono {
    channels: usize,
    sum: f64,
    in_frame: usize,
    samples: Vec<f32>,
}

impl Mono {
    fn new(channels: usize, frames: usize) -> Self {
        Self { channels, sum: 0.0, in_frame: 0, samples: Vec::with_capacity(frames) }
    }

    fn push(&mut self, sample: f64) -> Result<()> {
        if !sample.is_finite() {
            return Err(DataError::malformed("WAV: not a finite number")
                .at(format_args!("sample {}", self.samples.len())));
        }
        self.sum += sample;
        self.in_frame += 1;
        if self.in_frame == self.channels {
            self.samples.push((self.sum / self.channels as f64) as f32);
            (self.sum, self.in_frame) = (0.0, 0);
        }
        Ok(())
    }
}

fn wav_error(error: hound::Error) -> DataError {
    match error {
        hound::Error::IoError(error) if error.kind() != std::io::ErrorKind::Other => {
            DataError::malformed(format!("WAV: the file is cut off ({error})"))
        }
        hound::Error::IoError(error) => ErrorKind::Malformed(format!("WAV: {error}")).into(),
        hound::Error::Unsupported => {
            DataError::unsupported("WAV: a compressed or unusual encoding; save it as 16-bit PCM")
        }
        error => DataError::malformed(format!("WAV: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file around raw sample bytes; format 1 is PCM, 3 is floating point.
    fn wav(format: u16, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let block = channels * (bits / 8);
        let mut out = b"RIFF".to_vec();
        out.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
        out.extend_from_slice(b"WAVEfmt \x10\0\0\0");
        out.extend_from_slice(&format.to_le_bytes());
        out.extend_from_slice(&channels.to_le_bytes());
        out.extend_from_slice(&8000u32.to_le_bytes());
        out.extend_from_slice(&(8000 * u32::from(block)).to_le_bytes());
        out.extend_from_slice(&block.to_le_bytes());
        out.extend_from_slice(&bits.to_le_bytes());
        out.extend_from_slice(b"data");
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        out.extend_from_slice(data);
        out
    }

    fn samples(format: u16, channels: u16, bits: u16, data: &[u8]) -> Vec<f32> {
        let audio = decode_wav(&wav(format, channels, bits, data), &DataLimits::default()).unwrap();
        assert_eq!(audio.rate, 8000);
        assert_eq!(audio.pcm16.is_some(), (channels, bits) == (1, 16));
        audio.samples
    }

    #[test]
    fn encodings() {
        assert_eq!(samples(1, 1, 8, &[0, 128, 192]), [-1.0, 0.0, 0.5]);
        assert_eq!(samples(1, 1, 16, &[0, 0x80, 1, 0]), [-1.0, 1.0 / 32768.0]);
        assert_eq!(samples(1, 1, 24, &[0, 0, 0x80, 0, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(samples(1, 1, 32, &[0, 0, 0, 0x80, 0, 0, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(samples(3, 1, 32, &1.25f32.to_le_bytes()), [1.25]);
        // Two channels: left 0.5, right -0.25.
        assert_eq!(samples(1, 2, 16, &[0, 0x40, 0, 0xe0]), [0.125]);
        let audio = decode_wav(&wav(1, 1, 16, &[1, 0, 255, 255]), &DataLimits::default()).unwrap();
        assert_eq!(audio.pcm16.as_deref(), Some(&[1, -1][..]));
        assert_eq!(audio.seconds(), 0.00025);
    }

    #[test]
    fn refusals() {
        let nan = f32::NAN.to_le_bytes();
        let mut long = wav(1, 1, 16, &[0; 4]);
        long[40..44].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
        for (bytes, reason) in [
            (b"OggS".to_vec(), "not a WAV file"),
            (b"RIFF\0\0\0\0WAVE".to_vec(), "WAV: "),
            (wav(7, 1, 8, &[0; 4]), "save it as 16-bit PCM"),
            (wav(3, 1, 32, &nan), "sample 0: WAV: not a finite number"),
            (long, "ends before them"),
        ] {
            let message = decode_wav(&bytes, &DataLimits::default()).unwrap_err().to_string();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
        let limits = DataLimits { max_elements: 1, ..DataLimits::default() };
        assert!(decode_wav(&wav(1, 1, 16, &[0; 4]), &limits).is_err());
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        for bytes in [wav(1, 2, 24, &[7; 24]), wav(3, 1, 32, &[7; 8])] {
            for end in 0..bytes.len() {
                assert!(decode_wav(&bytes[..end], &DataLimits::default()).is_err());
            }
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    let _ = decode_wav(&bytes, &DataLimits::default());
                }
            }
        }
    }
}
