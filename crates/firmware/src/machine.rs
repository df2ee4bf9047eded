//! The emulated machines, and what code for them is.

use embarca_target::{Runtime, Target};

use crate::error::{Error, Result};

/// A core with an emulated machine around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The core.
    pub core: &'static str,
    /// What rustc calls its code.
    pub triple: &'static str,
    /// What rustc calls the core, where its code is not that of all of its kind.
    pub cpu: Option<&'static str>,
    /// The inner loops of its steps.
    pub parts: &'static str,
    /// The feature of `simd` that holds them.
    pub features: Option<&'static str>,
    /// The emulator.
    pub qemu: &'static str,
    /// Its arguments.
    pub args: &'static [&'static str],
    /// Code and constants: first byte and bytes.
    pub flash: (u32, u32),
    /// Memory for data.
    pub ram: (u32, u32),
    /// A large and slow memory, for what does not fit elsewhere.
    pub large: (u32, u32),
    /// Whether start-up switches on the coprocessors 10 and 11 (floating point and Helium).
    pub fpu: bool,
}

const ARM: &str = "qemu-system-arm";
const PORTABLE: &str = "embarca_kernels::device::Portable";
const DSP: &str = "embarca_simd::cortex_m::Dsp";
const HELIUM: &str = "embarca_simd::helium::Mve";

const MPS2: Machine = Machine {
    core: "cortex-m3",
    triple: "thumbv7m-none-eabi",
    cpu: None,
    parts: PORTABLE,
    features: None,
    qemu: ARM,
    args: &["-M", "mps2-an385", "-cpu", "cortex-m3"],
    flash: (0, 4 << 20),
    ram: (0x2000_0000, 4 << 20),
    large: (0x2100_0000, 16 << 20),
    fpu: false,
};

const MACHINES: &[Machine] = &[
    // The M0+ has no machine; the M3 runs its code.
    Machine { core: "cortex-m0plus", triple: "thumbv6m-none-eabi", ..MPS2 },
    MPS2,
    Machine {
        core: "cortex-m4",
        triple: "thumbv7em-none-eabi",
        parts: DSP,
        features: Some("dsp"),
        args: &["-M", "mps2-an386", "-cpu", "cortex-m4"],
        fpu: true,
        ..MPS2
    },
    Machine {
        core: "cortex-m7",
        triple: "thumbv7em-none-eabi",
        parts: DSP,
        features: Some("dsp"),
        args: &["-M", "mps2-an500", "-cpu", "cortex-m7"],
        large: (0x6000_0000, 16 << 20),
        fpu: true,
        ..MPS2
    },
    Machine {
        core: "cortex-m55",
        triple: "thumbv8m.main-none-eabi",
        cpu: Some("cortex-m55"),
        parts: HELIUM,
        args: &["-M", "mps3-an547", "-cpu", "cortex-m55"],
        flash: (0, 512 << 10),
        ram: (0x2000_0000, 512 << 10),
        large: (0x6000_0000, 256 << 20),
        fpu: true,
        ..MPS2
    },
    Machine {
        core: "riscv32imc",
        triple: "riscv32imc-unknown-none-elf",
        qemu: "qemu-system-riscv32",
        args: &["-M", "virt", "-cpu", "rv32", "-bios", "none"],
        flash: (0x8000_0000, 16 << 20),
        ram: (0x8100_0000, 16 << 20),
        large: (0x8200_0000, 64 << 20),
        ..MPS2
    },
];

impl Machine {
    /// Whether its code is that of an Arm core.
    pub fn is_arm(&self) -> bool {
        self.qemu == ARM
    }

    /// What rustc is told of the core.
    pub(crate) fn flags(&self) -> Vec<String> {
        self.cpu.iter().map(|cpu| format!("-Ctarget-cpu={cpu}")).collect()
    }
}

/// The machine for a target's core.
///
/// # Errors
/// It is no microcontroller, or its core has none.
pub fn machine(target: &Target) -> Result<Machine> {
    // A target without a core is one.
    let core = target.core.as_deref().unwrap_or(&target.id);
    let found = MACHINES.iter().find(|machine| machine.core == core);
    found.cloned().ok_or_else(|| {
        let what = match target.runtime {
            Runtime::Mcu => format!("no emulated machine has the core {core}"),
            Runtime::Cpu => format!("{} is no microcontroller", target.id),
        };
        let known: Vec<&str> = MACHINES.iter().map(|machine| machine.core).collect();
        Error::new(what)
            .next(format!("targets with these cores are emulated: {}", known.join(", ")))
    })
}
