//! How the command fails: what is wrong, where, and the next command to type.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use embarca_data::{DataError, ErrorKind};

use crate::show::harmless;

/// Exit code when a model, a plan or data were refused, or something failed.
pub const REFUSED: u8 = 1;
/// Exit code when the command line itself makes no sense.
pub const USAGE: u8 = 2;

/// The result of a verb.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a verb gives up.
#[derive(Debug)]
pub struct Failure {
    what: String,
    next: Vec<String>,
    code: u8,
    silent: bool,
}

impl Failure {
    /// A model, a plan or data were refused, or something failed. `what` names the place.
    pub fn refused(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), next: Vec::new(), code: REFUSED, silent: false }
    }

    /// The command line makes no sense.
    pub fn usage(what: impl fmt::Display) -> Self {
        Self { code: USAGE, ..Self::refused(what) }
    }

    /// The answer is no, and has been printed already.
    pub fn answered_no() -> Self {
        Self { silent: true, ..Self::refused("") }
    }

    /// The same failure in a place, such as a file.
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// A command to type next, or a sentence that names a flag.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// Prints it and yields the exit code.
    pub fn report(&self) -> ExitCode {
        // A reader that has gone away, `embarca ... | head`, is no reason to complain.
        if !self.silent {
            let text = self.to_string();
            let _ = std::io::stderr().write_all(harmless(&text).as_bytes());
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what.replace('\n', "\n       "))?;
        for next in &self.next {
            writeln!(f, " next: {next}")?;
        }
        Ok(())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let failure = Self::refused(&error);
        match (&error.kind, &error.file) {
            (ErrorKind::Io(io), Some(file)) if io.kind() == std::io::ErrorKind::NotFound => {
                let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
                match folder {
                    Some(folder) if !folder.is_dir() => {
                        failure.next(format!("mkdir -p {}", folder.display()))
                    }
                    Some(folder) => {
                        failure.next(format!("ls {}      shows what is there", folder.display()))
                    }
                    None => failure.next("ls      shows what is there"),
                }
            }
            (ErrorKind::Malformed(_), Some(_)) => failure.next("copy or export the file again"),
            _ => failure,
        }
    }
}

impl From<embarca_firmware::Error> for Failure {
    fn from(error: embarca_firmware::Error) -> Self {
        let failure = Self::refused(&error);
        error.next.into_iter().fold(failure, Self::next)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_comes_next() {
        let failure = Failure::refused("a.onnx: node 'x'").next("embarca inspect a.onnx");
        assert_eq!(failure.to_string(), "error: a.onnx: node 'x'\n next: embarca inspect a.onnx\n");
        assert_eq!((failure.code, Failure::usage("").code), (REFUSED, USAGE));
        let failure = Failure::refused("node 'x'\nnode 'y'").within("a.onnx");
        assert_eq!(failure.to_string(), "error: a.onnx: node 'x'\n       node 'y'\n");
    }
}
