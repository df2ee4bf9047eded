//! The server runtime: runs plans on a CPU with threads.
//!
//! Links no compiler: a program that only runs plans depends on this crate alone.

mod control;
mod counted;
mod error;
mod events;
mod pipeline;
mod place;
mod plan;
pub mod pool;
mod prepare;
mod session;
mod stream;
mod vectors;

pub use embarca_kernels::{Src, Ty};
pub use error::{LoadError, PipelineError, RunError};
pub use events::{Event, Events};
pub use pipeline::{Feed, Pipeline};
pub use plan::{LoadOptions, Plan, Port, Task};
pub use session::{Limits, MAX_LOOP_STEPS, Observed, Session};
pub use stream::{Span, Stream};
pub use vectors::Verdict;
