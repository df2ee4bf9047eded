//! Grey pictures from block characters.

use std::fmt::Write;

use embarca_data::Image;

/// From dark to bright.
pub const SHADES: &[char] = &[' ', '░', '▒', '▓', '█'];

/// The same without Unicode.
pub const ASCII: &[char] = &[' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// One character twice per pixel of a grey image, as characters are about twice as high as wide.
pub fn shades(image: &Image, ramp: &[char]) -> String {
    let mut out = String::new();
    for row in image.pixels.chunks_exact(image.width) {
        let mut line = String::new();
        for &pixel in row {
            let shade = level(pixel, ramp.len());
            let shade = ramp.get(shade).copied().unwrap_or(' ');
            line.extend([shade, shade]);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Two pixels of a grey image per character: the upper half in the foreground colour, the lower
/// in the background, in the 24 greys of the 256-colour palette.
pub fn half_blocks(image: &Image) -> String {
    // Entries 232 to 255 go from nearly black to nearly white.
    let grey = |pixel: u8| 232 + level(pixel, 24);
    let mut out = String::new();
    let mut rows = image.pixels.chunks_exact(image.width);
    while let Some(upper) = rows.next() {
        let lower = rows.next();
        let mut current = None;
        for (x, &top) in upper.iter().enumerate() {
            let bottom = lower.and_then(|row| row.get(x)).map(|&pixel| grey(pixel));
            let colours = (grey(top), bottom);
            if current != Some(colours) {
                current = Some(colours);
                // Writing to a string cannot fail.
                let _ = match bottom {
                    Some(bottom) => write!(out, "\x1b[38;5;{};48;5;{bottom}m", colours.0),
                    None => write!(out, "\x1b[0;38;5;{}m", colours.0),
                };
            }
            out.push('▀');
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// Which of `levels` equal steps a pixel is nearest to.
fn level(pixel: u8, levels: usize) -> usize {
    (usize::from(pixel) * (levels - 1) + 127) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps() {
        let image = Image::new(5, 2, 1, vec![0, 64, 128, 191, 255, 255, 0, 0, 0, 0]).unwrap();
        assert_eq!(shades(&image, SHADES), "  ░░▒▒▓▓██\n██\n");
        assert_eq!(shades(&image, ASCII), "  ::++##@@\n@@\n");
    }

    #[test]
    fn halves() {
        let image = Image::new(2, 3, 1, vec![0, 0, 255, 255, 255, 0]).unwrap();
        assert_eq!(
            half_blocks(&image),
            "\x1b[38;5;232;48;5;255m▀▀\x1b[0m\n\x1b[0;38;5;255m▀\x1b[0;38;5;232m▀\x1b[0m\n"
        );
    }
}
