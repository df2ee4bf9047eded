//! Device programs: what a microcontroller runs, from a schedule with fixed sizes.
//!
//! Steps whose kernel has a form for the core get packed weights, biases with the zero points folded
//! in and a record of sizes; all others run their portable kernel on described tensors. Scratch is
//! part of the arena.

mod constants;
mod memory;
mod steps;

use embarca_ir::{Model, SymbolId};
use embarca_plan::records::NONE;
use embarca_plan::{
    DevicePort, DeviceRecord, DeviceState, FileKind, SectionKind, SectionSpec, container_len,
    write_container,
};
use embarca_target::Target;
use zerocopy::IntoBytes;

use crate::schedule::{Place, Schedule, Tensor, TensorIndex};
use crate::{CompileError, emit, plan_writer};

use constants::Constants;
use memory::Memory;

/// A tensor's memory at fixed sizes.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    /// Dimensions.
    pub dims: Vec<u32>,
    /// Bytes.
    pub len: u32,
    /// The tensor that owns the memory, and the first byte in it.
    pub root: (TensorIndex, u32),
}

/// A schedule whose sizes are numbers.
pub(crate) struct Sized<'a> {
    pub schedule: &'a Schedule,
    pub tensors: Vec<Fixed>,
}

impl<'a> Sized<'a> {
    /// Open dimensions get their preferred sizes.
    fn new(model: &Model, schedule: &'a Schedule) -> Result<Self, CompileError> {
        let preferred =
            |id: SymbolId| model.symbols.get(id.index()).map(|symbol| i64::from(symbol.preferred));
        let mut tensors = Vec::with_capacity(schedule.tensors.len());
        for (index, tensor) in schedule.tensors.iter().enumerate() {
            let open = || {
                CompileError::Limit(format!(
                    "tensor '{}' has an open dimension: {}; a microcontroller needs fixed sizes, \
                     give them with --shapes",
                    tensor.name.escape_debug(),
                    tensor.ty
                ))
            };
            let dims = tensor.ty.dims.iter().map(|dim| u32::try_from(dim.eval(&preferred)?).ok());
            let dims = dims.collect::<Option<Vec<u32>>>().ok_or_else(open)?;
            let size = tensor.ty.dtype.size() as u64;
            let len = dims.iter().try_fold(size, |len, &dim| len.checked_mul(u64::from(dim)));
            let len = len.and_then(|len| u32::try_from(len).ok()).filter(|len| *len < 1 << 31);
            let len = len.ok_or_else(|| {
                CompileError::Limit(format!("tensor '{}' is too large", tensor.name.escape_debug()))
            })?;
            let root = match &tensor.place {
                Place::Alias(of, offset) => {
                    let offset =
                        offset.eval(&preferred).and_then(|offset| u32::try_from(offset).ok());
                    (*of, offset.ok_or_else(open)?)
                }
                // All tensors of a state are its one memory.
                Place::State(number) => {
                    let same = |tensor: &Tensor| tensor.place == Place::State(*number);
                    (schedule.tensors.iter().position(same).unwrap_or(index), 0)
                }
                _ => (index, 0),
            };
            tensors.push(Fixed { dims, len, root });
        }
        Ok(Self { schedule, tensors })
    }
}

/// The bytes of a plan for one microcontroller.
///
/// # Errors
/// The model calls other graphs, has open sizes, or a kernel refuses a step.
pub(crate) fn build(
    model: &Model,
    schedules: &[Schedule],
    target: &Target,
) -> Result<Vec<u8>, CompileError> {
    let [schedule] = schedules else {
        return Err(CompileError::Limit(
            "control flow (If, Loop, Scan, While) does not run on microcontrollers yet".to_owned(),
        ));
    };
    let sized = Sized::new(model, schedule)?;
    let mut constants = Constants::default();
    let mut steps = steps::choose(&sized, target, &mut constants)?;
    let limit = target.ram.and_then(|ram| u32::try_from(ram).ok());
    let memory = Memory::plan(&sized, &mut steps, limit)?;

    let port = |tensor: &TensorIndex| {
        let fixed = &sized.tensors[*tensor];
        let dtype = u32::from(schedule.tensors[*tensor].ty.dtype.code());
        DevicePort { dtype, at: memory.at(&sized, *tensor), len: fixed.len }
    };
    let ports: Vec<_> = schedule.inputs.iter().chain(&schedule.outputs).map(port).collect();
    let mut states = Vec::new();
    for (index, (tensor, fixed)) in schedule.tensors.iter().zip(&sized.tensors).enumerate() {
        let Place::State(number) = tensor.place else { continue };
        if fixed.root.0 != index {
            continue;
        }
        let initial = &schedule.states[number as usize].initial.data;
        let zeros = initial.iter().all(|&byte| byte == 0);
        let initial = if zeros { NONE } else { constants.add(initial)? };
        states.push(DeviceState { at: memory.at(&sized, fixed.root.0), len: fixed.len, initial });
    }
    let mut words = Vec::new();
    for step in &steps {
        let record = step.encode(&sized, &memory)?;
        let count = u16::try_from(record.len()).map_err(|_| {
            CompileError::Limit(format!("step '{}' has too many tensors", step.name))
        })?;
        words.push(u32::from(step.opcode()) | u32::from(count) << 16);
        words.extend(record);
    }
    let count = |n: usize| {
        u16::try_from(n).map_err(|_| CompileError::Limit("too many inputs or outputs".to_owned()))
    };
    let head = DeviceRecord {
        family: emit::family(target)?.0,
        align_log2: 4,
        arena: memory.arena,
        inputs: count(schedule.inputs.len())?,
        outputs: count(schedule.outputs.len())?,
        states: states.len() as u32,
        steps: steps.len() as u32,
    };
    let mut program = head.as_bytes().to_vec();
    program.extend_from_slice(ports.as_bytes());
    program.extend_from_slice(states.as_bytes());
    program.extend_from_slice(words.as_bytes());

    let bug = |error: &dyn std::fmt::Display| CompileError::Bug(error.to_string());
    let interface = plan_writer::interface(&emit::interface(model)?).map_err(|e| bug(&e))?;
    let spec = |kind, bytes| SectionSpec { kind, required: true, align_log2: 4, bytes };
    let sections = [
        spec(SectionKind::INTERFACE, &*interface),
        spec(SectionKind::DEVICE, &program),
        spec(SectionKind::WEIGHTS, &constants.bytes),
    ];
    let mut out = vec![0; container_len(&sections).map_err(|e| bug(&e))?];
    write_container(FileKind::Plan, &sections, &mut out).map_err(|e| bug(&e))?;
    Ok(out)
}
