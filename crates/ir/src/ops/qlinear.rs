//! ONNX's operators on quantized tensors: imported as dequantizations, the operator on real
//! numbers, and a quantization, which `opt` turns into operators on integers.

use super::prelude::*;
use super::{
    Add, AveragePool2d, Concat, Conv2d, LeakyRelu, Mul, Requantize, Softmax, Unary, gemm, matmul,
};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("QLinearConv", 10),
    Spelling::onnx("QLinearMatMul", 10),
    Spelling::onnx("QGemm", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearAdd", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearAveragePool", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearConcat", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearGlobalAveragePool", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearLeakyRelu", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearMul", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearSigmoid", 1).domain(MICROSOFT),
    Spelling::onnx("QLinearSoftmax", 1).domain(MICROSOFT),
];
pub const U8_AS_I8: Option<&str> = None;

/// Where ONNX Runtime keeps the operators that are not in the standard.
const MICROSOFT: &str = "com.microsoft";

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    match node.op {
        "QLinearConv" => {
            let x = real(node, b, [0, 1, 2], None)?;
            let w = real(node, b, [3, 4, 5], Some(0))?;
            let bias = match node.optional(8) {
                Some(bias) => Some(real_bias(node, b, bias, [1, 4])?),
                None => None,
            };
            let y =
                node.disguised("Conv", vec![Some(x), Some(w), bias], |n| Conv2d::import(n, b))?;
            stored(node, b, y, [6, 7])
        }
        "QLinearMatMul" => {
            let left = real(node, b, [0, 1, 2], None)?;
            let last = b.rank(node.input(3)?).saturating_sub(1);
            let right = real(node, b, [3, 4, 5], Some(last))?;
            let inputs = vec![Some(left), Some(right)];
            let y = node.disguised("MatMul", inputs, |n| matmul::Matmul::import(n, b))?;
            stored(node, b, y, [6, 7])
        }
        "QGemm" => {
            let x = real(node, b, [0, 1, 2], None)?;
            let axis = usize::from(!node.flag("transB", false)?);
            let w = real(node, b, [3, 4, 5], Some(axis))?;
            let bias = match node.optional(6) {
                Some(bias) => Some(real_bias(node, b, bias, [1, 4])?),
                None => None,
            };
            let y = node.disguised("Gemm", vec![Some(x), Some(w), bias], |n| gemm::import(n, b))?;
            // Without a scale of its own the result stays real.
            if node.optional(7).is_some() { stored(node, b, y, [7, 8]) } else { Ok(y) }
        }
        "QLinearConcat" => {
            let mut parts = Vec::new();
            for first in (2..node.n_inputs()).step_by(3) {
                parts.push(real(node, b, [first, first + 1, first + 2], None)?);
            }
            let parts: Vec<_> = parts.into_iter().map(Some).collect();
            let y = node.disguised("Concat", parts, |n| Concat::import(n, b))?;
            stored(node, b, y, [0, 1])
        }
        "QLinearAdd" | "QLinearMul" => {
            let pair = [real(node, b, [0, 1, 2], None)?, real(node, b, [3, 4, 5], None)?];
            let op: Op = if node.op == "QLinearAdd" { Add {}.into() } else { Mul {}.into() };
            let y = b.op(op, &pair)?;
            stored(node, b, vec![y], [6, 7])
        }
        name => {
            let x = vec![Some(real(node, b, [0, 1, 2], None)?)];
            let y = match name {
                "QLinearLeakyRelu" => node.disguised("LeakyRelu", x, |n| LeakyRelu::import(n, b)),
                "QLinearSigmoid" => node.disguised("Sigmoid", x, |n| Unary::import(n, b)),
                "QLinearSoftmax" => softmax(node, b, x),
                "QLinearAveragePool" => pool(node, b, x, "AveragePool"),
                _ => pool(node, b, x, "GlobalAveragePool"),
            }?;
            stored(node, b, y, [3, 4])
        }
    }
}

fn softmax(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: Vec<Option<ValueId>>,
) -> Result<Vec<ValueId>, ImportError> {
    // The opset whose Softmax is meant; before 13 all axes from `axis` on are one.
    if node.int("opset", 13)? < 13 {
        return Err(ImportError::unsupported("below 13 is not supported").attribute("opset"));
    }
    let rank = b.rank(node.input(0)?);
    let axis = axis(node.int("axis", -1)?, rank)?;
    let inputs: Vec<ValueId> = x.into_iter().flatten().collect();
    one(b.op(Softmax { axis, beta: 1.0 }, &inputs)?)
}

fn pool(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: Vec<Option<ValueId>>,
    name: &str,
) -> Result<Vec<ValueId>, ImportError> {
    if node.flag("channels_last", false)? {
        return Err(ImportError::unsupported("is not supported").attribute("channels_last"));
    }
    node.disguised(name, x, |n| AveragePool2d::import(n, b))
}

/// The quantization that a scale and a zero point declare, along `axis` when there are several.
fn quant(
    node: &NodeView<'_>,
    b: &Builder<'_>,
    [scale, zero]: [usize; 2],
    axis: Option<usize>,
) -> Result<Quant, ImportError> {
    let scales = b.floats(node.input(scale)?, "the scale")?;
    let zero_points: Vec<i32> = match node.optional(zero) {
        Some(zero) => b.ints(zero, "the zero point")?.into_iter().map(|zero| zero as i32).collect(),
        None => vec![0; scales.len()],
    };
    if scales.len() != zero_points.len() && zero_points.len() != 1 {
        return Err(ImportError::malformed("there are not as many zero points as scales"));
    }
    let zero_points = (0..scales.len()).map(|i| zero_points[i % zero_points.len()]).collect();
    let axis = axis.filter(|_| scales.len() != 1);
    if axis.is_none() && scales.len() != 1 {
        return Err(ImportError::unsupported("several scales are not supported here"));
    }
    Ok(Quant { scales, zero_points, axis })
}

/// Input `value` as real numbers, under the scale and zero point in two others.
fn real(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    [value, scale, zero]: [usize; 3],
    axis: Option<usize>,
) -> Result<ValueId, ImportError> {
    let quant = quant(node, b, [scale, zero], axis)?;
    dequantized(b, node.input(value)?, quant)
}

fn dequantized(b: &mut Builder<'_>, x: ValueId, quant: Quant) -> Result<ValueId, ImportError> {
    if let Some(axis) = quant.axis {
        let len = b.ty(x).dims.get(axis).and_then(Dim::known);
        if len != i64::try_from(quant.scales.len()).ok() {
            return Err(ImportError::malformed("there are not as many scales as channels"));
        }
    }
    // The same integers may be read under another quantization elsewhere.
    let x = b.relabel(x, Some(quant))?;
    Ok(b.op(Requantize { to: DType::F32, rule: "onnx".to_owned() }, &[x])?)
}

/// An i32 bias in steps of the product of the scales of input and weights.
fn real_bias(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    bias: ValueId,
    scales: [usize; 2],
) -> Result<ValueId, ImportError> {
    let [x, w] = [
        b.floats(node.input(scales[0])?, "the scale")?,
        b.floats(node.input(scales[1])?, "the scale")?,
    ];
    let x = x.first().copied().unwrap_or_default();
    let scales: Vec<f32> = w.iter().map(|w| x * w).collect();
    let axis = if scales.len() == 1 { None } else { Some(b.rank(bias).saturating_sub(1)) };
    dequantized(b, bias, Quant { zero_points: vec![0; scales.len()], scales, axis })
}

/// The only value of `values`, quantized with the scale and zero point in two inputs.
fn stored(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    values: Vec<ValueId>,
    [scale, zero]: [usize; 2],
) -> Result<Vec<ValueId>, ImportError> {
    let quant = quant(node, b, [scale, zero], None)?;
    let to = node.optional(zero).map_or(DType::U8, |zero| b.ty(zero).dtype);
    if to != DType::U8 && to != DType::I8 {
        return Err(ImportError::unsupported(format!("quantization to {to} is not supported")));
    }
    let inputs: Vec<ValueId> = values;
    let y = b.op(Requantize { to, rule: "onnx".to_owned() }, &inputs)?;
    b.set_quant(y, Some(quant));
    one(y)
}
