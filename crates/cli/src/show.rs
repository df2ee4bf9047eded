//! Numbers and tables for people.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};

use crate::failure::Result;
use crate::term::Caps;

/// Prints lines to standard output. A reader that has gone away (`| head`) ends the command quietly.
pub fn print(text: &str) -> Result {
    let text = harmless(text);
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Prints a remark to standard error, where it does not disturb what a program reads.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", harmless(text));
}

/// `text` with `?` for what would steer the terminal: names in files may hold anything. Line ends,
/// tabs and colours stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(steers) {
        let (before, behind) = rest.split_at(at);
        safe.push_str(before);
        let own = colour(behind);
        safe.push_str(if own == 0 { "?" } else { &behind[..own] });
        let width = behind.chars().next().map_or(0, char::len_utf8);
        rest = &behind[own.max(width)..];
    }
    safe.push_str(rest);
    safe.into()
}

/// Control characters, and marks that turn the direction of text.
fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// Bytes of the colour that `text` begins with, `ESC [ 1 ; 31 m`; 0 where there is none.
fn colour(text: &str) -> usize {
    let Some(codes) = text.strip_prefix("\u{1b}[") else { return 0 };
    let len = codes.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if codes.as_bytes().get(len) == Some(&b'm') { len + 3 } else { 0 }
}

/// `1.3 MB`: powers of 1000, three digits.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// `1.3 M`: powers of 1000, three digits.
pub fn count(count: u64) -> String {
    scaled(count as f64, &["", "k", "M", "G", "T"]).trim_end().to_owned()
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while 999.5 <= value && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("");
    if unit == 0 { format!("{value} {name}") } else { format!("{} {name}", digits(value)) }
}

/// `1 row`, `3 rows`.
pub fn number(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

/// Milliseconds with three digits.
pub fn ms(value: f64) -> String {
    format!("{} ms", digits(value))
}

/// Three significant digits, without an exponent where one can be avoided.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.2e}")
    } else {
        // The exponent of the rounded value: 0.9996 has one digit before the point.
        let rounded = format!("{size:.2e}");
        let exponent = rounded.rsplit('e').next().and_then(|digits| digits.parse::<i32>().ok());
        format!("{value:.*}", usize::try_from(2 - exponent.unwrap_or(0)).unwrap_or(0))
    }
}

/// `1x3x224x224`, or `scalar`.
pub fn dims(dims: &[usize]) -> String {
    if dims.is_empty() {
        return "scalar".into();
    }
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// The name of a layer for a table: of several joined names (TFLite joins those of fused layers by
/// semicolons) the first, of a long one the end.
pub fn layer(name: &str) -> String {
    const MOST: usize = 40;
    let name = name.split(';').next().unwrap_or_default();
    let cut = name.chars().count().saturating_sub(MOST);
    match cut {
        0 => name.to_owned(),
        _ => format!("..{}", name.chars().skip(cut + 2).collect::<String>()),
    }
}

/// What standard output can show.
pub fn caps() -> Caps {
    Caps::detect(|name| std::env::var(name).ok(), std::io::stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_short_names() {
        assert_eq!(layer("model/relu;model/conv"), "model/relu");
        assert_eq!(layer(&"ab".repeat(40)), format!("..{}", "ab".repeat(19)));
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        for (name, shown) in [
            ("plain\n\t\u{e4}", "plain\n\t\u{e4}"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("a\u{1b}[2Jb", "a?[2Jb"),
            ("\u{1b}]0;title\u{7}", "?]0;title?"),
            ("\u{9b}2J\r\u{202e}x\u{1b}", "?2J??x?"),
        ] {
            assert_eq!(harmless(name), shown);
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (1_234_567, "1.23 MB"),
            (999_600, "1.00 MB"),
        ] {
            assert_eq!(bytes(value), text);
        }
        assert_eq!((number(1, "row"), number(2, "row")), ("1 row".into(), "2 rows".into()));
        assert_eq!((count(12), count(3_210_000)), ("12".into(), "3.21 M".into()));
        for (value, text) in
            [(0.0123, "0.0123"), (12.34, "12.3"), (1234.5, "1234"), (1e-7, "1.00e-7")]
        {
            assert_eq!(digits(value), text);
        }
    }
}
