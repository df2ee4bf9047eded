//! From text to tokens: a tokenizer as its author stored it, read within bounds.
//!
//! [`Tokenizer::read`] takes the `tokenizer.json` of the Hugging Face libraries or BERT's
//! `vocab.txt`. What it keeps is one text, [`Tokenizer::json`], which a plan can carry.
//! [`folder`] reads what else lies beside such models.

mod bounds;
pub mod folder;
mod vocabulary;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tokenizers::{TruncationParams, TruncationStrategy};

/// Tokenizers larger than this are refused, in bytes. The largest in use have about 20 MB.
const MOST_BYTES: usize = 64 << 20;

/// What lies behind this many bytes of a text is left out: it is beyond the last token that a model
/// takes.
const MOST_TEXT: usize = 256 << 10;

/// Why a tokenizer or a text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError(String);

impl TextError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TextError {}

/// A result of this crate.
pub type Result<T, E = TextError> = std::result::Result<T, E>;

/// A text as a model takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The numbers of the tokens.
    pub ids: Vec<i32>,
    /// 0 for each token of the first text, 1 for the second.
    pub types: Vec<i32>,
    /// Whether a part of the text was left out.
    pub cut: bool,
}

/// A tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    json: String,
    /// The most tokens that its author takes.
    length: Option<usize>,
    pad: i32,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or the `vocab.txt` of a BERT model.
    ///
    /// # Errors
    /// When it is neither, or asks for what would take time or memory without bounds.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if MOST_BYTES < bytes.len() {
            let most = MOST_BYTES >> 20;
            return Err(TextError::new(format!("a tokenizer of more than {most} MiB")));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes)
            .map_err(|_| TextError::new("a tokenizer is text; this is no UTF-8"))?;
        if !text.trim_start().starts_with('{') {
            return Self::of(vocabulary::bert(text)?);
        }
        let broken = |error| TextError::new(format!("no tokenizer.json: {error}"));
        Self::of(serde_json::from_str(text).map_err(broken)?)
    }

    /// Takes out what concerns batches, and checks the rest.
    fn of(mut value: Value) -> Result<Self> {
        let number = |value: &Value, table: &str, key: &str| value.get(table)?.get(key)?.as_u64();
        let length = number(&value, "truncation", "max_length");
        let pad = number(&value, "padding", "pad_id").and_then(|pad| i32::try_from(pad).ok());
        let Value::Object(map) = &mut value else {
            return Err(TextError::new("a tokenizer.json is an object"));
        };
        for key in ["truncation", "padding", "decoder"] {
            map.insert(key.to_owned(), Value::Null);
        }
        bounds::check(&value)?;
        let json = value.to_string();
        let read = || tokenizers::Tokenizer::from_bytes(json.as_bytes());
        let inner = guarded(read)?.map_err(|error| TextError::new(error.to_string()))?;
        let named = || inner.token_to_id("[PAD]").or_else(|| inner.token_to_id("<pad>"));
        let pad = pad.or_else(|| named().and_then(|pad| i32::try_from(pad).ok())).unwrap_or(0);
        let length = length.and_then(|length| usize::try_from(length).ok()).filter(|&n| 0 < n);
        Ok(Self { inner, json, length, pad })
    }

    /// The tokenizer as text that [`Tokenizer::read`] takes: the same for the same tokenizer.
    /// The most tokens stand in it as its author stated them.
    pub fn json(&self) -> String {
        let Some(length) = self.length else { return self.json.clone() };
        let truncation = format!(
            "\"truncation\":{{\"direction\":\"Right\",\"max_length\":{length},\"strategy\":\
             \"LongestFirst\",\"stride\":0}}"
        );
        self.json.replacen("\"truncation\":null", &truncation, 1)
    }

    /// The most tokens of a text, where the tokenizer says.
    pub fn length(&self) -> Option<usize> {
        self.length
    }

    /// The token that fills up a text.
    pub fn pad(&self) -> i32 {
        self.pad
    }

    /// The same tokenizer, which yields at most `most` tokens of a text, those that mark its ends
    /// included.
    ///
    /// # Errors
    /// When there is no room for those.
    pub fn limited(mut self, most: usize) -> Result<Self> {
        let limit = TruncationParams {
            max_length: most,
            strategy: TruncationStrategy::LongestFirst,
            ..TruncationParams::default()
        };
        let few = |_| TextError::new(format!("{most} tokens are too few for a text"));
        guarded(|| self.inner.with_truncation(Some(limit)).map(|_| ()))?.map_err(few)?;
        Ok(self)
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// When the tokenizer fails, or yields nothing.
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        let end = text.floor_char_boundary(MOST_TEXT);
        let start = text.get(..end).unwrap_or(text);
        let fail = |error: tokenizers::Error| TextError::new(format!("tokenizer: {error}"));
        let encode = || self.inner.encode(start, true);
        let encoding = guarded(encode)?.map_err(fail)?;
        let whole = |values: &[u32]| values.iter().map(|&id| i32::try_from(id)).collect();
        let large = |_| TextError::new("tokenizer: a token beyond 2147483647");
        let ids: Vec<i32> = Result::map_err(whole(encoding.get_ids()), large)?;
        let types: Vec<i32> = Result::map_err(whole(encoding.get_type_ids()), large)?;
        if ids.is_empty() {
            return Err(TextError::new("the text has no tokens"));
        }
        let cut = end < text.len() || !encoding.get_overflowing().is_empty();
        Ok(Tokens { ids, types, cut })
    }
}

/// Runs what takes data from outside; its panics become errors.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|_| TextError::new("the tokenizer's data contradict each other"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n##s\n.\nnu\n";

    #[test]
    fn words_become_pieces() {
        let bert = Tokenizer::read(VOCAB.as_bytes()).unwrap();
        let ids = |text: &str, most| bert.clone().limited(most).unwrap().encode(text).unwrap();
        assert_eq!(ids("The cats sat.", 64).ids, [2, 5, 6, 8, 7, 9, 3]);
        assert_eq!(ids("Nü dog", 64).ids, [2, 10, 1, 3]);
        assert_eq!(ids("", 64).ids, [2, 3]);
        let short = ids("the cat sat.", 4);
        assert_eq!((short.ids, short.types, short.cut), (vec![2, 5, 6, 3], vec![0; 4], true));
        assert_eq!((bert.pad(), bert.length()), (0, None));
        // A capital letter that has no small one says nothing about cases.
        let double = Tokenizer::read(format!("{VOCAB}\u{211d}\n").as_bytes()).unwrap();
        assert_eq!(double.encode("The").unwrap().ids, [2, 5, 3]);
        assert!(bert.limited(1).is_err());
    }

    #[test]
    fn what_a_plan_carries_reads_back() {
        let bert = Tokenizer::read(VOCAB.as_bytes()).unwrap();
        let json = bert.json().replacen(
            "\"truncation\":null",
            "\"truncation\":{\"max_length\":7,\"stride\":0,\"strategy\":\"LongestFirst\",\"direction\":\"Right\"}",
            1,
        );
        let limited = Tokenizer::read(json.as_bytes()).unwrap();
        assert_eq!(limited.length(), Some(7));
        let again = Tokenizer::read(limited.json().as_bytes()).unwrap();
        assert_eq!((again.json(), again.length()), (limited.json(), Some(7)));
        let (a, b) = (bert.encode("the cat"), again.encode("the cat"));
        assert_eq!(a.unwrap(), b.unwrap());
    }

    #[test]
    fn letters_keep_their_case_where_the_vocabulary_has_cases() {
        let cased = Tokenizer::read(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nThe\nthe\n").unwrap();
        assert_eq!(cased.encode("The the").unwrap().ids, [2, 4, 5, 3]);
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let bert = Tokenizer::read(VOCAB.as_bytes()).unwrap().json();
        let with = |key: &str, value: &str| {
            let mut root: Value = serde_json::from_str(&bert).unwrap();
            root[key] = serde_json::from_str(value).unwrap();
            root.to_string()
        };
        let replace = r#"{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaa"}"#;
        let many = |part: &str| {
            format!(r#"{{"type":"Sequence","normalizers":[{}]}}"#, [part; 9].join(","))
        };
        let deep = format!("{}{}", "{\"a\":".repeat(300), "1");
        for (text, part) in [
            ("\u{0}", "[UNK]"),
            ("one\ntwo\n", "[UNK]"),
            ("{}", "model"),
            ("{\"model\":", "no tokenizer.json"),
            (deep.as_str(), "recursion limit"),
            (&with("normalizer", &many(replace)), "grow"),
            (&with("normalizer", &many(r#"{"type":"ByteLevel"}"#)), "grow"),
            (&with("normalizer", r#"{"type":"Precompiled","precompiled_charsmap":"!"}"#), "base64"),
            (&with("normalizer", r#"{"type":"Magic"}"#), "normalizer"),
        ] {
            let error = Tokenizer::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.to_lowercase().contains(&part.to_lowercase()), "{text:.60}: {error}");
        }
        assert!(Tokenizer::read(b"\xff\xfe").is_err());
    }

    #[test]
    fn damaged_tokenizers_end_in_an_error_or_work() {
        let json = Tokenizer::read(VOCAB.as_bytes()).unwrap().json();
        for end in (0..json.len()).step_by(7) {
            assert!(Tokenizer::read(&json.as_bytes()[..end]).is_err(), "{end}");
        }
        for at in (0..json.len()).step_by(3) {
            let mut bytes = json.clone().into_bytes();
            bytes[at] ^= 0x15;
            if let Ok(tokenizer) = Tokenizer::read(&bytes) {
                let _ = tokenizer.encode("the cats sat on the mat");
            }
        }
    }
}
