//! Pictures: PNG, JPEG and BMP in, PNG out, grey and RGB of 8 bits a channel in between.
//!
//! Alpha is dropped, as Pillow's `convert("RGB")`, OpenCV and TensorFlow do: what lies under a
//! transparent pixel shows, which most programs store as black. Channels of 16 bits keep their
//! upper byte. The orientation that a camera wrote into a JPEG is applied, so that up is up.

mod bmp;
mod codec;
mod cv;
mod draw;
mod exif;
mod fit;
mod font;
mod resample;

pub use codec::{decode, encode_png};
pub use draw::{Ink, draw_box, draw_disc, draw_line, draw_mask, draw_text};
pub use fit::{Anchor, Fit, Placement, fit};

use crate::{DataError, DataLimits, Result};

/// An image in memory, row by row from the top, channels interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` bytes.
    pub pixels: Vec<u8>,
}

/// How [`Image::resize`] computes a pixel. Model cards name them by library; they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Pillow's `NEAREST`.
    Nearest,
    /// Pillow's `BILINEAR`, bit for bit: widens its support when it shrinks (antialiasing).
    /// As Pillow up to 12, the horizontal pass is always the first; Pillow 13 swaps them when the
    /// height shrinks much more than the width, which changes a value by one.
    #[default]
    Bilinear,
    /// Pillow's `BICUBIC`, bit for bit: antialiasing, a = -0.5.
    Bicubic,
    /// OpenCV's `INTER_LINEAR`: four neighbours, no antialiasing.
    CvLinear,
}

impl Filter {
    /// Every filter with the name that the command line uses.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Nearest, "nearest"),
        (Self::Bilinear, "bilinear"),
        (Self::Bicubic, "bicubic"),
        (Self::CvLinear, "cv-linear"),
    ];

    /// The filter of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(filter, _)| filter)
    }
}

impl Image {
    /// An image over pixels in memory.
    ///
    /// # Errors
    /// An empty image, channels other than 1 and 3, or pixels of another length.
    pub fn new(width: usize, height: usize, channels: usize, pixels: Vec<u8>) -> Result<Self> {
        let len = width.checked_mul(height).and_then(|area| area.checked_mul(channels));
        if len != Some(pixels.len()) || pixels.is_empty() || !matches!(channels, 1 | 3) {
            return Err(DataError::argument(format!(
                "an image of {width}x{height} with {channels} channels over {} bytes",
                pixels.len()
            )));
        }
        Ok(Self { width, height, channels, pixels })
    }

    /// An image of one colour, grey when `colour` has one channel.
    ///
    /// # Errors
    /// As [`Image::new`], or larger than the limits.
    pub fn filled(width: usize, height: usize, colour: &[u8], limits: &DataLimits) -> Result<Self> {
        limits.pixels(width as u64, height as u64)?;
        Self::new(width, height, colour.len(), colour.repeat(width.saturating_mul(height)))
    }

    /// Luma by ITU-R 601-2 in the fixed point of Pillow's mode `L`.
    #[must_use]
    pub fn to_gray(&self) -> Self {
        if self.channels == 1 {
            return self.clone();
        }
        let luma = |rgb: &[u8]| {
            let weigh = |c: Option<&u8>, weight| c.map_or(0, |&c| u32::from(c) * weight);
            let sum =
                weigh(rgb.first(), 19595) + weigh(rgb.get(1), 38470) + weigh(rgb.get(2), 7471);
            ((sum + 0x8000) >> 16) as u8
        };
        let pixels = self.pixels.chunks_exact(3).map(luma).collect();
        Self { channels: 1, pixels, ..*self }
    }

    /// Three channels; grey is repeated.
    #[must_use]
    pub fn to_rgb(&self) -> Self {
        if self.channels == 3 {
            return self.clone();
        }
        let pixels = self.pixels.iter().flat_map(|&gray| [gray; 3]).collect();
        Self { channels: 3, pixels, ..*self }
    }

    /// The image with 1 or 3 channels.
    ///
    /// # Errors
    /// Another number of channels.
    pub fn to_channels(&self, channels: usize) -> Result<Self> {
        match channels {
            1 => Ok(self.to_gray()),
            3 => Ok(self.to_rgb()),
            _ => Err(DataError::argument(format!("an image with {channels} channels"))),
        }
    }

    /// A rectangle of the image.
    ///
    /// # Errors
    /// It is empty or not inside.
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Result<Self> {
        let fits = |start: usize, len: usize, all: usize| {
            0 < len && start.checked_add(len).is_some_and(|end| end <= all)
        };
        if !fits(left, width, self.width) || !fits(top, height, self.height) {
            return Err(DataError::argument(format!(
                "a crop of {width}x{height} at {left},{top} from an image of {}x{}",
                self.width, self.height
            )));
        }
        let row_len = self.width * self.channels;
        let (start, end) = (left * self.channels, (left + width) * self.channels);
        let rows = self.pixels.chunks_exact(row_len).skip(top).take(height);
        let pixels = rows.filter_map(|row| row.get(start..end)).flatten().copied().collect();
        Self::new(width, height, self.channels, pixels)
    }

    /// The image at another size, whatever its aspect ratio; see [`fit()`] to keep that.
    ///
    /// # Errors
    /// A size of zero, or one beyond the limits (also between the two passes).
    pub fn resize(
        &self,
        width: usize,
        height: usize,
        filter: Filter,
        limits: &DataLimits,
    ) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(DataError::argument(format!("an image of {width}x{height}")));
        }
        limits.pixels(width as u64, height as u64)?;
        limits.pixels(width as u64, self.height as u64)?;
        Ok(match filter {
            Filter::Nearest => resample::nearest(self, width, height),
            Filter::Bilinear => resample::resample(self, width, height, resample::BILINEAR),
            Filter::Bicubic => resample::resample(self, width, height, resample::BICUBIC),
            Filter::CvLinear => cv::linear(self, width, height),
        })
    }

    /// The channels of one pixel; empty outside.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> &[u8] {
        let start = (y * self.width + x) * self.channels;
        self.pixels.get(start..start + self.channels).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_and_crop() {
        // Pillow: Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        for (rgb, gray) in [
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([255, 255, 255], 255),
            ([10, 20, 30], 18),
            ([123, 231, 77], 181),
        ] {
            let image = Image::new(1, 1, 3, rgb.to_vec()).unwrap();
            assert_eq!(image.to_gray().pixels, [gray], "{rgb:?}");
        }
        let image = Image::new(3, 2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(image.crop(1, 0, 2, 2).unwrap().pixels, [2, 3, 5, 6]);
        assert_eq!(image.crop(0, 1, 1, 1).unwrap().to_rgb().pixels, [4, 4, 4]);
        assert!(image.crop(2, 0, 2, 1).is_err());
        assert!(image.crop(usize::MAX, 0, 2, 1).is_err());
        assert!(image.crop(0, 0, 0, 1).is_err());
        assert!(Image::new(2, 2, 2, vec![0; 8]).is_err());
        assert!(image.resize(1 << 20, 1 << 20, Filter::Nearest, &DataLimits::default()).is_err());
    }

    #[test]
    fn filters_have_names() {
        for (filter, name) in Filter::ALL {
            assert_eq!(Filter::from_name(name), Some(filter));
        }
        assert_eq!(Filter::from_name("lanczos"), None);
    }
}
