//! Why a task is refused.

use std::fmt;

use embarca_ir::ShapeError;

/// Why a task does not become stages: by blame, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// What is wrong, and where.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// Whether it is a defect of Embarca.
    pub is_bug: bool,
}

impl TaskError {
    /// The description is wrong, or does not fit the model.
    pub fn spec(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: String::new(), is_bug: false }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_bug {
            f.write_str("this is a defect of Embarca: ")?;
        }
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

impl std::error::Error for TaskError {}

/// Stages are made of operators that fit; where one does not, dimensions of the model contradict
/// the description.
impl From<ShapeError> for TaskError {
    fn from(error: ShapeError) -> Self {
        Self::spec(format!("the task does not fit the model: {}", error.0))
    }
}
