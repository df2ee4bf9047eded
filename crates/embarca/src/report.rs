//! What a plan holds, for people and tools: no weights, no runtime.

use embarca_kernels::Opcode;
use embarca_plan::{Plan, Program, Unit, Values};

use crate::error::Result;

/// What a plan holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanReport {
    /// In the order of the file.
    pub programs: Vec<ProgramReport>,
    /// Where the plan comes from, sorted by key.
    pub provenance: Vec<(String, String)>,
    /// Bytes of constants, shared by the programs.
    pub weight_bytes: u64,
}

/// One program of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgramReport {
    /// The target that it was built for.
    pub target: String,
    /// The family of machines that it runs on; `portable` is all of them.
    pub family: String,
    /// Whether dimensions are open until a session starts.
    pub is_dynamic: bool,
    /// Bytes of the arena, at preferred sizes.
    pub arena_bytes: u64,
    /// Bytes of state, at preferred sizes.
    pub state_bytes: u64,
    /// In order of execution, functions one after the other.
    pub steps: Vec<StepReport>,
}

/// One step of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    /// The name of the node that it came from, or of its first output; may be empty.
    pub name: String,
    /// The kernel's name; `None` when this version does not have it.
    pub kernel: Option<&'static str>,
    /// The kernel's number.
    pub opcode: u16,
    /// How it computes where that changes rounding; 0 is the definition's way.
    pub algorithm: u16,
    /// Scale and zero point of output 0, when integers stand for real numbers under one scale.
    pub quant: Option<(f32, i32)>,
    /// Element type and dimensions of output 0, at preferred sizes.
    pub output: String,
}

/// Checks the bytes of a plan and says what it holds.
///
/// # Errors
/// When the bytes are no plan, are damaged, or need a newer version.
pub fn inspect_plan(bytes: &[u8]) -> Result<PlanReport> {
    let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
    let bytes = Unit::copy_from(&mut units, bytes).unwrap_or_default();
    let plan = Plan::open(bytes).map_err(embarca_cpu::LoadError::Open)?;
    Ok(PlanReport {
        programs: plan.programs().map(|program| report(&program)).collect(),
        provenance: plan.provenance().map_or_else(Vec::new, |properties| {
            properties.iter().map(|(key, values)| (key.to_owned(), text(values))).collect()
        }),
        weight_bytes: plan.weights().len() as u64,
    })
}

fn text(values: Values<'_>) -> String {
    let join = |items: Vec<String>| items.join(" ");
    match values {
        Values::Texts(texts) => join(texts.iter().map(str::to_owned).collect()),
        Values::Integers(values) => join(values.iter().map(i32::to_string).collect()),
        Values::Floats(values) => join(values.iter().map(f32::to_string).collect()),
    }
}

fn report(program: &Program<'_>) -> ProgramReport {
    let symbols: Vec<u32> = program.common.symbols.iter().map(|symbol| symbol.preferred).collect();
    let mut values = vec![0; program.common.exprs.len()];
    // Sizes that cannot be computed at the preferred values are left out below.
    let _ = program.evaluate(&symbols, &mut values);
    let steps = program.steps().map(|step| {
        let tensor = step.outputs().first().and_then(|&index| program.tensor(index));
        let output = tensor.map_or_else(String::new, |tensor| {
            let dims = tensor.dims().map(|dim| dim.value(&values));
            let dims = dims.map(|dim| dim.map_or_else(|| "?".into(), |dim| dim.to_string()));
            format!("{}[{}]", tensor.dtype(), dims.collect::<Vec<_>>().join("x"))
        });
        let quant = tensor.and_then(|tensor| tensor.quant());
        let own = step.name().filter(|name| !name.is_empty());
        let name = own.or_else(|| tensor.and_then(|tensor| tensor.name()));
        StepReport {
            name: name.unwrap_or_default().to_owned(),
            kernel: embarca_kernels::portable(Opcode(step.opcode())).map(|kernel| kernel.name),
            opcode: step.opcode(),
            algorithm: step.algorithm(),
            quant: quant.and_then(|quant| match (quant.scales, quant.zeros) {
                ([scale], [zero]) => Some((*scale, *zero)),
                _ => None,
            }),
            output,
        }
    });
    ProgramReport {
        target: program.target().unwrap_or_default().to_owned(),
        family: program.family().name().to_owned(),
        is_dynamic: program.is_dynamic(),
        arena_bytes: program.function(0).map_or(0, |function| function.arena_bytes()),
        state_bytes: program.state_bytes(),
        steps: steps.collect(),
    }
}
