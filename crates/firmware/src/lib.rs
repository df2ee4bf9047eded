//! Firmware for boards: the sources that a board links, crates around a plan, building, emulation.
//!
//! The sources of the runtime and its kernels are aboard, so a firmware is built from this binary,
//! cargo and a linker alone. What is built once lies in a cache.

mod cache;
mod crates;
mod decode;
mod elf;
mod emit;
mod emulate;
mod error;
mod gate;
mod machine;
mod plan;
mod sources;
mod steps;
mod toolchain;

pub use cache::Cache;
pub use crates::{Crate, Shell};
pub use emit::{Form, emit};
pub use emulate::{Emulation, Job, Layer, Region, emulate};
pub use error::{Error, Result};
pub use gate::Examined;
pub use machine::{Machine, machine};
pub use plan::{DevicePlan, Port};
pub use sources::Sources;
pub use toolchain::Toolchain;
