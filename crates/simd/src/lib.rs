//! Twins of kernels for instruction sets. The one crate that names them.
#![no_std]

#[cfg(all(target_arch = "arm", any(target_feature = "dsp", feature = "dsp")))]
pub mod cortex_m;

// The compiler has no name for Helium; on a core of class M it shows it as the vectors of larger ones.
#[cfg(all(target_arch = "arm", target_feature = "mclass", target_feature = "neon"))]
pub mod helium;

#[cfg(all(
    target_os = "none",
    any(target_arch = "arm", all(target_arch = "riscv32", target_feature = "m"))
))]
pub mod plain;
