//! What numbers mean in Embarca.
//!
//! The one place that defines integer rounding and saturation. `no_std`, no allocation; [`fixed`]
//! has no floating point at all, so a device that links only it needs no soft-float code.
#![no_std]

pub mod build;
mod dtype;
pub mod fixed;
pub mod float;
pub mod generate;
pub mod half;
pub mod small;

pub use dtype::DType;
