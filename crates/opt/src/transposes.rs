//! Transposes sink towards the outputs, meet their inverses and vanish.
//!
//! Importers of channels-first formats wrap each spatial operator in a pair; here the second of one
//! pair travels through element-wise operators, concatenations and reductions until it meets the
//! first of the next.

use embarca_ir::dim::product;
use embarca_ir::ops::{Op, Reshape, Transpose};
use embarca_ir::{
    Builder, Dim, Io, Model, Operand, Operands, ShapeError, Tail, TensorType, ValueId,
};

use crate::rewrite::{Site, Verdict, rewrite};

/// One round; the flag tells whether anything moved.
///
/// # Errors
/// Only through a defect.
pub fn sink_transposes(model: Model) -> Result<(Model, bool), ShapeError> {
    sink_all(model, |_| true)
}

/// One round in which no transpose of integers passes their dequantization, behind which it would
/// part operators that can be computed on integers.
///
/// # Errors
/// Only through a defect.
pub fn sink_stored_transposes(model: Model) -> Result<(Model, bool), ShapeError> {
    sink_all(model, |op| !matches!(op, Op::Requantize(op) if op.to.is_float()))
}

fn sink_all(model: Model, passes: impl Fn(&Op) -> bool) -> Result<(Model, bool), ShapeError> {
    rewrite(model, &mut |b, site| match &site.node.op {
        op if !passes(op) => Ok(Verdict::Keep),
        Op::Transpose(transpose) => simplify_transpose(b, site, transpose),
        Op::Reshape(reshape) => simplify_reshape(b, site, reshape),
        _ => sink(b, site),
    })
}

/// The permutation and source of a value, when a transpose wrote it.
fn transposed(b: &Builder<'_>, value: ValueId) -> Option<(Vec<usize>, ValueId)> {
    let (node, _) = b.graph().writer(value)?;
    match &node.op {
        Op::Transpose(transpose) => Some((transpose.perm.clone(), node.inputs[0]?)),
        _ => None,
    }
}

fn simplify_transpose(
    b: &mut Builder<'_>,
    site: &Site<'_>,
    transpose: &Transpose,
) -> Result<Verdict, ShapeError> {
    let Some(x) = site.input(0) else { return Ok(Verdict::Keep) };
    let mut perm = transpose.perm.clone();
    let mut source = x;
    if let Some((inner, inner_source)) = transposed(b, x) {
        perm = perm.iter().map(|&axis| inner[axis]).collect();
        source = inner_source;
    }
    // A transpose may also show the integers under another quantization.
    let quant = site.old.ty(site.node.outputs[0]).quant.clone();
    if perm.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Ok(Verdict::Replace(vec![b.relabel(source, quant)?]));
    }
    let dims = b.ty(source).dims.clone();
    let per_axis = b.ty(source).quant.as_ref().is_some_and(|quant| quant.axis.is_some());
    if moves_no_data(&dims, &perm) && !per_axis {
        let dims = perm.iter().map(|&axis| dims[axis].clone()).collect();
        let shown = b.op(Reshape { dims }, &[source])?;
        b.set_quant(shown, quant);
        return Ok(Verdict::Replace(vec![shown]));
    }
    if source == x {
        return Ok(Verdict::Keep);
    }
    let turned = b.transpose(source, &perm)?;
    b.set_quant(turned, quant);
    Ok(Verdict::Replace(vec![turned]))
}

fn simplify_reshape(
    b: &mut Builder<'_>,
    site: &Site<'_>,
    reshape: &Reshape,
) -> Result<Verdict, ShapeError> {
    let Some(x) = site.input(0) else { return Ok(Verdict::Keep) };
    let quant = &site.old.ty(site.node.outputs[0]).quant;
    if b.ty(x).dims == reshape.dims && b.ty(x).quant == *quant {
        return Ok(Verdict::Replace(vec![x]));
    }
    let Some((node, _)) = b.graph().writer(x) else { return Ok(Verdict::Keep) };
    let (Op::Reshape(_), Some(source)) = (&node.op, node.inputs[0]) else {
        return Ok(Verdict::Keep);
    };
    // Both products are the same number even where symbols hide it.
    if !product(&b.ty(source).dims).may_equal(&product(&reshape.dims)) {
        return Ok(Verdict::Keep);
    }
    if b.ty(source).dims == reshape.dims && b.ty(source).quant == *quant {
        return Ok(Verdict::Replace(vec![source]));
    }
    // A reshape may also show the integers under another quantization.
    let shown = b.op(reshape.clone(), &[source])?;
    b.set_quant(shown, quant.clone());
    Ok(Verdict::Replace(vec![shown]))
}

fn sink(b: &mut Builder<'_>, site: &Site<'_>) -> Result<Verdict, ShapeError> {
    let mut common: Option<Vec<usize>> = None;
    let mut sources = Vec::with_capacity(site.inputs.len());
    for &input in site.inputs {
        let Some(input) = input else {
            sources.push(Source::Absent);
            continue;
        };
        match transposed(b, input) {
            Some((perm, source)) if common.as_ref().is_none_or(|common| *common == perm) => {
                common = Some(perm);
                sources.push(Source::Value(source));
            }
            _ => sources.push(Source::Other(input)),
        }
    }
    let Some(perm) = common else { return Ok(Verdict::Keep) };
    let Some((op, perm_out)) = site.node.op.sink(&perm) else { return Ok(Verdict::Keep) };
    let inverse = inverse(&perm);
    let mut inputs = Vec::with_capacity(sources.len());
    for source in sources {
        inputs.push(match source {
            Source::Absent => None,
            Source::Value(value) => Some(value),
            Source::Other(value) => match permuted(b, value, &inverse)? {
                Some(value) => Some(value),
                None => return Ok(Verdict::Keep),
            },
        });
    }
    let old: Vec<&TensorType> = site.node.outputs.iter().map(|&id| site.old.ty(id)).collect();
    if has_kernel(b, &site.node.op, site.inputs, &old) && !has_kernel(b, &op, &inputs, &old) {
        return Ok(Verdict::Keep);
    }
    let outputs = b.node(op, &inputs)?;
    let mut results = Vec::with_capacity(outputs.len());
    for (&output, &old) in outputs.iter().zip(&site.node.outputs) {
        let mut quant = site.old.ty(old).quant.clone();
        if let Some(quant) = &mut quant {
            quant.axis = quant.axis.and_then(|axis| perm_out.get(axis).copied());
        }
        b.set_quant(output, quant);
        results.push(b.transpose(output, &perm_out)?);
    }
    Ok(Verdict::Replace(results))
}

/// Whether an operator has a kernel whose results are stored like `stored`.
fn has_kernel(
    b: &Builder<'_>,
    op: &Op,
    inputs: &[Option<ValueId>],
    stored: &[&TensorType],
) -> bool {
    let operands: Vec<Option<Operand<'_>>> =
        inputs.iter().map(|input| input.map(|id| b.operand(id))).collect();
    let Ok(mut types) = op.infer(Operands(&operands)) else { return false };
    for (ty, stored) in types.iter_mut().zip(stored) {
        ty.quant.clone_from(&stored.quant);
    }
    let io = Io { inputs: Operands(&operands), outputs: &types, tail: Tail::default() };
    op.lower(&io).is_ok()
}

enum Source {
    Absent,
    /// What a transpose has permuted.
    Value(ValueId),
    /// What none has, or another one.
    Other(ValueId),
}

/// A value with axes of size 1 in front and then permuted, where that costs nothing: of a constant,
/// or of a value whose axes of other sizes stay in order.
fn permuted(
    b: &mut Builder<'_>,
    value: ValueId,
    perm: &[usize],
) -> Result<Option<ValueId>, ShapeError> {
    let ty = b.ty(value).clone();
    let per_axis = ty.quant.as_ref().is_some_and(|quant| quant.axis.is_some());
    if perm.len() < ty.rank() || (ty.rank() < perm.len() && per_axis) {
        return Ok(None);
    }
    let ones = std::iter::repeat_n(Dim::Known(1), perm.len() - ty.rank());
    let dims: Vec<Dim> = ones.chain(ty.dims).collect();
    if b.const_of(value).is_some() {
        let value = b.reshape(value, dims)?;
        return b.transpose(value, perm).map(Some);
    }
    if per_axis || !moves_no_data(&dims, perm) {
        return Ok(None);
    }
    b.reshape(value, perm.iter().map(|&axis| dims[axis].clone()).collect()).map(Some)
}

/// Whether a permutation of these axes only moves those of size 1.
fn moves_no_data(dims: &[Dim], perm: &[usize]) -> bool {
    perm.iter().filter(|&&axis| dims[axis] != Dim::Known(1)).is_sorted()
}

fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (i, &axis) in perm.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}
