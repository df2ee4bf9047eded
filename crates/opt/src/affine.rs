//! A multiplication or addition by a constant per channel moves into the weights and the bias of
//! the operator before it: batch normalization and scale layers vanish.

use embarca_ir::{Builder, Const, Model, Op, ShapeError, ValueId};
use embarca_num::DType;

use crate::rewrite::{Site, Verdict, rewrite};

/// One round; the flag tells whether anything moved.
///
/// # Errors
/// Only through a defect.
pub fn fold_affine(model: Model) -> Result<(Model, bool), ShapeError> {
    rewrite(model, &mut |b, site| {
        let kind = match site.node.op.name() {
            "mul" => Affine::Mul,
            "add" => Affine::Add,
            "sub" => Affine::Sub,
            _ => return Ok(Verdict::Keep),
        };
        Ok(match fold(b, site, kind)? {
            Some(value) => Verdict::Replace(vec![value]),
            None => Verdict::Keep,
        })
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Affine {
    Mul,
    Add,
    Sub,
}

/// The axis of an operator's weights that runs over its output channels.
fn channel_axis(op: &Op) -> Option<usize> {
    match op {
        Op::Conv2d(_) | Op::Dense(_) => Some(0),
        Op::DepthwiseConv2d(_) => Some(3),
        _ => None,
    }
}

fn fold(b: &mut Builder<'_>, site: &Site<'_>, kind: Affine) -> Result<Option<ValueId>, ShapeError> {
    let [Some(left), Some(right)] = *site.inputs else { return Ok(None) };
    let (x, factor, old) = match (b.const_of(left).is_some(), b.const_of(right).is_some()) {
        (false, true) => (left, right, site.node.inputs[0]),
        (true, false) if kind != Affine::Sub => (right, left, site.node.inputs[1]),
        _ => return Ok(None),
    };
    if old.is_none_or(|old| site.uses[old.index()] != 1) || b.ty(x).dtype != DType::F32 {
        return Ok(None);
    }
    let Some((writer, _)) = b.graph().writer(x) else { return Ok(None) };
    let (op, inputs) = (writer.op.clone(), writer.inputs.clone());
    let Some(axis) = channel_axis(&op) else { return Ok(None) };
    let [Some(data), Some(weights), ..] = *inputs.as_slice() else { return Ok(None) };
    let Some(channels) = b.ty(x).dims.last().and_then(|dim| dim.known()) else { return Ok(None) };
    let Some(values) = per_channel(b, x, factor, channels as usize) else { return Ok(None) };
    let (Some(w), true) = (b.const_of(weights), b.ty(weights).dtype == DType::F32) else {
        return Ok(None);
    };
    let bias = match inputs.get(2).copied().flatten() {
        Some(bias) => match b.const_of(bias).and_then(Const::as_f32) {
            Some(bias) => bias,
            None => return Ok(None),
        },
        None => vec![0.0; channels as usize],
    };
    if bias.len() != values.len() {
        return Ok(None);
    }
    let (weights, bias): (ValueId, Vec<f32>) = match kind {
        Affine::Mul => {
            let Some(scaled) = scaled(w, axis, &values) else { return Ok(None) };
            let bias = bias.iter().zip(&values).map(|(bias, factor)| bias * factor).collect();
            (b.constant(scaled, None), bias)
        }
        Affine::Add => (weights, bias.iter().zip(&values).map(|(bias, add)| bias + add).collect()),
        Affine::Sub => (weights, bias.iter().zip(&values).map(|(bias, sub)| bias - sub).collect()),
    };
    let bias = b.f32s(&[bias.len()], &bias);
    let outputs = b.node(op, &[Some(data), Some(weights), Some(bias)])?;
    Ok(outputs.first().copied())
}

/// The constant's value for each channel, when it differs along the last axis of `x` only.
fn per_channel(b: &Builder<'_>, x: ValueId, factor: ValueId, channels: usize) -> Option<Vec<f32>> {
    let factor = b.const_of(factor)?;
    let values = factor.as_f32()?;
    if b.rank(x) < factor.dims.len() {
        return None;
    }
    match values.as_slice() {
        [value] => Some(vec![*value; channels]),
        _ if factor.dims.last() == Some(&channels) && values.len() == channels => Some(values),
        _ => None,
    }
}

fn scaled(weights: &Const, axis: usize, factors: &[f32]) -> Option<Const> {
    let mut values = weights.as_f32()?;
    if weights.dims.get(axis) != Some(&factors.len()) {
        return None;
    }
    let inner: usize = weights.dims[axis + 1..].iter().product();
    for (index, value) in values.iter_mut().enumerate() {
        *value *= factors[index / inner.max(1) % factors.len()];
    }
    // Sums of such weights are no multiple of the sums of the original ones.
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    Some(Const::from_f32(&weights.dims, &values))
}
