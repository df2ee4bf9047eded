//! Sound as it comes: a WAV file or stream, or bare samples, block by block.

use std::io::{ErrorKind as Io, Read};

use crate::{DataError, Result};

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Integers of 1 to 4 bytes, the first byte lowest; single bytes are unsigned.
    Whole,
    /// Floating point of 4 or 8 bytes.
    Float,
    /// ITU-T G.711, A-law.
    ALaw,
    /// ITU-T G.711, mu-law.
    MuLaw,
}

/// Sound from a reader, as one channel.
#[derive(Debug)]
pub struct Sound<R> {
    reader: R,
    rate: u32,
    channels: usize,
    coding: Coding,
    /// Bytes of a sample of one channel.
    width: usize,
    /// Bytes of samples that are left; `None` until the reader ends.
    left: Option<u64>,
    /// Bytes of whole frames and of the beginning of the next.
    buffer: Vec<u8>,
    filled: usize,
    frames: u64,
}

/// Bytes that are read at once, about; whole frames of any kind are smaller.
const BLOCK: usize = 1 << 14;
/// Sizes from here on are those that recorders write which do not know their end.
const ENDLESS: u32 = 0x7fff_0000;
/// The most channels.
const MOST_CHANNELS: u16 = 256;

impl<R: Read> Sound<R> {
    /// Samples of 16 bits, the lower byte first, without a header.
    pub fn pcm(reader: R, rate: u32) -> Self {
        Self::new(reader, rate, 1, Coding::Whole, 2, None)
    }

    fn new(
        reader: R,
        rate: u32,
        channels: usize,
        coding: Coding,
        width: usize,
        left: Option<u64>,
    ) -> Self {
        let frame = channels * width;
        let buffer = vec![0; frame * (BLOCK / frame).max(1)];
        Self { reader, rate, channels, coding, width, left, buffer, filled: 0, frames: 0 }
    }

    /// Reads the header of a WAV file: PCM of 8 to 32 bits, floating point of 32 or 64, A-law, mu-law.
    /// `size` is that of the whole file, where it is known.
    ///
    /// # Errors
    /// The header is damaged, the sound is compressed otherwise, or the file ends before its samples do.
    pub fn wav(mut reader: R, size: Option<u64>) -> Result<Self> {
        let (mut head, mut rest) = ([0; 4], [0; 8]);
        let other = || DataError::malformed("not a WAV file: it does not start with RIFF");
        fill(&mut reader, &mut head).map_err(|_| other())?;
        if !matches!(&head, b"RIFF" | b"RF64") {
            return Err(other());
        }
        fill(&mut reader, &mut rest)?;
        if &rest[4..] != b"WAVE" {
            return Err(DataError::malformed("not a WAV file: RIFF of another kind"));
        }
        let (mut at, mut format) = (12u64, None);
        loop {
            let mut chunk = [0; 8];
            fill(&mut reader, &mut chunk)?;
            at += 8;
            let [a, b, c, d, s @ ..] = chunk;
            let len = u32::from_le_bytes(s);
            if &[a, b, c, d] == b"data" {
                let format = format.ok_or_else(|| {
                    DataError::malformed("WAV: the samples stand before their format")
                })?;
                return Self::data(reader, format, len, size.map(|size| size.saturating_sub(at)));
            }
            let padded = u64::from(len) + u64::from(len % 2);
            at = at.saturating_add(padded);
            if &[a, b, c, d] == b"fmt " {
                if !(16..=1024).contains(&len) {
                    return Err(DataError::malformed(format!("WAV: a format of {len} bytes")));
                }
                let mut bytes = vec![0; padded as usize];
                fill(&mut reader, &mut bytes)?;
                format = Some(Format::read(&bytes)?);
                continue;
            }
            let skipped = std::io::copy(&mut reader.by_ref().take(padded), &mut std::io::sink())?;
            if skipped < padded {
                return Err(cut());
            }
        }
    }

    fn data(reader: R, format: Format, len: u32, rest: Option<u64>) -> Result<Self> {
        let Format { rate, channels, coding, width } = format;
        // Recorders that write to a pipe leave 0, or as much as they can; in files, all ones.
        let endless = match rest {
            None => len == 0 || ENDLESS <= len,
            Some(_) => len == u32::MAX,
        };
        let frame = (channels * width) as u64;
        let left = if endless {
            rest
        } else {
            let declared = u64::from(len);
            if rest.is_some_and(|rest| rest < declared) {
                let samples = declared / width as u64;
                return Err(DataError::malformed(format!(
                    "WAV: it declares {samples} samples and ends before them; save the recording again"
                )));
            }
            if !declared.is_multiple_of(frame) {
                return Err(DataError::malformed(format!(
                    "WAV: {declared} bytes of samples, {frame} a moment; save the recording again"
                )));
            }
            Some(declared)
        };
        Ok(Self::new(reader, rate, channels, coding, width, left))
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels, which are averaged.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Bytes of a stored sample, where it is a whole number.
    pub(super) fn whole_width(&self) -> Option<usize> {
        (self.coding == Coding::Whole).then_some(self.width)
    }

    /// Samples of all channels that are left, where their number is known.
    pub(super) fn samples_left(&self) -> Option<u64> {
        self.left.map(|left| left / self.width as u64)
    }

    /// Replaces `out` by the next samples, full scale from -1 to 1 (`x / 32768` for 16 bits), channels
    /// averaged in f64; false at the end. Blocks are of bounded size, so `out` stops growing.
    ///
    /// # Errors
    /// The reader's, and a sample that is not finite.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<bool> {
        out.clear();
        let frame = self.channels * self.width;
        while self.filled < frame {
            let room = self.buffer.len() - self.filled;
            let most =
                self.left.map_or(room, |left| room.min(usize::try_from(left).unwrap_or(room)));
            let Some(to) = self.buffer.get_mut(self.filled..self.filled + most) else { break };
            let got = match self.reader.read(to) {
                Err(error) if error.kind() == Io::Interrupted => continue,
                got => got?,
            };
            if got == 0 {
                // A frame that was begun is left out.
                return Ok(false);
            }
            self.filled += got;
            self.left = self.left.map(|left| left.saturating_sub(got as u64));
        }
        let whole = self.filled / frame * frame;
        for bytes in self.buffer.get(..whole).unwrap_or_default().chunks_exact(frame) {
            let mut sum = 0.0;
            for sample in bytes.chunks_exact(self.width) {
                let sample = number(self.coding, sample);
                if !sample.is_finite() {
                    let place = format_args!("sample {}", self.frames).to_string();
                    return Err(DataError::malformed("WAV: not a finite number").at(place));
                }
                sum += sample;
            }
            // What is beyond f32 is far beyond full scale.
            let mean = (sum / self.channels as f64).clamp(-f64::from(f32::MAX), f32::MAX.into());
            out.push(mean as f32);
            self.frames += 1;
        }
        self.buffer.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        Ok(true)
    }
}

#[derive(Clone, Copy)]
struct Format {
    rate: u32,
    channels: usize,
    coding: Coding,
    width: usize,
}

impl Format {
    fn read(bytes: &[u8]) -> Result<Self> {
        let short = |at: usize| match bytes.get(at..at + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        let rate = u32::from(short(4)) | u32::from(short(6)) << 16;
        let (channels, bits) = (short(2), short(14));
        // An extended format holds another number in front of a fixed rest.
        let number = if short(0) == 0xfffe { short(24) } else { short(0) };
        let width = usize::from(bits.div_ceil(8));
        if channels == 0 || rate == 0 || MOST_CHANNELS < channels {
            return Err(DataError::malformed(format!("WAV: {channels} channels at {rate} Hz")));
        }
        let coding = match (number, bits) {
            (1, 1..=32) => Coding::Whole,
            (3, 32 | 64) => Coding::Float,
            (6, 8) => Coding::ALaw,
            (7, 8) => Coding::MuLaw,
            _ => {
                return Err(DataError::unsupported(format!(
                    "WAV: samples of {bits} bits in format {number}; save it as 16-bit PCM"
                )));
            }
        };
        if usize::from(short(12)) != width * usize::from(channels) {
            return Err(DataError::unsupported(format!(
                "WAV: {bits} bits and {channels} channels in {} bytes; save it as 16-bit PCM",
                short(12)
            )));
        }
        Ok(Self { rate, channels: channels.into(), coding, width })
    }
}

fn cut() -> DataError {
    DataError::malformed("WAV: the file is cut off")
}

fn fill(reader: &mut impl Read, to: &mut [u8]) -> Result<()> {
    reader.read_exact(to).map_err(|error| match error.kind() {
        Io::UnexpectedEof => cut(),
        _ => error.into(),
    })
}

/// A stored sample, full scale from -1 to 1.
fn number(coding: Coding, bytes: &[u8]) -> f64 {
    match (coding, bytes) {
        (Coding::Whole, &[a]) => f64::from(i16::from(a) - 128) / 128.0,
        (Coding::Whole, &[a, b]) => f64::from(i16::from_le_bytes([a, b])) / 32768.0,
        (Coding::Whole, &[a, b, c]) => {
            f64::from(i32::from_le_bytes([0, a, b, c])) / 2_147_483_648.0
        }
        (Coding::Whole, &[a, b, c, d]) => {
            f64::from(i32::from_le_bytes([a, b, c, d])) / 2_147_483_648.0
        }
        (Coding::Float, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).into(),
        (Coding::Float, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        (Coding::ALaw, &[a]) => f64::from(a_law(a)) / 32768.0,
        (Coding::MuLaw, &[a]) => f64::from(mu_law(a)) / 32768.0,
        _ => 0.0,
    }
}

/// A number of 13 bits, three zeros below, from its sign, exponent and four bits.
fn a_law(stored: u8) -> i16 {
    let bits = stored ^ 0x55;
    let (exponent, low) = (bits >> 4 & 7, i16::from(bits & 15));
    let size = match exponent {
        0 => low << 4 | 8,
        _ => (low << 4 | 0x108) << (exponent - 1),
    };
    if bits & 0x80 == 0 { -size } else { size }
}

/// A number of 14 bits, two zeros below.
fn mu_law(stored: u8) -> i16 {
    let bits = !stored;
    let size = ((i16::from(bits & 15) << 3 | 0x84) << (bits >> 4 & 7)) - 0x84;
    if bits & 0x80 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_those_of_g711() {
        // The ends and the middle of both tables.
        for (stored, want) in [(0x00, -5504), (0x55, -8), (0xd5, 8), (0xaa, 32256), (0x2a, -32256)]
        {
            assert_eq!(a_law(stored), want, "{stored:#x}");
        }
        for (stored, want) in [(0x00, -32124), (0x7f, 0), (0xff, 0), (0x80, 32124), (0xfe, 8)] {
            assert_eq!(mu_law(stored), want, "{stored:#x}");
        }
    }

    #[test]
    fn streams_end_with_their_reader() {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0".to_vec();
        bytes.extend_from_slice(b"LIST\x03\0\0\0abc\0data\xff\xff\xff\xff");
        for _ in 0..10_000 {
            bytes.extend_from_slice(&[0, 0x40]);
        }
        // Half a sample.
        bytes.push(1);
        let mut sound = Sound::wav(&bytes[..], None).unwrap();
        assert_eq!((sound.rate(), sound.channels()), (8000, 1));
        let (mut out, mut count) = (Vec::new(), 0);
        while sound.read(&mut out).unwrap() {
            assert!(out.iter().all(|&x| x == 0.5) && out.len() <= BLOCK);
            count += out.len();
        }
        assert_eq!(count, 10_000);
        let mut bare = Sound::pcm(&[0, 0x80, 1, 0, 7][..], 16000);
        assert!(bare.read(&mut out).unwrap());
        assert_eq!(out, [-1.0, 1.0 / 32768.0]);
        assert!(!bare.read(&mut out).unwrap());
    }
}
