//! What an importer has read, before dossiers give it meaning: foreign names, never bytes.
//!
//! `import` turns a file into a [`ForeignModel`]; [`crate::build`] turns that into a
//! [`crate::Model`] by asking the dossier of each operator.

use std::borrow::Cow;
use std::collections::BTreeMap;

use embarca_num::DType;

/// The format a model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `.onnx`
    Onnx,
    /// `.tflite`
    TfLite,
    /// `.prototxt` + `.caffemodel`
    Caffe,
}

impl Format {
    /// The name used in reports and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "ONNX",
            Self::TfLite => "TFLite",
            Self::Caffe => "Caffe",
        }
    }
}

/// One dimension as a file states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignDim {
    /// A number.
    Known(u64),
    /// A name that stands for the same number everywhere in the model.
    Named(String),
    /// Stated to be open, without a name.
    Unknown,
}

/// Affine quantization as a file states it: `real = scale * (stored - zero_point)`.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignQuant {
    /// One, or one per index of `axis`.
    pub scales: Vec<f32>,
    /// As many as `scales`.
    pub zero_points: Vec<i64>,
    /// The axis that the scales run along, when there is more than one.
    pub axis: usize,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    /// An integer, a boolean or an enumeration given by number.
    Int(i64),
    /// A real number.
    Float(f32),
    /// A text or an enumeration given by name.
    Text(String),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A list of real numbers.
    Floats(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
    /// An index into [`ForeignGraph::tensors`] of the graph that holds the node.
    Tensor(usize),
    /// An index into [`ForeignModel::graphs`].
    Graph(usize),
    /// Uninterpreted bytes (custom options, say).
    Bytes(Vec<u8>),
}

/// A tensor of a foreign graph: an input, a constant or a result.
#[derive(Clone, Debug)]
pub struct ForeignTensor<'a> {
    /// The author's name; may be empty.
    pub name: String,
    /// `None` where the file does not say.
    pub dtype: Option<DType>,
    /// `None` where the file does not say.
    pub dims: Option<Vec<ForeignDim>>,
    /// Present on quantized tensors of formats that quantize tensors.
    pub quant: Option<ForeignQuant>,
    /// The content of a constant: little-endian elements of `dtype`, row-major, exactly as many
    /// bytes as `dims` and `dtype` ask for. Texts: their count, then as many offsets from the
    /// start and one more for the end, all `i32`, then UTF-8 bytes.
    pub data: Option<Cow<'a, [u8]>>,
    /// State that a step reads and the next step finds changed.
    pub is_variable: bool,
}

/// An operator of a foreign graph.
#[derive(Clone, Debug)]
pub struct ForeignNode {
    /// The operator's name in its format (`Conv`, `CONV_2D`, `Convolution`).
    pub op: String,
    /// The domain (ONNX), empty for the standard one.
    pub domain: String,
    /// The opset (ONNX) or operator version (TFLite) that the file asks for; 1 for Caffe.
    pub version: u32,
    /// The author's name; may be empty.
    pub name: String,
    /// Indices into the graph's tensors; `None` is an optional input that is left out.
    pub inputs: Vec<Option<usize>>,
    /// Caffe's learned blobs: constants in the graph's tensors.
    pub blobs: Vec<usize>,
    /// Indices into the graph's tensors; `None` is an output nobody reads.
    pub outputs: Vec<Option<usize>>,
    /// In the order of the file.
    pub attrs: Vec<(String, AttrValue)>,
}

/// One foreign graph: the model's own or one that a control-flow operator calls.
#[derive(Clone, Debug, Default)]
pub struct ForeignGraph<'a> {
    /// The author's name; may be empty.
    pub name: String,
    /// In the order of the file.
    pub tensors: Vec<ForeignTensor<'a>>,
    /// In an order in which each node's inputs are known.
    pub nodes: Vec<ForeignNode>,
    /// What the caller feeds (constants excluded).
    pub inputs: Vec<usize>,
    /// What the caller gets.
    pub outputs: Vec<usize>,
    /// Values of the calling graph that this one reads by name, as pairs (tensor of this graph,
    /// tensor of the graph that holds the calling node).
    pub captures: Vec<(usize, usize)>,
}

impl ForeignGraph<'_> {
    /// Gives back the room that growing lists have left over. What they were paid for twice over
    /// while they grew then also covers the graph that is built of them.
    pub fn shrink(&mut self) {
        self.tensors.shrink_to_fit();
        self.nodes.shrink_to_fit();
    }
}

/// What a file says about reading its numbers, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignMeta {
    /// A line on the model, if the author left one.
    pub description: String,
    /// The program that wrote the file.
    pub producer: String,
    /// Class names of output 0, in order.
    pub labels: Vec<String>,
    /// Per-channel mean that the author subtracts from input 0 (in units of the raw pixel).
    pub mean: Vec<f32>,
    /// Per-channel divisor after the mean.
    pub std: Vec<f32>,
    /// What else the author says that tells the model's task, by the file's own keys.
    pub properties: BTreeMap<String, String>,
}

/// A model file as read.
#[derive(Clone, Debug)]
pub struct ForeignModel<'a> {
    /// Where it came from.
    pub format: Format,
    /// The main graph first.
    pub graphs: Vec<ForeignGraph<'a>>,
    /// For people.
    pub meta: ForeignMeta,
}
