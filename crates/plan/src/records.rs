//! The records that sections are made of, as stored.
//!
//! Little-endian, four-byte aligned, offsets and indices only. A record never changes; what must
//! hold more becomes a new record under a new number.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An optional index that is absent.
pub const NONE: u32 = u32::MAX;

/// The bit that tells an index of an expression from a fixed dimension.
pub const EXPR_BIT: u32 = 1 << 31;

/// The bit that tells the number of a function's input from a position in
/// [`TensorRecord::writer`].
pub const INPUT_BIT: u32 = 1 << 31;

/// Where a table lies in its section.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableRecord {
    /// First byte, counted from the start of the section.
    pub offset: u32,
    /// Entries.
    pub count: u32,
}

/// The tables that interface and programs have in common, in file order.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CommonRecord {
    /// `u32`: where each string ends in `strings`; it starts where the one before ends.
    pub string_ends: TableRecord,
    /// UTF-8 bytes.
    pub strings: TableRecord,
    /// [`SymbolRecord`].
    pub symbols: TableRecord,
    /// [`ExprRecord`].
    pub exprs: TableRecord,
    /// `u32` dimensions: below 2^31 a fixed one, otherwise [`EXPR_BIT`] and the expression's index.
    pub dims: TableRecord,
    /// [`QuantRecord`].
    pub quants: TableRecord,
    /// `f32` scales.
    pub scales: TableRecord,
    /// `i32` zero points, one for each scale.
    pub zeros: TableRecord,
}

/// A named size that is known only at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SymbolRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// Bit 0: the value comes from data while the program runs, not from the inputs' shapes.
    pub flags: u32,
    /// The smallest value.
    pub min: u32,
    /// The value to optimize for.
    pub preferred: u32,
    /// The largest value, below 2^31.
    pub max: u32,
}

impl SymbolRecord {
    /// The meaning of bit 0 of [`SymbolRecord::flags`].
    pub const FROM_DATA: u32 = 1;
}

/// A node of an expression over symbols. Operands are nodes with a smaller index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExprRecord {
    /// An [`crate::ExprOp`].
    pub op: u32,
    /// Left operand; the symbol; the low half of a constant.
    pub a: u32,
    /// Right operand; zero for a symbol; the high half of a constant.
    pub b: u32,
}

/// How integers stand for real numbers: `real = scale * (stored - zero)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct QuantRecord {
    /// The axis along which scales differ; [`NONE`] for one scale.
    pub axis: u32,
    /// Elements along the axis that share a scale; 0 for one scale per index.
    pub block: u32,
    /// First scale and zero point; each record starts where the one before ends.
    pub start: u32,
    /// Number of scales.
    pub count: u32,
}

/// The start of a program section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProgramRecord {
    /// See [`ProgramRecord::DYNAMIC`] and the others.
    pub flags: u32,
    /// A [`crate::Family`].
    pub family: u16,
    /// The arena and the state area start at multiples of two to this power, at least 4.
    pub align_log2: u16,
    /// The lowest revision of the operator list that has every kernel used here.
    pub kernel_set: u32,
    /// Name of the target: string, or [`NONE`].
    pub target: u32,
    /// Bytes of the state area, in 16s; at preferred sizes when the program is dynamic.
    pub state: u32,
    /// Zero.
    pub reserved: u32,
    /// Strings, symbols, expressions, dimensions, quantization.
    pub common: CommonRecord,
    /// [`KernelRecord`], ascending opcodes.
    pub kernels: TableRecord,
    /// [`FunctionRecord`]; the first is where a run starts.
    pub functions: TableRecord,
    /// [`StateRecord`].
    pub states: TableRecord,
    /// [`TensorRecord`].
    pub tensors: TableRecord,
    /// [`StepRecord`].
    pub steps: TableRecord,
    /// `u32` tensors: of each function its inputs, its outputs, then each step's inputs, outputs.
    pub lists: TableRecord,
    /// Bytes of the steps' parameter records.
    pub records: TableRecord,
}

impl ProgramRecord {
    /// Sizes depend on symbols and the runtime places tensors; otherwise all offsets are fixed.
    pub const DYNAMIC: u32 = 1;
    /// Some sizes are known only while the program runs.
    pub const DATA_DEPENDENT: u32 = 2;
    /// Runs only where memory can be allocated.
    pub const NEEDS_HOST: u32 = 4;
}

/// A kernel that the program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct KernelRecord {
    /// Below 0xFF00.
    pub opcode: u32,
    /// String, or [`NONE`].
    pub name: u32,
}

/// A sequence of steps with its own tensors and arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FunctionRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// First tensor; each function starts where the one before ends.
    pub tensors: u32,
    /// Number of tensors.
    pub tensor_count: u32,
    /// First step; each function starts where the one before ends.
    pub steps: u32,
    /// Number of steps.
    pub step_count: u32,
    /// First entry of `lists`: the inputs, then the outputs.
    pub list: u32,
    /// Number of inputs.
    pub inputs: u32,
    /// Number of outputs.
    pub outputs: u32,
    /// Bytes of the function's own arena, in 16s; at preferred sizes when the program is dynamic.
    pub arena: u32,
    /// `arena` and the largest `stack` of a called function, in 16s.
    pub stack: u32,
    /// The largest scratch that a step needs on one thread, in bytes.
    pub scratch: u32,
}

/// A tensor that keeps its value between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StateRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// A [`embarca_num::DType`].
    pub dtype: u8,
    /// Number of dimensions.
    pub rank: u8,
    /// States with the same number are reset together.
    pub reset_group: u16,
    /// First dimension in `dims`.
    pub dims: u32,
    /// First byte in the state area, in 16s; 0 when the program is dynamic.
    pub offset: u32,
    /// First byte of the initial value in the weights, in 16s; [`NONE`] for zeros.
    pub initial: u32,
}

/// A tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TensorRecord {
    /// A [`embarca_num::DType`].
    pub dtype: u8,
    /// Number of dimensions, at most 8.
    pub rank: u8,
    /// One of [`TensorRecord::WEIGHTS`] and the others.
    pub storage: u8,
    /// Zero.
    pub reserved: u8,
    /// Physical layout, see [`crate::Layout`].
    pub layout: u16,
    /// Arrangement of weights; 0 is the canonical one.
    pub packing: u16,
    /// Version of the arrangement.
    pub packing_version: u16,
    /// Zero.
    pub reserved2: u16,
    /// First dimension in `dims`.
    pub dims: u32,
    /// By storage: offset in the weights or arena, in 16s; number of the state, input or output;
    /// the tensor of which this is a part.
    pub place: u32,
    /// Weights: length in bytes. Alias: first byte in the other tensor, encoded like a dimension.
    pub extent: u32,
    /// [`QuantRecord`], or [`NONE`].
    pub quant: u32,
    /// String, or [`NONE`].
    pub name: u32,
    /// The step that writes it, by position (1 is the function's first); [`INPUT_BIT`] and a
    /// number for the function's inputs; 0 when no step writes it.
    pub writer: u32,
    /// The position from which its bytes are in use; 0 is before the first step.
    pub first: u32,
    /// The last position at which they are; the number of steps plus one is after the last step.
    pub last: u32,
}

impl TensorRecord {
    /// Constant data in the weights section.
    pub const WEIGHTS: u8 = 0;
    /// A state of the program.
    pub const STATE: u8 = 1;
    /// Memory of the caller that holds an input.
    pub const INPUT: u8 = 2;
    /// Memory of the caller that takes an output.
    pub const OUTPUT: u8 = 3;
    /// A fixed place in the function's arena.
    pub const ARENA: u8 = 4;
    /// A place in the function's arena that the runtime chooses.
    pub const DYNAMIC: u8 = 5;
    /// A part of another tensor of the function that is no alias itself.
    pub const ALIAS: u8 = 6;
}

/// One call of a kernel, or one of [`crate::opcode`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StepRecord {
    /// What to run.
    pub opcode: u16,
    /// Algorithm class: 0 is the direct one; others may round differently.
    pub algorithm: u16,
    /// Zero.
    pub flags: u16,
    /// Number of inputs.
    pub inputs: u16,
    /// Number of outputs.
    pub outputs: u16,
    /// Zero.
    pub reserved: u16,
    /// First entry of `lists`: the inputs ([`NONE`] where one is left out), then the outputs.
    pub list: u32,
    /// First byte of the parameter record in `records`, a multiple of four.
    pub record: u32,
    /// Bytes of the parameter record.
    pub record_len: u32,
    /// String, or [`NONE`].
    pub name: u32,
}

/// The start of an interface section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InterfaceRecord {
    /// The first ports are this many inputs; the others are outputs.
    pub inputs: u32,
    /// Zero.
    pub reserved: u32,
    /// Strings, symbols, expressions, dimensions, quantization.
    pub common: CommonRecord,
    /// [`PortRecord`].
    pub ports: TableRecord,
    /// `u32` strings, or [`NONE`]: names of axes.
    pub axes: TableRecord,
    /// [`ProfileRecord`].
    pub profiles: TableRecord,
    /// `u32` values of the profiles.
    pub values: TableRecord,
}

/// An input or output as its author knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PortRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// What it is for: string, or [`NONE`].
    pub role: u32,
    /// A [`embarca_num::DType`].
    pub dtype: u8,
    /// Number of dimensions.
    pub rank: u8,
    /// Zero.
    pub reserved: u16,
    /// First dimension in `dims`.
    pub dims: u32,
    /// First of `rank` entries of `axes`, or [`NONE`].
    pub axes: u32,
    /// [`QuantRecord`], or [`NONE`].
    pub quant: u32,
}

/// Named values for all symbols of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProfileRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// First of one value per symbol in `values`.
    pub start: u32,
}

/// The start of a task or provenance section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PropertiesRecord {
    /// `u32`: where each string ends.
    pub string_ends: TableRecord,
    /// UTF-8 bytes.
    pub strings: TableRecord,
    /// [`PropertyRecord`], ascending keys.
    pub properties: TableRecord,
    /// `u32` strings.
    pub texts: TableRecord,
    /// `i32` values.
    pub integers: TableRecord,
    /// `f32` values.
    pub floats: TableRecord,
}

/// A key with a list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PropertyRecord {
    /// String.
    pub key: u32,
    /// 1 texts, 2 integers, 3 floats.
    pub kind: u32,
    /// First value in the table of its kind; the lists follow each other.
    pub start: u32,
    /// Number of values.
    pub count: u32,
}

impl PropertyRecord {
    /// Values in `texts`.
    pub const TEXTS: u32 = 1;
    /// Values in `integers`.
    pub const INTEGERS: u32 = 2;
    /// Values in `floats`.
    pub const FLOATS: u32 = 3;
}

/// The start of a vectors section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VectorsRecord {
    /// `u32`: where each string ends.
    pub string_ends: TableRecord,
    /// UTF-8 bytes.
    pub strings: TableRecord,
    /// [`VectorRecord`].
    pub vectors: TableRecord,
    /// Stored inputs and outputs.
    pub data: TableRecord,
}

/// A known input and what must come out.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VectorRecord {
    /// String, or [`NONE`].
    pub name: u32,
    /// The program it is for, in file order; [`NONE`] for all.
    pub program: u32,
    /// Runs from the initial state before the outputs are compared, 1 to 4096.
    pub runs: u32,
    /// Name of the generator of the inputs: string; [`NONE`] when they are stored.
    pub generator: u32,
    /// Seed of the generator, low and high half.
    pub seed: [u32; 2],
    /// Stored inputs: first byte in `data`, a multiple of four.
    pub input: u32,
    /// Bytes of the stored inputs, all inputs of all runs in order.
    pub input_len: u32,
    /// 0: the outputs' CRC-32 is `crc`. 1: they are within tolerance of the stored ones.
    pub check: u32,
    /// CRC-32 of all outputs in order.
    pub crc: u32,
    /// Stored outputs: first byte in `data`, a multiple of four.
    pub expected: u32,
    /// Bytes of the stored outputs.
    pub expected_len: u32,
    /// Absolute tolerance.
    pub absolute: f32,
    /// Tolerance relative to the stored value.
    pub relative: f32,
}

/// What one program needs, in bytes; the memory section holds one record for each, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoryRecord {
    /// Arena of the first function and everything it calls; at preferred sizes when dynamic.
    pub arena: u64,
    /// State area.
    pub state: u64,
    /// Scratch of one thread.
    pub scratch: u64,
    /// Weights that the program points to.
    pub weights: u64,
    /// The most bytes in use at once in the first function: no arena can be smaller.
    pub lower_bound: u64,
    /// Alignment of the arena.
    pub align: u64,
}
