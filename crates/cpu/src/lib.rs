//! The server runtime: runs plans on a CPU with threads.
//!
//! Links no compiler: a program that only runs plans depends on this crate alone.

mod error;
mod plan;
pub mod pool;
mod prepare;
mod session;
mod vectors;

pub use error::{LoadError, RunError};
pub use plan::{LoadOptions, Plan, Port, Task};
pub use session::{Limits, Observed, Session};
pub use vectors::Verdict;
