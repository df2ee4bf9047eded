//! What a tokenizer from outside may ask for: nothing that makes a short text long, or a long word
//! slow.

use serde_json::Value;

use crate::{Result, TextError};

/// How many times longer normalization may make a text. SentencePiece's tables reach 33.
const MOST_GROWTH: u64 = 128;

/// Steps of normalization and splitting, and pieces of a template.
const MOST_STEPS: usize = 64;

/// The longest word that is looked up piece by piece.
const MOST_WORD: u64 = 1000;

/// Characters of SentencePiece's table in base64; that of XLM-R has 317 thousand.
const MOST_TABLE: usize = 4 << 20;

/// Refuses what takes time or memory out of proportion.
pub fn check(root: &Value) -> Result<()> {
    let mut budget = Budget { growth: 1, steps: 0 };
    for key in ["normalizer", "pre_tokenizer"] {
        budget.step(root.get(key).unwrap_or(&Value::Null))?;
    }
    let mut budget = Budget { growth: 1, steps: 0 };
    budget.step(root.get("post_processor").unwrap_or(&Value::Null))?;
    let model = root.get("model").unwrap_or(&Value::Null);
    if model.get("max_input_chars_per_word").and_then(Value::as_u64).is_some_and(|n| MOST_WORD < n)
    {
        return Err(TextError::new(format!("words of more than {MOST_WORD} letters in pieces")));
    }
    if model.get("dropout").and_then(Value::as_f64).is_some_and(|share| share != 0.0) {
        return Err(TextError::new("dropout: the same text would give other tokens each time"));
    }
    Ok(())
}

struct Budget {
    growth: u64,
    steps: usize,
}

impl Budget {
    fn grow(&mut self, by: usize) -> Result<()> {
        self.growth = self.growth.saturating_mul(by.max(1) as u64);
        if MOST_GROWTH < self.growth {
            return Err(TextError::new(format!("texts would grow more than {MOST_GROWTH} times")));
        }
        Ok(())
    }

    fn step(&mut self, value: &Value) -> Result<()> {
        self.steps += 1;
        if MOST_STEPS < self.steps {
            return Err(TextError::new(format!("more than {MOST_STEPS} steps")));
        }
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        match text("type") {
            Some("Replace") => {
                let content = text("content").unwrap_or_default().len();
                let pattern = value.get("pattern").and_then(|pattern| pattern.get("String"));
                match pattern.and_then(Value::as_str).map_or(0, str::len) {
                    // A regular expression may match nothing, between any two letters.
                    0 => self.grow(content + 1)?,
                    length => self.grow(content.div_ceil(length))?,
                }
            }
            // A byte becomes a letter of up to two bytes.
            Some("ByteLevel") => self.grow(2)?,
            Some("Precompiled") => self.grow(longest(text("precompiled_charsmap"))?)?,
            Some("TemplateProcessing") => self.template(value)?,
            _ => {}
        }
        for key in ["normalizers", "pretokenizers", "processors"] {
            for part in value.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.step(part)?;
            }
        }
        Ok(())
    }

    /// A template repeats the text as often as it names it.
    fn template(&mut self, value: &Value) -> Result<()> {
        for key in ["single", "pair"] {
            let pieces = value.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            if MOST_STEPS < pieces.len() {
                return Err(TextError::new(format!("a template of more than {MOST_STEPS} pieces")));
            }
        }
        let single = value.get("single").and_then(Value::as_array).into_iter().flatten();
        self.grow(single.filter(|piece| piece.get("Sequence").is_some()).count())?;
        let special = value.get("special_tokens").and_then(Value::as_object);
        for ids in special.into_iter().flatten().filter_map(|(_, token)| token.get("ids")) {
            if ids.as_array().is_some_and(|ids| MOST_STEPS < ids.len()) {
                let what = format!("a special token of more than {MOST_STEPS} numbers");
                return Err(TextError::new(what));
            }
        }
        Ok(())
    }
}

/// The longest text that a table of SentencePiece puts in the place of a letter, in bytes.
fn longest(table: Option<&str>) -> Result<usize> {
    let table = table.unwrap_or_default();
    if MOST_TABLE < table.len() {
        return Err(TextError::new(format!("a table of more than {MOST_TABLE} letters")));
    }
    let bytes = base64(table).ok_or_else(|| TextError::new("a table that is no base64"))?;
    // The size of a search tree, the tree, then texts that end in 0.
    let size = bytes.first_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let texts = bytes.get(size.saturating_add(4)..).unwrap_or_default();
    Ok(texts.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or(0))
}

/// The bytes behind base64 (RFC 4648, section 4).
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0u32, 0);
    for letter in text {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if 8 <= count {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_measured() {
        assert_eq!(base64("aGVsbG8=").unwrap(), b"hello");
        assert_eq!(base64("a b"), None);
        // A tree of no bytes, then "ab" and "c".
        assert_eq!(longest(Some("AAAAAGFiAGMA")).unwrap(), 2);
    }

    #[test]
    fn templates_may_repeat_little() {
        let piece = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
        let template = |count: usize| {
            let single = vec![piece.clone(); count];
            serde_json::json!({"post_processor": {"type": "TemplateProcessing", "single": single}})
        };
        assert!(check(&template(2)).is_ok());
        assert!(check(&template(65)).is_err());
    }
}
