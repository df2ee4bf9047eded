//! What can go wrong with a model, split by who must act.

use std::fmt;

use crate::ids::ValueId;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The file contradicts its own format.
    Malformed,
    /// The file is legal; Embarca does not do this yet.
    Unsupported,
    /// A defect of Embarca.
    Bug,
}

/// Why a dossier refuses a foreign node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// Whose turn it is.
    pub blame: Blame,
    /// The attribute at fault, if it is one.
    pub attribute: Option<String>,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do next, if there is something.
    pub hint: Option<String>,
    /// The value whose content is needed while the graph is made, if that is what is missing.
    pub needs: Option<ValueId>,
}

impl ImportError {
    /// The file contradicts its format.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Blame::Malformed, message.into())
    }

    /// The file is legal, but this is not done yet.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Blame::Unsupported, message.into())
    }

    /// The content of `value` would have to be known, but depends on what the graph is fed.
    pub fn unknown(value: ValueId, message: impl Into<String>) -> Self {
        let hint = "export the model with this value as a constant";
        Self { needs: Some(value), ..Self::unsupported(message).hint(hint) }
    }

    fn new(blame: Blame, message: String) -> Self {
        Self { blame, attribute: None, message, hint: None, needs: None }
    }

    /// Names the attribute at fault.
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.attribute = Some(name.into());
        self
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(attribute) = &self.attribute {
            write!(f, "attribute '{attribute}': ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportError {}

/// Inputs do not fit an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(pub String);

impl ShapeError {
    /// With a sentence without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

impl From<ShapeError> for ImportError {
    fn from(error: ShapeError) -> Self {
        Self::malformed(error.0)
    }
}

/// Why a node has no kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LowerError {
    /// No kernel computes these types; a decomposition may still exist.
    NoKernel(String),
    /// The node holds what its verifier should have refused.
    Bug(String),
}

impl LowerError {
    /// No kernel for these types.
    pub fn no_kernel(message: impl Into<String>) -> Self {
        Self::NoKernel(message.into())
    }
}

impl fmt::Display for LowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKernel(message) => write!(f, "no kernel: {message}"),
            Self::Bug(message) => write!(f, "this is a defect of Embarca: {message}"),
        }
    }
}

impl std::error::Error for LowerError {}
