//! Twins of kernels for instruction sets. The one crate that names them.
#![no_std]

#[cfg(all(target_arch = "arm", target_feature = "dsp"))]
pub mod cortex_m;
