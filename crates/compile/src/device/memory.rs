//! The arena of a device program: states, tensors and scratch.

use embarca_plan::memory::{Block, assign};

use super::Sized;
use super::steps::Step;
use crate::CompileError;
use crate::schedule::{Place, TensorIndex};

/// Where everything lies.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Bytes.
    pub arena: u32,
    /// By tensor that owns memory; 0 for constants.
    places: Vec<u32>,
    /// By step.
    scratch: Vec<u32>,
}

impl Memory {
    /// Places everything, and lets an output take over the memory of an input where its step can.
    pub fn plan(sized: &Sized<'_>, steps: &[Step]) -> Result<Self, CompileError> {
        let (tensors, end) = (&sized.tensors, steps.len() as u32 + 1);
        let owner = |tensor: TensorIndex| tensors[tensor].root.0;
        // First and last position of use by owner; position 0 is before the first step.
        let mut lives: Vec<Option<(u32, u32)>> = vec![None; tensors.len()];
        let constant =
            |tensor: TensorIndex| matches!(sized.schedule.tensors[tensor].place, Place::Const(_));
        let mut touch = |tensor: TensorIndex, at: u32| {
            if constant(owner(tensor)) {
                return;
            }
            let life = lives[owner(tensor)].get_or_insert((at, at));
            *life = (life.0.min(at), life.1.max(at));
        };
        for &input in &sized.schedule.inputs {
            touch(input, 0);
        }
        for (index, step) in steps.iter().enumerate() {
            for &tensor in step.inputs.iter().flatten().chain(&step.outputs) {
                touch(tensor, index as u32 + 1);
            }
        }
        for &output in &sized.schedule.outputs {
            touch(output, end);
        }
        for (index, tensor) in sized.schedule.tensors.iter().enumerate() {
            if matches!(tensor.place, Place::State(_)) {
                touch(index, 0);
                touch(index, end);
            }
        }
        // An output that is written over its step's input shares the input's block.
        let mut block_of: Vec<usize> = (0..tensors.len()).collect();
        for (index, step) in steps.iter().enumerate() {
            let (Some(&Some(x)), [y]) = (step.inputs.first(), step.outputs.as_slice()) else {
                continue;
            };
            let (x, y) = (owner(x), owner(*y));
            let (Some(from), Some(to)) = (lives[x], lives[y]) else { continue };
            let whole = |tensor: TensorIndex| tensors[tensor].root == (tensor, 0);
            let now = index as u32 + 1;
            if step.in_place && whole(x) && whole(y) && from.1 == now && to.0 == now && x != y {
                block_of[y] = block_of[x];
            }
        }
        let mut blocks: Vec<Block> = Vec::new();
        let mut slots = vec![None; tensors.len()];
        for index in 0..tensors.len() {
            let Some((first, last)) = lives[index] else { continue };
            let root = block_of[index];
            let size = u64::from(tensors[index].len);
            let slot = *slots[root].get_or_insert_with(|| {
                blocks.push(Block { size, first, last, offset: 0 });
                blocks.len() - 1
            });
            slots[index] = Some(slot);
            let block = &mut blocks[slot];
            block.size = block.size.max(size);
            block.first = block.first.min(first);
            block.last = block.last.max(last);
        }
        let tensors_end = blocks.len();
        for (index, step) in steps.iter().enumerate() {
            let at = index as u32 + 1;
            let size = u64::from(step.scratch);
            blocks.push(Block { size, first: at, last: at, offset: 0 });
        }
        let limit = |error: &dyn std::fmt::Display| CompileError::Limit(error.to_string());
        let mut scratch = vec![0; blocks.len() * 2];
        let arena = assign(&mut blocks, &mut scratch, 16).map_err(|error| limit(&error))?;
        // Kernels may read up to three bytes behind a tensor.
        let arena = u32::try_from((arena + 3).next_multiple_of(16));
        let arena = arena.map_err(|_| limit(&"the arena exceeds 4 GiB"))?;
        let at = |slot: Option<usize>| slot.map_or(0, |slot| blocks[slot].offset as u32);
        Ok(Self {
            arena,
            places: slots.into_iter().map(at).collect(),
            scratch: (tensors_end..blocks.len()).map(|slot| at(Some(slot))).collect(),
        })
    }

    /// The first byte of a tensor in the arena.
    pub fn at(&self, sized: &Sized<'_>, tensor: TensorIndex) -> u32 {
        let (root, offset) = sized.tensors[tensor].root;
        self.places[root] + offset
    }

    /// The first byte of a step's scratch.
    pub fn scratch(&self, step: usize) -> u32 {
        self.scratch[step]
    }
}
