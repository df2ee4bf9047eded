//! Sound: WAV files in, mono samples between -1 and 1 out.

mod resample;
mod sound;
mod spectrogram;

pub use resample::{Method, Resampler, resample};
pub use sound::Sound;
pub use spectrogram::{Mark, Spectrogram};

use crate::{DataLimits, Result};

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

/// Decodes a WAV file: PCM of 8 to 32 bits, floating point of 32 or 64, A-law, mu-law.
///
/// Integers are divided by their full scale (`x / 32768` for 16 bits), and several channels are
/// averaged, both in f64 before rounding to f32.
///
/// # Errors
/// A damaged or truncated file, a compressed one, a NaN among the samples, or more samples than
/// the limits allow.
pub fn decode_wav(bytes: &[u8], limits: &DataLimits) -> Result<Audio> {
    limits.bytes(bytes.len() as u64)?;
    let mut sound = Sound::wav(bytes, Some(bytes.len() as u64))?;
    let count = sound.samples_left().unwrap_or(0);
    limits.elements(count)?;
    let frames = usize::try_from(count).unwrap_or(0) / sound.channels();
    let mut samples = Vec::with_capacity(frames);
    let mut block = Vec::new();
    while sound.read(&mut block)? {
        samples.extend_from_slice(&block);
    }
    let exact = sound.channels() == 1 && sound.whole_width() == Some(2);
    let pcm16 = exact.then(|| samples.iter().map(|x| (x * 32768.0) as i16).collect());
    Ok(Audio { rate: sound.rate(), samples, pcm16 })
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
        assert_eq!(samples(3, 1, 64, &1.25f64.to_le_bytes()), [1.25]);
        assert_eq!(samples(6, 1, 8, &[0xd5]), [8.0 / 32768.0]);
        assert_eq!(samples(7, 1, 8, &[0xff, 0]), [0.0, -32124.0 / 32768.0]);
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
            (wav(2, 1, 4, &[0; 4]), "save it as 16-bit PCM"),
            (wav(1, 2, 16, &[0; 6]), "6 bytes of samples, 4 a moment"),
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
