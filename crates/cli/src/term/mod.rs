//! What fits in a terminal: pictures, bars and tables as text.
//!
//! Every function here is pure: it takes [`Caps`] and returns a `String`.

mod bars;
mod blocks;
mod braille;
mod table;

pub use bars::{bar, ranking};
pub use table::{Align, Table};

use embarca_data::image::Filter;
use embarca_data::{DataLimits, Image};

/// Columns when the terminal does not say.
const DEFAULT_COLUMNS: usize = 80;

/// What the output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// A person looks at it; otherwise a file or another program gets plain lines.
    pub terminal: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
    /// ANSI colours, here only shades of grey.
    pub colour: bool,
    /// Characters in a line.
    pub columns: usize,
}

impl Caps {
    /// Reads what the environment says. `variable` looks one up; `terminal` is whether the output
    /// is one.
    ///
    /// Colour needs a terminal and is off under `NO_COLOR` (<https://no-color.org>) and
    /// `TERM=dumb`. Unicode follows the locale; where there is none (Windows), the terminal.
    pub fn detect(variable: impl Fn(&str) -> Option<String>, terminal: bool) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let unicode = match locale {
            Some(locale) => {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            }
            None => set("WT_SESSION").is_some() || set("TERM_PROGRAM").is_some(),
        };
        let term = set("TERM");
        let colour = terminal && set("NO_COLOR").is_none() && term.as_deref() != Some("dumb");
        let columns = set("COLUMNS").and_then(|columns| columns.parse().ok());
        let columns = columns.filter(|columns| (20..=1000).contains(columns));
        Self { terminal, unicode, colour, columns: columns.unwrap_or(DEFAULT_COLUMNS) }
    }
}

/// A picture as lines of text, bright pixels bright, at most `columns` wide.
///
/// With colour: half blocks in 24 greys. With Unicode: shades, two characters a pixel, while the
/// picture fits, else braille dots. Otherwise ASCII.
pub fn picture(image: &Image, columns: usize, caps: &Caps) -> String {
    let image = image.to_gray();
    let columns = columns.min(caps.columns).max(1);
    if caps.colour && caps.unicode {
        return blocks::half_blocks(&shrunk(&image, columns, columns));
    }
    if caps.unicode && columns < 2 * image.width {
        return braille::dots(&shrunk(&image, 2 * columns, 2 * columns));
    }
    let image = shrunk(&image, columns / 2, columns);
    blocks::shades(&image, if caps.unicode { blocks::SHADES } else { blocks::ASCII })
}

/// The picture with its aspect ratio, not larger than the given sides.
fn shrunk(image: &Image, width: usize, height: usize) -> Image {
    let scale = |to: usize, from: usize| to.max(1) as f64 / from as f64;
    let scale = scale(width, image.width).min(scale(height, image.height));
    if 1.0 <= scale {
        return image.clone();
    }
    let side = |size: usize| ((size as f64 * scale).round() as usize).max(1);
    let (width, height) = (side(image.width), side(image.height));
    // A picture that was read fits the limits, and so does a smaller one.
    let limits = DataLimits { max_pixels: u64::MAX, ..DataLimits::default() };
    image.resize(width, height, Filter::Bilinear, &limits).unwrap_or_else(|_| image.clone())
}

/// How many columns a text takes: East Asian wide characters and emoji take two.
fn columns_of(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3
            | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6
            | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Plain text for tests.
    pub const PLAIN: Caps = Caps { terminal: false, unicode: false, colour: false, columns: 80 };

    fn detect(variables: &[(&str, &str)], terminal: bool) -> Caps {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Caps::detect(find, terminal)
    }

    #[test]
    fn environment() {
        let utf8 = ("LANG", "pt_BR.UTF-8");
        let caps = detect(&[utf8, ("TERM", "xterm"), ("COLUMNS", "120")], true);
        assert_eq!(caps, Caps { terminal: true, unicode: true, colour: true, columns: 120 });
        assert!(!detect(&[utf8], false).colour);
        assert!(!detect(&[utf8, ("NO_COLOR", "1")], true).colour);
        assert!(detect(&[utf8, ("NO_COLOR", "")], true).colour);
        assert!(!detect(&[utf8, ("TERM", "dumb")], true).colour);
        assert!(!detect(&[utf8, ("LC_ALL", "C")], true).unicode);
        assert!(detect(&[("WT_SESSION", "x")], true).unicode);
        assert_eq!(detect(&[("COLUMNS", "0")], true).columns, 80);
        assert_eq!(detect(&[], false), PLAIN);
    }

    #[test]
    fn pictures_choose_what_the_output_can_show() {
        let image = Image::new(2, 2, 1, vec![0, 255, 255, 0]).unwrap();
        assert_eq!(picture(&image, 40, &PLAIN), "  @@\n@@\n");
        let unicode = Caps { unicode: true, ..PLAIN };
        assert_eq!(picture(&image, 40, &unicode), "  ██\n██\n");
        assert_eq!(picture(&image, 2, &unicode), "⠊\n");
        let colour = Caps { colour: true, ..unicode };
        assert!(picture(&image, 40, &colour).contains('▀'));
        let wide = Image::new(200, 100, 3, vec![255; 60_000]).unwrap();
        for caps in [PLAIN, unicode] {
            let text = picture(&wide, 30, &caps);
            assert!(text.lines().all(|line| columns_of(line) == 30), "{text}");
        }
    }

    #[test]
    fn widths() {
        for (text, columns) in [("abc", 3), ("é", 1), ("小馆", 4), ("🐱", 2), ("", 0)] {
            assert_eq!(columns_of(text), columns, "{text}");
        }
    }
}
