//! Kinds of machines.

use core::fmt;

/// A kind of machine. A program runs on every member of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Family(pub u16);

impl Family {
    /// Every machine: canonical weights, portable kernels.
    pub const PORTABLE: Self = Self(0);
    /// 64-bit x86.
    pub const X86_64: Self = Self(1);
    /// 64-bit Arm.
    pub const AARCH64: Self = Self(2);
    /// WebAssembly with 32-bit memory.
    pub const WASM32: Self = Self(3);
    /// 32-bit cores that multiply one pair of numbers at a time: Cortex-M0+, M3, M23, RV32IM.
    pub const PLAIN: Self = Self(15);
    /// Arm Cortex-M0, M0+, M1, M23 (ARMv6-M, ARMv8-M baseline).
    pub const CORTEX_M0: Self = Self(16);
    /// Arm Cortex-M3 (ARMv7-M).
    pub const CORTEX_M3: Self = Self(17);
    /// Arm Cortex-M4, M7, M33, M35P with the DSP extension and without floating point.
    pub const CORTEX_M4: Self = Self(18);
    /// The same with single-precision floating point.
    pub const CORTEX_M4F: Self = Self(19);
    /// Arm Cortex-M52, M55, M85 with Helium.
    pub const CORTEX_M55: Self = Self(20);
    /// 32-bit RISC-V.
    pub const RISCV32: Self = Self(32);
    /// 64-bit RISC-V.
    pub const RISCV64: Self = Self(33);
    /// Xtensa LX6 and LX7.
    pub const XTENSA: Self = Self(40);
    /// Graphics processors through Vulkan, Metal or DirectX.
    pub const GPU: Self = Self(64);
    /// NVIDIA graphics processors.
    pub const CUDA: Self = Self(65);

    /// The name used in messages; `unknown` for numbers without one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PORTABLE => "portable",
            Self::X86_64 => "x86-64",
            Self::AARCH64 => "aarch64",
            Self::WASM32 => "wasm32",
            Self::PLAIN => "plain",
            Self::CORTEX_M0 => "cortex-m0",
            Self::CORTEX_M3 => "cortex-m3",
            Self::CORTEX_M4 => "cortex-m4",
            Self::CORTEX_M4F => "cortex-m4f",
            Self::CORTEX_M55 => "cortex-m55",
            Self::RISCV32 => "riscv32",
            Self::RISCV64 => "riscv64",
            Self::XTENSA => "xtensa",
            Self::GPU => "gpu",
            Self::CUDA => "cuda",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
