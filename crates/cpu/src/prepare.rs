//! From a program and the shapes of its inputs to everything a run needs: offsets, dimensions,
//! kernels. Allocates; the run does not.

use embarca_kernels::{Kernel, Needs, Signature, Ty};
use embarca_num::DType;
use embarca_plan::memory::{Block, assign};
use embarca_plan::{Packing, Plan, Program, Space, Storage, opcode};

use crate::error::LoadError;
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
    pub kernel: &'static Kernel,
    /// First byte and length in the plan.
    pub record: (usize, usize),
    /// First and number in [`Prepared::args`]: inputs, then outputs.
    pub args: (usize, usize, usize),
    pub needs: Needs,
    /// Fewest units that are worth a thread.
    pub min_units: usize,
    /// The step's number in the program.
    pub number: u32,
}

/// A program at known sizes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    pub dims: Vec<u32>,
    pub tensors: Vec<Tensor>,
    pub steps: Vec<Exec>,
    /// Positions in `tensors`; `u32::MAX` is an input that is left out.
    pub args: Vec<u32>,
    /// Tensors of the interface's inputs.
    pub inputs: Vec<u32>,
    /// Tensors of the interface's outputs.
    pub outputs: Vec<u32>,
    /// Bytes of the session's memory before the scratch.
    pub memory: usize,
    /// Scratch bytes of one thread.
    pub scratch: usize,
    /// Bytes of the arena alone.
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
    let function = program.function(0).ok_or(LoadError::Unsupported("a program without steps"))?;
    if 1 < program.function_count() {
        return Err(LoadError::Unsupported("control flow (If, While, Loop, Scan)"));
    }
    if program.is_data_dependent() {
        return Err(LoadError::Unsupported("shapes that depend on data"));
    }
    let mut prepared = Prepared::default();
    let places = place(program, values, shared.max_memory, &mut prepared)?;
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
            Space::Arena => (Region::Memory, places.arena),
            Space::State(state) => (Region::Memory, *get(&places.states, state)?),
            Space::Input(input) => (Region::Memory, *get(&places.inputs, input)?),
            Space::Output(output) => (Region::Memory, *get(&places.outputs, output)?),
            Space::Dynamic(root) => {
                let at = places.dynamic.iter().find(|(tensor, _)| *tensor == root);
                (Region::Memory, at.ok_or(LoadError::TooLarge)?.1)
            }
        };
        let start_byte = usize::try_from(base + location.start).map_err(|_| LoadError::TooLarge)?;
        let len = usize::try_from(location.len).map_err(|_| LoadError::TooLarge)?;
        let dims = (start, tensor.rank() as u32);
        prepared.tensors.push(Tensor {
            dtype: tensor.dtype(),
            dims,
            region,
            at: (start_byte, len),
        });
    }
    prepared.inputs = function.inputs().to_vec();
    prepared.outputs = function.outputs().to_vec();
    for step in function.steps() {
        if step.opcode() == opcode::JOIN {
            continue;
        }
        let exec = exec(shared, &step, &mut prepared)?;
        prepared.steps.push(exec);
    }
    Ok(prepared)
}

fn get(places: &[u64], index: u32) -> Result<&u64, LoadError> {
    places.get(index as usize).ok_or(LoadError::TooLarge)
}

/// Where the parts of a session's memory begin.
struct Places {
    arena: u64,
    states: Vec<u64>,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
    dynamic: Vec<(u32, u64)>,
}

fn place(
    program: &Program<'_>,
    values: &[i64],
    max_memory: u64,
    prepared: &mut Prepared,
) -> Result<Places, LoadError> {
    let function = program.function(0).ok_or(LoadError::TooLarge)?;
    let align = program.align().max(64);
    let mut dynamic = Vec::new();
    let mut arena = function.arena_bytes();
    if program.is_dynamic() {
        let tensors = function.tensors().filter(|t| t.storage() == Storage::Dynamic);
        let indices: Vec<u32> = tensors.map(|tensor| tensor.index).collect();
        let mut blocks = vec![Block::default(); indices.len()];
        function.blocks(values, &mut blocks).map_err(LoadError::Size)?;
        let mut scratch = vec![0; 2 * blocks.len()];
        arena = assign(&mut blocks, &mut scratch, align).map_err(|_| LoadError::TooLarge)?;
        dynamic = indices.into_iter().zip(blocks.iter().map(|block| block.offset)).collect();
    }
    let mut end = arena;
    let mut append = |bytes: u64| -> Result<u64, LoadError> {
        let start = end.checked_next_multiple_of(align).ok_or(LoadError::TooLarge)?;
        end =
            start.checked_add(bytes).filter(|&end| end <= max_memory).ok_or(LoadError::TooLarge)?;
        Ok(start)
    };
    let mut states = Vec::new();
    for state in program.states() {
        let len = state.bytes(values).ok_or(LoadError::TooLarge)?;
        let start = append(len)?;
        states.push(start);
        let initial = state.initial().map(|at| at as usize);
        prepared.states.push((start as usize, len as usize, initial));
    }
    let mut ports = |tensors: &[u32]| -> Result<Vec<u64>, LoadError> {
        let mut starts = Vec::with_capacity(tensors.len());
        for &index in tensors {
            let tensor = program.tensor(index).ok_or(LoadError::TooLarge)?;
            starts.push(append(tensor.bytes(values).ok_or(LoadError::TooLarge)?)?);
        }
        Ok(starts)
    };
    let inputs = ports(function.inputs())?;
    let outputs = ports(function.outputs())?;
    let total = end.checked_next_multiple_of(align).ok_or(LoadError::TooLarge)?;
    prepared.memory = usize::try_from(total).map_err(|_| LoadError::TooLarge)?;
    prepared.arena = usize::try_from(arena).map_err(|_| LoadError::TooLarge)?;
    Ok(Places { arena: 0, states, inputs, outputs, dynamic })
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
    Ok(Exec {
        kernel: packed.map_or(portable, |packed| packed.kernel),
        record,
        args: (first, n_inputs, n_outputs),
        needs: needs.0,
        min_units: needs.1,
        number,
    })
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
