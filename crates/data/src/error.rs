//! What can be wrong with data, where, and whose fault it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of every reader and writer here.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Why some data was refused, with the file and the place in it where known.
#[derive(Debug)]
pub struct DataError {
    /// The file, added by whoever opened it.
    pub file: Option<PathBuf>,
    /// The place inside it: `line 3, column 2`, `member "x.npy"`, `byte 10`.
    pub place: Option<String>,
    /// The blame and the reason.
    pub kind: ErrorKind,
}

/// Whose fault it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused to read or write.
    Io(io::Error),
    /// The bytes are not what their format says.
    Malformed(String),
    /// Valid, but not supported here; the text says what to do instead.
    Unsupported(String),
    /// Larger than [`DataLimits`](crate::DataLimits) allow.
    TooLarge {
        /// What was measured: `bytes`, `pixels`, `elements`.
        what: &'static str,
        /// The size that the data declares.
        size: u64,
        /// The limit it exceeds.
        limit: u64,
    },
    /// The caller's arguments do not fit the data: a wrong element type or a wrong size.
    Argument(String),
}

impl DataError {
    /// The bytes are not what their format says.
    pub fn malformed(reason: impl Into<String>) -> Self {
        ErrorKind::Malformed(reason.into()).into()
    }

    /// Valid, but not supported; `reason` ends with the next step.
    pub fn unsupported(reason: impl Into<String>) -> Self {
        ErrorKind::Unsupported(reason.into()).into()
    }

    /// The caller's arguments do not fit the data.
    pub fn argument(reason: impl Into<String>) -> Self {
        ErrorKind::Argument(reason.into()).into()
    }

    /// Adds the file; the innermost one stays.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_path_buf());
        self
    }

    /// Adds a place in the file; outer places stand before inner ones.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(match self.place {
            Some(inner) => format!("{place}, {inner}"),
            None => place.to_string(),
        });
        self
    }
}

impl From<ErrorKind> for DataError {
    fn from(kind: ErrorKind) -> Self {
        Self { file: None, place: None, kind }
    }
}

impl From<io::Error> for DataError {
    fn from(error: io::Error) -> Self {
        ErrorKind::Io(error).into()
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match &self.kind {
            ErrorKind::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => f.write_str("there is no such file or folder"),
                io::ErrorKind::IsADirectory => f.write_str("a folder; name a file in it"),
                _ => write!(f, "{error}"),
            },
            ErrorKind::Malformed(reason)
            | ErrorKind::Unsupported(reason)
            | ErrorKind::Argument(reason) => f.write_str(reason),
            ErrorKind::TooLarge { what, size, limit } => {
                write!(f, "{size} {what}, more than the limit of {limit}")
            }
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_file_and_place() {
        let error = DataError::malformed("CRC differs")
            .at("byte 7")
            .at("member \"x.npy\"")
            .in_file(Path::new("a.npz"))
            .in_file(Path::new("b.npz"));
        assert_eq!(error.to_string(), "a.npz: member \"x.npy\", byte 7: CRC differs");

        let error = DataError::from(ErrorKind::TooLarge { what: "pixels", size: 9, limit: 4 });
        assert_eq!(error.to_string(), "9 pixels, more than the limit of 4");
    }
}
