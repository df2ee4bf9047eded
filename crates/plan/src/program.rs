//! A program: functions of steps over tensors, as one target runs them.

use core::fmt;
use core::ops::Range;

use embarca_num::DType;
use zerocopy::FromBytes;

use crate::control::{self, Control, opcode};
use crate::error::{At, OpenError, Table};
use crate::expr::{self, Dim, Expr, SizeError};
use crate::memory::Block;
use crate::records::{
    FunctionRecord, INPUT_BIT, KernelRecord, NONE, ProgramRecord, StateRecord, StepRecord,
    TensorRecord,
};
use crate::tables::{Common, Cutter, MAX_RANK, Quant};

/// A kind of machine. A program runs on every member of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Family(pub u16);

impl Family {
    /// Every machine: canonical weights, portable kernels.
    pub const PORTABLE: Self = Self(0);
    /// 64-bit x86.
    pub const X86_64: Self = Self(1);
    /// 64-bit Arm.
    pub const AARCH64: Self = Self(2);
    /// WebAssembly with 32-bit memory.
    pub const WASM32: Self = Self(3);
    /// Arm Cortex-M0, M0+, M1, M23 (ARMv6-M, ARMv8-M baseline).
    pub const CORTEX_M0: Self = Self(16);
    /// Arm Cortex-M3 (ARMv7-M).
    pub const CORTEX_M3: Self = Self(17);
    /// Arm Cortex-M4, M7, M33, M35P with the DSP extension and without floating point.
    pub const CORTEX_M4: Self = Self(18);
    /// The same with single-precision floating point.
    pub const CORTEX_M4F: Self = Self(19);
    /// Arm Cortex-M52, M55, M85 with Helium.
    pub const CORTEX_M55: Self = Self(20);
    /// 32-bit RISC-V.
    pub const RISCV32: Self = Self(32);
    /// 64-bit RISC-V.
    pub const RISCV64: Self = Self(33);
    /// Xtensa LX6 and LX7.
    pub const XTENSA: Self = Self(40);
    /// Graphics processors through Vulkan, Metal or DirectX.
    pub const GPU: Self = Self(64);
    /// NVIDIA graphics processors.
    pub const CUDA: Self = Self(65);

    /// The name used in messages; `unknown` for numbers without one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PORTABLE => "portable",
            Self::X86_64 => "x86-64",
            Self::AARCH64 => "aarch64",
            Self::WASM32 => "wasm32",
            Self::CORTEX_M0 => "cortex-m0",
            Self::CORTEX_M3 => "cortex-m3",
            Self::CORTEX_M4 => "cortex-m4",
            Self::CORTEX_M4F => "cortex-m4f",
            Self::CORTEX_M55 => "cortex-m55",
            Self::RISCV32 => "riscv32",
            Self::RISCV64 => "riscv64",
            Self::XTENSA => "xtensa",
            Self::GPU => "gpu",
            Self::CUDA => "cuda",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
        (elements < 1 << 31).then_some(elements * dtype.size() as u64)
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

/// A program section that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Strings, symbols, expressions, dimensions, quantization.
    pub common: Common<'a>,
    pub(crate) header: ProgramRecord,
    pub(crate) kernels: &'a [KernelRecord],
    pub(crate) functions: &'a [FunctionRecord],
    pub(crate) states: &'a [StateRecord],
    pub(crate) tensors: &'a [TensorRecord],
    pub(crate) steps: &'a [StepRecord],
    pub(crate) lists: &'a [u32],
    pub(crate) records: &'a [u8],
}

impl<'a> Program<'a> {
    /// Cuts the section into tables without looking at their entries.
    pub(crate) fn cut(at: At, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, mut cutter) = Cutter::new::<ProgramRecord>(at, bytes)?;
        let program = Self {
            common: Common::cut(&mut cutter, &header.common)?,
            header,
            kernels: cutter.take(Table::Kernels, header.kernels)?,
            functions: cutter.take(Table::Functions, header.functions)?,
            states: cutter.take(Table::States, header.states)?,
            tensors: cutter.take(Table::Tensors, header.tensors)?,
            steps: cutter.take(Table::Steps, header.steps)?,
            lists: cutter.take(Table::Lists, header.lists)?,
            records: cutter.take(Table::Records, header.records)?,
        };
        cutter.finish()?;
        Ok(program)
    }

    /// Name of the target that the program was built for.
    pub fn target(&self) -> Option<&'a str> {
        self.common.strings.get(self.header.target)
    }

    /// The kind of machine it runs on.
    pub fn family(&self) -> Family {
        Family(self.header.family)
    }

    /// The lowest revision of the operator list that has every kernel used here.
    pub fn kernel_set(&self) -> u32 {
        self.header.kernel_set
    }

    /// Whether sizes depend on symbols and the runtime places tensors.
    pub fn is_dynamic(&self) -> bool {
        self.header.flags & ProgramRecord::DYNAMIC != 0
    }

    /// Whether some sizes are known only while the program runs.
    pub fn is_data_dependent(&self) -> bool {
        self.header.flags & ProgramRecord::DATA_DEPENDENT != 0
    }

    /// Whether it runs only where memory can be allocated.
    pub fn needs_host(&self) -> bool {
        self.header.flags & ProgramRecord::NEEDS_HOST != 0
    }

    /// Alignment in bytes of the arena and the state area.
    pub fn align(&self) -> u64 {
        1 << self.header.align_log2
    }

    /// Bytes of the state area; at preferred sizes when the program is dynamic.
    pub fn state_bytes(&self) -> u64 {
        u64::from(self.header.state) * crate::UNIT
    }

    /// The kernels used, by ascending opcode, each with its name when the plan has names.
    pub fn kernels(&self) -> impl ExactSizeIterator<Item = (u16, Option<&'a str>)> + use<'a> {
        let strings = self.common.strings;
        self.kernels.iter().map(move |k| (k.opcode as u16, strings.get(k.name)))
    }

    /// Number of functions, at least one.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// The function with this number; 0 is where a run starts.
    pub fn function(&self, index: usize) -> Option<Function<'_>> {
        let record = self.functions.get(index)?;
        Some(Function { program: self, index: index as u32, record })
    }

    /// All functions.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> {
        self.functions.iter().enumerate().map(|(index, record)| Function {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// Number of tensors of all functions.
    pub fn tensor_count(&self) -> usize {
        self.tensors.len()
    }

    /// The tensor with this number.
    pub fn tensor(&self, index: u32) -> Option<Tensor<'_>> {
        let record = self.tensors.get(index as usize)?;
        Some(Tensor { program: self, index, record })
    }

    /// All tensors of all functions.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = Tensor<'_>> {
        self.tensors.iter().enumerate().map(|(index, record)| Tensor {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// All steps of all functions.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'_>> {
        self.steps.iter().enumerate().map(|(index, record)| Step {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// The tensors whose values outlive a run.
    pub fn states(&self) -> impl ExactSizeIterator<Item = State<'_>> {
        self.states.iter().map(|record| State { program: self, record })
    }

    /// The values of the symbols that the inputs' shapes give, into the front of `symbols`.
    /// Symbols that come from data get their largest value, those that nothing uses the preferred
    /// one. Input dimensions that are more than a symbol are left to [`Program::matches`].
    ///
    /// `shapes` holds the dimensions of each input of the first function.
    ///
    /// # Errors
    /// The shapes contradict the program or each other, or leave a symbol open.
    pub fn bind(&self, shapes: &[&[u32]], symbols: &mut [u32]) -> Result<(), SizeError> {
        let symbols = symbols.get_mut(..self.common.symbols.len()).ok_or(SizeError::Buffer)?;
        symbols.fill(NONE);
        let inputs = self.functions.first().map_or(&[][..], |f| self.list(f.list, f.inputs));
        for (input, &tensor) in inputs.iter().enumerate() {
            let (tensor, input) = (self.tensor(tensor), input as u32);
            let shape = shapes.get(input as usize).copied().unwrap_or(&[]);
            let Some(tensor) = tensor.filter(|t| t.rank() == shape.len()) else {
                return Err(SizeError::Rank { input });
            };
            for (axis, (dim, &given)) in tensor.dims().zip(shape).enumerate() {
                match dim {
                    Dim::Fixed(dim) if dim != given => {
                        return Err(SizeError::Dim { input, axis: axis as u32, given });
                    }
                    Dim::Fixed(_) => {}
                    Dim::Expr(index) => self.bind_one(index, given, symbols)?,
                }
            }
        }
        for (value, symbol) in symbols.iter_mut().zip(self.common.symbols) {
            if expr::from_data(symbol) {
                *value = symbol.max;
            }
        }
        let is_open = |&symbol: &u32| symbols.get(symbol as usize) == Some(&NONE);
        let mut used = self.common.exprs.iter().filter_map(|&record| match Expr::decode(record) {
            Some(Expr::Symbol(symbol)) => Some(symbol),
            _ => None,
        });
        if let Some(symbol) = used.find(is_open) {
            return Err(SizeError::Unbound { symbol });
        }
        for (value, symbol) in symbols.iter_mut().zip(self.common.symbols) {
            if *value == NONE {
                *value = symbol.preferred;
            }
        }
        Ok(())
    }

    fn bind_one(&self, expr: u32, given: u32, symbols: &mut [u32]) -> Result<(), SizeError> {
        let Some(Expr::Symbol(symbol)) =
            self.common.exprs.get(expr as usize).and_then(|&record| Expr::decode(record))
        else {
            return Ok(());
        };
        let (slot, record) =
            (symbols.get_mut(symbol as usize), self.common.symbols.get(symbol as usize));
        let (Some(slot), Some(record)) = (slot, record) else {
            return Err(SizeError::Buffer);
        };
        let fits = (record.min..=record.max).contains(&given);
        if !fits || *slot != NONE && *slot != given {
            return Err(SizeError::Symbol { symbol, given });
        }
        *slot = given;
        Ok(())
    }

    /// The values of all expressions at these values of the symbols, into the front of `values`.
    ///
    /// # Errors
    /// An expression has no value there, or `values` is too short.
    pub fn evaluate(&self, symbols: &[u32], values: &mut [i64]) -> Result<(), SizeError> {
        expr::evaluate(self.common.exprs, symbols, values)
    }

    /// Whether the inputs' dimensions are the given ones at these values of the expressions.
    ///
    /// # Errors
    /// The first dimension that is not.
    pub fn matches(&self, shapes: &[&[u32]], values: &[i64]) -> Result<(), SizeError> {
        let inputs = self.functions.first().map_or(&[][..], |f| self.list(f.list, f.inputs));
        for (input, &tensor) in (0u32..).zip(inputs) {
            let shape = shapes.get(input as usize).copied().unwrap_or(&[]);
            let Some(tensor) = self.tensor(tensor).filter(|t| t.rank() == shape.len()) else {
                return Err(SizeError::Rank { input });
            };
            let axes = (0u32..).zip(tensor.dims().zip(shape));
            for (axis, (dim, &given)) in axes {
                if dim.value(values) != Some(given) {
                    return Err(SizeError::Dim { input, axis, given });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn list(&self, start: u32, len: u32) -> &'a [u32] {
        let start = start as usize;
        self.lists.get(start..start.saturating_add(len as usize)).unwrap_or(&[])
    }
}

/// A sequence of steps with its own tensors and arena.
#[derive(Clone, Copy, Debug)]
pub struct Function<'p> {
    program: &'p Program<'p>,
    /// Its number.
    pub index: u32,
    record: &'p FunctionRecord,
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

/// A tensor of a program.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'p> {
    program: &'p Program<'p>,
    /// Its number.
    pub index: u32,
    record: &'p TensorRecord,
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

/// A call of a kernel, or one of [`opcode`]'s.
#[derive(Clone, Copy, Debug)]
pub struct Step<'p> {
    program: &'p Program<'p>,
    /// Its number among the steps of all functions.
    pub index: u32,
    record: &'p StepRecord,
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

/// A tensor whose value outlives a run.
#[derive(Clone, Copy, Debug)]
pub struct State<'p> {
    program: &'p Program<'p>,
    record: &'p StateRecord,
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
