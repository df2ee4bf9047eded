//! What files beside a text model say: `config.json` names the classes, `1_Pooling/config.json` how
//! vectors of tokens become one.

use serde_json::Value;

/// Such a file is refused beyond this many bytes.
const MOST_BYTES: usize = 1 << 24;

/// More classes than this are refused.
const MOST_CLASSES: usize = 1 << 20;

fn object(bytes: &[u8]) -> Option<Value> {
    if MOST_BYTES < bytes.len() {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// The names of classes in a `config.json`, by its `id2label`; `None` where it has none for each.
pub fn labels(config: &[u8]) -> Option<Vec<String>> {
    let root = object(config)?;
    let names = root.get("id2label")?.as_object()?;
    if names.is_empty() || MOST_CLASSES < names.len() {
        return None;
    }
    let name = |id: usize| names.get(&id.to_string())?.as_str().map(str::to_owned);
    (0..names.len()).map(name).collect()
}

/// How vectors of tokens become one, by a sentence model's `1_Pooling/config.json`: `mean`, `cls` or
/// `max`; `None` where it says another way or none.
pub fn pooling(config: &[u8]) -> Option<&'static str> {
    let root = object(config)?;
    let on = |key: &str| root.get(key).and_then(Value::as_bool) == Some(true);
    let ways = [
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
    ];
    let mut chosen = ways.into_iter().filter(|(key, _)| on(key)).map(|(_, way)| way);
    let way = chosen.next()?;
    chosen.next().is_none().then_some(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_pooling_are_read() {
        let config = br#"{"id2label": {"1": "spam", "0": "ham"}, "label2id": {}}"#;
        assert_eq!(labels(config).unwrap(), ["ham", "spam"]);
        for none in [&b"{}"[..], b"[", br#"{"id2label": {"0": "a", "2": "b"}}"#] {
            assert_eq!(labels(none), None);
        }
        let cls = br#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
        assert_eq!(pooling(cls), Some("cls"));
        let both = br#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#;
        assert_eq!(pooling(both), None);
    }
}
