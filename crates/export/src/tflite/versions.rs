//! The version of an operator that a node needs.
//!
//! Source: `tools/versioning/op_version.cc` of LiteRT: a version stands for the types and options that
//! came with it. Readers refuse versions that they do not know, so each node asks for the least.

use embarca_ir::foreign::{AttrValue, ForeignGraph, ForeignNode, ForeignTensor};
use embarca_num::DType;

/// Versions that brought tensors of i8 and of i16 for input 0.
const BY_TYPE: &[(&[&str], i32, i32)] = &[
    (&["CONV_2D"], 3, 4),
    (&["DEPTHWISE_CONV_2D"], 3, 5),
    (&["FULLY_CONNECTED"], 4, 7),
    (&["SUB"], 3, 5),
    (&["MUL", "GATHER", "SLICE", "STRIDED_SLICE", "RESIZE_BILINEAR"], 2, 4),
    (&["RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"], 2, 4),
    (&["TRANSPOSE"], 2, 5),
    (&["SVDF"], 3, 3),
    (&["ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "LOGISTIC", "MAX_POOL_2D"], 2, 3),
    (&["MEAN", "PAD", "REDUCE_MAX", "REDUCE_MIN", "SOFTMAX", "SUM", "TANH"], 2, 3),
    (&["ARG_MAX", "ARG_MIN", "DEPTH_TO_SPACE", "EQUAL", "GREATER", "GREATER_EQUAL"], 2, 2),
    (&["L2_NORMALIZATION", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG_SOFTMAX", "MAXIMUM"], 2, 2),
    (&["MINIMUM", "MIRROR_PAD", "NOT_EQUAL", "PADV2", "REDUCE_PROD", "RELU", "RELU6"], 2, 2),
    (&["RSQRT", "SPACE_TO_DEPTH", "SPLIT_V", "SQUARED_DIFFERENCE", "TOPK_V2"], 2, 2),
];

/// What decides over the version of a node.
struct Use<'a> {
    graph: &'a ForeignGraph<'a>,
    node: &'a ForeignNode,
}

impl<'a> Use<'a> {
    fn input(&self, index: usize) -> Option<&'a ForeignTensor<'a>> {
        self.graph.tensors.get(self.node.inputs.get(index).copied().flatten()?)
    }

    fn dtype(&self, index: usize) -> Option<DType> {
        self.input(index)?.dtype
    }

    fn rank(&self, index: usize) -> usize {
        self.input(index).and_then(|tensor| tensor.dims.as_ref()).map_or(0, Vec::len)
    }

    /// Whether input `index` has a scale for each index of an axis.
    fn per_axis(&self, index: usize) -> bool {
        let quant = self.input(index).and_then(|tensor| tensor.quant.as_ref());
        quant.is_some_and(|quant| 1 < quant.scales.len())
    }

    fn attr(&self, name: &str) -> Option<&'a AttrValue> {
        self.node.attrs.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    fn set(&self, name: &str) -> bool {
        self.attr(name).is_some_and(|value| !matches!(value, AttrValue::Int(0)))
    }

    fn dilated(&self) -> bool {
        let names = ["dilation_h_factor", "dilation_w_factor"];
        names.iter().any(|name| self.attr(name).is_some_and(|value| *value != AttrValue::Int(1)))
    }

    fn by_type(&self) -> i32 {
        let entry = BY_TYPE.iter().find(|(names, ..)| names.contains(&self.node.op.as_str()));
        match (entry, self.dtype(0)) {
            (Some((_, version, _)), Some(DType::I8)) => *version,
            (Some((_, _, version)), Some(DType::I16)) => *version,
            _ => 1,
        }
    }

    /// The version that an option or the type of another input asks for.
    fn by_use(&self) -> i32 {
        let hybrid = self.dtype(0) == Some(DType::F32) && self.dtype(1) == Some(DType::I8);
        let is = |index: usize, dtype: DType| self.dtype(index) == Some(dtype);
        let output = self.node.outputs.first().copied().flatten();
        let output = output.and_then(|at| self.graph.tensors.get(at)).and_then(|y| y.dtype);
        match self.node.op.as_str() {
            "CONV_2D" if self.attr("quantized_bias_type").is_some() => 8,
            "CONV_2D" if hybrid && self.per_axis(1) => 5,
            "CONV_2D" if hybrid => 2,
            "DEPTHWISE_CONV_2D" if hybrid && self.per_axis(1) => 6,
            "DEPTHWISE_CONV_2D" if hybrid => 4,
            "DEPTHWISE_CONV_2D" if self.dilated() => 2,
            "FULLY_CONNECTED" if self.per_axis(1) => 12,
            "FULLY_CONNECTED" if hybrid && self.set("asymmetric_quantize_inputs") => 9,
            "FULLY_CONNECTED" if self.input(2).is_none() => 6,
            "FULLY_CONNECTED" if self.set("keep_num_dims") => 5,
            "FULLY_CONNECTED" if hybrid => 3,
            "TRANSPOSE_CONV" if self.input(3).is_some() || is(2, DType::I16) => 3,
            "TRANSPOSE_CONV" if is(2, DType::I8) => 2,
            "ADD" if is(0, DType::I64) => 4,
            "MUL" if is(0, DType::I64) => 5,
            "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" if self.set("half_pixel_centers") => 3,
            "GATHER" if self.set("batch_dims") => 5,
            "GATHER_ND" if is(0, DType::I16) => 3,
            "SLICE" if 4 < self.rank(0) => 5,
            "STRIDED_SLICE" if 4 < self.rank(0) => 4,
            "TRANSPOSE" if 5 < self.rank(0) => 6,
            "TRANSPOSE" if 4 < self.rank(0) => 4,
            "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" if self.rank(0) != 4 => 3,
            "SPLIT" if is(1, DType::I8) => 2,
            "QUANTIZE" if is(0, DType::I16) => 3,
            "QUANTIZE" if output == Some(DType::I16) => 2,
            "DEQUANTIZE" if self.per_axis(0) => 5,
            "DEQUANTIZE" if is(0, DType::I16) || is(0, DType::F16) => 3,
            "DEQUANTIZE" if is(0, DType::I8) => 2,
            "BROADCAST_TO" => 2,
            _ => 1,
        }
    }
}

/// The least version of the operator that has what the node uses.
pub fn of(graph: &ForeignGraph<'_>, node: &ForeignNode) -> i32 {
    let node = Use { graph, node };
    node.by_type().max(node.by_use())
}
