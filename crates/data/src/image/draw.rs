//! Boxes, lines, points, words and masks on a picture.

use super::Image;
use super::font::glyph;

/// The colour of something that is drawn, and of letters upon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    /// Red, green, blue.
    pub paint: [u8; 3],
    /// Black or white, whichever is read better.
    pub letters: [u8; 3],
}

/// Colours that are told apart easily, also by people who see few (after Okabe and Ito 2008).
const PALETTE: [[u8; 3]; 8] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
    [153, 153, 153],
];

impl Ink {
    /// The colour of a class. After eight they return darker, and then again.
    pub fn numbered(class: usize) -> Self {
        let paint = PALETTE.get(class % PALETTE.len()).copied().unwrap_or([255; 3]);
        let round = class / PALETTE.len() % 3;
        let paint = paint.map(|value| (usize::from(value) * (4 - round) / 4) as u8);
        let [r, g, b] = paint.map(u32::from);
        let bright = 128_000 < 299 * r + 587 * g + 114 * b;
        Self { paint, letters: if bright { [0; 3] } else { [255; 3] } }
    }

    /// How many pixels a line is wide on a picture, so that it shows on large ones too.
    pub fn scale(image: &Image) -> usize {
        (image.width.max(image.height) / 400).clamp(1, 8)
    }
}

fn put(image: &mut Image, x: i64, y: i64, colour: [u8; 3]) {
    let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
    if image.width <= x || image.height <= y {
        return;
    }
    let start = (y * image.width + x) * image.channels;
    if let Some(pixel) = image.pixels.get_mut(start..start + image.channels) {
        pixel.iter_mut().zip(colour).for_each(|(to, from)| *to = from);
    }
}

/// A coordinate as a pixel; far outside where it is no number.
fn pixel(value: f32) -> i64 {
    if value.is_nan() { i64::from(i32::MIN) } else { value.clamp(-1e6, 1e6).round() as i64 }
}

/// Draws the frame of a box given as left, top, right, bottom in pixels, `thickness` pixels wide
/// to the inside. What lies outside the image is cut off; a grey image takes the red value.
pub fn draw_box(image: &mut Image, [x0, y0, x1, y1]: [f32; 4], colour: [u8; 3], thickness: usize) {
    let clip = |value: f32, size: usize| (value.round().max(0.0) as usize).min(size);
    let (left, right) = (clip(x0, image.width), clip(x1, image.width));
    let (top, bottom) = (clip(y0, image.height), clip(y1, image.height));
    for y in top..bottom {
        let on_edge = y < top + thickness || bottom <= y + thickness;
        for x in left..right {
            if !on_edge && left + thickness <= x && x + thickness < right {
                continue;
            }
            put(image, x as i64, y as i64, colour);
        }
    }
}

/// Draws a straight line between two points, `thickness` pixels wide.
pub fn draw_line(
    image: &mut Image,
    from: [f32; 2],
    to: [f32; 2],
    colour: [u8; 3],
    thickness: usize,
) {
    let [x0, y0] = from.map(pixel);
    let [x1, y1] = to.map(pixel);
    // Far outside, a line costs nothing but time.
    let steps = (x1 - x0).abs().max((y1 - y0).abs());
    if 1 << 20 < steps {
        return;
    }
    let half = thickness as i64 / 2;
    for step in 0..=steps {
        let at = |a: i64, b: i64| a + (b - a) * step / steps.max(1);
        let (x, y) = (at(x0, x1), at(y0, y1));
        for (dx, dy) in
            (0..thickness as i64).flat_map(|dy| (0..thickness as i64).map(move |dx| (dx, dy)))
        {
            put(image, x + dx - half, y + dy - half, colour);
        }
    }
}

/// Draws a filled circle.
pub fn draw_disc(image: &mut Image, [x, y]: [f32; 2], radius: f32, colour: [u8; 3]) {
    let (x, y) = (pixel(x), pixel(y));
    let radius = radius.clamp(0.0, 1000.0);
    let reach = radius.ceil() as i64;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            if (dx * dx + dy * dy) as f32 <= radius * radius {
                put(image, x + dx, y + dy, colour);
            }
        }
    }
}

/// Writes a line of text on a ground of the ink's colour, its upper left corner at a point; it is
/// moved to the left where it would not fit.
pub fn draw_text(image: &mut Image, [x, y]: [f32; 2], text: &str, ink: Ink, scale: usize) {
    let scale = scale.max(1) as i64;
    // More letters than this lie outside every picture.
    let letters: Vec<char> = text.chars().take(1 << 12).collect();
    let (width, height) = ((letters.len() as i64 * 6 + 1) * scale, 9 * scale);
    let left = pixel(x).min(image.width as i64 - width).max(0);
    let top = pixel(y).max(0);
    for y in 0..height {
        for x in 0..width {
            put(image, left + x, top + y, ink.paint);
        }
    }
    for (i, letter) in letters.into_iter().enumerate() {
        for (row, bits) in (0i64..).zip(glyph(letter)) {
            for column in (0..5i64).filter(|column| bits >> (4 - column) & 1 == 1) {
                let x = left + (i as i64 * 6 + 1 + column) * scale;
                let y = top + (row + 1) * scale;
                for (dx, dy) in (0..scale).flat_map(|dy| (0..scale).map(move |dx| (dx, dy))) {
                    put(image, x + dx, y + dy, ink.letters);
                }
            }
        }
    }
}

/// Tints the pixels of a mask, one class a pixel; class `ground` stays as it is.
pub fn draw_mask(image: &mut Image, mask: &[u8], ground: usize) {
    let pixels = image.pixels.chunks_exact_mut(image.channels.max(1));
    for (pixel, &class) in pixels.zip(mask) {
        if usize::from(class) == ground {
            continue;
        }
        let paint = Ink::numbered(class.into()).paint;
        for (to, from) in pixel.iter_mut().zip(paint) {
            *to = ((u16::from(*to) + u16::from(from)) / 2) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        let mut image = Image::new(5, 4, 1, vec![0; 20]).unwrap();
        draw_box(&mut image, [1.0, 0.4, 5.4, 9.0], [7, 0, 0], 1);
        #[rustfmt::skip]
        assert_eq!(image.pixels, [
            0, 7, 7, 7, 7,
            0, 7, 0, 0, 7,
            0, 7, 0, 0, 7,
            0, 7, 7, 7, 7,
        ]);
        let mut image = Image::new(2, 2, 3, vec![0; 12]).unwrap();
        draw_box(&mut image, [f32::NAN, -5.0, 1.0, f32::INFINITY], [1, 2, 3], usize::MAX / 2);
        assert_eq!(image.pixels, [1, 2, 3, 0, 0, 0, 1, 2, 3, 0, 0, 0]);
    }

    #[test]
    fn lines_discs_and_masks() {
        let mut image = Image::new(4, 4, 1, vec![0; 16]).unwrap();
        draw_line(&mut image, [0.0, 0.0], [3.0, 3.0], [5, 0, 0], 1);
        draw_disc(&mut image, [3.0, 0.0], 1.0, [9, 0, 0]);
        draw_line(&mut image, [f32::NAN, 0.0], [f32::INFINITY, 3.0], [1, 0, 0], 1);
        #[rustfmt::skip]
        assert_eq!(image.pixels, [
            5, 0, 9, 9,
            0, 5, 0, 9,
            0, 0, 5, 0,
            0, 0, 0, 5,
        ]);
        let mut image = Image::new(2, 1, 3, vec![100; 6]).unwrap();
        draw_mask(&mut image, &[0, 1], 0);
        assert_eq!(image.pixels, [100, 100, 100, 93, 140, 166]);
    }

    #[test]
    fn words_are_read() {
        let mut image = Image::new(8, 9, 1, vec![0; 72]).unwrap();
        let ink = Ink { paint: [9, 0, 0], letters: [1, 0, 0] };
        draw_text(&mut image, [5.0, -3.0], "i", ink, 1);
        let rows: Vec<String> = image
            .pixels
            .chunks(8)
            .map(|row| row.iter().map(|&p| [' ', '#'][usize::from(p == 1)]).collect())
            .collect();
        assert_eq!(rows[1..4], ["   ###  ", "    #   ", "    #   "]);
        assert_eq!(image.pixels[0..8], [0, 9, 9, 9, 9, 9, 9, 9]);
    }
}
