//! What can go wrong, where, and whose turn it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use embarca_compile::CompileError;
use embarca_cpu::{LoadError, PipelineError, RunError};
use embarca_export::ExportError;
use embarca_import::ReadError;
use embarca_ir::build::Obstacles;
use embarca_ir::emb::EmbError;
use embarca_task::TaskError;

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed, with the file it is about.
#[derive(Debug)]
pub struct Error {
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// What went wrong.
    pub kind: ErrorKind,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused to read or write.
    Io(io::Error),
    /// The file cannot be read as a model; the text says what was tried.
    NotAModel(String),
    /// The reader of the file's format refused it.
    Read(ReadError),
    /// Nodes or inputs of the model keep it from running.
    Obstacles(Obstacles),
    /// The portable graph cannot be read or written.
    Portable(EmbError),
    /// The model cannot be written in a format.
    Export(ExportError),
    /// The options do not fit the file.
    Options(String),
    /// The model does not become a plan for a target.
    Compile(CompileError),
    /// There is no target of this name.
    NoTarget(String),
    /// The plan does not run here, or not at these shapes.
    Load(LoadError),
    /// A run ended early.
    Run(RunError),
    /// The description of a task is wrong, or does not fit the model.
    Task(TaskError),
    /// A model with its stages cannot be run on what it is fed.
    Pipeline(PipelineError),
}

impl Error {
    /// The same error about a file, unless it names one already.
    #[must_use]
    pub fn about(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_path_buf());
        self
    }

    /// The error about a file; an empty path is no file.
    pub(crate) fn in_file(kind: impl Into<ErrorKind>, file: &Path) -> Self {
        let file = (!file.as_os_str().is_empty()).then(|| file.to_path_buf());
        Self { file, kind: kind.into() }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { file: None, kind }
    }
}

/// Each library error has one kind.
macro_rules! kinds {
    ($($source:ty => $kind:ident,)*) => {$(
        impl From<$source> for ErrorKind {
            fn from(error: $source) -> Self {
                Self::$kind(error)
            }
        }

        impl From<$source> for Error {
            fn from(error: $source) -> Self {
                Self { file: None, kind: error.into() }
            }
        }
    )*};
}

kinds! {
    io::Error => Io,
    ReadError => Read,
    Obstacles => Obstacles,
    EmbError => Portable,
    ExportError => Export,
    CompileError => Compile,
    LoadError => Load,
    RunError => Run,
    TaskError => Task,
    PipelineError => Pipeline,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        match &self.kind {
            ErrorKind::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => f.write_str("there is no such file or folder"),
                io::ErrorKind::IsADirectory => f.write_str("a folder; name a file in it"),
                _ => write!(f, "{error}"),
            },
            ErrorKind::Portable(error) => write!(f, "{error}"),
            ErrorKind::NotAModel(reason) | ErrorKind::Options(reason) => f.write_str(reason),
            ErrorKind::Read(error) => write!(f, "{error}"),
            ErrorKind::Obstacles(obstacles) => write!(f, "{obstacles}"),
            ErrorKind::Compile(error) => write!(f, "{error}"),
            ErrorKind::Export(error) => write!(f, "{error}"),
            ErrorKind::Task(error) => write!(f, "{error}"),
            ErrorKind::Pipeline(error) => write!(f, "{error}"),
            ErrorKind::NoTarget(id) => write!(f, "there is no target '{id}'"),
            ErrorKind::Load(error) => write!(f, "{error}"),
            ErrorKind::Run(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Read(error) => Some(error),
            ErrorKind::Obstacles(obstacles) => Some(obstacles),
            ErrorKind::Compile(error) => Some(error),
            ErrorKind::Export(error) => Some(error),
            ErrorKind::Task(error) => Some(error),
            ErrorKind::Pipeline(error) => Some(error),
            ErrorKind::Load(error) => Some(error),
            ErrorKind::Run(error) => Some(error),
            ErrorKind::Portable(error) => Some(error),
            ErrorKind::NotAModel(_) | ErrorKind::Options(_) | ErrorKind::NoTarget(_) => None,
        }
    }
}
