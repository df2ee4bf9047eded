//! Why a model is not written in a format.

use std::fmt;

use embarca_ir::spell::Gaps;

/// Why a model is not written in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// Nodes that the format has no words for.
    Gaps(Gaps),
    /// The format is not written.
    Format(&'static str),
    /// So many bytes of constants do not fit one file.
    TooLarge(usize),
    /// A tensor of a type that the format does not hold.
    Type {
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: &'static str,
    },
    /// A defect of Embarca.
    Bug(String),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gaps(gaps) => {
                write!(f, "the model cannot be written as {}:\n{gaps}", gaps.format.name())
            }
            Self::Format(what) => f.write_str(what),
            Self::TooLarge(bytes) => {
                write!(f, "{bytes} bytes of constants; files of 2 GB and more are not written")
            }
            Self::Type { tensor, dtype } => {
                write!(f, "tensor '{tensor}' holds {dtype}, which is not written")
            }
            Self::Bug(message) => write!(f, "this is a defect of Embarca: {message}"),
        }
    }
}

impl std::error::Error for ExportError {}
