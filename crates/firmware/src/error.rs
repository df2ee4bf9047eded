//! Why a firmware is not built or does not run, and what to type next.

use std::fmt;

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong, and commands or sentences that help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub next: Vec<String>,
}

impl Error {
    /// Without advice.
    pub fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), next: Vec::new() }
    }

    /// With one more advice.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl From<embarca_data::DataError> for Error {
    fn from(error: embarca_data::DataError) -> Self {
        Self::new(error)
    }
}

/// An error of the operating system about a file or folder.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| Error::new(format!("{}: {error}", path.display()))
}
