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
    rewrite(model, &mut |b, site| match &site.node.op {
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
    if perm.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Ok(Verdict::Replace(vec![source]));
    }
    // Moving only axes of size 1 moves no data.
    let dims = b.ty(source).dims.clone();
    let is_one = |axis: &usize| dims[*axis] == Dim::Known(1);
    let moved: Vec<usize> = perm.iter().copied().filter(|axis| !is_one(axis)).collect();
    let per_axis = b.ty(source).quant.as_ref().is_some_and(|quant| quant.axis.is_some());
    if moved.is_sorted() && !per_axis {
        let dims = perm.iter().map(|&axis| dims[axis].clone()).collect();
        return Ok(Verdict::Replace(vec![b.reshape(source, dims)?]));
    }
    if source == x {
        return Ok(Verdict::Keep);
    }
    Ok(Verdict::Replace(vec![b.transpose(source, &perm)?]))
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
    // A reshape may also show the integers under another quantization.
    if b.ty(x).quant != *quant || b.ty(source).quant != *quant {
        return Ok(Verdict::Keep);
    }
    // Both products are the same number even where symbols hide it.
    if !product(&b.ty(source).dims).may_equal(&product(&reshape.dims)) {
        return Ok(Verdict::Keep);
    }
    Ok(Verdict::Replace(vec![b.reshape(source, reshape.dims.clone())?]))
}

fn sink(b: &mut Builder<'_>, site: &Site<'_>) -> Result<Verdict, ShapeError> {
    let mut common: Option<Vec<usize>> = None;
    let mut sources = Vec::with_capacity(site.inputs.len());
    for &input in site.inputs {
        let Some(input) = input else {
            sources.push(Source::Absent);
            continue;
        };
        if b.const_of(input).is_some() {
            sources.push(Source::Constant(input));
            continue;
        }
        let Some((perm, source)) = transposed(b, input) else { return Ok(Verdict::Keep) };
        if *common.get_or_insert_with(|| perm.clone()) != perm {
            return Ok(Verdict::Keep);
        }
        sources.push(Source::Value(source));
    }
    let Some(perm) = common else { return Ok(Verdict::Keep) };
    let Some((op, perm_out)) = site.node.op.sink(&perm) else { return Ok(Verdict::Keep) };
    let inverse = inverse(&perm);
    let mut inputs = Vec::with_capacity(sources.len());
    for source in sources {
        inputs.push(match source {
            Source::Absent => None,
            Source::Value(value) => Some(value),
            Source::Constant(value) => match broadcast_rank(b, value, perm.len())? {
                Some(value) => Some(b.transpose(value, &inverse)?),
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
    Constant(ValueId),
    Value(ValueId),
}

/// A constant with axes of size 1 in front so that its rank is `rank`.
fn broadcast_rank(
    b: &mut Builder<'_>,
    value: ValueId,
    rank: usize,
) -> Result<Option<ValueId>, ShapeError> {
    let dims = b.ty(value).dims.clone();
    if rank < dims.len()
        || (dims.len() < rank && b.ty(value).quant.as_ref().is_some_and(|q| q.axis.is_some()))
    {
        return Ok(None);
    }
    let ones = std::iter::repeat_n(Dim::Known(1), rank - dims.len());
    b.reshape(value, ones.chain(dims).collect()).map(Some)
}

fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (i, &axis) in perm.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}
