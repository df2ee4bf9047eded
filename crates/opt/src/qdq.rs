//! ONNX models that spell quantization out (dequantize, compute, quantize) become integer operators.
//!
//! Convolutions and dense layers of constant weights take ONNX's rescaling of integer sums
//! ([`Rescale::Onnx`]), as ONNX Runtime's QLinearConv and QLinearMatMul. Everything else yields
//! exactly what the three steps yield: data is moved as integers, a function of each element
//! becomes a table, arithmetic on two tensors dequantizes and quantizes within its kernel. What has
//! no such form stays as it is spelled. All of it is computed on i8: u8 tensors are shifted.

use embarca_ir::ops::{
    Arithmetic, Clip, Conv2d, Dense, DepthwiseConv2d, Pad, QuantizedBinary, Requantize, Rescale,
};
use embarca_ir::{Builder, Const, Dim, Model, Node, Op, Quant, ShapeError, ValueId, dim};
use embarca_kernels::binary::Kind;
use embarca_kernels::pad::Mode;
use embarca_num::{DType, float};

use crate::rewrite::{Site, Verdict, rewrite};
use crate::tables;

/// The rule of [`Requantize`] that ONNX's operators follow.
const ONNX: &str = "onnx";

/// Whether a model spells quantization out as ONNX does.
pub fn is_spelled_out(model: &Model) -> bool {
    let onnx = |node: &Node| matches!(&node.op, Op::Requantize(op) if op.rule == ONNX);
    model.graphs.iter().any(|graph| graph.nodes.iter().any(onnx))
}

/// One round; the flag tells whether anything changed.
///
/// # Errors
/// Only through a defect.
pub fn fuse_quantized(model: Model) -> Result<(Model, bool), ShapeError> {
    rewrite(model, &mut |b, site| {
        let result = match &site.node.op {
            Op::Requantize(op) if op.to == DType::I8 && op.rule != ONNX => shift_back(b, site),
            Op::Requantize(op) if op.rule != ONNX => None,
            Op::Requantize(op) if op.to == DType::F32 => dequantize_i8(b, site)?,
            Op::Requantize(op) if op.to == DType::U8 => quantize_i8(b, site)?,
            Op::Requantize(op) if op.to == DType::I8 => quantize(b, site)?,
            _ => move_integers(b, site)?,
        };
        Ok(result.map_or(Verdict::Keep, Verdict::Replace))
    })
}

/// What takes the place of a node's outputs, if anything.
type Fused = Result<Option<Vec<ValueId>>, ShapeError>;

fn requantize(
    b: &mut Builder<'_>,
    x: ValueId,
    to: DType,
    rule: &str,
    quant: Option<Quant>,
) -> Result<ValueId, ShapeError> {
    let y = b.op(Requantize { to, rule: rule.to_owned() }, &[x])?;
    b.set_quant(y, quant);
    Ok(y)
}

/// The integers behind a value that an ONNX dequantization wrote.
pub(crate) fn dequantized(b: &Builder<'_>, value: ValueId) -> Option<ValueId> {
    let (node, _) = b.graph().writer(value)?;
    match &node.op {
        Op::Requantize(op) if op.rule == ONNX && op.to == DType::F32 => {
            node.inputs[0].filter(|&x| b.ty(x).is_quantized())
        }
        _ => None,
    }
}

/// The i8 integers behind a dequantized value, if one scale and zero point hold for all of them.
pub(crate) fn dequantized_i8(b: &Builder<'_>, value: ValueId) -> Option<(ValueId, Quant)> {
    let x = dequantized(b, value).filter(|&x| b.ty(x).dtype == DType::I8)?;
    let quant = b.ty(x).quant.clone()?;
    quant.single().map(|_| (x, quant))
}

/// The quantization of the same real numbers with integers less 128.
fn shifted(quant: &Quant) -> Quant {
    let zero_points = quant.zero_points.iter().map(|zero| zero.saturating_sub(128)).collect();
    Quant { zero_points, ..quant.clone() }
}

/// A dequantization of u8 reads i8.
fn dequantize_i8(b: &mut Builder<'_>, site: &Site<'_>) -> Fused {
    let Some(x) = site.input(0) else { return Ok(None) };
    let ty = b.ty(x).clone();
    let (DType::U8, Some(quant)) = (ty.dtype, ty.quant) else { return Ok(None) };
    let quant = shifted(&quant);
    let source = match b.const_of(x) {
        Some(data) => {
            let bytes: Vec<i8> =
                data.data.iter().map(|&byte| (byte ^ 0x80).cast_signed()).collect();
            let data = Const::from_i8(&data.dims.clone(), &bytes);
            b.constant(data, Some(quant))
        }
        None if quant.single().is_some() => match unshifted(b, x, &quant) {
            Some(source) => source,
            None => requantize(b, x, DType::I8, "tflite", Some(quant))?,
        },
        None => return Ok(None),
    };
    Ok(Some(vec![requantize(b, source, DType::F32, ONNX, None)?]))
}

/// What a shift from i8 of this quantization to u8 read.
fn unshifted(b: &Builder<'_>, x: ValueId, quant: &Quant) -> Option<ValueId> {
    let (node, _) = b.graph().writer(x)?;
    let source = node.inputs.first().copied().flatten()?;
    let shift = matches!(&node.op, Op::Requantize(op) if op.to == DType::U8);
    let ty = b.ty(source);
    (shift && ty.dtype == DType::I8 && ty.quant.as_ref() == Some(quant)).then_some(source)
}

/// A shift to u8 and back is none.
fn shift_back(b: &Builder<'_>, site: &Site<'_>) -> Option<Vec<ValueId>> {
    let x = site.input(0)?;
    let quant = site.old.ty(site.node.outputs[0]).quant.as_ref()?;
    let same =
        b.ty(x).dtype == DType::U8 && b.ty(x).quant.as_ref().map(shifted).as_ref() == Some(quant);
    unshifted(b, x, quant).filter(|_| same).map(|source| vec![source])
}

/// A quantization to u8 is one to i8 and a shift.
fn quantize_i8(b: &mut Builder<'_>, site: &Site<'_>) -> Fused {
    let (Some(x), Some(quant)) = (site.input(0), site.old.ty(site.node.outputs[0]).quant.clone())
    else {
        return Ok(None);
    };
    if quant.single().is_none() || b.ty(x).dtype != DType::F32 {
        return Ok(None);
    }
    let stored = requantize(b, x, DType::I8, ONNX, Some(shifted(&quant)))?;
    Ok(Some(vec![requantize(b, stored, DType::U8, "tflite", Some(quant))?]))
}

/// Operators that only move elements do so before the dequantization.
fn move_integers(b: &mut Builder<'_>, site: &Site<'_>) -> Fused {
    let data = match &site.node.op {
        Op::Concat(_) => site.inputs.len(),
        Op::Pad(Pad { mode, value, .. }) => {
            // Zero is stored exactly; another constant is not.
            usize::from(site.inputs.len() == 1 && (mode.0 != Mode::Constant || *value == 0.0))
        }
        Op::Resize(resize) => usize::from(resize.mode == "nearest"),
        Op::Transpose(_)
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::Split(_)
        | Op::Expand(_)
        | Op::Tile(_)
        | Op::Gather(_)
        | Op::DepthToSpace(_)
        | Op::SpaceToDepth(_)
        | Op::MaxPool2d(_) => 1,
        _ => 0,
    };
    if data == 0 {
        return Ok(None);
    }
    if let Op::Reshape(reshape) = &site.node.op
        && let Some(weights) = reshape_weights(b, site, &reshape.dims)
    {
        return Ok(Some(vec![requantize(b, weights, DType::F32, ONNX, None)?]));
    }
    let mut inputs = site.inputs.to_vec();
    let mut common: Option<Quant> = None;
    for input in inputs.iter_mut().take(data) {
        let Some(source) = input.and_then(|value| dequantized(b, value)) else { return Ok(None) };
        let Some(quant) = b.ty(source).quant.clone() else { return Ok(None) };
        let movable = match &site.node.op {
            Op::Transpose(_) => true,
            Op::Reshape(_) => quant.axis.is_none(),
            _ => quant.axis.is_none() && b.ty(source).dtype == DType::I8,
        };
        if !movable || *common.get_or_insert_with(|| quant.clone()) != quant {
            return Ok(None);
        }
        *input = Some(source);
    }
    let outputs = b.node(site.node.op.clone(), &inputs)?;
    let mut results = Vec::with_capacity(outputs.len());
    for output in outputs {
        // A transpose has permuted the axis of its scales.
        if !matches!(site.node.op, Op::Transpose(_)) {
            b.set_quant(output, common.clone());
        }
        results.push(requantize(b, output, DType::F32, ONNX, None)?);
    }
    Ok(Some(results))
}

/// A constant with a scale for each index of an axis, under dimensions among which the axis is one.
fn reshape_weights(b: &mut Builder<'_>, site: &Site<'_>, dims: &[Dim]) -> Option<ValueId> {
    let source = dequantized(b, site.input(0)?)?;
    let (data, ty) = (b.const_of(source)?.clone(), b.ty(source));
    let mut quant = ty.quant.clone()?;
    let (axis, from) = (quant.axis?, &ty.dims);
    let before = dim::product(&from[..axis]);
    let stays = |&at: &usize| dims[at] == from[axis] && dim::product(&dims[..at]) == before;
    quant.axis = Some((0..dims.len()).find(stays)?);
    let dims = dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect::<Option<_>>()?;
    Some(b.constant(Const::new(data.dtype, dims, data.data)?, Some(quant)))
}

/// What a quantization to i8 reads is computed on integers.
fn quantize(b: &mut Builder<'_>, site: &Site<'_>) -> Fused {
    let (Some(x), Some(old)) = (site.input(0), site.node.inputs[0]) else { return Ok(None) };
    let Some(quant) = site.old.ty(site.node.outputs[0]).quant.clone() else { return Ok(None) };
    let Some(stored) = quant.single() else { return Ok(None) };
    if let Some((source, own)) = dequantized_i8(b, x)
        && own == quant
    {
        return Ok(Some(vec![source]));
    }
    let Some((writer, _)) = b.graph().writer(x) else { return Ok(None) };
    let (op, inputs) = (writer.op.clone(), writer.inputs.clone());
    if let Op::Clip(clip) = &op
        && let Some((_, own)) = inputs[0].and_then(|x| dequantized_i8(b, x))
        && own == quant
        && let Some(result) = clip_integers(b, clip, inputs[0], &quant)?
    {
        return Ok(Some(vec![result]));
    }
    if let Some(result) = tables::lookup(b, x, &quant)? {
        return Ok(Some(vec![result]));
    }
    // What somebody else reads as real numbers is not computed twice.
    if site.uses[old.index()] != 1 {
        return Ok(None);
    }
    let result = match &op {
        Op::Reshape(reshape) => {
            let Some(x) = inputs[0] else { return Ok(None) };
            let stored = requantize(b, x, DType::I8, ONNX, Some(quant))?;
            Some(b.reshape(stored, reshape.dims.clone())?)
        }
        Op::Concat(_) => {
            let mut parts = Vec::with_capacity(inputs.len());
            for part in inputs.into_iter().flatten() {
                parts.push(Some(requantize(b, part, DType::I8, ONNX, Some(quant.clone()))?));
            }
            let outputs = b.node(op, &parts)?;
            b.set_quant(outputs[0], Some(quant));
            outputs.first().copied()
        }
        Op::Clip(clip) => clip_integers(b, clip, inputs[0], &quant)?,
        Op::Add(_) => arithmetic(b, Kind::Add, &inputs, quant)?,
        Op::Sub(_) => arithmetic(b, Kind::Sub, &inputs, quant)?,
        Op::Mul(_) => arithmetic(b, Kind::Mul, &inputs, quant)?,
        Op::Div(_) => arithmetic(b, Kind::Div, &inputs, quant)?,
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => {
            product(b, &op, &inputs, stored)?.inspect(|&y| b.set_quant(y, Some(quant)))
        }
        _ => None,
    };
    Ok(result.map(|result| vec![result]))
}

/// The quantized `x` within the stored bounds, which are where the clamped real numbers are stored.
fn clip_integers(
    b: &mut Builder<'_>,
    clip: &Clip,
    x: Option<ValueId>,
    quant: &Quant,
) -> Result<Option<ValueId>, ShapeError> {
    let (Some(x), Some((scale, zero))) = (x, quant.single()) else { return Ok(None) };
    // Where the two roundings of a bound agree, it is the same for a clip before and behind.
    let exact = |bound: f32| {
        let bound = bound / scale;
        bound.is_infinite() || float::round_half_even(bound) == float::round_half_away(bound)
    };
    if !exact(clip.min) || !exact(clip.max) {
        return Ok(None);
    }
    let at =
        |bound: f32| (float::round_half_even(bound / scale) as i64).saturating_add(zero.into());
    let stored = requantize(b, x, DType::I8, ONNX, Some(quant.clone()))?;
    if at(clip.min) <= -128 && 127 <= at(clip.max) {
        return Ok(Some(stored));
    }
    b.clip(stored, clip.min, clip.max).map(Some)
}

fn arithmetic(
    b: &mut Builder<'_>,
    kind: Kind,
    inputs: &[Option<ValueId>],
    quant: Quant,
) -> Result<Option<ValueId>, ShapeError> {
    let [Some(left), Some(right)] = *inputs else { return Ok(None) };
    let (Some((left, _)), Some((right, _))) = (dequantized_i8(b, left), dequantized_i8(b, right))
    else {
        return Ok(None);
    };
    let y = b.op(QuantizedBinary { function: Arithmetic(kind) }, &[left, right])?;
    b.set_quant(y, Some(quant));
    Ok(Some(y))
}

/// A convolution or dense layer on integers.
fn product(
    b: &mut Builder<'_>,
    op: &Op,
    inputs: &[Option<ValueId>],
    (y_scale, _): (f32, i32),
) -> Result<Option<ValueId>, ShapeError> {
    let [Some(x), Some(w), ..] = *inputs else { return Ok(None) };
    let (Some((x, x_quant)), Some(w)) = (dequantized_i8(b, x), dequantized(b, w)) else {
        return Ok(None);
    };
    let (op, channel_axis) = match op.clone() {
        Op::Conv2d(op) => (Op::from(Conv2d { rescale: Rescale::Onnx, ..op }), 0),
        Op::DepthwiseConv2d(op) => (Op::from(DepthwiseConv2d { rescale: Rescale::Onnx, ..op }), 3),
        Op::Dense(op) => (Op::from(Dense { rescale: Rescale::Onnx, ..op }), 0),
        _ => return Ok(None),
    };
    let ty = b.ty(w);
    let (Some(quant), Some(dims), DType::I8) = (ty.quant.clone(), ty.known_dims(), ty.dtype) else {
        return Ok(None);
    };
    let zero = quant.zero_points.first();
    let one_zero = quant.zero_points.iter().all(|other| Some(other) == zero);
    let fits = quant.axis.is_none_or(|axis| axis == channel_axis);
    let (Some((x_scale, _)), Some(&channels)) = (x_quant.single(), dims.get(channel_axis)) else {
        return Ok(None);
    };
    if b.const_of(w).is_none() || !one_zero || !fits || y_scale == 0.0 {
        return Ok(None);
    }
    let scale = |channel: usize| {
        let at = if quant.axis.is_some() { channel } else { 0 };
        quant.scales.get(at).map(|scale| x_scale * scale)
    };
    let Some(scales) = (0..channels).map(scale).collect::<Option<Vec<f32>>>() else {
        return Ok(None);
    };
    let bias = match inputs.get(2).copied().flatten() {
        None => None,
        Some(bias) => match integer_bias(b, bias, &scales) {
            Some(bias) => Some(b.constant(Const::from_i32(&[bias.len()], &bias), None)),
            None => return Ok(None),
        },
    };
    let outputs = b.node(op, &[Some(x), Some(w), bias])?;
    Ok(outputs.first().copied())
}

/// A constant bias in steps of `scales`, one for each channel: the stored integers where they have
/// these scales, else the nearest. `None` where that does not fit 32 bits.
fn integer_bias(b: &Builder<'_>, bias: ValueId, scales: &[f32]) -> Option<Vec<i32>> {
    let (stored, quant) = match dequantized(b, bias) {
        Some(stored) => (stored, b.ty(stored).quant.clone()?),
        None => (bias, Quant::per_tensor(1.0, 0)),
    };
    let values = b.const_of(stored)?.to_f64()?;
    if values.len() != scales.len() {
        return None;
    }
    let each = values.iter().enumerate().map(|(channel, &value)| {
        let at = if quant.axis.is_some() { channel } else { 0 };
        let (own, zero) = (*quant.scales.get(at)?, *quant.zero_points.get(at)?);
        let steps = value - f64::from(zero);
        if own == scales[channel] {
            return whole(steps);
        }
        whole((f64::from(own) * steps / f64::from(scales[channel])).round_ties_even())
    });
    each.collect()
}

/// A whole number, if it fits 32 bits.
fn whole(value: f64) -> Option<i32> {
    let fits = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
    fits.then_some(value as i32)
}
