//! Embarca: from a model file to an answer.
//!
//! A [`Model`] is what an ONNX, TFLite or Caffe file says, in one form that knows no target. A
//! [`Plan`] is what runs: weights shared, [`Send`] and [`Sync`]. A [`Session`] runs it: own memory and
//! state, nothing allocated from one run to the next.
//!
//! ```
//! use embarca::{LoadOptions, Model};
//!
//! # fn main() -> Result<(), embarca::Error> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour/digits_f32.tflite");
//! let model = Model::open(path)?;
//! let plan = model.plan(LoadOptions::default())?;
//! let mut session = plan.session()?;
//! session.input::<f32>(0).expect("a float input").fill(0.5);
//! session.run()?;
//! let scores = session.output::<f32>(0).expect("a float output");
//! assert_eq!(scores.len(), 10);
//! # Ok(())
//! # }
//! ```
//!
//! A program that only runs plans depends on `embarca-cpu` instead and links no compiler.

mod error;
mod files;
mod model;
mod report;
mod sha256;
mod tasks;

pub use embarca_compile::prepare;
pub use embarca_cpu::{
    Event, Events, Feed, Limits, LoadError, LoadOptions, Observed, Pipeline, PipelineError, Plan,
    Port, RunError, Session, Span, Src, Stream, Task, Ty, Verdict,
};
pub use embarca_export::ExportError;
pub use embarca_import::{ImportLimits, ReadError};
pub use embarca_ir as ir;
pub use embarca_ir::foreign::Format;
pub use embarca_num::DType;
pub use embarca_target::Target;
pub use embarca_task as task;
pub use error::{Error, ErrorKind, Result};
pub use files::is_plan;
pub use model::{Model, OpenOptions, Survey, survey};
pub use report::{PlanReport, ProgramReport, StepReport, inspect_plan};
pub use tasks::{Staged, fed_with_pictures, net_of, staged};
