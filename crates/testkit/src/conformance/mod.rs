//! Other people's tests, case by case: what passes, what is refused and why, what is wrong.
//!
//! Every case runs in a worker process with a limit on its memory and time, so that a crash costs one
//! case and is counted.

pub mod compare;
pub mod onnx;
pub mod report;
pub mod tflite;
mod workers;
mod zoo;

use std::path::{Path, PathBuf};

pub use workers::{run_all, worker};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every output is within the tolerance. So many inputs were fixed when the plan was built,
    /// because shapes depend on them; of so many inputs.
    Passed {
        /// Fixed inputs.
        fixed: usize,
        /// All inputs.
        inputs: usize,
    },
    /// The model or the case is not supported, and a sentence says so.
    Refused {
        /// The operator to blame, foreign or ours; empty where it is none.
        op: String,
        /// The sentence.
        reason: String,
    },
    /// It ran, and a result is another.
    Wrong(String),
    /// A panic, a crash, or an end by the limit on time or memory.
    Died(String),
}

impl Outcome {
    /// A refusal that no operator is to blame for.
    pub fn refused(reason: impl ToString) -> Self {
        Self::Refused { op: String::new(), reason: reason.to_string() }
    }

    /// A refusal in the words of a report on a file below `folder`: `FILE: node 3 'name' (Op): why`.
    /// Only the first of several lines is kept, and no path.
    fn refused_in(folder: &Path, report: &str) -> Self {
        let line = report.lines().next().unwrap_or_default();
        let line = line.replace(&format!("{}/", folder.display()), "");
        let behind = line.split_once(": ").filter(|(file, _)| file.contains('.'));
        let reason = behind.map_or(line.as_str(), |(_, reason)| reason).to_owned();
        let place = reason.strip_prefix("node ").and_then(|rest| rest.split_once("): "));
        match place.and_then(|(place, why)| Some((place.rsplit_once('(')?.1, why))) {
            Some((op, why)) => Self::Refused { op: op.to_owned(), reason: why.to_owned() },
            None => Self::refused(reason),
        }
    }
}

/// A set of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// ONNX's node tests: a folder for each case.
    Onnx,
    /// One-operator TFLite models of the zoo.
    Tflite,
    /// The zoo's models.
    Zoo,
}

impl Suite {
    /// The suite of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "onnx" => Self::Onnx,
            "tflite" => Self::Tflite,
            "zoo" => Self::Zoo,
            _ => return None,
        })
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Tflite => "tflite",
            Self::Zoo => "zoo",
        }
    }

    /// The names of the cases in `folder`, sorted.
    ///
    /// # Errors
    /// When the folder does not hold this suite.
    pub fn cases(self, folder: &Path) -> Result<Vec<String>, String> {
        let mut names = match self {
            Self::Onnx => onnx::cases(folder),
            Self::Tflite => tflite::cases(folder),
            Self::Zoo => zoo::cases(folder),
        }?;
        names.sort_unstable();
        match names.is_empty() {
            true => Err(format!("{} holds no cases of '{}'", folder.display(), self.name())),
            false => Ok(names),
        }
    }

    /// Runs one case here.
    pub fn run(self, folder: &Path, case: &str) -> Outcome {
        match self {
            Self::Onnx => onnx::run(folder, case),
            Self::Tflite => tflite::run(folder, case),
            Self::Zoo => zoo::run(folder, case),
        }
    }
}

/// The content of a folder, sorted by name.
fn listing(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_name_the_operator_and_no_path() {
        let report = "/zoo/a/b.tflite: node 3 'x' (ADD): no kernel: why\nmore";
        let refused =
            |op: &str, reason: &str| Outcome::Refused { op: op.into(), reason: reason.into() };
        let folder = Path::new("/zoo");
        assert_eq!(Outcome::refused_in(folder, report), refused("ADD", "no kernel: why"));
        assert_eq!(Outcome::refused_in(folder, "node '' (add): why"), refused("add", "why"));
        assert_eq!(Outcome::refused_in(folder, "a sentence"), refused("", "a sentence"));
    }
}
