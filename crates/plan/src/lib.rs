//! The plan file: a container of typed sections and a checked, borrowed view of it.
//!
//! `no_std`, no allocation, no graph, no kernels. `docs/plan-format.md` describes the bytes,
//! `docs/embarca_plan.h` declares them for C. [`Plan::open`] checks a file once; afterwards no
//! accessor can fail. Compilers write plans with `embarca_compile::plan_writer`.
//!
//! ```
//! use embarca_plan::{Plan, Storage};
//!
//! fn describe(bytes: &[u8]) -> Result<(), embarca_plan::OpenError> {
//!     let plan = Plan::open(bytes)?;
//!     for program in plan.programs() {
//!         for function in program.functions() {
//!             for step in function.steps() {
//!                 let (opcode, record) = (step.opcode(), step.record());
//!                 let inputs = step.inputs().flatten().filter_map(|t| program.tensor(t));
//!                 for tensor in inputs {
//!                     if let Storage::Weights { offset, len, .. } = tensor.storage() {
//!                         let data = &plan.weights()[offset as usize..][..len as usize];
//!                         assert_eq!(tensor.bytes(&[]), Some(data.len() as u64));
//!                     }
//!                 }
//!                 let _ = (opcode, record);
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! # let mut units = [embarca_plan::Unit::ZERO; 4];
//! # assert!(describe(embarca_plan::Unit::copy_from(&mut units, b"EMBARCA").unwrap()).is_err());
//! ```
//!
//! A program with fixed sizes is ready: [`Tensor::location`] with no values says where each tensor
//! is. One with symbolic sizes ([`Program::is_dynamic`]) is prepared per set of input shapes:
//! [`Program::bind`] yields the symbols, [`Program::evaluate`] the expressions' values,
//! [`Program::matches`] compares them with the shapes, [`Plan::check_sizes`] proves them sound, and [`Function::blocks`] with [`memory::assign`] place
//! the tensors.
#![no_std]

mod align;
mod calls;
mod check;
mod container;
mod control;
mod crc;
mod device;
mod error;
mod expr;
mod extents;
mod family;
mod function;
mod interface;
pub mod memory;
mod plan;
mod program;
mod properties;
pub mod records;
mod tables;
mod tensor;
mod vectors;

pub use align::{Aligned, Unit};
pub use calls::BACKWARD;
pub use check::WORK_PER_BYTE;
pub use container::{
    Container, ContainerError, FORMAT_VERSION, FileKind, HEADER_LEN, HeaderRecord, MAGIC,
    MAX_SECTIONS, SEMANTICS, Section, SectionKind, SectionRecord, SectionSpec, container_len,
    header_crc, write_container,
};
pub use control::{Control, opcode};
pub use crc::{crc32, crc32_extend};
pub use device::{
    Device, DeviceFault, DevicePort, DeviceRecord, DeviceState, DeviceStep, DeviceSteps,
};
pub use error::{OpenError, Problem, Table};
pub use expr::{Dim, Expr, ExprOp, SizeError, evaluate};
pub use family::Family;
pub use function::{Custom, Function, Step};
pub use interface::{Interface, Port};
pub use plan::Plan;
pub use program::Program;
pub use properties::{Properties, PropertySpec, Texts, Values, properties_len, write_properties};
pub use tables::{Common, MAX_RANK, MAX_REPEATS, Quant, Strings};
pub use tensor::{Layout, Location, Packing, Space, State, Storage, Tensor, Writer};
pub use vectors::{Expected, MAX_RUNS, Vector, VectorInput, Vectors};

/// Offsets in weights and arenas are counted in units of this many bytes.
pub const UNIT: u64 = 16;

/// Records are read where they lie, so the machine must be little-endian.
const _: () = assert!(cfg!(target_endian = "little"), "plans need a little-endian machine");
