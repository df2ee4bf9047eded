//! What can go wrong when a plan is loaded or run.

use std::fmt;

use embarca_kernels::Fault;
use embarca_num::DType;
use embarca_plan::{OpenError, SizeError};

/// Why a plan cannot be loaded, or not at these shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The bytes are not a plan.
    Open(OpenError),
    /// The weights are not those that the plan was written with.
    Weights,
    /// The file cannot be read.
    File(String),
    /// The plan has no program that runs on this machine; the targets it has.
    NoProgram(Vec<String>),
    /// A step asks for a kernel that this version does not have.
    Opcode {
        /// The step's number.
        step: u32,
        /// The kernel's number.
        opcode: u16,
    },
    /// A kernel refuses the step's types, shapes or parameters.
    Kernel {
        /// The step's number.
        step: u32,
        /// The kernel's name.
        kernel: &'static str,
        /// Why.
        fault: Fault,
    },
    /// A step calls a function with tensors of other sizes than the function's.
    Call {
        /// The step's number.
        step: u32,
    },
    /// The shapes of the inputs do not fit.
    Size(SizeError),
    /// The tensors do not fit into memory at these shapes.
    TooLarge,
    /// Valid, but this runtime does not do it.
    Unsupported(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "not a plan that can be used: {error}"),
            Self::Weights => f.write_str("the weights are damaged; build or copy the plan again"),
            Self::File(message) => f.write_str(message),
            Self::NoProgram(targets) => {
                let targets = targets.join(", ");
                write!(f, "the plan was built for {targets} and has no program for this machine")
            }
            Self::Opcode { step, opcode } => write!(
                f,
                "step {step} asks for kernel {opcode}, which this version does not have; \
                 update Embarca or build the plan again"
            ),
            Self::Kernel { step, kernel, fault } => {
                write!(f, "step {step} ({kernel}): {}", fault.describe())
            }
            Self::Call { step } => {
                write!(f, "step {step} calls a function with tensors of other sizes")
            }
            Self::Size(error) => write!(f, "the shapes do not fit: {error}"),
            Self::TooLarge => f.write_str("the tensors do not fit into memory at these shapes"),
            Self::Unsupported(what) => write!(f, "this runtime does not run {what} yet"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError {
    /// A kernel failed on the data.
    Fault {
        /// The step's number.
        step: u32,
        /// The kernel's name.
        kernel: &'static str,
        /// Why.
        fault: Fault,
    },
    /// Loops have run as many steps as they may.
    Endless {
        /// The step that would have come next.
        step: u32,
    },
    /// The caller asked to stop, or the time limit passed.
    Stopped {
        /// The first step that did not run.
        step: u32,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { step, kernel, fault } => {
                write!(f, "step {step} ({kernel}): {}", fault.describe())
            }
            Self::Endless { step } => {
                write!(
                    f,
                    "step {step}: the loops of this run do not end within their limit of steps"
                )
            }
            Self::Stopped { step } => write!(f, "stopped before step {step}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Why a model with its stages cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineError {
    /// A stage does not take these shapes, or does not run on this machine.
    Load(LoadError),
    /// A kernel fails on the data.
    Run(RunError),
    /// Nobody feeds an input, or it has another size than its shape says.
    Missing(String),
    /// An input is fed with another type than it has.
    Type {
        /// The input.
        name: String,
        /// The type that it is fed with.
        given: DType,
        /// The type that it takes.
        wanted: DType,
    },
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::Missing(name) => write!(f, "nothing is fed to input '{name}'"),
            Self::Type { name, given, wanted } => {
                write!(f, "input '{name}' takes {wanted}, not {given}")
            }
        }
    }
}

impl std::error::Error for PipelineError {}

impl From<LoadError> for PipelineError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<RunError> for PipelineError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}
