//! Which function of the kernels each step of a plan needs.

use embarca_kernels::device::opcode;
use embarca_kernels::{OPERATORS, Opcode};
use embarca_plan::Device;

use crate::error::{Error, Result};
use crate::machine::Machine;

/// The steps: number, name, and the function; `PARTS` stands for the core's inner loops, `PLAIN` for
/// those in plain instructions.
const STEPS: &[(u16, &str, &str)] = &[
    (opcode::CONV, "conv", "embarca_kernels::device::conv::<PARTS>"),
    (opcode::DEPTHWISE, "depthwise", "embarca_kernels::device::depthwise::<PARTS>"),
    (opcode::DENSE, "dense", "embarca_kernels::device::dense::<PARTS>"),
    (opcode::HELIUM_CONV, "conv", "embarca_kernels::device::helium::conv::<PARTS>"),
    (opcode::HELIUM_DEPTHWISE, "depthwise", "embarca_kernels::device::helium::depthwise::<PARTS>"),
    (opcode::HELIUM_DENSE, "dense", "embarca_kernels::device::helium::dense::<PARTS>"),
    (opcode::HELIUM_ADD, "add", "embarca_kernels::device::helium::add::<PARTS>"),
    (opcode::PLAIN_CONV, "conv", "embarca_kernels::device::plain::plain_conv::<PLAIN>"),
    (opcode::TAPS, "depthwise", "embarca_kernels::device::plain::taps::<PLAIN>"),
    (opcode::ADD, "add", "embarca_kernels::device::small::add"),
    (opcode::MUL, "mul", "embarca_kernels::device::small::mul"),
    (opcode::POOL, "pool", "embarca_kernels::device::small::pool"),
    (opcode::SOFTMAX, "softmax", "embarca_kernels::device::small::softmax"),
    (opcode::TABLE, "table", "embarca_kernels::device::small::table"),
];

/// The inner loops in plain instructions, which every core here has.
const PLAIN: &str = "embarca_simd::plain::Plain";

/// A step that a firmware links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub opcode: u16,
    /// For people.
    pub name: &'static str,
    /// The path of the function; empty for the general step.
    pub function: String,
}

/// Steps, kernels of the general step, and its most inputs and outputs.
pub(crate) type Needed = (Vec<Link>, Vec<Opcode>, [u8; 2]);

/// What a program needs: its steps, sorted and each once, and the general step's kernels.
pub(crate) fn links(device: &Device<'_>, machine: &Machine) -> Result<Needed> {
    let mut links = Vec::new();
    let mut kernels = Vec::new();
    let mut most = [1; 2];
    for step in device.steps() {
        if step.opcode == opcode::GENERAL {
            let head = step.record.first().copied().unwrap_or_default();
            kernels.push(Opcode(head as u16));
            let [_, _, inputs, outputs] = head.to_le_bytes();
            most = [most[0].max(inputs), most[1].max(outputs)];
            links.push(Link { opcode: step.opcode, name: "general", function: String::new() });
            continue;
        }
        let known = STEPS.iter().find(|(number, ..)| *number == step.opcode);
        let (opcode, name, function) = *known.ok_or_else(|| {
            Error::new(format!("the plan has a step {}, which this version lacks", step.opcode))
                .next("update Embarca, or build the plan again with this version")
        })?;
        let function = function.replace("PARTS", machine.parts).replace("PLAIN", PLAIN);
        links.push(Link { opcode, name, function });
    }
    links.sort_by_key(|link| link.opcode);
    links.dedup();
    kernels.sort();
    kernels.dedup();
    Ok((links, kernels, most))
}

/// The name of a step for people: that of its kernel.
pub(crate) fn name(opcode: u16, record: &[u32]) -> String {
    if opcode == opcode::GENERAL {
        let kernel = embarca_kernels::portable(Opcode(record.first().copied().unwrap_or(0) as u16));
        return kernel.map_or_else(|| "?".to_owned(), |kernel| kernel.name.to_owned());
    }
    let known = STEPS.iter().find(|(number, ..)| *number == opcode);
    known.map_or_else(|| format!("step {opcode}"), |(_, name, _)| (*name).to_owned())
}

/// A path to a kernel's constant.
pub(crate) fn kernel(opcode: Opcode) -> Result<String> {
    let known = OPERATORS.iter().find(|(number, ..)| *number == opcode.0 / 16);
    let (_, module, kernels) =
        known.filter(|(.., k)| usize::from(opcode.0 % 16) < k.len()).ok_or_else(|| {
            Error::new(format!("the plan has a kernel {}, which this version lacks", opcode.0))
        })?;
    debug_assert!(!kernels.is_empty());
    Ok(format!("embarca_kernels::{module}::KERNELS[{}]", opcode.0 % 16))
}
