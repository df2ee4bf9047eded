//! Functions and their steps.

use core::ops::Range;

use zerocopy::FromBytes;

use crate::control::{self, Control, opcode};
use crate::expr::SizeError;
use crate::memory::Block;
use crate::program::Program;
use crate::records::{FunctionRecord, NONE, StepRecord};
use crate::tensor::{Storage, Tensor};

/// A sequence of steps with its own tensors and arena.
#[derive(Clone, Copy, Debug)]
pub struct Function<'p> {
    pub(crate) program: &'p Program<'p>,
    /// Its number.
    pub index: u32,
    pub(crate) record: &'p FunctionRecord,
}

impl<'p> Function<'p> {
    /// Its name.
    pub fn name(&self) -> Option<&'p str> {
        self.program.common.strings.get(self.record.name)
    }

    /// The tensors that receive arguments.
    pub fn inputs(&self) -> &'p [u32] {
        self.program.list(self.record.list, self.record.inputs)
    }

    /// The tensors that hold results after the last step.
    pub fn outputs(&self) -> &'p [u32] {
        self.program.list(self.record.list.saturating_add(self.record.inputs), self.record.outputs)
    }

    /// The numbers of its tensors.
    pub fn tensor_range(&self) -> Range<u32> {
        self.record.tensors..self.record.tensors.saturating_add(self.record.tensor_count)
    }

    /// Its tensors.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'p>> + use<'p> {
        let program = self.program;
        self.tensor_range().filter_map(|index| program.tensor(index))
    }

    /// Its steps in order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'p>> + use<'p> {
        let start = self.record.steps;
        let range = start as usize..start.saturating_add(self.record.step_count) as usize;
        let steps = self.program.steps.get(range).unwrap_or(&[]);
        let program = self.program;
        steps.iter().enumerate().map(move |(index, record)| Step {
            program,
            index: start + index as u32,
            record,
        })
    }

    /// Bytes of its own arena; at preferred sizes when the program is dynamic.
    pub fn arena_bytes(&self) -> u64 {
        u64::from(self.record.arena) * crate::UNIT
    }

    /// Bytes of its own arena and those of the functions it calls, which lie behind it.
    pub fn stack_bytes(&self) -> u64 {
        u64::from(self.record.stack) * crate::UNIT
    }

    /// The largest scratch that one of its steps needs on one thread.
    pub fn scratch_bytes(&self) -> u64 {
        u64::from(self.record.scratch)
    }

    /// The tensors that the runtime places, as blocks for [`crate::memory::assign`]: fills the
    /// front of `blocks` in the order of the tensors and returns how many there are.
    ///
    /// # Errors
    /// A tensor has no size at these values, or `blocks` is too short.
    pub fn blocks(&self, values: &[i64], blocks: &mut [Block]) -> Result<usize, SizeError> {
        let mut slots = blocks.iter_mut();
        let mut count = 0;
        for tensor in self.tensors().filter(|t| t.storage() == Storage::Dynamic) {
            let size = tensor.bytes(values).ok_or(SizeError::Expr { index: tensor.index })?;
            let slot = slots.next().ok_or(SizeError::Buffer)?;
            *slot = Block { size, first: tensor.first(), last: tensor.last(), offset: 0 };
            count += 1;
        }
        Ok(count)
    }
}

/// A call of a kernel, or one of [`opcode`]'s.
#[derive(Clone, Copy, Debug)]
pub struct Step<'p> {
    pub(crate) program: &'p Program<'p>,
    /// Its number among the steps of all functions.
    pub index: u32,
    pub(crate) record: &'p StepRecord,
}

/// A step of the caller's own making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custom<'p> {
    /// Which kernel of the caller.
    pub name: &'p str,
    /// Of its parameters.
    pub version: u32,
    /// Its parameters.
    pub bytes: &'p [u8],
}

impl<'p> Step<'p> {
    /// Below 0xFF00 a kernel's number, otherwise one of [`opcode`].
    pub fn opcode(&self) -> u16 {
        self.record.opcode
    }

    /// The algorithm class: 0 is the direct one.
    pub fn algorithm(&self) -> u16 {
        self.record.algorithm
    }

    /// The tensors it reads; `None` is an optional input that is left out.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = Option<u32>> + use<'p> {
        self.raw_inputs().iter().map(|&tensor| (tensor != NONE).then_some(tensor))
    }

    pub(crate) fn raw_inputs(&self) -> &'p [u32] {
        self.program.list(self.record.list, u32::from(self.record.inputs))
    }

    /// The tensors it writes.
    pub fn outputs(&self) -> &'p [u32] {
        let start = self.record.list.saturating_add(u32::from(self.record.inputs));
        self.program.list(start, u32::from(self.record.outputs))
    }

    /// The parameter record, aligned to four bytes.
    pub fn record(&self) -> &'p [u8] {
        let start = self.record.record as usize;
        let end = start.saturating_add(self.record.record_len as usize);
        self.program.records.get(start..end).unwrap_or(&[])
    }

    pub(crate) fn words(&self) -> &'p [u32] {
        <[u32]>::ref_from_bytes(self.record()).unwrap_or(&[])
    }

    /// Its name.
    pub fn name(&self) -> Option<&'p str> {
        self.program.common.strings.get(self.record.name)
    }

    /// What it calls, when it is a call step.
    pub fn control(&self) -> Option<Control<'p>> {
        control::decode(self.opcode(), self.words())
    }

    /// The caller's kernel, when the opcode is [`opcode::CUSTOM`].
    pub fn custom(&self) -> Option<Custom<'p>> {
        if self.opcode() != opcode::CUSTOM {
            return None;
        }
        let (name, rest) = u32::read_from_prefix(self.record()).ok()?;
        let (version, bytes) = u32::read_from_prefix(rest).ok()?;
        Some(Custom { name: self.program.common.strings.get(name)?, version, bytes })
    }
}
