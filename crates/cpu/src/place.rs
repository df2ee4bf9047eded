//! Where the functions of a program keep their tensors in the memory of a session.
//!
//! The first function has its arena, the states, the inputs and the outputs. A called function has a
//! frame: its arena, its arguments, its results. It lies behind the frames of all functions that
//! call it, so a call copies arguments in and results out and nothing is placed while a plan runs.

use embarca_plan::memory::{Block, assign};
use embarca_plan::{Function, Program, Storage};

use crate::error::LoadError;
use crate::prepare::Prepared;

/// Calls may be nested so deep: a run uses the caller's stack for each.
const MAX_DEPTH: usize = 64;

/// Where a function keeps its tensors.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// First byte of the arena.
    pub arena: u64,
    /// First byte of each input.
    pub inputs: Vec<u64>,
    /// First byte of each output.
    pub outputs: Vec<u64>,
    /// The tensors that the runtime places, ascending, with their offsets in the arena.
    pub dynamic: Vec<(u32, u64)>,
}

/// Where the parts of a session's memory begin.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub frames: Vec<Frame>,
    pub states: Vec<u64>,
}

/// Memory that grows up to a limit.
struct Region {
    end: u64,
    align: u64,
    max: u64,
}

impl Region {
    fn append(&mut self, bytes: u64) -> Result<u64, LoadError> {
        let start = self.end.checked_next_multiple_of(self.align).ok_or(LoadError::TooLarge)?;
        let end = start.checked_add(bytes).filter(|&end| end <= self.max);
        self.end = end.ok_or(LoadError::TooLarge)?;
        Ok(start)
    }
}

pub(crate) fn place(
    program: &Program<'_>,
    values: &[i64],
    max_memory: u64,
    prepared: &mut Prepared,
) -> Result<Places, LoadError> {
    let align = program.align().max(64);
    check_depth(program)?;
    let mut places = Places::default();
    // Functions call only later ones, so all callers of a function come before it.
    let mut bases = vec![0u64; program.function_count()];
    let (mut total, mut first) = (0, None);
    for (index, function) in program.functions().enumerate() {
        let mut region = Region { end: bases[index], align, max: max_memory };
        let (arena, dynamic) = arena(program, &function, values, align)?;
        let mut frame = Frame { arena: region.append(arena)?, dynamic, ..Frame::default() };
        let activations = region.end;
        if index == 0 {
            for state in program.states() {
                let len = state.bytes(values).ok_or(LoadError::TooLarge)?;
                let start = region.append(len)?;
                places.states.push(start);
                let initial = state.initial().map(|at| at as usize);
                prepared.states.push((start as usize, len as usize, initial));
            }
        }
        let mut all = |tensors: &[u32]| -> Result<Vec<u64>, LoadError> {
            let mut starts = Vec::with_capacity(tensors.len());
            for &index in tensors {
                let tensor = program.tensor(index).ok_or(LoadError::TooLarge)?;
                starts.push(region.append(tensor.bytes(values).ok_or(LoadError::TooLarge)?)?);
            }
            Ok(starts)
        };
        frame.inputs = all(function.inputs())?;
        frame.outputs = all(function.outputs())?;
        places.frames.push(frame);
        total = total.max(region.end);
        first.get_or_insert((activations, region.end));
        for callee in function.steps().filter_map(|step| step.control()) {
            let (first, second) = callee.callees();
            for callee in [Some(first), second].into_iter().flatten() {
                let base = bases.get_mut(callee as usize).ok_or(LoadError::TooLarge)?;
                *base = (*base).max(region.end);
            }
        }
    }
    let (activations, end) = first.unwrap_or_default();
    let arena = activations.saturating_add(total - end);
    prepared.arena = usize::try_from(arena).map_err(|_| LoadError::TooLarge)?;
    let total = total.checked_next_multiple_of(align).ok_or(LoadError::TooLarge)?;
    prepared.memory = usize::try_from(total).map_err(|_| LoadError::TooLarge)?;
    Ok(places)
}

/// The bytes of a function's arena at these sizes, and where in it the tensors lie that the runtime
/// places.
fn arena(
    program: &Program<'_>,
    function: &Function<'_>,
    values: &[i64],
    align: u64,
) -> Result<(u64, Vec<(u32, u64)>), LoadError> {
    if !program.is_dynamic() {
        return Ok((function.arena_bytes(), Vec::new()));
    }
    let tensors = function.tensors().filter(|tensor| tensor.storage() == Storage::Dynamic);
    let indices: Vec<u32> = tensors.map(|tensor| tensor.index).collect();
    let mut blocks = vec![Block::default(); indices.len()];
    function.blocks(values, &mut blocks).map_err(LoadError::Size)?;
    let mut scratch = vec![0; 2 * blocks.len()];
    let arena = assign(&mut blocks, &mut scratch, align).map_err(|_| LoadError::TooLarge)?;
    Ok((arena, indices.into_iter().zip(blocks.iter().map(|block| block.offset)).collect()))
}

fn check_depth(program: &Program<'_>) -> Result<(), LoadError> {
    let mut depths = vec![1usize; program.function_count()];
    for (index, function) in program.functions().enumerate() {
        let depth = depths[index] + 1;
        for control in function.steps().filter_map(|step| step.control()) {
            let (first, second) = control.callees();
            for callee in [Some(first), second].into_iter().flatten() {
                if let Some(slot) = depths.get_mut(callee as usize) {
                    *slot = (*slot).max(depth);
                }
            }
        }
    }
    match depths.iter().all(|&depth| depth <= MAX_DEPTH) {
        true => Ok(()),
        false => Err(LoadError::Unsupported("calls that are nested more than 64 deep")),
    }
}
