//! Writing JSON, for `--json`.

use std::fmt::{self, Write};

use crate::failure::Result;
use crate::show;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// Nothing; also numbers that are not finite.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in the order given.
    Object(Vec<(String, Json)>),
}

/// A list that is written while it comes about, an item a line. It ends with the value, also where an error
/// cuts it short, so that what was written reads back.
#[derive(Debug, Default)]
pub struct Listing {
    begun: bool,
}

impl Listing {
    /// The text of the next item.
    fn next(&mut self, item: &Json) -> String {
        let before = if self.begun { "," } else { "[" };
        self.begun = true;
        format!("{before}{item}\n")
    }

    /// Writes an item.
    pub fn item(&mut self, item: &Json) -> Result {
        show::print(&self.next(item))
    }

    /// Ends the list, which may have no items.
    pub fn finish(mut self) -> Result {
        let end = if std::mem::take(&mut self.begun) { "]\n" } else { "[]\n" };
        show::print(end)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        if self.begun {
            let _ = show::print("]\n");
        }
    }
}

impl Json {
    /// An object of named members.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A list of what can become a value.
    pub fn list<T: Into<Json>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Number(value as f64), Self::Int)
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Number(value) if value.is_finite() => write!(f, "{value}"),
            Self::Number(_) => f.write_str("null"),
            Self::Text(text) => quote(f, text),
            Self::List(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    quote(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_item_by_item() {
        let mut listing = Listing::default();
        let items = [1usize, 2].map(|item| listing.next(&item.into()));
        assert_eq!(items, ["[1\n", ",2\n"]);
        // What follows is for the reader of standard output.
        listing.begun = false;
    }

    #[test]
    fn values_are_written() {
        let json = Json::object([
            ("a\"b", Json::list([1usize, 2])),
            ("c", Json::list([f64::NAN, 0.5, 1e300])),
            ("d", "é\n\u{1}\\".into()),
            ("e", Json::from(None::<bool>)),
            ("f", true.into()),
            ("g", u64::MAX.into()),
        ]);
        let big = "1".to_owned() + &"0".repeat(300);
        let wanted = format!(
            r#"{{"a\"b":[1,2],"c":[null,0.5,{big}],"d":"é\n\u0001\\","e":null,"f":true,"g":18446744073709552000}}"#
        );
        assert_eq!(json.to_string(), wanted);
    }
}
