//! Label files: what each output of a classifier is called.

use crate::{DataError, DataLimits, Result};

/// Most labels of one net: a line takes more memory than its byte in the file.
const MAX_LABELS: usize = 1 << 22;

/// Reads one label per line, in the order of the classes.
///
/// A byte order mark, CRLF line ends and blank lines at the end are accepted; a blank line
/// elsewhere is an empty label, as it has a number. When *every* line starts with its own number,
/// from zero or from one place up, in any of the forms `3 cat`, `3: cat`, `3, cat` or `3<tab>cat`,
/// the numbers are taken off and give the order; unnamed classes between them become `?`.
///
/// # Errors
/// Text that is not UTF-8, no label at all, or more than the limits; a number that stands twice
/// leaves the lines as they are.
pub fn read(bytes: &[u8], limits: &DataLimits) -> Result<Vec<String>> {
    limits.bytes(bytes.len() as u64)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|&&b| b == b'\n').count() + 1;
        DataError::malformed("the label is not UTF-8 text").at(format_args!("line {line}"))
    })?;
    let text = text.trim_end_matches(['\n', '\r']);
    let count = text.lines().take(MAX_LABELS + 1).count();
    if MAX_LABELS < count {
        return Err(DataError::malformed(format!("more than {MAX_LABELS} labels")));
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return Err(DataError::malformed("no labels"));
    }
    limits.elements(lines.len() as u64)?;
    Ok(numbered(&lines).unwrap_or_else(|| lines.into_iter().map(str::to_owned).collect()))
}

/// Labels in the order of the numbers before them; `None` when the lines are not numbered.
fn numbered(lines: &[&str]) -> Option<Vec<String>> {
    let entries = lines.iter().map(|line| split_number(line)).collect::<Option<Vec<_>>>()?;
    // Sparse numbering is legitimate (COCO leaves out 12 of 91), a year or a street is not.
    let most = entries.iter().map(|&(number, _)| number).max()?;
    let first = entries.iter().map(|&(number, _)| number).min()?;
    if 1 < first || 2 * lines.len() < most {
        return None;
    }
    let mut labels = vec![None; most + 1];
    for (number, label) in entries {
        let slot = labels.get_mut(number)?;
        if slot.replace(label).is_some() {
            return None;
        }
    }
    Some(labels.into_iter().map(|label| label.unwrap_or("?").to_owned()).collect())
}

fn split_number(line: &str) -> Option<(usize, &str)> {
    let end = line.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = line.split_at_checked(end)?;
    let label = match rest.strip_prefix([':', ',']) {
        Some(label) => label.trim(),
        None if rest.starts_with([' ', '\t']) => rest.trim(),
        None => return None,
    };
    if label.is_empty() {
        return None;
    }
    Some((digits.parse().ok()?, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        read(text.as_bytes(), &DataLimits::default()).unwrap()
    }

    #[test]
    fn forms() {
        for (text, expected) in [
            ("cat\ndog\n", &["cat", "dog"][..]),
            ("\u{feff}cat\r\ndog\r\n\r\n\n", &["cat", "dog"]),
            ("cat\n\ndog", &["cat", "", "dog"]),
            // A character dictionary: a blank is a label.
            ("a\n \n\u{3000}\n", &["a", " ", "\u{3000}"]),
            ("0 cat\n1 big dog\n", &["cat", "big dog"]),
            ("0: cat\n1:dog\n", &["cat", "dog"]),
            ("0, cat\n1,dog\n", &["cat", "dog"]),
            ("1\tdog\n0\tcat\n", &["cat", "dog"]),
            ("0  person\n2  car\n", &["person", "?", "car"]),
            ("1 cat\n2 dog\n", &["?", "cat", "dog"]),
            // Numbers that are the labels themselves.
            ("0\n90\n180\n", &["0", "90", "180"]),
            ("3gp\n7z\n", &["3gp", "7z"]),
            ("0 a\n0 b\n", &["0 a", "0 b"]),
            ("30 km/h\n50 km/h\n", &["30 km/h", "50 km/h"]),
            ("0 cat\ndog\n", &["0 cat", "dog"]),
        ] {
            assert_eq!(labels(text), expected, "{text:?}");
        }
    }

    #[test]
    fn refusals() {
        let read = |bytes: &[u8]| read(bytes, &DataLimits::default()).unwrap_err().to_string();
        assert_eq!(read(b"\n\r\n"), "no labels");
        assert_eq!(read("a\n".repeat(1 << 23).as_bytes()), "more than 4194304 labels");
        assert_eq!(read(b"ok\n\xff\n"), "line 2: the label is not UTF-8 text");
    }
}
