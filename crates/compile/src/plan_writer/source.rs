//! What a plan is written from: plain data, indices into the vectors beside it.

use std::collections::BTreeMap;

use embarca_num::DType;
use embarca_plan::{Dim, Expr, Family, Layout, Packing};

/// A whole plan.
#[derive(Clone, Debug, Default)]
pub struct PlanSource {
    /// Inputs and outputs as the author names them.
    pub interface: InterfaceSource,
    /// One per target; their order is kept.
    pub programs: Vec<ProgramSource>,
    /// Constant data. Blobs with the same content are stored once, unused ones not at all.
    pub weights: Vec<Vec<u8>>,
    /// Alignment in bytes of the weights section and of each blob: 16 when 0, else a power of two
    /// from 16 to 65536.
    pub weights_align: u32,
    /// Labels, roles, thresholds; no section when empty.
    pub task: BTreeMap<String, PropertySource>,
    /// Where the plan comes from; no section when empty.
    pub provenance: BTreeMap<String, PropertySource>,
    /// Known inputs with their outputs; no section when empty.
    pub vectors: Vec<VectorSource>,
    /// Whether to write the memory section.
    pub memory: bool,
    /// The bytes of the plan of the stage in front of the model.
    pub front: Option<Vec<u8>>,
    /// The bytes of the plan of the stage behind the model.
    pub back: Option<Vec<u8>>,
}

/// A size that is known only at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolSource {
    /// Its name.
    pub name: String,
    /// The smallest value.
    pub min: u32,
    /// The value to optimize for.
    pub preferred: u32,
    /// The largest value, below 2^31.
    pub max: u32,
    /// Whether it is known only while the program runs.
    pub from_data: bool,
}

/// How integers stand for real numbers: `real = scale * (stored - zero)`.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantSource {
    /// The axis along which scales differ; `None` for one scale.
    pub axis: Option<u32>,
    /// Elements along the axis that share a scale; 0 for one scale per index.
    pub block: u32,
    /// At least one; finite and not negative.
    pub scales: Vec<f32>,
    /// As many as scales.
    pub zeros: Vec<i32>,
}

/// Inputs and outputs.
#[derive(Clone, Debug, Default)]
pub struct InterfaceSource {
    /// Sizes that the caller chooses.
    pub symbols: Vec<SymbolSource>,
    /// Nodes of expressions over them, operands before users.
    pub exprs: Vec<Expr>,
    /// In order.
    pub inputs: Vec<PortSource>,
    /// In order.
    pub outputs: Vec<PortSource>,
    /// Names with one value per symbol: sizes worth preparing for.
    pub profiles: Vec<(String, Vec<u32>)>,
}

/// An input or output.
#[derive(Clone, Debug)]
pub struct PortSource {
    /// Its name; empty for none.
    pub name: String,
    /// What it is for; empty for nothing in particular.
    pub role: String,
    /// The element type.
    pub dtype: DType,
    /// The author's dimensions; expressions are the interface's.
    pub dims: Vec<Dim>,
    /// Names of the axes, as many as dimensions; empty when none is named.
    pub axes: Vec<Option<String>>,
    /// How its integers stand for real numbers.
    pub quant: Option<QuantSource>,
}

/// What one target runs.
#[derive(Clone, Debug)]
pub struct ProgramSource {
    /// Name of the target; empty for none.
    pub target: String,
    /// The kind of machine.
    pub family: Family,
    /// The lowest revision of the operator list that has every kernel used here.
    pub kernel_set: u32,
    /// Alignment in bytes of arena and states: 16 when 0, else a power of two from 16 to 65536.
    pub align: u32,
    /// Whether it runs only where memory can be allocated.
    pub needs_host: bool,
    /// Sizes known only at run time. With none, and no expressions, the program is static.
    pub symbols: Vec<SymbolSource>,
    /// Nodes of expressions over them, operands before users.
    pub exprs: Vec<Expr>,
    /// Names of kernels by opcode, for messages. Opcodes without one get none.
    pub kernel_names: BTreeMap<u16, String>,
    /// The first is where a run starts; functions call only later ones.
    pub functions: Vec<FunctionSource>,
    /// Tensors whose values outlive a run.
    pub states: Vec<StateSource>,
}

impl Default for ProgramSource {
    fn default() -> Self {
        Self {
            target: String::new(),
            family: Family::PORTABLE,
            kernel_set: 1,
            align: 0,
            needs_host: false,
            symbols: Vec::new(),
            exprs: Vec::new(),
            kernel_names: BTreeMap::new(),
            functions: Vec::new(),
            states: Vec::new(),
        }
    }
}

impl ProgramSource {
    /// Whether the runtime places tensors.
    pub fn is_dynamic(&self) -> bool {
        !(self.symbols.is_empty() && self.exprs.is_empty())
    }
}

/// A sequence of steps with its own tensors and arena.
#[derive(Clone, Debug, Default)]
pub struct FunctionSource {
    /// Its name; empty for none.
    pub name: String,
    /// Its tensors in any order; the writer sorts them.
    pub tensors: Vec<TensorSource>,
    /// Its steps in the order of execution.
    pub steps: Vec<StepSource>,
    /// Tensors that receive arguments.
    pub inputs: Vec<usize>,
    /// Tensors that hold results.
    pub outputs: Vec<usize>,
    /// The largest scratch that a step needs on one thread, in bytes.
    pub scratch: u64,
}

/// A tensor.
#[derive(Clone, Debug)]
pub struct TensorSource {
    /// Its name; empty for none.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// Its dimensions; expressions are the program's.
    pub dims: Vec<Dim>,
    /// What holds its bytes.
    pub storage: StorageSource,
    /// How its elements lie in memory.
    pub layout: Layout,
    /// How its integers stand for real numbers.
    pub quant: Option<QuantSource>,
}

impl TensorSource {
    /// A row-major tensor without name and quantization.
    pub fn new(dtype: DType, dims: &[u32], storage: StorageSource) -> Self {
        Self {
            name: String::new(),
            dtype,
            dims: dims.iter().map(|&dim| Dim::Fixed(dim)).collect(),
            storage,
            layout: Layout::ROW_MAJOR,
            quant: None,
        }
    }

    /// Bytes when all dimensions are fixed and there are fewer than 2^31 elements.
    pub fn fixed_bytes(&self) -> Option<u64> {
        let dims: Option<Vec<u32>> = self.dims.iter().map(|dim| dim.fixed()).collect();
        self.layout.bytes(self.dtype, &dims?)
    }
}

/// What holds a tensor's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageSource {
    /// A blob of the plan's weights.
    Weights {
        /// Which.
        blob: usize,
        /// Its arrangement.
        packing: Packing,
    },
    /// A state of the program.
    State(usize),
    /// The caller's memory; only for inputs of the function.
    Input,
    /// The caller's memory; only for outputs of the function that a step writes.
    Output,
    /// The function's arena. The offset counts when the program is static;
    /// [`ProgramSource::place`] chooses it.
    Arena {
        /// First byte, a multiple of 16.
        offset: u64,
    },
    /// A part of another tensor that is no alias itself. When a step writes it, the other tensor
    /// must be the output of a later join.
    Alias {
        /// The other tensor.
        tensor: usize,
        /// First byte in it.
        offset: Dim,
    },
}

/// A step.
#[derive(Clone, Debug, Default)]
pub struct StepSource {
    /// Its name; empty for none.
    pub name: String,
    /// A kernel's number, or one of [`embarca_plan::opcode`].
    pub opcode: u16,
    /// Algorithm class; 0 is the direct one.
    pub algorithm: u16,
    /// `None` is an optional input that is left out.
    pub inputs: Vec<Option<usize>>,
    /// Tensors of the function.
    pub outputs: Vec<usize>,
    /// The parameters.
    pub record: RecordSource,
}

/// A step's parameters.
#[derive(Clone, Debug)]
pub enum RecordSource {
    /// A kernel's record, as stored.
    Bytes(Vec<u8>),
    /// The words of a call step, see [`embarca_plan::opcode`].
    Words(Vec<u32>),
    /// A kernel of the caller's.
    Custom {
        /// Which.
        name: String,
        /// Of its parameters.
        version: u32,
        /// Its parameters.
        bytes: Vec<u8>,
    },
}

impl Default for RecordSource {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

/// A tensor whose value outlives a run.
#[derive(Clone, Debug)]
pub struct StateSource {
    /// Its name; empty for none.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// Its dimensions; expressions are the program's.
    pub dims: Vec<Dim>,
    /// The blob with its initial value; `None` for zeros.
    pub initial: Option<usize>,
    /// States with the same number are reset together.
    pub reset_group: u16,
}

/// The values of a property.
#[derive(Clone, Debug, PartialEq)]
pub enum PropertySource {
    /// Texts.
    Texts(Vec<String>),
    /// Integers.
    Integers(Vec<i32>),
    /// Floats.
    Floats(Vec<f32>),
}

impl From<&str> for PropertySource {
    fn from(text: &str) -> Self {
        Self::Texts(vec![text.to_owned()])
    }
}

/// A known input with what must come out.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSource {
    /// Its name; empty for none.
    pub name: String,
    /// The program it is for; `None` for all.
    pub program: Option<u32>,
    /// Runs from the initial state; the last one's outputs count.
    pub runs: u32,
    /// Where the inputs come from.
    pub input: VectorInputSource,
    /// What the outputs must be.
    pub expected: ExpectedSource,
}

/// Where a vector's inputs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum VectorInputSource {
    /// A named generator with a seed.
    Generated {
        /// Its name.
        generator: String,
        /// Its seed.
        seed: u64,
    },
    /// The bytes of all inputs of all runs, in order.
    Stored(Vec<u8>),
}

/// What the outputs of a vector's last run must be.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedSource {
    /// The CRC-32 of all outputs in order.
    Crc(u32),
    /// Stored f32 outputs: `|got - stored| <= absolute + relative * |stored|`.
    Near {
        /// The bytes of all outputs.
        bytes: Vec<u8>,
        /// Absolute tolerance.
        absolute: f32,
        /// Relative tolerance.
        relative: f32,
    },
}
