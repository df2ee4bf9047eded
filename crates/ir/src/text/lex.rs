//! Characters to tokens, with positions.

use std::fmt;

use super::{continues_word, starts_word};

/// Why a text is not a model, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for TextError {}

/// What a text is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// A name or keyword.
    Word(&'t str),
    /// Digits, possibly with a point and an exponent; never a sign.
    Number(&'t str),
    /// `"..."`, unescaped.
    Text(String),
    /// `%n`
    Value(u32),
    /// `#n`
    Const(u32),
    /// `@n`
    Blob(u32),
    /// `->`
    Arrow,
    /// Any other character.
    Sign(char),
    /// Behind the last character.
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) | Self::Number(word) => write!(f, "'{word}'"),
            Self::Text(text) => {
                let start: String = text.chars().take(40).collect();
                write!(f, "the string {}", super::quoted(&start))
            }
            Self::Value(n) => write!(f, "%{n}"),
            Self::Const(n) => write!(f, "#{n}"),
            Self::Blob(n) => write!(f, "@{n}"),
            Self::Arrow => f.write_str("'->'"),
            Self::Sign(sign) => write!(f, "'{}'", sign.escape_debug()),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

/// A byte offset.
pub(super) type Pos = usize;

/// Reads tokens one after the other.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// An error at a place of the text.
    pub(super) fn error(&self, at: Pos, message: impl Into<String>) -> TextError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TextError { line, column, message: message.into() }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Result<(Pos, Token<'t>), TextError> {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.peek() else { return Ok((start, Token::End)) };
        if starts_word(first) {
            return Ok((start, Token::Word(self.take_while(continues_word))));
        }
        if first.is_ascii_digit() {
            return Ok((start, Token::Number(self.number())));
        }
        self.at += first.len_utf8();
        let token = match first {
            '"' => Token::Text(self.string(start)?),
            '%' => Token::Value(self.index(start)?),
            '#' => Token::Const(self.index(start)?),
            '@' => Token::Blob(self.index(start)?),
            '-' if self.peek() == Some('>') => {
                self.at += 1;
                Token::Arrow
            }
            sign => Token::Sign(sign),
        };
        Ok((start, token))
    }

    fn number(&mut self) -> &'t str {
        let mut last = '0';
        self.take_while(|c| {
            let exponent_sign = matches!(c, '+' | '-') && matches!(last, 'e' | 'E');
            last = c;
            c.is_ascii_alphanumeric() || c == '.' || exponent_sign
        })
    }

    /// The hash right behind the last token, where there is one: `~` and 16 hexadecimal digits.
    pub(super) fn hash_behind(&mut self) -> Result<Option<u64>, TextError> {
        let start = self.at;
        if self.peek() != Some('~') {
            return Ok(None);
        }
        self.at += 1;
        let digits = self.take_while(|c| c.is_ascii_alphanumeric());
        let hash = u64::from_str_radix(digits, 16);
        hash.map(Some).map_err(|_| self.error(start, "a hash is 16 hexadecimal digits"))
    }

    fn index(&mut self, start: Pos) -> Result<u32, TextError> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| self.error(start, "a number of 32 bits must follow"))
    }

    fn string(&mut self, start: Pos) -> Result<String, TextError> {
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != '"' && c != '\\' && c != '\n'));
            let at = self.at;
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    self.at += 1;
                    let escape = self.peek();
                    self.at += escape.map_or(0, char::len_utf8);
                    text.push(match escape {
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        Some(c @ ('"' | '\\')) => c,
                        Some('u') => self.unicode(at)?,
                        _ => return Err(self.error(at, "unknown escape in a string")),
                    });
                }
                _ => return Err(self.error(start, "the string does not end on its line")),
            }
        }
    }

    fn unicode(&mut self, at: Pos) -> Result<char, TextError> {
        let wrong = || self.error(at, "an escape is written \\u{hex}, of a Unicode character");
        let inner = self.rest().strip_prefix('{').ok_or_else(wrong)?;
        let (digits, _) = inner.split_once('}').ok_or_else(wrong)?;
        let code = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
        let c = char::from_u32(code).ok_or_else(wrong)?;
        self.at += digits.len() + 2;
        Ok(c)
    }
}
