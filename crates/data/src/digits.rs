//! The built-in data: 1797 handwritten digits of 8x8 pixels (UCI, CC BY 4.0; attribution in
//! `assets/LICENCE-digits.md`).
//!
//! The split is fixed: the first 1437 samples train, the last 360 are held out, without shuffling.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;

/// Pixels of one digit.
pub const PIXELS: usize = 64;

/// Samples, and how many of them, at the end, are held out from training.
pub const COUNT: usize = 1797;

/// Samples held out from training.
pub const HELD_OUT: usize = 360;

/// "DIG8", u16 count, u8 height, u8 width, then a zlib stream of labels and pixels.
static FILE: &[u8] = include_bytes!("../assets/digits8x8.bin");

/// Digits and what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits<'a> {
    /// 64 pixels a digit, row by row, 0 (paper) to 16 (ink).
    pub images: &'a [u8],
    /// 0 to 9, one per digit.
    pub labels: &'a [u8],
}

impl<'a> Digits<'a> {
    /// The number of digits.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Each digit's pixels and label.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], u8)> + use<'a> {
        self.images.chunks_exact(PIXELS).zip(self.labels.iter().copied())
    }

    fn split_at(&self, count: usize) -> (Self, Self) {
        let (images, other_images) = self.images.split_at(count * PIXELS);
        let (labels, other_labels) = self.labels.split_at(count);
        (Self { images, labels }, Self { images: other_images, labels: other_labels })
    }
}

/// All 1797 digits, unpacked at the first call.
pub fn load() -> Digits<'static> {
    static UNPACKED: OnceLock<Vec<u8>> = OnceLock::new();
    let unpacked = UNPACKED.get_or_init(|| {
        let mut bytes = Vec::with_capacity(COUNT * (PIXELS + 1));
        let stream = FILE.get(8..).unwrap_or(&[]);
        ZlibDecoder::new(stream)
            .read_to_end(&mut bytes)
            .expect("the built-in digits are intact, which a test checks");
        bytes
    });
    let (labels, images) = unpacked.split_at(COUNT);
    Digits { images, labels }
}

/// The 1437 digits to train with.
pub fn training() -> Digits<'static> {
    load().split_at(COUNT - HELD_OUT).0
}

/// The 360 digits to judge with.
pub fn held_out() -> Digits<'static> {
    load().split_at(COUNT - HELD_OUT).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_intact() {
        assert_eq!(FILE.get(..8), Some(&b"DIG8\x05\x07\x08\x08"[..]));
        let digits = load();
        assert_eq!(digits.images.len(), COUNT * PIXELS);
        assert_eq!(digits.len(), COUNT);
        // Known from scikit-learn: load_digits().target[:10], numpy.bincount(target), data.sum().
        assert_eq!(digits.labels[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut counts = [0; 10];
        digits.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let sum: u32 = digits.images.iter().map(|&pixel| u32::from(pixel)).sum();
        assert_eq!(sum, 561_718);
        assert_eq!(digits.images.iter().max(), Some(&16));
    }

    #[test]
    fn the_split_is_fixed() {
        let (training, held_out) = (training(), held_out());
        assert_eq!((training.len(), held_out.len()), (1437, 360));
        let (image, label) = held_out.iter().next().unwrap();
        assert_eq!(label, load().labels[1437]);
        assert_eq!(image, &load().images[1437 * 64..1438 * 64]);
    }
}
