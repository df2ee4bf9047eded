//! Plan bytes from plain data.
//!
//! ```
//! use embarca_compile::plan_writer::*;
//! use embarca_num::DType;
//! use embarca_plan::{Dim, Plan, Unit};
//!
//! let port = |name: &str| PortSource {
//!     name: name.into(),
//!     role: String::new(),
//!     dtype: DType::F32,
//!     dims: vec![Dim::Fixed(1), Dim::Fixed(10)],
//!     axes: vec![],
//!     quant: None,
//! };
//! let arena = StorageSource::Arena { offset: 0 };
//! let mut source = PlanSource {
//!     interface: InterfaceSource {
//!         inputs: vec![port("x")],
//!         outputs: vec![port("y")],
//!         ..Default::default()
//!     },
//!     programs: vec![ProgramSource {
//!         functions: vec![FunctionSource {
//!             tensors: vec![
//!                 TensorSource::new(DType::F32, &[1, 10], arena),
//!                 TensorSource::new(DType::F32, &[1, 10], arena),
//!             ],
//!             steps: vec![StepSource {
//!                 opcode: 16,
//!                 inputs: vec![Some(0)],
//!                 outputs: vec![1],
//!                 ..Default::default()
//!             }],
//!             inputs: vec![0],
//!             outputs: vec![1],
//!             ..Default::default()
//!         }],
//!         ..Default::default()
//!     }],
//!     ..Default::default()
//! };
//! source.programs[0].place()?;
//! let bytes = write(&source)?;
//!
//! let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
//! let plan = Plan::open(Unit::copy_from(&mut units, &bytes).unwrap())?;
//! let program = plan.program(0).unwrap();
//! assert_eq!(program.function(0).unwrap().arena_bytes(), 96);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod lifetime;
mod program;
mod sections;
mod source;
mod table;
mod weights;

use std::fmt;

use embarca_plan::memory::AssignError;
use embarca_plan::{
    ContainerError, FileKind, OpenError, Plan, SectionKind, SectionSpec, SizeError, Unit,
    container_len, write_container,
};
use zerocopy::IntoBytes;

pub use lifetime::Life;
pub(crate) use sections::interface;
pub use source::*;

use weights::Weights;

/// Why a source cannot become a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// An index goes beyond its vector.
    Index {
        /// What it should find.
        what: &'static str,
        /// Its value.
        index: usize,
    },
    /// A tensor is written by two steps, or is an input and written too.
    Twice {
        /// The function.
        function: usize,
        /// The tensor.
        tensor: usize,
    },
    /// A count, length or offset does not fit its field.
    TooLarge(&'static str),
    /// An alignment is not a power of two from 16 to 65536.
    Alignment(u32),
    /// A tensor with symbolic dimensions, or 2^31 elements, where the size must be known.
    Unsized {
        /// The function.
        function: usize,
        /// The tensor.
        tensor: usize,
    },
    /// The symbols' preferred values give no sizes.
    Size(SizeError),
    /// The arena cannot be planned.
    Assign(AssignError),
    /// The container cannot be written.
    Container(ContainerError),
    /// The reader refuses the result: the source is inconsistent. Tensor numbers are those of the
    /// file; names help to find them.
    Refused(OpenError),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { what, index } => write!(f, "there is no {what} {index}"),
            Self::Twice { function, tensor } => {
                write!(f, "function {function}: tensor {tensor} is written twice")
            }
            Self::TooLarge(what) => write!(f, "{what} does not fit the plan format"),
            Self::Alignment(align) => {
                write!(f, "alignment {align} is not a power of two from 16 to 65536")
            }
            Self::Unsized { function, tensor } => {
                write!(f, "function {function}: the size of tensor {tensor} is not known")
            }
            Self::Size(error) => write!(f, "preferred sizes: {error}"),
            Self::Assign(error) => error.fmt(f),
            Self::Container(error) => error.fmt(f),
            Self::Refused(error) => write!(f, "the plan would be refused: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<SizeError> for WriteError {
    fn from(error: SizeError) -> Self {
        Self::Size(error)
    }
}

impl From<AssignError> for WriteError {
    fn from(error: AssignError) -> Self {
        Self::Assign(error)
    }
}

impl From<ContainerError> for WriteError {
    fn from(error: ContainerError) -> Self {
        Self::Container(error)
    }
}

/// The plan's bytes: the same for the same source on every machine, and accepted by
/// [`Plan::open`].
///
/// # Errors
/// The source is inconsistent or too large; see [`WriteError`].
pub fn write(source: &PlanSource) -> Result<Vec<u8>, WriteError> {
    let weights = Weights::new(source)?;
    let interface = interface(&source.interface)?;
    let programs = source
        .programs
        .iter()
        .map(|program| program::write(program, &weights))
        .collect::<Result<Vec<_>, _>>()?;
    let task = sections::properties(&source.task)?;
    let provenance = sections::properties(&source.provenance)?;
    let vectors = sections::vectors(&source.vectors)?;
    let memory: Vec<_> = programs.iter().map(|(_, memory)| *memory).collect();

    let spec = |kind, required, bytes| SectionSpec { kind, required, align_log2: 4, bytes };
    let mut sections = vec![spec(SectionKind::INTERFACE, true, &*interface)];
    if !source.task.is_empty() {
        sections.push(spec(SectionKind::TASK, false, &task));
    }
    if source.memory {
        sections.push(spec(SectionKind::MEMORY, false, memory.as_bytes()));
    }
    if !source.provenance.is_empty() {
        sections.push(spec(SectionKind::PROVENANCE, false, &provenance));
    }
    if !source.vectors.is_empty() {
        sections.push(spec(SectionKind::VECTORS, false, &vectors));
    }
    for (bytes, _) in &programs {
        sections.push(spec(SectionKind::PROGRAM, true, bytes));
    }
    for (kind, stage) in [(SectionKind::FRONT, &source.front), (SectionKind::BACK, &source.back)] {
        // The alignment keeps that of the weights within.
        let align_log2 = 6;
        sections.extend(stage.iter().map(|bytes| SectionSpec {
            kind,
            required: false,
            align_log2,
            bytes,
        }));
    }
    sections.push(SectionSpec {
        kind: SectionKind::WEIGHTS,
        required: true,
        align_log2: weights.align_log2,
        bytes: &weights.bytes,
    });

    let len = container_len(&sections)?;
    let mut units = vec![Unit::ZERO; Unit::count(len)];
    let out = &mut Unit::bytes_mut(&mut units)[..len];
    write_container(FileKind::Plan, &sections, out)?;
    Plan::open(out).map_err(WriteError::Refused)?;
    Ok(out.to_vec())
}

fn align_log2(align: u32) -> Result<u16, WriteError> {
    match align {
        0 => Ok(4),
        16..=65536 if align.is_power_of_two() => Ok(align.trailing_zeros() as u16),
        _ => Err(WriteError::Alignment(align)),
    }
}
