//! Tensors: type, layout, and where the bytes are.

use embarca_num::DType;

use crate::expr::Dim;
use crate::program::Program;
use crate::records::{INPUT_BIT, NONE, StateRecord, TensorRecord};
use crate::tables::{MAX_RANK, Quant};

/// How the elements of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layout(pub u16);

impl Layout {
    /// The last axis is contiguous.
    pub const ROW_MAJOR: Self = Self(0);
    /// The last axis moved to place 1: N,H,W,C lies as N,C,H,W.
    pub const PLANAR: Self = Self(1);
    /// The last axis in blocks of 4 elements, the blocks moved to place 1: N,H,W,C lies as
    /// N,C/4,H,W,4; the last block is padded.
    pub const BLOCKED_4: Self = Self(0x12);
    /// The same with blocks of 8.
    pub const BLOCKED_8: Self = Self(0x13);
    /// The same with blocks of 16.
    pub const BLOCKED_16: Self = Self(0x14);
    /// The same with blocks of 32.
    pub const BLOCKED_32: Self = Self(0x15);

    /// Elements in a block; 1 for layouts without blocks, `None` for unknown layouts.
    pub const fn block(self) -> Option<u32> {
        match self.0 {
            0 | 1 => Some(1),
            0x12..=0x15 => Some(1 << (self.0 - 0x10)),
            _ => None,
        }
    }

    /// Bytes of a tensor, padding included; `None` when the layout is unknown, does not fit the
    /// rank, or the tensor has 2^31 elements or more.
    pub fn bytes(self, dtype: DType, dims: &[u32]) -> Option<u64> {
        let block = u64::from(self.block()?);
        if self != Self::ROW_MAJOR && dims.len() < 2 {
            return None;
        }
        let mut elements = 1u64;
        for (axis, &dim) in dims.iter().enumerate() {
            let last = axis + 1 == dims.len();
            let dim = u64::from(dim).checked_next_multiple_of(if last { block } else { 1 })?;
            elements = elements.saturating_mul(dim);
        }
        (elements < 1 << 31).then(|| elements * dtype.size() as u64)
    }
}

/// A numbered, versioned arrangement of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Packing {
    /// 0 is the canonical arrangement.
    pub id: u16,
    /// Raised when the arrangement changes.
    pub version: u16,
}

/// What holds a tensor's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The weights section.
    Weights {
        /// First byte, a multiple of 16.
        offset: u64,
        /// Bytes.
        len: u32,
        /// Arrangement.
        packing: Packing,
    },
    /// A state of the program.
    State(u32),
    /// Memory of the caller that holds the function's input with this number.
    Input(u32),
    /// Memory of the caller that takes the function's output with this number.
    Output(u32),
    /// A fixed place in the function's arena.
    Arena {
        /// First byte, a multiple of 16.
        offset: u64,
    },
    /// A place in the function's arena that the runtime chooses.
    Dynamic,
    /// A part of another tensor that is no alias itself.
    Alias {
        /// The other tensor.
        tensor: u32,
        /// First byte in it.
        offset: Dim,
    },
}

/// Which step gives a tensor its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// None: weights, states, and aliases that only show what another tensor holds.
    None,
    /// The caller, as the function's input with this number.
    Input(u32),
    /// The function's step at this position; 1 is the first.
    Step(u32),
}

/// A memory that offsets count in. Different spaces never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The weights section.
    Weights,
    /// The state with this number.
    State(u32),
    /// The caller's memory for this input.
    Input(u32),
    /// The caller's memory for this output.
    Output(u32),
    /// The function's arena.
    Arena,
    /// The place that the runtime chose for this tensor.
    Dynamic(u32),
}

/// Where a tensor's bytes are, aliases resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The memory.
    pub space: Space,
    /// First byte in it.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

impl Location {
    /// The byte after the last.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    /// Whether the two share a byte.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.space == other.space
            && self.len.min(other.len) > 0
            && self.start < other.end()
            && other.start < self.end()
    }
}

/// A tensor of a program.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'p> {
    pub(crate) program: &'p Program<'p>,
    /// Its number.
    pub index: u32,
    pub(crate) record: &'p TensorRecord,
}

impl<'p> Tensor<'p> {
    /// The element type.
    pub fn dtype(&self) -> DType {
        DType::from_code(self.record.dtype).unwrap_or(DType::U8)
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        usize::from(self.record.rank)
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> impl ExactSizeIterator<Item = Dim> + use<'p> {
        let dims = self.program.common.dims(self.record.dims, self.record.rank);
        dims.iter().map(|&word| Dim::decode(word))
    }

    /// The dimensions at these values of the expressions (none for a program with fixed sizes),
    /// in `buffer`; `None` when one has no value or more than 31 bits.
    pub fn dims_at<'b>(
        &self,
        values: &[i64],
        buffer: &'b mut [u32; MAX_RANK],
    ) -> Option<&'b [u32]> {
        for (slot, dim) in buffer.iter_mut().zip(self.dims()) {
            *slot = dim.value(values)?;
        }
        buffer.get(..self.rank())
    }

    /// Bytes at these values of the expressions; `None` when a dimension has no value or there are
    /// 2^31 elements or more.
    pub fn bytes(&self, values: &[i64]) -> Option<u64> {
        let mut buffer = [0; MAX_RANK];
        let dims = self.dims_at(values, &mut buffer)?;
        match self.storage() {
            Storage::Weights { len, packing, .. } if packing.id != 0 => Some(u64::from(len)),
            _ => self.layout().bytes(self.dtype(), dims),
        }
    }

    /// How the elements lie in memory.
    pub fn layout(&self) -> Layout {
        Layout(self.record.layout)
    }

    /// What holds the bytes.
    pub fn storage(&self) -> Storage {
        let record = self.record;
        match record.storage {
            TensorRecord::WEIGHTS => Storage::Weights {
                offset: u64::from(record.place) * crate::UNIT,
                len: record.extent,
                packing: Packing { id: record.packing, version: record.packing_version },
            },
            TensorRecord::STATE => Storage::State(record.place),
            TensorRecord::INPUT => Storage::Input(record.place),
            TensorRecord::OUTPUT => Storage::Output(record.place),
            TensorRecord::ARENA => Storage::Arena { offset: u64::from(record.place) * crate::UNIT },
            TensorRecord::DYNAMIC => Storage::Dynamic,
            _ => Storage::Alias { tensor: record.place, offset: Dim::decode(record.extent) },
        }
    }

    /// Where the bytes are at these values of the expressions, aliases resolved; `None` when a
    /// size has no value.
    pub fn location(&self, values: &[i64]) -> Option<Location> {
        let len = self.bytes(values)?;
        let (root, start) = match self.storage() {
            Storage::Alias { tensor, offset } => {
                (self.program.tensor(tensor)?, u64::from(offset.value(values)?))
            }
            _ => (*self, 0),
        };
        let (space, base) = match root.storage() {
            Storage::Weights { offset, .. } => (Space::Weights, offset),
            Storage::State(state) => (Space::State(state), 0),
            Storage::Input(input) => (Space::Input(input), 0),
            Storage::Output(output) => (Space::Output(output), 0),
            Storage::Arena { offset } => (Space::Arena, offset),
            Storage::Dynamic => (Space::Dynamic(root.index), 0),
            Storage::Alias { .. } => return None,
        };
        Some(Location { space, start: base + start, len })
    }

    /// How its integers stand for real numbers.
    pub fn quant(&self) -> Option<Quant<'p>> {
        self.program.common.quant(self.record.quant)
    }

    /// Its name.
    pub fn name(&self) -> Option<&'p str> {
        self.program.common.strings.get(self.record.name)
    }

    /// What gives it its value.
    pub fn writer(&self) -> Writer {
        match self.record.writer {
            0 => Writer::None,
            writer if writer & INPUT_BIT != 0 => Writer::Input(writer & !INPUT_BIT),
            writer => Writer::Step(writer),
        }
    }

    /// The position from which its bytes are in use; 0 is before the function's first step, 1 at it.
    pub fn first(&self) -> u32 {
        self.record.first
    }

    /// The last position at which they are; the number of steps plus one is after the last step.
    pub fn last(&self) -> u32 {
        self.record.last
    }
}

/// A tensor whose value outlives a run.
#[derive(Clone, Copy, Debug)]
pub struct State<'p> {
    pub(crate) program: &'p Program<'p>,
    pub(crate) record: &'p StateRecord,
}

impl<'p> State<'p> {
    /// Its name.
    pub fn name(&self) -> Option<&'p str> {
        self.program.common.strings.get(self.record.name)
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        DType::from_code(self.record.dtype).unwrap_or(DType::U8)
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> impl ExactSizeIterator<Item = Dim> + use<'p> {
        let dims = self.program.common.dims(self.record.dims, self.record.rank);
        dims.iter().map(|&word| Dim::decode(word))
    }

    /// Bytes at these values of the expressions; `None` when a dimension has no value or there are
    /// 2^31 elements or more.
    pub fn bytes(&self, values: &[i64]) -> Option<u64> {
        let mut buffer = [0; MAX_RANK];
        let mut rank = 0;
        for (slot, dim) in buffer.iter_mut().zip(self.dims()) {
            *slot = dim.value(values)?;
            rank += 1;
        }
        Layout::ROW_MAJOR.bytes(self.dtype(), buffer.get(..rank)?)
    }

    /// First byte in the state area, a multiple of 16; 0 when the program is dynamic.
    pub fn offset(&self) -> u64 {
        u64::from(self.record.offset) * crate::UNIT
    }

    /// First byte of the initial value in the weights; `None` for zeros.
    pub fn initial(&self) -> Option<u64> {
        (self.record.initial != NONE).then(|| u64::from(self.record.initial) * crate::UNIT)
    }

    /// States with the same number are reset together.
    pub fn reset_group(&self) -> u16 {
        self.record.reset_group
    }
}
