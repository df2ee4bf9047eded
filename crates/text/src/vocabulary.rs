//! BERT's `vocab.txt`: a piece of a word a line.

use serde_json::{Map, Value, json};

use crate::{Result, TextError};

/// A vocabulary with more pieces than this is refused.
const MOST: usize = 1 << 22;

/// The tokenizer of BERT models over a vocabulary: words split into pieces, the longest first, with
/// `##` before those that go on; `[CLS]` before and `[SEP]` behind. Letters lose case and accents
/// where no piece has a capital letter.
pub fn bert(text: &str) -> Result<Value> {
    let lines: Vec<&str> = text.lines().take(MOST + 1).collect();
    if MOST < lines.len() {
        return Err(TextError::new(format!("a vocabulary of more than {MOST} pieces")));
    }
    let mut pieces = Map::new();
    for (id, line) in lines.iter().enumerate() {
        // Of equal pieces the last counts, as in BERT's own reader.
        pieces.insert(line.trim_end_matches('\r').to_owned(), id.into());
    }
    let id = |piece: &str| {
        let found = pieces.get(piece).and_then(Value::as_u64);
        found.ok_or_else(|| {
            TextError::new(format!("no tokenizer.json, and no vocab.txt: there is no {piece}"))
        })
    };
    let (unknown, first, last) = (id("[UNK]")?, id("[CLS]")?, id("[SEP]")?);
    let special = |piece: &str| piece.starts_with('[') && piece.ends_with(']');
    // Letters that are capital and have no small form say nothing.
    let cased = lines.iter().any(|piece| !special(piece.trim()) && piece.to_lowercase() != **piece);
    let named = [("[PAD]", id("[PAD]").ok()), ("[UNK]", Some(unknown)), ("[CLS]", Some(first))];
    let named = named.into_iter().chain([("[SEP]", Some(last)), ("[MASK]", id("[MASK]").ok())]);
    let mut added: Vec<(u64, &str)> =
        named.filter_map(|(piece, id)| id.map(|id| (id, piece))).collect();
    added.sort_unstable();
    let added: Vec<Value> = added
        .into_iter()
        .map(|(id, piece)| {
            json!({"id": id, "content": piece, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": true, "strip_accents": null, "lowercase": !cased},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", last], "cls": ["[CLS]", first]},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": pieces},
    }))
}
