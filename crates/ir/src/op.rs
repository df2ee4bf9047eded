//! The dossier: everything Embarca knows about one operator.

use std::fmt::Debug;

use crate::attr::Payload;
use crate::builder::Builder;
use crate::dim::Dim;
use crate::error::{ImportError, LowerError, ShapeError};
use crate::foreign::Format;
use crate::foreign_node::NodeView;
use crate::ids::ValueId;
use crate::ops::Op;
use crate::spell::{SpellError, Speller};
use crate::types::{Const, TensorType};

/// What an operator knows of an input: its type and, where it is known, its content.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// Type, dimensions, quantization.
    pub ty: &'a TensorType,
    /// The elements as integers or expressions over symbols (small integer tensors only).
    pub known: Option<&'a [Dim]>,
    /// The content, when it is a constant.
    pub data: Option<&'a Const>,
}

impl Operand<'_> {
    /// The elements as numbers, if all are known.
    pub fn ints(&self) -> Option<Vec<i64>> {
        match self.known {
            Some(known) => known.iter().map(Dim::known).collect(),
            None => self.data?.to_i64(),
        }
    }
}

/// The inputs of an operator; `None` is an optional input that is left out.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'o, 'a>(pub &'o [Option<Operand<'a>>]);

impl<'a> Operands<'_, 'a> {
    /// Input `index`, which must be there.
    pub fn get(&self, index: usize) -> Result<Operand<'a>, ShapeError> {
        self.optional(index).ok_or_else(|| ShapeError::new(format!("input {index} is missing")))
    }

    /// Input `index`, if it is there.
    pub fn optional(&self, index: usize) -> Option<Operand<'a>> {
        self.0.get(index).copied().flatten()
    }

    /// The number of inputs, left-out ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name that an operator has in a foreign format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// Whose name it is.
    pub format: Format,
    /// The name, as in [`crate::foreign::ForeignNode::op`].
    pub name: &'static str,
    /// The domain (ONNX, TFLite custom operators); empty for the standard one.
    pub domain: &'static str,
    /// The first opset (ONNX) or version (TFLite) that is understood.
    pub since: u32,
    /// The last one.
    pub until: u32,
}

impl Spelling {
    const fn new(format: Format, name: &'static str) -> Self {
        Self { format, name, domain: "", since: 1, until: u32::MAX }
    }

    /// An operator of ONNX's standard domain, in opset `since` and later.
    pub const fn onnx(name: &'static str, since: u32) -> Self {
        Self { since, ..Self::new(Format::Onnx, name) }
    }

    /// A TFLite built-in, by its name in the schema (`CONV_2D`).
    pub const fn tflite(name: &'static str) -> Self {
        Self::new(Format::TfLite, name)
    }

    /// A Caffe layer type (`Convolution`).
    pub const fn caffe(name: &'static str) -> Self {
        Self::new(Format::Caffe, name)
    }

    /// The same in another domain.
    pub const fn domain(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }

    /// The same, up to this opset or version.
    pub const fn until(self, until: u32) -> Self {
        Self { until, ..self }
    }
}

/// What a kernel fuses behind its main computation, innermost first. `compile` asks for a tail only
/// where [`OpDef::TAILS`] offers it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tail {
    /// Bounds of the result as real numbers.
    pub clamp: Option<(f32, f32)>,
}

/// Which tails an operator's kernels can fuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tails {
    /// [`Tail::clamp`]
    pub clamp: bool,
}

/// What lowering sees of a node.
#[derive(Clone, Copy, Debug)]
pub struct Io<'a> {
    /// The inputs.
    pub inputs: Operands<'a, 'a>,
    /// The outputs' types. With a tail, those behind the tail.
    pub outputs: &'a [TensorType],
    /// What to fuse.
    pub tail: Tail,
}

impl<'a> Io<'a> {
    /// Input `index`; a defect if it is missing, because the verifier has seen the node.
    pub fn input(&self, index: usize) -> Result<Operand<'a>, LowerError> {
        self.inputs.get(index).map_err(|error| LowerError::Bug(error.0))
    }

    /// Output `index`.
    pub fn output(&self, index: usize) -> Result<&'a TensorType, LowerError> {
        let missing = || LowerError::Bug(format!("output {index} is missing"));
        self.outputs.get(index).ok_or_else(missing)
    }

    /// Scale and zero point of input `index`; `NoKernel` when it has none, or several.
    pub fn input_quant(&self, index: usize) -> Result<(f32, i32), LowerError> {
        single_quant(self.input(index)?.ty, "input", index)
    }

    /// Scale and zero point of output `index`; `NoKernel` when it has none, or several.
    pub fn output_quant(&self, index: usize) -> Result<(f32, i32), LowerError> {
        single_quant(self.output(index)?, "output", index)
    }
}

fn single_quant(ty: &TensorType, side: &str, index: usize) -> Result<(f32, i32), LowerError> {
    ty.quant.as_ref().and_then(crate::Quant::single).ok_or_else(|| {
        LowerError::no_kernel(format!("{side} {index} has no single quantization scale"))
    })
}

/// Where a kernel's argument comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// Input `n` of the node.
    Input(usize),
    /// A constant made by lowering (requantization factors, a table).
    Const(Const),
    /// An optional argument that is left out.
    Absent,
}

/// How a step computes, where that changes rounding or cost. Recorded in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u16)]
pub enum Algorithm {
    /// In the order of the portable kernel's definition, up to associativity of the sums.
    #[default]
    Direct = 0,
}

/// A node as a kernel sees it: the canonical record.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered {
    /// [`embarca_kernels::Kernel::name`]
    pub kernel: &'static str,
    /// The parameter record.
    pub record: Vec<u8>,
    /// The kernel's arguments.
    pub args: Vec<Arg>,
    /// The class of algorithm.
    pub algorithm: Algorithm,
}

impl Lowered {
    /// A kernel, its record and its arguments.
    pub fn new(
        kernel: &embarca_kernels::Kernel,
        params: &(impl zerocopy::IntoBytes + zerocopy::Immutable),
        args: Vec<Arg>,
    ) -> Self {
        let record = params.as_bytes().to_vec();
        Self { kernel: kernel.name, record, args, algorithm: Algorithm::Direct }
    }

    /// A kernel that takes the node's `n` inputs as they are.
    pub fn plain(
        kernel: &embarca_kernels::Kernel,
        params: &(impl zerocopy::IntoBytes + zerocopy::Immutable),
        n_inputs: usize,
    ) -> Self {
        Self::new(kernel, params, (0..n_inputs).map(Arg::Input).collect())
    }
}

/// The empty record of kernels without parameters.
pub const NO_PARAMS: () = ();

/// An operator of the graph.
pub trait OpDef: Payload + Clone + Debug + PartialEq {
    /// The name in graph text: `snake_case` of the canonical English name.
    const NAME: &'static str;

    /// Its names in foreign formats; empty for operators that only Embarca makes.
    const SPELLINGS: &'static [Spelling] = &[];

    /// Why computing on `u8` data as `i8` (values and zero points less 128) gives the same result;
    /// `None` keeps such tensors `u8` around this operator.
    const U8_AS_I8: Option<&'static str> = None;

    /// What its kernels can fuse.
    const TAILS: Tails = Tails { clamp: false };

    /// From a foreign node to graph nodes; yields one value for each output of the foreign node.
    ///
    /// # Errors
    /// When the node is malformed or asks for what is not done; never a different result.
    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let _ = b;
        Err(ImportError::unsupported(format!("'{}' cannot be imported", node.op)))
    }

    /// The outputs' types. Quantization of outputs is declared by whoever makes the node; only
    /// operators that move data pass it on here.
    ///
    /// # Errors
    /// When the inputs do not fit.
    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError>;

    /// The content of outputs that shape inference can know (small integer tensors), by output.
    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let _ = inputs;
        Vec::new()
    }

    /// The same computation by other operators, on non-quantized tensors only; `None` where there
    /// is none for these inputs.
    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let _ = (b, inputs);
        None
    }

    /// How it commutes with a transpose: when every input that is not constant is `transpose(x,
    /// perm)`, the result is `transpose(op(x...), perm_out)` with what this yields, each output
    /// alike. Constants of lower rank are broadcast from the back first. `None` where it does not.
    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let _ = perm;
        None
    }

    /// The same computation in a foreign format.
    ///
    /// # Errors
    /// Where the format has no operator for it.
    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let format = if s.is_tflite() { Format::TfLite } else { Format::Onnx }.name();
        Err(SpellError::none(format!("{} is not written to {format} yet", Self::NAME)))
    }

    /// The canonical record.
    ///
    /// # Errors
    /// `NoKernel` where no kernel computes these types.
    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let _ = io;
        Err(LowerError::no_kernel(format!("{} is only ever decomposed", Self::NAME)))
    }
}
