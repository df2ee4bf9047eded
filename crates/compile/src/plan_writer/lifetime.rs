//! When each tensor's bytes are in use, and where in the arena they then lie.

use embarca_plan::memory::{self, Block};
use embarca_plan::records::INPUT_BIT;

use super::{FunctionSource, ProgramSource, StorageSource, WriteError, align_log2};

/// When a tensor's bytes are in use. Position 0 is before the first step, 1 is the first step, and
/// the number of steps plus one is after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// As [`embarca_plan::records::TensorRecord::writer`].
    pub writer: u32,
    /// The first position at which they are.
    pub first: u32,
    /// The last position at which they are.
    pub last: u32,
}

impl FunctionSource {
    /// When each tensor's bytes are in use; those of a tensor with aliases cover theirs.
    ///
    /// # Errors
    /// An index goes beyond the function's tensors, or a tensor has two writers. `index` is the
    /// function's number, for messages.
    pub fn lifetimes(&self, index: usize) -> Result<Vec<Life>, WriteError> {
        let mut lives = vec![Life::default(); self.tensors.len()];
        let twice = |tensor| WriteError::Twice { function: index, tensor };
        let exit = u32::try_from(self.steps.len() + 1)
            .ok()
            .filter(|exit| exit & INPUT_BIT == 0)
            .ok_or(WriteError::TooLarge("the number of steps"))?;
        for (number, &tensor) in (0..).zip(&self.inputs) {
            let life = find(&mut lives, tensor)?;
            if life.writer != 0 {
                return Err(twice(tensor));
            }
            life.writer = INPUT_BIT | number;
        }
        for (position, step) in (1..).zip(&self.steps) {
            for &tensor in step.inputs.iter().flatten() {
                find(&mut lives, tensor)?.last = position;
            }
            for &tensor in &step.outputs {
                let life = find(&mut lives, tensor)?;
                life.last = position;
                if matches!(self.tensors[tensor].storage, StorageSource::State(_)) {
                    continue;
                }
                if life.writer != 0 {
                    return Err(twice(tensor));
                }
                (life.writer, life.first) = (position, position);
            }
        }
        for &tensor in &self.outputs {
            find(&mut lives, tensor)?.last = exit;
        }
        for tensor in 0..self.tensors.len() {
            match self.tensors[tensor].storage {
                StorageSource::Weights { .. } | StorageSource::State(_) => {
                    (lives[tensor].first, lives[tensor].last) = (0, exit);
                }
                StorageSource::Alias { tensor: target, .. } => {
                    let holder = find(&mut lives, target)?.writer;
                    let life = &mut lives[tensor];
                    if life.writer == 0 && holder & INPUT_BIT == 0 {
                        life.first = holder;
                    }
                    life.last = life.last.max(life.first);
                    let life = *life;
                    let target = &mut lives[target];
                    target.first = target.first.min(life.first);
                    target.last = target.last.max(life.last);
                }
                _ => {}
            }
        }
        Ok(lives)
    }

    /// The tensors in the arena, as blocks with their numbers.
    fn blocks(&self, index: usize) -> Result<(Vec<usize>, Vec<Block>), WriteError> {
        let lives = self.lifetimes(index)?;
        let in_arena =
            |&tensor: &usize| matches!(self.tensors[tensor].storage, StorageSource::Arena { .. });
        let numbers: Vec<usize> = (0..self.tensors.len()).filter(in_arena).collect();
        let blocks = numbers
            .iter()
            .map(|&tensor| {
                let size = self.tensors[tensor].fixed_bytes();
                let size = size.ok_or(WriteError::Unsized { function: index, tensor })?;
                let Life { first, last, .. } = lives[tensor];
                Ok(Block { size, first, last, offset: 0 })
            })
            .collect::<Result<_, WriteError>>()?;
        Ok((numbers, blocks))
    }

    /// Gives each tensor in the arena its offset and returns the bytes needed.
    ///
    /// # Errors
    /// As [`FunctionSource::lifetimes`]; a dimension is symbolic; there are too many tensors.
    pub fn place(&mut self, index: usize, align: u64) -> Result<u64, WriteError> {
        let (numbers, mut blocks) = self.blocks(index)?;
        let total = memory::assign(&mut blocks, &mut vec![0; numbers.len() * 2], align)?;
        for (tensor, block) in numbers.into_iter().zip(blocks) {
            self.tensors[tensor].storage = StorageSource::Arena { offset: block.offset };
        }
        Ok(total)
    }
}

impl ProgramSource {
    /// Gives each tensor in an arena its offset when the program is static; the runtime does it
    /// otherwise.
    ///
    /// # Errors
    /// As [`FunctionSource::place`].
    pub fn place(&mut self) -> Result<(), WriteError> {
        if self.is_dynamic() {
            return Ok(());
        }
        align_log2(self.align)?;
        for (index, function) in self.functions.iter_mut().enumerate() {
            function.place(index, embarca_plan::UNIT)?;
        }
        Ok(())
    }
}

fn find(lives: &mut [Life], tensor: usize) -> Result<&mut Life, WriteError> {
    lives.get_mut(tensor).ok_or(WriteError::Index { what: "tensor", index: tensor })
}
