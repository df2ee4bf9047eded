//! What a target is: plain data, read from one descriptor file a target in `targets/`.
//!
//! Knows no graph and no runtime: the compiler reads what it may fuse and how much room there is.

use serde::Deserialize;

/// Instruction-set family a program is made for. A program of family [`ANY`] runs everywhere.
pub const ANY: &str = "any";

/// Which runtime executes the programs of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// The server runtime: threads, file maps, an allocator at load time.
    Cpu,
    /// The runtime of microcontrollers: no heap, the plan in flash, an arena that the caller owns.
    Mcu,
}

/// A pattern that a target's kernels compute in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// A bound on the result of an operator that offers it.
    Clamp,
    /// Zero padding in front of a convolution.
    Pad,
}

/// A machine or a class of machines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What users type.
    pub id: String,
    /// For people.
    pub name: String,
    /// Instruction-set family; `any` is portable.
    pub family: String,
    /// Which runtime executes its programs.
    pub runtime: Runtime,
    /// The core of a microcontroller, the id of the target that is it; a target without one is a core.
    pub core: Option<String>,
    /// Bytes to which activations and weights are aligned.
    pub alignment: u32,
    /// What the compiler may fuse.
    pub fuse: Vec<Fusion>,
    /// The element types that it has kernels for.
    pub dtypes: Vec<String>,
    /// Whether dimensions may be left open until a session starts.
    pub symbolic: bool,
    /// Bytes of memory for activations and state, where the board limits them.
    pub ram: Option<u64>,
    /// Bytes for the plan, where the board limits them.
    pub flash: Option<u64>,
}

impl Target {
    /// Whether the target fuses a pattern.
    pub fn fuses(&self, fusion: Fusion) -> bool {
        self.fuse.contains(&fusion)
    }

    /// Whether programs of a family run here.
    pub fn runs(&self, family: &str) -> bool {
        family == ANY || family == self.family
    }
}

const DESCRIPTORS: &[(&str, &str)] = &[
    ("aarch64", include_str!("../../../targets/aarch64.toml")),
    ("cortex-m0plus", include_str!("../../../targets/cortex-m0plus.toml")),
    ("cortex-m3", include_str!("../../../targets/cortex-m3.toml")),
    ("cortex-m4", include_str!("../../../targets/cortex-m4.toml")),
    ("cortex-m55", include_str!("../../../targets/cortex-m55.toml")),
    ("cortex-m7", include_str!("../../../targets/cortex-m7.toml")),
    ("cpu", include_str!("../../../targets/cpu.toml")),
    ("riscv32imc", include_str!("../../../targets/riscv32imc.toml")),
    ("x86-64", include_str!("../../../targets/x86-64.toml")),
];

/// Reads a descriptor.
///
/// # Errors
/// With line and column when it is not one.
pub fn parse(text: &str) -> Result<Target, String> {
    let target: Target = toml::from_str(text).map_err(|error| error.to_string())?;
    if !target.alignment.is_power_of_two() || !(16..=4096).contains(&target.alignment) {
        return Err(format!(
            "alignment {} is not a power of two from 16 to 4096",
            target.alignment
        ));
    }
    Ok(target)
}

/// The targets that come with Embarca, sorted by id.
pub fn all() -> Vec<Target> {
    DESCRIPTORS.iter().filter_map(|(_, text)| parse(text).ok()).collect()
}

/// The built-in target with this id.
pub fn find(id: &str) -> Option<Target> {
    let (_, text) = DESCRIPTORS.iter().find(|(name, _)| *name == id)?;
    parse(text).ok()
}

/// The id of the built-in target for the machine that this code runs on.
pub fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "aarch64",
        _ => "cpu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_reads_and_is_listed_under_its_id() {
        for (id, text) in DESCRIPTORS {
            assert_eq!(parse(text).map(|target| target.id).as_deref(), Ok(*id));
        }
        assert!(DESCRIPTORS.is_sorted());
        assert!(find(host()).is_some());
    }

    #[test]
    fn a_wrong_descriptor_is_refused_with_its_place() {
        let text = include_str!("../../../targets/cpu.toml").replace("alignment", "alignmnt");
        assert!(parse(&text).unwrap_err().contains("alignmnt"));
    }
}
