//! Why a file was refused, where, and who can mend it.

use std::fmt;

/// What went wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Byte offset in the file, where one byte is to blame.
    pub at: Option<u64>,
    /// The place in the model's own terms, `graph 0 node 12 'conv1'` say; may be empty.
    pub place: String,
    /// What is wrong and, where there is one, the next step.
    pub what: String,
}

/// A refusal, split by blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The file breaks the rules of its format.
    Malformed(Fault),
    /// The file asks for more than [`crate::ImportLimits`] grants.
    OverLimit(Fault),
    /// The file is valid but uses something that Embarca does not read.
    Unsupported(Fault),
}

impl ReadError {
    /// The format's rules are broken at byte `at`.
    pub fn malformed_at(at: usize, what: impl Into<String>) -> Self {
        Self::Malformed(Fault { at: Some(at as u64), place: String::new(), what: what.into() })
    }

    /// The format's rules are broken; [`ReadError::within`] adds the place.
    pub fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(Fault { at: None, place: String::new(), what: what.into() })
    }

    /// A limit is exceeded; `what` names the limit.
    pub fn over_limit(what: impl Into<String>) -> Self {
        Self::OverLimit(Fault { at: None, place: String::new(), what: what.into() })
    }

    /// Valid, but not read; `what` says what to do.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(Fault { at: None, place: String::new(), what: what.into() })
    }

    /// What went wrong and where.
    pub fn fault(&self) -> &Fault {
        match self {
            Self::Malformed(fault) | Self::OverLimit(fault) | Self::Unsupported(fault) => fault,
        }
    }

    /// Puts `place` before the place known so far: callers go from the inside out.
    #[must_use]
    pub fn within(mut self, place: impl FnOnce() -> String) -> Self {
        let (Self::Malformed(fault) | Self::OverLimit(fault) | Self::Unsupported(fault)) =
            &mut self;
        let outer = place();
        fault.place = match fault.place.is_empty() {
            true => outer,
            false => format!("{outer} {}", fault.place),
        };
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blame, fault) = match self {
            Self::Malformed(fault) => ("malformed file", fault),
            Self::OverLimit(fault) => ("over a limit", fault),
            Self::Unsupported(fault) => ("unsupported", fault),
        };
        write!(f, "{blame}: ")?;
        if !fault.place.is_empty() {
            write!(f, "{}: ", fault.place)?;
        }
        f.write_str(&fault.what)?;
        match fault.at {
            Some(at) => write!(f, " (byte {at})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ReadError {}

/// A name from a file, cut and stripped of control characters, so that it can stand in a message.
pub fn shown(name: &str) -> String {
    const MOST: usize = 80;
    let mut text: String =
        name.chars().take(MOST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if name.chars().nth(MOST).is_some() {
        text.push_str("...");
    }
    text
}
