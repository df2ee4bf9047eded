//! Bounded readers: the bytes of a model file become an [`embarca_ir::foreign::ForeignModel`].
//!
//! A reader borrows constants from the file where it can, never holds more than
//! [`ImportLimits`] grants, and refuses with a [`ReadError`] that names the place. It gives no
//! operator a meaning: that is `embarca_ir`'s part.

pub mod wire;

mod error;
mod limits;

pub use error::{Fault, ReadError, shown};
pub use limits::ImportLimits;
