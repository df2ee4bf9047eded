//! The text form of Protocol Buffers, read into a tree without knowing its schema.
//!
//! A scalar stays a token until somebody asks for a number, so that a reader with a schema decides
//! what `0` means. The grammar is that of Protobuf's own `TextFormat` parser.

use std::borrow::Cow;
use std::fmt;

/// A place in a text, both counted from 1; the column counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The byte within the line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not in Protobuf's text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where reading stopped.
    pub at: Position,
    /// What was found or missed there.
    pub what: String,
    /// Whether the text merely asks for more than [`TextLimits`] grants.
    pub is_limit: bool,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

impl std::error::Error for SyntaxError {}

/// How much a text may ask for.
#[derive(Clone, Copy, Debug)]
pub struct TextLimits {
    /// Blocks inside blocks.
    pub nesting: usize,
    /// Fields in total, each value of a list counted.
    pub fields: usize,
}

impl Default for TextLimits {
    /// Protobuf's own nesting limit, and more fields than the largest published nets have.
    fn default() -> Self {
        Self { nesting: 100, fields: 1 << 17 }
    }
}

/// A message: its fields in the order of the text. A list is one field per element.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Block<'a> {
    /// In the order of the text; names may repeat.
    pub fields: Vec<Field<'a>>,
}

/// One field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// An identifier; for an extension, what its brackets hold.
    pub name: &'a str,
    /// Where the name begins.
    pub at: Position,
    /// What the field holds.
    pub value: Value<'a>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `{ ... }` or `< ... >`
    Block(Block<'a>),
    /// Quoted, unescaped and joined; bytes that are not UTF-8 became U+FFFD.
    Text(Cow<'a, str>),
    /// A number, `true`, `false` or the name of an enumerator, as written.
    Scalar(Cow<'a, str>),
}

/// Reads a whole text.
///
/// # Errors
/// Names the place of the first violation of the grammar or of `limits`.
pub fn parse<'a>(text: &'a [u8], limits: &TextLimits) -> Result<Block<'a>, SyntaxError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut parser = Parser { text, offset: 0, line: 1, line_start: 0, fields_left: limits.fields };
    parser.block(None, limits.nesting)
}

/// A decimal, octal (`017`) or hexadecimal (`0x1F`) integer with an optional sign.
pub fn integer(token: &str) -> Option<i64> {
    let (negative, digits) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let magnitude = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i128::from(u64::from_str_radix(hex, 16).ok()?)
    } else if 1 < digits.len() && digits.starts_with('0') {
        i128::from(u64::from_str_radix(digits, 8).ok()?)
    } else {
        i128::from(digits.parse::<u64>().ok()?)
    };
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// A real number: an integer, a decimal fraction with an optional `f`, `inf`, `infinity` or `nan`.
pub fn real(token: &str) -> Option<f64> {
    let (negative, digits) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    let lower = digits.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "inff" | "infinity" | "infinityf" => f64::INFINITY,
        "nan" | "nanf" => f64::NAN,
        _ if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return None,
        _ => match lower.strip_suffix('f').unwrap_or(&lower).parse::<f64>() {
            Ok(number) => number,
            Err(_) => integer(digits)? as f64,
        },
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `true`, `True`, `t` or `1`, and their opposites.
pub fn boolean(token: &str) -> Option<bool> {
    match token {
        "true" | "True" | "t" | "1" => Some(true),
        "false" | "False" | "f" | "0" => Some(false),
        _ => None,
    }
}

struct Parser<'a> {
    text: &'a [u8],
    offset: usize,
    line: u32,
    /// Offset of the first byte of the line.
    line_start: usize,
    fields_left: usize,
}

impl<'a> Parser<'a> {
    fn at(&self) -> Position {
        let column = self.offset.saturating_sub(self.line_start).saturating_add(1);
        Position { line: self.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    fn error<T>(&self, what: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at(), what: what.into(), is_limit: false })
    }

    fn over_limit<T>(&self, what: &str) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at(), what: what.into(), is_limit: true })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.offset).copied()
    }

    fn bump(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line = self.line.saturating_add(1);
            self.line_start = self.offset + 1;
        }
        self.offset += 1;
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.bump();
                    }
                }
                b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => self.bump(),
                _ => break,
            }
        }
    }

    /// Consumes `byte` if it comes next after blanks.
    fn accept(&mut self, byte: u8) -> bool {
        self.skip_blank();
        let found = self.peek() == Some(byte);
        if found {
            self.bump();
        }
        found
    }

    /// What comes next, for an error.
    fn found(&self) -> String {
        match self.peek() {
            None => "the end of the text".into(),
            Some(byte) if byte.is_ascii_graphic() => format!("`{}`", char::from(byte)),
            Some(byte) => format!("byte 0x{byte:02x}"),
        }
    }

    fn take_while(&mut self, mut keep: impl FnMut(u8) -> bool) -> &'a str {
        let start = self.offset;
        while self.peek().is_some_and(&mut keep) {
            self.bump();
        }
        // Callers keep ASCII bytes only.
        std::str::from_utf8(self.text.get(start..self.offset).unwrap_or_default())
            .unwrap_or_default()
    }

    /// Fields up to `close`, or to the end of the text.
    fn block(&mut self, close: Option<u8>, nesting: usize) -> Result<Block<'a>, SyntaxError> {
        let mut block = Block::default();
        loop {
            self.skip_blank();
            match (self.peek(), close) {
                (None, None) => break,
                (None, Some(close)) => {
                    return self.error(format!("`{}` is missing", char::from(close)));
                }
                (byte, Some(_)) if byte == close => {
                    self.bump();
                    break;
                }
                _ => self.field(&mut block, nesting)?,
            }
        }
        block.fields.shrink_to_fit();
        Ok(block)
    }

    fn field(&mut self, block: &mut Block<'a>, nesting: usize) -> Result<(), SyntaxError> {
        let at = self.at();
        let name = if self.accept(b'[') {
            self.skip_blank();
            let name = self.take_while(|b| is_word(b) || b == b'.' || b == b'/');
            if name.is_empty() || !self.accept(b']') {
                return self.error("an extension is written `[its.name]`");
            }
            name
        } else {
            self.take_while(is_word)
        };
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let found = if name.is_empty() { self.found() } else { format!("`{name}`") };
            let what = format!("a field name is due, not {found}");
            return Err(SyntaxError { at, what, is_limit: false });
        }
        let colon = self.accept(b':');
        self.skip_blank();
        if self.peek() == Some(b'[') {
            self.bump();
            let mut first = true;
            while !self.accept(b']') {
                if !first && !self.accept(b',') {
                    let found = self.found();
                    return self.error(format!("a list needs `,` or `]`, not {found}"));
                }
                first = false;
                let value = self.value(nesting)?;
                self.push(block, name, at, value)?;
            }
        } else {
            if !colon && !matches!(self.peek(), Some(b'{' | b'<')) {
                let found = self.found();
                return self.error(format!("`{name}` needs `:` or `{{`, not {found}"));
            }
            let value = self.value(nesting)?;
            self.push(block, name, at, value)?;
        }
        if !self.accept(b';') {
            self.accept(b',');
        }
        Ok(())
    }

    fn push(
        &mut self,
        block: &mut Block<'a>,
        name: &'a str,
        at: Position,
        value: Value<'a>,
    ) -> Result<(), SyntaxError> {
        match self.fields_left.checked_sub(1) {
            Some(left) => self.fields_left = left,
            None => return self.over_limit("more fields than a net may have"),
        }
        block.fields.push(Field { name, at, value });
        Ok(())
    }

    fn value(&mut self, nesting: usize) -> Result<Value<'a>, SyntaxError> {
        self.skip_blank();
        match self.peek() {
            Some(open @ (b'{' | b'<')) => {
                let Some(nesting) = nesting.checked_sub(1) else {
                    return self.over_limit("blocks are nested too deeply");
                };
                self.bump();
                let close = if open == b'{' { b'}' } else { b'>' };
                Ok(Value::Block(self.block(Some(close), nesting)?))
            }
            Some(b'"' | b'\'') => self.text().map(Value::Text),
            Some(b'-') => {
                self.bump();
                self.skip_blank();
                let token = self.scalar()?;
                Ok(Value::Scalar(Cow::Owned(format!("-{token}"))))
            }
            _ => Ok(Value::Scalar(Cow::Borrowed(self.scalar()?))),
        }
    }

    /// An identifier or an unsigned number.
    fn scalar(&mut self) -> Result<&'a str, SyntaxError> {
        let is_number = self.peek().is_some_and(|b| b.is_ascii_digit() || b == b'.');
        let mut exponent = false;
        let token = self.take_while(|b| {
            let keep =
                is_word(b) || is_number && (b == b'.' || exponent && matches!(b, b'+' | b'-'));
            exponent = is_number && matches!(b, b'e' | b'E');
            keep
        });
        if token.is_empty() {
            let found = self.found();
            return self.error(format!("a value is due, not {found}"));
        }
        Ok(token)
    }

    /// One or more adjacent quoted strings.
    fn text(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        let mut joined = self.quoted()?;
        loop {
            self.skip_blank();
            if !matches!(self.peek(), Some(b'"' | b'\'')) {
                break;
            }
            let more = self.quoted()?;
            joined.to_mut().extend_from_slice(&more);
        }
        Ok(match joined {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        let open = self.at();
        let quote = self.peek();
        self.bump();
        let start = self.offset;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            match self.peek() {
                None | Some(b'\n') => {
                    let what = "a string has no end".into();
                    return Err(SyntaxError { at: open, what, is_limit: false });
                }
                byte if byte == quote => {
                    let raw = self.text.get(start..self.offset).unwrap_or_default();
                    self.bump();
                    return Ok(unescaped.map_or(Cow::Borrowed(raw), Cow::Owned));
                }
                Some(b'\\') => {
                    let raw = self.text.get(start..self.offset).unwrap_or_default();
                    let mut bytes = unescaped.unwrap_or_else(|| raw.to_vec());
                    self.bump();
                    self.escape(&mut bytes)?;
                    unescaped = Some(bytes);
                }
                Some(byte) => {
                    if let Some(bytes) = &mut unescaped {
                        bytes.push(byte);
                    }
                    self.bump();
                }
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let Some(kind) = self.peek() else {
            return self.error("a string has no end");
        };
        if kind.is_ascii_digit() {
            let number = self.digits(8, 3)?;
            bytes.push(u8::try_from(number & 0xFF).unwrap_or_default());
            return Ok(());
        }
        let plain = match kind {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'v' => 0x0B,
            b'\\' | b'\'' | b'"' | b'?' => kind,
            b'x' | b'X' => {
                self.bump();
                let number = self.digits(16, 2)?;
                bytes.push(u8::try_from(number & 0xFF).unwrap_or_default());
                return Ok(());
            }
            b'u' | b'U' => {
                self.bump();
                let number = self.digits(16, if kind == b'u' { 4 } else { 8 })?;
                let Some(c) = char::from_u32(number) else {
                    return self.error(format!("U+{number:04X} is not a character"));
                };
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => {
                let found = self.found();
                return self.error(format!("a backslash before {found} means nothing"));
            }
        };
        self.bump();
        bytes.push(plain);
        Ok(())
    }

    /// One to `most` digits (at most eight).
    fn digits(&mut self, radix: u32, most: usize) -> Result<u32, SyntaxError> {
        let mut number = 0u32;
        for count in 0..most {
            match self.peek().and_then(|b| char::from(b).to_digit(radix)) {
                Some(digit) => number = number.wrapping_mul(radix).wrapping_add(digit),
                None if count == 0 => return self.error("an escape lacks its digits"),
                None => break,
            }
            self.bump();
        }
        Ok(number)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in one line: `name=value` with quoted texts, bare scalars and `{...}`.
    fn show(block: &Block<'_>) -> String {
        let fields: Vec<String> = block
            .fields
            .iter()
            .map(|field| match &field.value {
                Value::Block(inner) => format!("{}={{{}}}", field.name, show(inner)),
                Value::Text(text) => format!("{}={text:?}", field.name),
                Value::Scalar(token) => format!("{}={token}", field.name),
            })
            .collect();
        fields.join(" ")
    }

    fn read(text: &[u8]) -> Result<Block<'_>, SyntaxError> {
        parse(text, &TextLimits::default())
    }

    #[test]
    fn accepts_the_grammar() {
        let cases: [(&str, &str); 20] = [
            ("", ""),
            ("  # only a comment", ""),
            ("a: 1", "a=1"),
            ("a:1 b :\t2\r\nc: x", "a=1 b=2 c=x"),
            ("a { b: 1 }", "a={b=1}"),
            ("a: { b: 1 }", "a={b=1}"),
            ("a < b: 1 c { } >", "a={b=1 c={}}"),
            ("a: [1, 2,3]", "a=1 a=2 a=3"),
            ("a: []", ""),
            ("a [{b: 1}, <c: 2>]", "a={b=1} a={c=2}"),
            ("a: 1; b: 2, c: 3", "a=1 b=2 c=3"),
            ("a: -1 b: - 2.5e-3 c: -inf", "a=-1 b=-2.5e-3 c=-inf"),
            ("a: .5f b: 1.e+3", "a=.5f b=1.e+3"),
            ("a: 'x' b: \"y'z\"", "a=\"x\" b=\"y'z\""),
            ("a: 'x' # c\n \"y\" b: 1", "a=\"xy\" b=1"),
            (r"a: '\n\t\\\'\101\x41\u00e9\?'", "a=\"\\n\\t\\\\'AAé?\""),
            ("[caffe.ext] { a: 1 }", "caffe.ext={a=1}"),
            ("a: true b: MAX", "a=true b=MAX"),
            ("a#c\n:#c\n1", "a=1"),
            ("\u{feff}a: 1", "a=1"),
        ];
        for (text, tree) in cases {
            assert_eq!(read(text.as_bytes()).map(|b| show(&b)), Ok(tree.into()), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_place() {
        let cases: [(&str, (u32, u32), &str); 14] = [
            ("a", (1, 2), "`a` needs `:` or `{`, not the end of the text"),
            ("a 1", (1, 3), "`a` needs `:` or `{`, not `1`"),
            ("a:\n  b }", (2, 5), "a field name is due, not `}`"),
            ("a {\n b: 1", (2, 6), "`}` is missing"),
            ("a < b: 1 }", (1, 10), "a field name is due, not `}`"),
            ("a: 'x", (1, 4), "a string has no end"),
            ("a: 'x\n'", (1, 4), "a string has no end"),
            ("a: '\\q'", (1, 6), "a backslash before `q` means nothing"),
            ("a: '\\x'", (1, 7), "an escape lacks its digits"),
            ("a: '\\ud800'", (1, 11), "U+D800 is not a character"),
            ("a: [1 2]", (1, 7), "a list needs `,` or `]`, not `2`"),
            ("1a: 2", (1, 1), "a field name is due, not `1a`"),
            ("a: \u{e9}", (1, 4), "a value is due, not byte 0xc3"),
            ("[x: 1", (1, 3), "an extension is written `[its.name]`"),
        ];
        for (text, (line, column), what) in cases {
            let at = Position { line, column };
            let error = SyntaxError { at, what: what.into(), is_limit: false };
            assert_eq!(read(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn reads_numbers() {
        let cases: [(&str, Option<i64>, Option<f64>); 14] = [
            ("0", Some(0), Some(0.0)),
            ("-7", Some(-7), Some(-7.0)),
            ("0x1f", Some(31), Some(31.0)),
            ("010", Some(8), Some(10.0)),
            ("9223372036854775807", Some(i64::MAX), Some(i64::MAX as f64)),
            ("9223372036854775808", None, Some(u64::pow(2, 63) as f64)),
            ("-9223372036854775808", Some(i64::MIN), Some(i64::MIN as f64)),
            ("1e-5", None, Some(1e-5)),
            ("1.5f", None, Some(1.5)),
            (".5", None, Some(0.5)),
            ("-inf", None, Some(f64::NEG_INFINITY)),
            ("infinity", None, Some(f64::INFINITY)),
            ("MAX", None, None),
            ("1abc", None, None),
        ];
        for (token, int, float) in cases {
            assert_eq!(integer(token), int, "{token}");
            assert_eq!(real(token), float, "{token}");
        }
        assert!(real("nan").is_some_and(f64::is_nan));
        assert_eq!((boolean("true"), boolean("0"), boolean("2")), (Some(true), Some(false), None));
    }

    #[test]
    fn keeps_to_its_limits() {
        let limits = TextLimits { nesting: 3, fields: 5 };
        let cases: [(&str, Option<&str>); 5] = [
            ("a{a{a{}}}", None),
            ("a{a{a{a{}}}}", Some("blocks are nested too deeply")),
            ("a:[1,2,3,4,5]", None),
            ("a:[1,2,3,4,5,6]", Some("more fields than a net may have")),
            ("a:1 a:1 a{a:1 a:1}a:1", Some("more fields than a net may have")),
        ];
        for (text, error) in cases {
            let found =
                parse(text.as_bytes(), &limits).err().filter(|e| e.is_limit).map(|e| e.what);
            assert_eq!(found.as_deref(), error, "{text}");
        }
        let deep = "a{".repeat(1 << 20);
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn survives_any_bytes() {
        let seed = b"layer { name: 'c\\x41' # c\n dim: [1, -2.5e-3] p < q: \"z\" > }";
        for cut in 0..seed.len() {
            let _ = read(&seed[..cut]);
            for byte in 0..=255 {
                let mut text = seed.to_vec();
                text[cut] = byte;
                let _ = read(&text);
            }
        }
    }
}
