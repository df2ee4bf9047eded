//! How a picture of any size becomes the picture a net expects, and how to get back.

use super::{Filter, Image};
use crate::{DataError, DataLimits, Result};

/// What happens to the aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The whole picture, distorted.
    #[default]
    Stretch,
    /// The largest centred part with the wanted aspect ratio.
    CenterCrop,
    /// The whole picture undistorted, the rest filled.
    Letterbox {
        /// The value of every channel outside the picture: 0, 114 (YOLO), 128.
        fill: u8,
        /// Where the picture stands.
        anchor: Anchor,
    },
}

/// Where a letterboxed picture stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// Bars on both sides; an odd pixel goes to the right or the bottom.
    #[default]
    Center,
    /// One bar, on the right or at the bottom.
    TopLeft,
}

/// Where a picture went: `fitted = source * scale + offset`, on each axis, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Horizontal and vertical scale.
    pub scale: [f64; 2],
    /// Horizontal and vertical offset; negative where something was cropped.
    pub offset: [f64; 2],
}

impl Placement {
    /// The point of the source picture behind a point of the fitted one.
    pub fn to_source(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.offset[0]) / self.scale[0], (y - self.offset[1]) / self.scale[1]]
    }
}

/// Brings an image to a size.
///
/// # Errors
/// As [`Image::resize`].
pub fn fit(
    image: &Image,
    width: usize,
    height: usize,
    fit: Fit,
    filter: Filter,
    limits: &DataLimits,
) -> Result<(Image, Placement)> {
    if width == 0 || height == 0 {
        return Err(DataError::argument(format!("an image of {width}x{height}")));
    }
    limits.pixels(width as u64, height as u64)?;
    let ratio = |to: usize, from: usize| to as f64 / from as f64;
    let (x_ratio, y_ratio) = (ratio(width, image.width), ratio(height, image.height));
    match fit {
        Fit::Stretch => {
            let placement = Placement { scale: [x_ratio, y_ratio], offset: [0.0; 2] };
            Ok((image.resize(width, height, filter, limits)?, placement))
        }
        Fit::CenterCrop => {
            let scale = x_ratio.max(y_ratio);
            let part = |size: usize, all: usize| rounded(size as f64 / scale).min(all);
            let (w, h) = (part(width, image.width), part(height, image.height));
            let (left, top) = ((image.width - w) / 2, (image.height - h) / 2);
            let scale = [ratio(width, w), ratio(height, h)];
            let offset = [-(left as f64) * scale[0], -(top as f64) * scale[1]];
            let part = image.crop(left, top, w, h)?.resize(width, height, filter, limits)?;
            Ok((part, Placement { scale, offset }))
        }
        Fit::Letterbox { fill, anchor } => {
            let scale = x_ratio.min(y_ratio);
            let part = |size: usize, all: usize| rounded(size as f64 * scale).min(all);
            let (w, h) = (part(image.width, width), part(image.height, height));
            let (left, top) = match anchor {
                Anchor::TopLeft => (0, 0),
                Anchor::Center => ((width - w) / 2, (height - h) / 2),
            };
            let inner = image.resize(w, h, filter, limits)?;
            let colour = vec![fill; image.channels];
            let mut out = Image::filled(width, height, &colour, limits)?;
            let row_len = w * image.channels;
            let rows = out.pixels.chunks_exact_mut(width * image.channels).skip(top);
            for (row, from) in rows.zip(inner.pixels.chunks_exact(row_len)) {
                let start = left * image.channels;
                if let Some(to) = row.get_mut(start..start + row_len) {
                    to.copy_from_slice(from);
                }
            }
            let scale = [ratio(w, image.width), ratio(h, image.height)];
            Ok((out, Placement { scale, offset: [left as f64, top as f64] }))
        }
    }
}

/// To the nearest pixel, at least one.
fn rounded(size: f64) -> usize {
    (size.round() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_fit() {
        let image = Image::new(4, 2, 1, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let center = Fit::Letterbox { fill: 9, anchor: Anchor::Center };
        let corner = Fit::Letterbox { fill: 9, anchor: Anchor::TopLeft };
        for (how, size, pixels, scale, offset) in [
            (Fit::Stretch, (2, 2), &[2, 4, 6, 8][..], [0.5, 1.0], [0.0, 0.0]),
            (Fit::CenterCrop, (2, 2), &[2, 3, 6, 7], [1.0, 1.0], [-1.0, 0.0]),
            (center, (2, 3), &[9, 9, 6, 8, 9, 9], [0.5, 0.5], [0.0, 1.0]),
            (corner, (2, 2), &[6, 8, 9, 9], [0.5, 0.5], [0.0, 0.0]),
            (
                center,
                (4, 4),
                &[9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9],
                [1.0, 1.0],
                [0.0, 1.0],
            ),
        ] {
            let limits = DataLimits::default();
            let (out, placement) =
                fit(&image, size.0, size.1, how, Filter::Nearest, &limits).unwrap();
            assert_eq!(out.pixels, pixels, "{how:?}");
            assert_eq!(placement, Placement { scale, offset }, "{how:?}");
        }
    }

    #[test]
    fn points_find_back() {
        let image = Image::filled(640, 480, &[1, 2, 3], &DataLimits::default()).unwrap();
        for how in
            [Fit::Stretch, Fit::CenterCrop, Fit::Letterbox { fill: 0, anchor: Anchor::Center }]
        {
            let (out, placement) =
                fit(&image, 97, 31, how, Filter::Bilinear, &DataLimits::default()).unwrap();
            assert_eq!((out.width, out.height, out.channels), (97, 31, 3));
            let point = [320.0, 240.0];
            let there = [0, 1].map(|i| point[i] * placement.scale[i] + placement.offset[i]);
            // The middle stays the middle, within a pixel.
            assert!((there[0] - 48.5).abs() <= 1.0 && (there[1] - 15.5).abs() <= 1.0, "{how:?}");
            let back = placement.to_source(there);
            assert!((back[0] - point[0]).abs() < 1e-9 && (back[1] - point[1]).abs() < 1e-9);
        }
    }
}
