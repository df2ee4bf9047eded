//! Pictures from braille dots: eight to a character.

use embarca_data::Image;

/// Which bit of a braille character (U+2800 on) is the dot at row, column.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The 4x4 Bayer matrix: thresholds that keep the mean brightness of an area.
const BAYER: [[u32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// A grey image with a dot per pixel, dithered after its darkest pixel was brought to black and
/// its brightest to white.
pub fn dots(image: &Image) -> String {
    let darkest = image.pixels.iter().min().copied().unwrap_or(0);
    let brightest = image.pixels.iter().max().copied().unwrap_or(0);
    let range = u32::from(brightest - darkest);
    let lit = |x: usize, y: usize| {
        let Some(&pixel) = image.pixels.get(y * image.width + x).filter(|_| x < image.width) else {
            return false;
        };
        let threshold = BAYER.get(y % 4).and_then(|row| row.get(x % 4)).map_or(0, |&t| 2 * t + 1);
        // An even picture is dithered as it is.
        let (value, range) = match range {
            0 => (u32::from(pixel), 255),
            _ => (u32::from(pixel - darkest), range),
        };
        threshold * range < 32 * value
    };
    let mut out = String::new();
    for top in (0..image.height).step_by(4) {
        let mut line = String::new();
        for left in (0..image.width).step_by(2) {
            let mut bits = 0;
            for (dy, row) in DOTS.iter().enumerate() {
                for (dx, dot) in row.iter().enumerate() {
                    if lit(left + dx, top + dy) {
                        bits |= dot;
                    }
                }
            }
            line.push(char::from_u32(0x2800 + bits).unwrap_or(' '));
        }
        out.push_str(line.trim_end_matches('\u{2800}'));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dot_has_its_place() {
        for (at, expected) in ["⠁", "⠈", "⠂", "⠐", "⠄", "⠠", "⡀", "⢀"].iter().enumerate()
        {
            let mut pixels = vec![0; 8];
            pixels[at] = 255;
            let image = Image::new(2, 4, 1, pixels).unwrap();
            assert_eq!(dots(&image), format!("{expected}\n"));
        }
    }

    #[test]
    fn greys_are_dithered() {
        let lit = |pixel: u8| -> u32 {
            let mut pixels = vec![pixel; 64];
            // The range of the picture, in corners that are left out below.
            (pixels[0], pixels[63]) = (0, 255);
            let text = dots(&Image::new(8, 8, 1, pixels).unwrap());
            text.chars().filter(|&c| c != '\n').map(|c| (u32::from(c) - 0x2800).count_ones()).sum()
        };
        assert_eq!([0, 64, 128, 192, 255].map(lit), [1, 16, 31, 47, 63]);
        let even = Image::new(2, 4, 1, vec![255; 8]).unwrap();
        assert_eq!(dots(&even), "⣿\n");
        // Sides that are no multiple of a character.
        let odd = Image::new(3, 5, 1, vec![255; 15]).unwrap();
        assert_eq!(dots(&odd), "⣿⡇\n⠉⠁\n");
    }
}
