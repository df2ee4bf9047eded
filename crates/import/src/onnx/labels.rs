//! Class names in the properties of an ONNX model.

use embarca_ir::foreign::ForeignMeta;

use crate::error::ReadError;
use crate::limits::Budget;

/// Longer properties that name a task are left alone.
const MOST: usize = 256;

/// Takes over a property that is known: `names` as Ultralytics writes it (`{0: 'cat', 1: 'dog'}`)
/// or as a list, `character` as PaddleX does (a line each), `description`. Others, and what does
/// not read as such, are left alone: they only inform.
pub(super) fn property(
    key: &str,
    value: &str,
    meta: &mut ForeignMeta,
    budget: &mut Budget<'_>,
) -> Result<(), ReadError> {
    let labels = match key {
        "description" if meta.description.is_empty() => {
            meta.description = budget.text(value)?;
            return Ok(());
        }
        "names" | "labels" | "classes" | "class_names" => {
            // Each label takes a text of its own, in a growing list.
            budget.longer_list::<[String; 2]>(0, value.matches(',').count() + 1)?;
            budget.text(value)?;
            quoted(value)
        }
        "character" => {
            budget.longer_list::<String>(0, value.lines().count())?;
            Some(value.lines().map(|line| budget.text(line)).collect::<Result<_, _>>()?)
        }
        "task" | "kpt_shape" | "imgsz" | "stride" if value.len() <= MOST => {
            budget.text(key)?;
            meta.properties.insert(key.to_owned(), budget.text(value)?);
            return Ok(());
        }
        _ => return Ok(()),
    };
    if let Some(labels) = labels.filter(|_| meta.labels.is_empty()) {
        meta.labels = labels;
    }
    Ok(())
}

/// The texts of a list, or of a map from 0, 1, 2 and so on, in the notation of Python or JSON.
fn quoted(value: &str) -> Option<Vec<String>> {
    let value = value.trim();
    let is_map = value.starts_with('{');
    let mut rest = match is_map {
        true => value.strip_prefix('{')?.strip_suffix('}')?,
        false => value.strip_prefix('[')?.strip_suffix(']')?,
    }
    .trim();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        if is_map {
            let (key, after) = rest.split_once(':')?;
            let key = key.trim().trim_matches(['"', '\'']);
            if key.parse() != Ok(labels.len()) {
                return None;
            }
            rest = after.trim_start();
        }
        let (label, after) = text(rest)?;
        labels.push(label);
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(labels)
}

/// A quoted text and what comes after it.
fn text(value: &str) -> Option<(String, &str)> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let body = value.get(1..)?;
    let mut label = String::new();
    let mut chars = body.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => label.push(chars.next()?.1),
            char if char == quote => return Some((label, body.get(at + 1..)?)),
            char => label.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations() {
        let two = Some(vec!["cat".to_owned(), "do'g".to_owned()]);
        assert_eq!(quoted(r#"{0: 'cat', 1: "do'g"}"#), two);
        assert_eq!(quoted(r#"{"0": "cat", "1": "do'g"}"#), two);
        assert_eq!(quoted(r"['cat', 'do\'g',]"), two);
        assert_eq!(quoted("[]"), Some(vec![]));
        for bad in ["", "cat", "{1: 'cat'}", "{0: 'cat' 1: 'dog'}", "['cat", "[cat]", "{", "[']"] {
            assert_eq!(quoted(bad), None, "{bad}");
        }
    }
}
