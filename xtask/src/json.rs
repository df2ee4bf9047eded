//! A small JSON reader, enough for `cargo metadata` and the zoo's manifest.

/// A JSON value. Numbers are kept as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// A string without its escapes.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.error("end of text")) }
    }

    /// The member of an object; `Null` when there is none.
    pub fn get(&self, key: &str) -> &Json {
        let Self::Object(members) = self else { return &Self::Null };
        members.iter().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
    }

    /// The items of an array; none for anything else.
    pub fn list(&self) -> &[Json] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text of a string; empty for anything else.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, wanted: &str) -> String {
        format!("JSON: {wanted} expected at byte {}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Whether the next byte after white space is `byte`; consumes it if so.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error(word));
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if 128 < depth {
            return Err(self.error("less nesting"));
        }
        self.space();
        match self.peek() {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.take(b']') {
                    if !items.is_empty() && !self.take(b',') {
                        return Err(self.error("','"));
                    }
                    items.push(self.value(depth + 1)?);
                }
                Ok(Json::List(items))
            }
            Some(b'{') => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.take(b'}') {
                    if !members.is_empty() && !self.take(b',') {
                        return Err(self.error("','"));
                    }
                    self.space();
                    let key = self.string()?;
                    if !self.take(b':') {
                        return Err(self.error("':'"));
                    }
                    members.push((key, self.value(depth + 1)?));
                }
                Ok(Json::Object(members))
            }
            Some(byte) if byte == b'-' || byte.is_ascii_digit() => {
                let start = self.at;
                let part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
                while self.peek().is_some_and(part) {
                    self.at += 1;
                }
                let number = self.bytes.get(start..self.at).unwrap_or(&[]);
                Ok(Json::Number(String::from_utf8_lossy(number).into_owned()))
            }
            _ => Err(self.error("a value")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take(b'"') {
            return Err(self.error("a string"));
        }
        let mut text = Vec::new();
        loop {
            let byte = self.peek().ok_or_else(|| self.error("'\"'"))?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(text).map_err(|_| self.error("UTF-8")),
                b'\\' => {
                    let escape = self.peek().ok_or_else(|| self.error("an escape"))?;
                    self.at += 1;
                    match escape {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        b'b' => text.push(8),
                        b'f' => text.push(12),
                        b'u' => {
                            let unit = self.unit()?;
                            let mut buffer = [0; 4];
                            let letter =
                                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                            text.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
                        }
                        other => text.push(other),
                    }
                }
                other => text.push(other),
            }
        }
    }

    /// Four hexadecimal digits. Halves of surrogate pairs become replacement characters.
    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.error("4 digits"))?;
        let digits = std::str::from_utf8(digits).map_err(|_| self.error("4 digits"))?;
        let unit = u32::from_str_radix(digits, 16).map_err(|_| self.error("4 digits"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_writes() {
        let json = Json::parse(
            r#" {"packages": [{"name": "a\"\u00e9\n", "dependencies": [], "n": -1.5e3, "x": null}], "ok": true} "#,
        )
        .unwrap();
        let package = &json.get("packages").list()[0];
        assert_eq!(package.get("name").text(), "a\"é\n");
        assert_eq!(package.get("n"), &Json::Number("-1.5e3".into()));
        assert_eq!(package.get("missing"), &Json::Null);
        assert_eq!(json.get("ok"), &Json::Bool(true));
    }

    #[test]
    fn refuses_broken_text() {
        let deep = "[".repeat(1000);
        for text in ["", "{", "[1 2]", "{\"a\" 1}", "nul", "\"\\u12\"", "1 1", deep.as_str()] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
