//! From a program and the shapes of its inputs to everything a run needs: offsets, dimensions,
//! kernels. Allocates; the run does not.

use std::ops::Range;

use embarca_kernels::{Kernel, Needs, Signature, Ty};
use embarca_num::DType;
use embarca_plan::{Control, Packing, Plan, Program, Space, Storage, opcode};

use crate::error::LoadError;
use crate::place::place;
use crate::plan::Shared;

/// Inputs of one step beyond this number are refused; they are held on the stack.
pub(crate) const MAX_ARGS: usize = 1024;

/// Outputs of one step beyond this number are refused.
pub(crate) const MAX_RESULTS: usize = 64;

/// Below this many elementary operations a share of a step is not worth handing to a thread.
const MIN_SHARE: u64 = 32_768;

/// Which memory holds a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    /// The weights section of the plan.
    Weights,
    /// A packed constant, by number.
    Packed(u32),
    /// The session's memory.
    Memory,
}

/// A tensor at known sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor {
    pub dtype: DType,
    /// First dimension and rank in [`Prepared::dims`].
    pub dims: (u32, u32),
    pub region: Region,
    /// First byte and length.
    pub at: (usize, usize),
}

/// A step at known sizes.
#[derive(Clone, Debug)]
pub(crate) struct Exec {
    /// First and number in [`Prepared::args`]: inputs, then outputs.
    pub args: (usize, usize, usize),
    /// The step's number in the program.
    pub number: u32,
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Kernel {
        kernel: &'static Kernel,
        /// First byte and length in the plan.
        record: (usize, usize),
        needs: Needs,
        /// Fewest units that are worth a thread.
        min_units: usize,
    },
    Call(Call),
}

/// Which functions a step calls.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    If { then: usize, otherwise: usize },
    While { cond: usize, body: usize },
    Loop { body: usize, vars: usize },
    Scan { body: usize, vars: usize, sequences: Vec<u32>, collected: Vec<u32> },
}

impl Call {
    /// For messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::If { .. } => "if",
            Self::While { .. } => "while",
            Self::Loop { .. } => "loop",
            Self::Scan { .. } => "scan",
        }
    }
}

/// A function at known sizes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    /// Its steps in [`Prepared::steps`].
    pub steps: Range<usize>,
    /// Its inputs and outputs in [`Prepared::tensors`].
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
}

/// A program at known sizes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    pub dims: Vec<u32>,
    pub tensors: Vec<Tensor>,
    pub steps: Vec<Exec>,
    /// The first is where a run starts; its ports are the interface's.
    pub functions: Vec<Body>,
    /// Positions in `tensors`; `u32::MAX` is an input that is left out.
    pub args: Vec<u32>,
    /// Bytes of the session's memory before the scratch.
    pub memory: usize,
    /// Scratch bytes of one thread.
    pub scratch: usize,
    /// Bytes for activations: arenas, and arguments and results of called functions.
    pub arena: usize,
    /// First byte and length of each state, and of its initial value in the weights.
    pub states: Vec<(usize, usize, Option<usize>)>,
}

impl Prepared {
    /// Dimensions of a tensor.
    pub fn dims_of(&self, tensor: &Tensor) -> &[u32] {
        let (start, rank) = tensor.dims;
        self.dims.get(start as usize..(start + rank) as usize).unwrap_or(&[])
    }

    /// Inputs and outputs of a step.
    pub fn lists(&self, step: &Exec) -> (&[u32], &[u32]) {
        let (first, inputs, outputs) = step.args;
        let all = self.args.get(first..first + inputs + outputs).unwrap_or(&[]);
        all.split_at_checked(inputs).unwrap_or((&[], &[]))
    }
}

/// Prepares a program for inputs of these shapes.
pub(crate) fn prepare(
    shared: &Shared,
    program: &Program<'_>,
    shapes: &[&[u32]],
) -> Result<Prepared, LoadError> {
    let mut symbols = vec![0u32; program.common.symbols.len()];
    program.bind(shapes, &mut symbols).map_err(LoadError::Size)?;
    let values = values_at(program, &symbols)?;
    program.matches(shapes, &values).map_err(LoadError::Size)?;
    at_values(shared, program, &values)
}

/// Prepares a program at its preferred sizes.
pub(crate) fn prepare_preferred(
    shared: &Shared,
    program: &Program<'_>,
) -> Result<Prepared, LoadError> {
    at_values(shared, program, &preferred_values(program)?)
}

/// The values of all expressions at preferred sizes.
pub(crate) fn preferred_values(program: &Program<'_>) -> Result<Vec<i64>, LoadError> {
    let symbols: Vec<u32> = program.common.symbols.iter().map(|s| s.preferred).collect();
    values_at(program, &symbols)
}

fn values_at(program: &Program<'_>, symbols: &[u32]) -> Result<Vec<i64>, LoadError> {
    let mut values = vec![0; program.common.exprs.len()];
    program.evaluate(symbols, &mut values).map_err(LoadError::Size)?;
    Ok(values)
}

fn at_values(
    shared: &Shared,
    program: &Program<'_>,
    values: &[i64],
) -> Result<Prepared, LoadError> {
    let plan = Plan::reopen(shared.bytes()).map_err(LoadError::Open)?;
    plan.check_sizes(shared.program, values).map_err(LoadError::Open)?;
    if program.function_count() == 0 {
        return Err(LoadError::Unsupported("a program without steps"));
    }
    if program.is_data_dependent() {
        return Err(LoadError::Unsupported("shapes that depend on data"));
    }
    let mut prepared = Prepared::default();
    let places = place(program, values, shared.max_memory, &mut prepared)?;
    for (function, frame) in program.functions().zip(&places.frames) {
        for tensor in function.tensors() {
            let start = prepared.dims.len() as u32;
            let mut buffer = [0; embarca_plan::MAX_RANK];
            if tensor.layout().0 != 0 {
                return Err(LoadError::Unsupported("physical layouts of activations"));
            }
            if let Storage::Weights { packing: Packing { id: 1.., .. }, .. } = tensor.storage() {
                return Err(LoadError::Unsupported("weights that the plan holds packed"));
            }
            let dims = tensor.dims_at(values, &mut buffer).ok_or(LoadError::TooLarge)?;
            prepared.dims.extend_from_slice(dims);
            let location = tensor.location(values).ok_or(LoadError::TooLarge)?;
            let (region, base) = match location.space {
                Space::Weights => (Region::Weights, 0),
                Space::Arena => (Region::Memory, frame.arena),
                Space::State(state) => (Region::Memory, *get(&places.states, state)?),
                Space::Input(input) => (Region::Memory, *get(&frame.inputs, input)?),
                Space::Output(output) => (Region::Memory, *get(&frame.outputs, output)?),
                Space::Dynamic(root) => {
                    let at = frame.dynamic.binary_search_by_key(&root, |(tensor, _)| *tensor);
                    let at = at.map_err(|_| LoadError::TooLarge)?;
                    (Region::Memory, frame.arena + frame.dynamic[at].1)
                }
            };
            let start_byte = base.checked_add(location.start).ok_or(LoadError::TooLarge)?;
            let start_byte = usize::try_from(start_byte).map_err(|_| LoadError::TooLarge)?;
            let len = usize::try_from(location.len).map_err(|_| LoadError::TooLarge)?;
            let dims = (start, tensor.rank() as u32);
            let (dtype, at) = (tensor.dtype(), (start_byte, len));
            prepared.tensors.push(Tensor { dtype, dims, region, at });
        }
        prepared.functions.push(Body {
            steps: 0..0,
            inputs: function.inputs().to_vec(),
            outputs: function.outputs().to_vec(),
        });
    }
    for (index, function) in program.functions().enumerate() {
        let start = prepared.steps.len();
        for step in function.steps() {
            let exec = match step.control() {
                _ if step.opcode() == opcode::JOIN => continue,
                Some(control) => call(&step, control, &mut prepared)?,
                None => exec(shared, &step, &mut prepared)?,
            };
            prepared.steps.push(exec);
        }
        prepared.functions[index].steps = start..prepared.steps.len();
    }
    Ok(prepared)
}

fn get(places: &[u64], index: u32) -> Result<&u64, LoadError> {
    places.get(index as usize).ok_or(LoadError::TooLarge)
}

/// A call of functions. Arguments and results must have the sizes of their counterparts.
fn call(
    step: &embarca_plan::Step<'_>,
    control: Control<'_>,
    prepared: &mut Prepared,
) -> Result<Exec, LoadError> {
    let first = prepared.args.len();
    prepared.args.extend(step.inputs().map(|input| input.unwrap_or(u32::MAX)));
    let n_inputs = prepared.args.len() - first;
    prepared.args.extend_from_slice(step.outputs());
    let number = |n: u32| n as usize;
    let call = match control {
        Control::If { then, otherwise } => {
            Call::If { then: number(then), otherwise: number(otherwise) }
        }
        Control::While { cond, body } => Call::While { cond: number(cond), body: number(body) },
        Control::Loop { body, vars } => Call::Loop { body: number(body), vars: number(vars) },
        Control::Scan { body, vars, sequences, collected } => Call::Scan {
            body: number(body),
            vars: number(vars),
            sequences: sequences.to_vec(),
            collected: collected.to_vec(),
        },
    };
    let args = (first, n_inputs, step.outputs().len());
    let exec = Exec { args, number: step.index, action: Action::Call(call) };
    if crate::control::fits(prepared, &exec) {
        Ok(exec)
    } else {
        Err(LoadError::Call { step: step.index })
    }
}

fn exec(
    shared: &Shared,
    step: &embarca_plan::Step<'_>,
    prepared: &mut Prepared,
) -> Result<Exec, LoadError> {
    let number = step.index;
    let portable = embarca_kernels::portable(embarca_kernels::Opcode(step.opcode()))
        .ok_or(LoadError::Opcode { step: number, opcode: step.opcode() })?;
    if step.algorithm() != 0 {
        return Err(LoadError::Unsupported("algorithms other than the direct one"));
    }
    let record = match step.record() {
        [] => (0, 0),
        record => (record.as_ptr().addr() - shared.bytes().as_ptr().addr(), record.len()),
    };
    let first = prepared.args.len();
    prepared.args.extend(step.inputs().map(|input| input.unwrap_or(u32::MAX)));
    let n_inputs = prepared.args.len() - first;
    prepared.args.extend_from_slice(step.outputs());
    let n_outputs = step.outputs().len();
    if MAX_ARGS < n_inputs || MAX_RESULTS < n_outputs {
        return Err(LoadError::Unsupported("a step with more than 1024 inputs or 64 outputs"));
    }
    let mut packed = shared.packed.get(&number);
    let needs = {
        let ty = |index: &u32| {
            let tensor = prepared.tensors.get(*index as usize)?;
            Some(Ty { dtype: tensor.dtype, dims: prepared.dims_of(tensor) })
        };
        let args = &prepared.args[first..];
        let inputs: Vec<Option<Ty<'_>>> = args[..n_inputs].iter().map(ty).collect();
        let outputs: Vec<Ty<'_>> = args[n_inputs..].iter().filter_map(ty).collect();
        let signature = Signature { record: step.record(), inputs: &inputs, outputs: &outputs };
        let fault = |fault| LoadError::Kernel { step: number, kernel: portable.name, fault };
        // The definition decides what is legal; a twin only computes it faster.
        let mut needs = (portable.check)(&signature).map_err(fault)?;
        match packed.map(|packed| (packed.kernel.check)(&signature)) {
            Some(Ok(twins)) => needs = twins,
            _ => packed = None,
        }
        let len = outputs.first().map_or(Ok(0), Ty::len).map_err(fault)?;
        if needs.units != 0 && len % needs.units != 0 {
            return Err(fault(embarca_kernels::Fault::Shape));
        }
        let work = work(&inputs, &outputs);
        let per_unit = (work / (needs.units.max(1) as u64)).saturating_add(1);
        (needs, MIN_SHARE.div_ceil(per_unit) as usize)
    };
    prepared.scratch = prepared.scratch.max(needs.0.scratch.next_multiple_of(64));
    if let Some(packed) = packed.filter(|packed| packed.input != usize::MAX) {
        // The packed constant takes the place of the canonical one for this step alone.
        let slot = first + packed.input;
        let index = prepared.args[slot] as usize;
        let mut tensor = prepared.tensors[index];
        tensor.region = Region::Packed(packed.buffer);
        tensor.at = (0, packed.len);
        prepared.tensors.push(tensor);
        prepared.args[slot] = prepared.tensors.len() as u32 - 1;
    }
    let kernel = packed.map_or(portable, |packed| packed.kernel);
    let action = Action::Kernel { kernel, record, needs: needs.0, min_units: needs.1 };
    Ok(Exec { args: (first, n_inputs, n_outputs), number, action })
}

/// A rough count of elementary operations: multiply-accumulates where there is a matrix of weights,
/// elements read and written elsewhere.
fn work(inputs: &[Option<Ty<'_>>], outputs: &[Ty<'_>]) -> u64 {
    let len =
        |ty: &Ty<'_>| ty.dims.iter().fold(1u64, |len, &dim| len.saturating_mul(u64::from(dim)));
    let out = outputs.iter().map(len).fold(0, u64::saturating_add);
    let read = inputs.iter().flatten().map(len).fold(0, u64::saturating_add);
    let columns = outputs.first().and_then(|ty| ty.dims.last()).copied().unwrap_or(1).max(1);
    let weights = inputs.get(1).copied().flatten().filter(|ty| 2 <= ty.dims.len());
    let per_output = weights.map_or(0, |ty| len(&ty) / u64::from(columns));
    out.saturating_mul(per_output).saturating_add(out).saturating_add(read)
}
