//! The version of an operator that a node needs.
//!
//! Source: `tools/versioning/op_version.cc` of LiteRT: a version stands for the types and options that
//! came with it. Readers refuse versions that they do not know, so each node asks for the least.

use embarca_ir::foreign::{AttrValue, ForeignGraph, ForeignNode};
use embarca_num::DType;

/// The least version of the operator that has what the node uses.
pub fn of(graph: &ForeignGraph<'_>, node: &ForeignNode) -> i32 {
    let tensor = |index: usize| {
        let at = node.inputs.get(index).copied().flatten()?;
        graph.tensors.get(at)
    };
    let dtype = |index: usize| tensor(index).and_then(|tensor| tensor.dtype);
    let set = |name: &str| {
        let value = node.attrs.iter().find(|(own, _)| own == name);
        value.is_some_and(|(_, value)| *value == AttrValue::Int(1))
    };
    let rank =
        |index: usize| tensor(index).and_then(|tensor| tensor.dims.as_ref()).map_or(0, Vec::len);
    let per_channel = tensor(1).and_then(|w| w.quant.as_ref()).is_some_and(|q| 1 < q.scales.len());
    let wide = dtype(0) == Some(DType::I16);
    let small = dtype(0) == Some(DType::I8);
    let hybrid = dtype(0) == Some(DType::F32) && dtype(1) == Some(DType::I8);
    let by = |i8: i32, i16: i32| {
        if wide {
            i16
        } else if small {
            i8
        } else {
            1
        }
    };
    match node.op.as_str() {
        "CONV_2D" if node.attrs.iter().any(|(name, _)| name == "quantized_bias_type") => 8,
        "CONV_2D" if hybrid => {
            if per_channel {
                5
            } else {
                2
            }
        }
        "CONV_2D" => by(3, 4),
        "DEPTHWISE_CONV_2D" if hybrid => {
            if per_channel {
                6
            } else {
                4
            }
        }
        "DEPTHWISE_CONV_2D" if !small && !wide => {
            let dilated = node
                .attrs
                .iter()
                .any(|(name, value)| name.starts_with("dilation") && *value != AttrValue::Int(1));
            if dilated { 2 } else { 1 }
        }
        "DEPTHWISE_CONV_2D" => by(3, 5),
        "FULLY_CONNECTED" if hybrid && per_channel => 12,
        "FULLY_CONNECTED" if hybrid => {
            if set("asymmetric_quantize_inputs") {
                9
            } else {
                3
            }
        }
        "FULLY_CONNECTED" if per_channel => 12,
        "FULLY_CONNECTED" if wide => 7,
        "FULLY_CONNECTED" if node.inputs.get(2).copied().flatten().is_none() => 6,
        "FULLY_CONNECTED" if set("keep_num_dims") => 5,
        "FULLY_CONNECTED" => by(4, 7),
        "BATCH_MATMUL" => by(2, 3),
        "TRANSPOSE_CONV" => {
            let x = tensor(2).and_then(|x| x.dtype);
            let bias = i32::from(node.inputs.len() == 4);
            match x {
                Some(DType::I16) => 3.max(3 * bias),
                Some(DType::I8) => 2.max(3 * bias),
                _ => 1.max(3 * bias),
            }
        }
        "ADD" if dtype(0) == Some(DType::I64) => 4,
        "MUL" if dtype(0) == Some(DType::I64) => 5,
        "ADD" => by(2, 3),
        "SUB" => by(3, 5),
        "MUL" => by(2, 4),
        "SUM" | "REDUCE_MAX" | "REDUCE_MIN" => by(2, 3),
        "MEAN" => by(2, 3),
        "REDUCE_PROD" => by(2, 2),
        "SVDF" => by(3, 3),
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" if set("half_pixel_centers") => {
            by(3, 4).max(3)
        }
        "RESIZE_BILINEAR" => by(2, 4),
        "RESIZE_NEAREST_NEIGHBOR" => by(2, 4),
        "GATHER" if set("batch_dims") => 5,
        "GATHER" => by(2, 4),
        "GATHER_ND" => {
            if wide {
                3
            } else {
                1
            }
        }
        "SLICE" if 4 < rank(0) => 5,
        "SLICE" => by(2, 4),
        "STRIDED_SLICE" if 4 < rank(0) => 4,
        "STRIDED_SLICE" => by(2, 4),
        "TRANSPOSE" if 5 < rank(0) => 6,
        "TRANSPOSE" if 4 < rank(0) => 4,
        "TRANSPOSE" => by(2, 5),
        "CAST" => 1,
        "QUANTIZE" => match dtype(0) {
            Some(DType::I16) => 3,
            _ => {
                if quantizes_to(graph, node, DType::I16) {
                    2
                } else {
                    1
                }
            }
        },
        "DEQUANTIZE" => match dtype(0) {
            Some(DType::I16 | DType::F16) => 3,
            Some(DType::I8) => {
                if tensor(0).and_then(|x| x.quant.as_ref()).is_some_and(|q| 1 < q.scales.len()) {
                    5
                } else {
                    2
                }
            }
            _ => 1,
        },
        "SPLIT" => {
            let wide = dtype(1) == Some(DType::I8);
            if wide { 2 } else { 1 }
        }
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" if rank(0) != 4 => 3,
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" => by(2, 4),
        "AVERAGE_POOL_2D" | "MAX_POOL_2D" | "CONCATENATION" | "SOFTMAX" | "LOGISTIC" | "TANH"
        | "RELU6" | "PAD" | "PADV2" | "LEAKY_RELU" => {
            by(2, 3).min(if node.op == "RELU6" || node.op == "LEAKY_RELU" || node.op == "PADV2" {
                2
            } else {
                3
            })
        }
        "RELU" | "L2_NORMALIZATION" | "LOG_SOFTMAX" | "TOPK_V2" | "ARG_MAX" | "ARG_MIN"
        | "SPACE_TO_DEPTH" | "DEPTH_TO_SPACE" | "EQUAL" | "NOT_EQUAL" | "GREATER"
        | "GREATER_EQUAL" | "LESS" | "LESS_EQUAL" | "MAXIMUM" | "MINIMUM" | "SPLIT_V"
        | "MIRROR_PAD" | "SQUARED_DIFFERENCE" | "RSQRT" => by(2, 2),
        "EXPAND_DIMS" | "DIV" => 1,
        "BROADCAST_TO" => 2,
        _ => 1,
    }
}

fn quantizes_to(graph: &ForeignGraph<'_>, node: &ForeignNode, dtype: DType) -> bool {
    let output = node.outputs.first().copied().flatten();
    output.and_then(|at| graph.tensors.get(at)).is_some_and(|y| y.dtype == Some(dtype))
}
