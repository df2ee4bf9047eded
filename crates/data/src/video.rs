//! Video as YUV4MPEG2 (`.y4m`), frame by frame: what `ffmpeg -f yuv4mpegpipe` writes.
//!
//! Source of the format: `yuv4mpeg(5)` of mjpegtools. Colours are converted by ITU-R BT.601, of the
//! limited range unless the stream says `XCOLORRANGE=FULL`.

use std::io::{ErrorKind, Read};

use crate::{DataError, DataLimits, Image, Result};

/// A header or frame line longer than this is none.
const MOST_LINE: usize = 1024;

/// How often colours are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampling {
    Mono,
    /// Every second column and row.
    C420,
    /// Every second column.
    C422,
    C444,
}

/// A stream of frames.
#[derive(Debug)]
pub struct Video<R> {
    reader: R,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Frames a second, where the stream says so.
    pub rate: Option<f64>,
    sampling: Sampling,
    full: bool,
    planes: Vec<u8>,
    frames: usize,
}

/// A line without its end; `None` where the stream ends before it begins.
fn line(reader: &mut impl Read) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        match reader.read(&mut byte) {
            Ok(0) if bytes.is_empty() => return Ok(None),
            Ok(0) => return Err(DataError::malformed("the video ends within a line")),
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if MOST_LINE < bytes.len() {
            return Err(DataError::malformed("the video's header does not end"));
        }
    }
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| DataError::malformed("the video's header is no text"))
}

impl<R: Read> Video<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// It is no YUV4MPEG2, of more than 8 bits, or larger than the limits.
    pub fn new(mut reader: R, limits: &DataLimits) -> Result<Self> {
        let header = line(&mut reader)?.unwrap_or_default();
        let mut words = header.split_ascii_whitespace();
        if words.next() != Some("YUV4MPEG2") {
            return Err(DataError::malformed("this is no YUV4MPEG2 video"));
        }
        let (mut width, mut height, mut rate) = (0usize, 0usize, None);
        let (mut sampling, mut full) = (Sampling::C420, false);
        for word in words {
            let (key, value) = word.split_at_checked(1).unwrap_or((word, ""));
            let size = || {
                let wrong = |_| DataError::malformed(format!("'{word}' is no size"));
                value.parse::<usize>().map_err(wrong)
            };
            match key {
                "W" => width = size()?,
                "H" => height = size()?,
                "F" => {
                    let (a, b) = value.split_once(':').unwrap_or((value, "1"));
                    let number = |text: &str| text.parse::<f64>().ok().filter(|x| 0.0 < *x);
                    rate = number(a).zip(number(b)).map(|(a, b)| a / b);
                }
                "C" => {
                    sampling = match value {
                        "mono" => Sampling::Mono,
                        "420" | "420jpeg" | "420paldv" | "420mpeg2" => Sampling::C420,
                        "422" => Sampling::C422,
                        "444" => Sampling::C444,
                        _ => {
                            let what = format!("colours sampled as '{value}'");
                            return Err(DataError::unsupported(what));
                        }
                    }
                }
                "X" if value == "COLORRANGE=FULL" => full = true,
                _ => {}
            }
        }
        if width == 0 || height == 0 {
            return Err(DataError::malformed("the video's header gives no size"));
        }
        limits.pixels(width as u64, height as u64)?;
        Ok(Self { reader, width, height, rate, sampling, full, planes: Vec::new(), frames: 0 })
    }

    /// Columns and rows of a plane of colour.
    fn chroma(&self) -> (usize, usize) {
        let half = |side: usize| side.div_ceil(2);
        match self.sampling {
            Sampling::Mono => (0, 0),
            Sampling::C420 => (half(self.width), half(self.height)),
            Sampling::C422 => (half(self.width), self.height),
            Sampling::C444 => (self.width, self.height),
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// The stream breaks off or is damaged.
    pub fn frame(&mut self) -> Result<Option<Image>> {
        let number = self.frames + 1;
        match line(&mut self.reader)? {
            None => return Ok(None),
            Some(line) if line.starts_with("FRAME") => {}
            Some(_) => {
                return Err(DataError::malformed(format!("no frame {number} where one begins")));
            }
        }
        let (columns, rows) = self.chroma();
        let luma = self.width * self.height;
        self.planes.resize(luma + 2 * columns * rows, 0);
        self.reader.read_exact(&mut self.planes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                DataError::malformed(format!("the video ends within frame {number}"))
            }
            _ => error.into(),
        })?;
        self.frames += 1;
        let (y, colours) = self.planes.split_at(luma);
        let (u, v) = colours.split_at(columns * rows);
        let mut pixels = Vec::with_capacity(3 * luma);
        for row in 0..self.height {
            let at = if rows == self.height { row } else { row / 2 };
            for column in 0..self.width {
                let beside = if columns == self.width { column } else { column / 2 };
                let colour =
                    |plane: &[u8]| plane.get(at * columns + beside).copied().unwrap_or(128);
                let light = y.get(row * self.width + column).copied().unwrap_or(0);
                pixels.extend(rgb(light, colour(u), colour(v), self.full));
            }
        }
        Image::new(self.width, self.height, 3, pixels).map(Some)
    }
}

/// BT.601 in 8 fractional bits.
fn rgb(y: u8, u: u8, v: u8, full: bool) -> [u8; 3] {
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let (y, [rv, gu, gv, bu]) = match full {
        true => (256 * i32::from(y), [359, 88, 183, 454]),
        false => (298 * (i32::from(y) - 16), [409, 100, 208, 516]),
    };
    [y + rv * v, y - gu * u - gv * v, y + bu * u].map(|x| ((x + 128) >> 8).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(bytes: &[u8]) -> Result<Vec<Image>> {
        let mut video = Video::new(bytes, &DataLimits::default())?;
        let mut frames = Vec::new();
        while let Some(frame) = video.frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_are_read() {
        let mut bytes = b"YUV4MPEG2 W3 H2 F30000:1001 Ip C420jpeg\nFRAME\n".to_vec();
        // White, black and two greys; a red corner would need colours that differ.
        bytes.extend([235, 16, 126, 235, 16, 126]);
        bytes.extend([128, 128, 128, 128]);
        bytes.extend(b"FRAME Ip\n");
        bytes.extend([81; 6]);
        bytes.extend([90, 90, 240, 240]);
        let frames = video(&bytes).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].pixels[..9], [255, 255, 255, 0, 0, 0, 128, 128, 128]);
        assert_eq!(frames[1].pixels[..3], [255, 0, 0]);
        let rate = Video::new(&bytes[..], &DataLimits::default()).unwrap().rate.unwrap();
        assert!((rate - 29.97).abs() < 0.01);
    }

    #[test]
    fn colours_are_sampled_in_several_ways() {
        // Red and blue side by side, three columns and rows of them.
        let (red, blue) = ((81, 90, 240), (41, 240, 110));
        let of = |row: usize, column: usize| match row.min(column) < 2 {
            true => red,
            false => blue,
        };
        for (name, columns, rows) in [("420", 2, 2), ("422", 2, 3), ("444", 3, 3)] {
            let mut bytes = format!("YUV4MPEG2 W3 H3 C{name}\nFRAME\n").into_bytes();
            bytes.extend((0..9).map(|at| of(at / 3, at % 3).0));
            // The first pixel of those that share a sample of colour gives it.
            let place = |at: usize, all: usize| if all == 3 { at } else { 2 * at };
            for pick in [|c: (u8, u8, u8)| c.1, |c: (u8, u8, u8)| c.2] {
                for at in 0..columns * rows {
                    let (row, column) = (place(at / columns, rows), place(at % columns, columns));
                    bytes.push(pick(of(row, column)));
                }
            }
            let frames = video(&bytes).unwrap();
            assert_eq!((frames[0].width, frames[0].height), (3, 3), "{name}");
            let pixel = |at: usize| &frames[0].pixels[3 * at..3 * at + 3];
            assert_eq!(pixel(0), [255, 0, 0], "{name}");
            assert!(200 < pixel(8)[2] && pixel(8)[0] < 50, "{name}: {:?}", pixel(8));
            for end in [bytes.len() - 1, bytes.len() - 9] {
                assert!(video(&bytes[..end]).is_err(), "{name} {end}");
            }
        }
    }

    #[test]
    fn damage_is_refused() {
        let whole = [&b"YUV4MPEG2 W2 H1 Cmono\nFRAME\n"[..], &[1, 2]].concat();
        assert_eq!(video(&whole).unwrap()[0].height, 1);
        for end in 1..whole.len() {
            let cut = video(&whole[..end]);
            assert!(cut.is_err() || cut.unwrap().is_empty(), "{end}");
        }
        for text in [
            "YUV4MPEG2 W2 H1 C420p10\n",
            "YUV4MPEG2 W99999999 H99999999\n",
            "YUV4MPEG2 H1\n",
            "YUV4MPEG2 Wx H1\n",
            "RIFF",
        ] {
            assert!(video(text.as_bytes()).is_err(), "{text}");
        }
    }
}
