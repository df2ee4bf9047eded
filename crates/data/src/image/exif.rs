//! The orientation tag that cameras write (EXIF 2.32, tag 0x0112), and how to undo it.

use super::Image;

/// The orientation, 1 to 8, of an EXIF block that starts with its TIFF header. 1 when the block
/// is damaged or holds none.
pub fn orientation(exif: &[u8]) -> u8 {
    find(exif).filter(|tag| (1..=8).contains(tag)).unwrap_or(1)
}

fn find(exif: &[u8]) -> Option<u8> {
    let little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |at: usize| -> Option<u32> {
        let bytes = exif.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(u32_at(4)?).ok()?;
    let count = usize::from(u16_at(directory)?);
    (0..count).map(|i| directory + 2 + 12 * i).find_map(|entry| {
        // Tag, type SHORT, one value.
        let is_orientation = u16_at(entry)? == 0x0112 && u16_at(entry + 2)? == 3;
        if is_orientation { u8::try_from(u16_at(entry + 8)?).ok() } else { None }
    })
}

/// Turns and mirrors the image upright.
pub fn upright(image: Image, orientation: u8) -> Image {
    let (w, h) = (image.width, image.height);
    let swap = 5 <= orientation;
    let (width, height) = if swap { (h, w) } else { (w, h) };
    // Where the pixel for x, y of the upright image comes from.
    let source = |x: usize, y: usize| match orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (w - 1 - y, x),
        _ => (x, y),
    };
    if !(2..=8).contains(&orientation) {
        return image;
    }
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = source(x, y);
            pixels.extend_from_slice(image.pixel(from_x, from_y));
        }
    }
    Image { width, height, pixels, ..image }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(big: bool, orientation: u16) -> Vec<u8> {
        let u16b = |x: u16| if big { x.to_be_bytes() } else { x.to_le_bytes() };
        let u32b = |x: u32| if big { x.to_be_bytes() } else { x.to_le_bytes() };
        let mut out = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        out.extend(u32b(8));
        out.extend(u16b(2));
        for (tag, value) in [(0x010f, 7), (0x0112, orientation)] {
            out.extend(u16b(tag));
            out.extend(u16b(3));
            out.extend(u32b(1));
            out.extend(u16b(value));
            out.extend([0; 2]);
        }
        out
    }

    #[test]
    fn tag_is_found_in_both_byte_orders() {
        for value in 1..=8 {
            assert_eq!(orientation(&block(false, value)), value as u8);
            assert_eq!(orientation(&block(true, value)), value as u8);
        }
        assert_eq!(orientation(&block(true, 9)), 1);
        for end in 0..30 {
            assert_eq!(orientation(&block(true, 6)[..end]), 1);
        }
    }

    #[test]
    fn eight_orientations() {
        // Pillow: ImageOps.exif_transpose of [[1, 2, 3], [4, 5, 6]].
        for (orientation, width, pixels) in [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
        ] {
            let image = Image::new(3, 2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
            let image = upright(image, orientation);
            assert_eq!((image.width, &image.pixels[..]), (width, &pixels[..]), "{orientation}");
        }
    }
}
