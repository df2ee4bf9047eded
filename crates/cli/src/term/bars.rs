//! Bars for probabilities.

use super::{Caps, columns_of};

/// Eighths of a block.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar for a fraction between 0 and 1, `width` characters when it is full.
pub fn bar(fraction: f64, width: usize, unicode: bool) -> String {
    let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
    if !unicode {
        return "#".repeat((fraction * width as f64).round() as usize);
    }
    let eighths = (fraction * width as f64 * 8.0).round() as usize;
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or("");
    "█".repeat(eighths / 8) + rest
}

/// Lines `82.1% tabby cat`, with a bar behind each when a person reads them.
pub fn ranking<'a>(entries: impl IntoIterator<Item = (&'a str, f64)>, caps: &Caps) -> String {
    let entries: Vec<_> = entries.into_iter().collect();
    let longest = entries.iter().map(|(label, _)| columns_of(label)).max().unwrap_or(0);
    // Percentage, label, bar, and the blanks between them.
    let room = caps.columns.saturating_sub(7 + longest + 2).min(30);
    let mut out = String::new();
    for (label, fraction) in entries {
        out.push_str(&format!("{:5.1}% {label}", fraction * 100.0));
        let bar = if caps.terminal { bar(fraction, room, caps.unicode) } else { String::new() };
        if !bar.is_empty() {
            out.extend(std::iter::repeat_n(' ', longest - columns_of(label) + 2));
            out.push_str(&bar);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::PLAIN;
    use super::*;

    #[test]
    fn bars() {
        for (fraction, unicode, ascii) in [
            (0.0, "", ""),
            (0.01, "", ""),
            (0.05, "▎", ""),
            (0.5, "██▌", "###"),
            (0.99, "█████", "#####"),
            (1.0, "█████", "#####"),
            (7.0, "█████", "#####"),
            (-1.0, "", ""),
            (f64::NAN, "", ""),
        ] {
            assert_eq!(bar(fraction, 5, true), unicode, "{fraction}");
            assert_eq!(bar(fraction, 5, false), ascii, "{fraction}");
        }
    }

    #[test]
    fn rankings() {
        let entries = [("tabby cat", 0.821), ("小狗", 0.125), ("x", 0.0)];
        assert_eq!(ranking(entries, &PLAIN), " 82.1% tabby cat\n 12.5% 小狗\n  0.0% x\n");
        let caps = Caps { terminal: true, unicode: true, columns: 26, ..PLAIN };
        assert_eq!(
            ranking(entries, &caps),
            " 82.1% tabby cat  ██████▋\n 12.5% 小狗       █\n  0.0% x\n"
        );
        assert_eq!(ranking([], &caps), "");
    }
}
