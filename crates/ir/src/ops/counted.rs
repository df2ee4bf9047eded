//! Results whose size the data decide. In the graph they have the size that they may have at most;
//! how many of their elements along one axis count is a value beside them, and the rest is filling.
//!
//! What is done to such a value either leaves each element on its own, or it is refused here by name:
//! an operator that would mix the filling in must not see it.

use embarca_kernels::{compare, reduce};

use super::attention::count as places;
use super::draft::Draft;
use super::prelude::*;
use super::{Minimum, TopK};
use crate::builder::Counted;
use crate::model::Node;

/// ONNX's operators on each element, with operands that broadcast.
const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Cos",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Tanh",
    "Where",
    "Xor",
];

/// Operators that read their counted inputs' counts themselves.
const COUNTING: &[&str] = &["Compress", "NonMaxSuppression", "NonZero"];

fn refused(node: &NodeView<'_>, why: &str) -> ImportError {
    let message = format!("{} of a result whose size the data decide: {why}", node.op);
    ImportError::unsupported(message)
        .hint("export the model up to the box selection, and select outside of it")
}

/// What a dossier imports of a node, with what becomes of sizes that the data decide over.
///
/// # Errors
/// The dossier's, and when an operator would mix elements that do not count with the others.
pub fn import_with(
    dossier: fn(&NodeView<'_>, &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError>,
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
) -> Result<Vec<ValueId>, ImportError> {
    if let Some(values) = import(node, b)? {
        return Ok(values);
    }
    let values = dossier(node, b)?;
    carry(node, b, &values)?;
    Ok(values)
}

/// The nodes of an operator that asks for sizes or for elements beyond the ones that count; `None`
/// where it needs nothing but [`carry`].
///
/// # Errors
/// When it cannot be done.
fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Option<Vec<ValueId>>, ImportError> {
    if matches!(node.op, "Gather" | "GatherND") {
        return picked(node, b);
    }
    let Some(x) = node.optional(0) else { return Ok(None) };
    let Some(Counted { axis: at, count }) = b.counted(x) else { return Ok(None) };
    match node.op {
        "Shape" => shape(node, b, x, at, count).map(|y| Some(vec![y])),
        "TopK" => top_k(node, b, x, at, count).map(Some),
        "Slice" if 10 <= node.version => slice(node, b, x, at, count),
        _ => Ok(None),
    }
}

/// What indices that count pick: those that do not count pick the first element, and negative ones
/// are from the end of what counts of the data.
fn picked(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Option<Vec<ValueId>>, ImportError> {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let Some(Counted { axis: at, count }) = b.counted(indices) else { return Ok(None) };
    let len = b.counted(data).map(|counted| counted.count);
    let mut places = super::gather::index_type(b, indices)?;
    let mut d = Draft::new(b);
    let zero = d.number(places, 0.0)?;
    if let Some(len) = len {
        let len = d.cast(len, d.b.ty(places).dtype)?;
        let from_end = d.compare(compare::Kind::Less, places, zero)?;
        let from_front = d.add(places, len)?;
        places = d.select(from_end, from_front, places)?;
    }
    let counts = used(&mut d, places, at, count)?;
    places = d.select(counts, places, zero)?;
    let y = match node.op {
        "Gather" => {
            let along = axis(node.int("axis", 0)?, b.rank(data))?;
            b.op(super::Gather { axis: along, batch_dims: 0 }, &[data, places])?
        }
        _ => b.op(super::GatherNd { batch_dims: 0 }, &[data, places])?,
    };
    carry(node, b, &[y])?;
    Ok(Some(vec![y]))
}

/// The dimensions, of which one is known while the model runs.
fn shape(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    at: usize,
    count: ValueId,
) -> Result<ValueId, ImportError> {
    let dims = b.ty(x).dims.clone();
    let rank = dims.len() as i64;
    let clamped =
        |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
    let start = clamped(node.int("start", 0)?);
    let end = clamped(node.int("end", rank)?).max(start);
    let mut parts = Vec::with_capacity(end - start);
    for (index, dim) in dims.iter().enumerate().take(end).skip(start) {
        parts.push(if index == at {
            b.reshape(count, vec![Dim::Known(1)])?
        } else {
            let known = dim.known().ok_or_else(|| refused(node, "another size is open"))?;
            b.i64s(&[known])
        });
    }
    match parts.len() {
        0 => Ok(b.i64s(&[])),
        _ => Ok(Draft::new(b).concat(&parts, 0)?),
    }
}

/// The best of the elements that count.
fn top_k(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    at: usize,
    count: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let rank = b.rank(x);
    let along = axis(node.int("axis", -1)?, rank)?;
    if along != at {
        return Err(refused(node, "it sorts along another axis"));
    }
    node.ignore(&["sorted"]);
    let smallest = !node.flag("largest", true)?;
    let wanted = node.input(1)?;
    let most =
        bound(b, wanted).ok_or_else(|| refused(node, "the number of results has no bound"))?;
    let len = b.ty(x).dims[at].clone();
    let most = match len.known() {
        Some(len) => Dim::Known(most.clamp(0, len)),
        None => return Err(refused(node, "the largest size is open")),
    };
    if b.ty(x).dtype != DType::F32 {
        return Err(refused(node, "only f32 is sorted"));
    }
    let mut d = Draft::new(b);
    let counts = used(&mut d, x, at, count)?;
    let worst = d.number(x, if smallest { f64::INFINITY } else { f64::NEG_INFINITY })?;
    let x = d.select(counts, x, worst)?;
    let op = TopK { axis: at, k: most, smallest, to: DType::I64 };
    let results = d.b.node(op, &[Some(x)])?;
    let wanted = d.cast(wanted, DType::I64)?;
    let wanted = d.b.reshape(wanted, Vec::new())?;
    let found = least(&mut d, wanted, count)?;
    results.iter().for_each(|&result| d.b.set_counted(result, at, found));
    Ok(results)
}

/// The lesser of two numbers.
fn least(d: &mut Draft<'_, '_>, a: ValueId, b: ValueId) -> Result<ValueId, ShapeError> {
    d.b.op(Minimum {}, &[a, b])
}

/// A part of the elements that count, from the front on.
fn slice(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    at: usize,
    count: ValueId,
) -> Result<Option<Vec<ValueId>>, ImportError> {
    let rank = b.rank(x) as i64;
    let axes = match node.optional(3) {
        Some(axes) => b.ints(axes, "the axes of the slice")?,
        None => {
            let cut = b.ty(node.input(1)?).dims.first().and_then(Dim::known).unwrap_or(0);
            if rank < cut {
                let message = format!("{cut} starts of {rank} axes");
                return Err(ImportError::malformed(message));
            }
            (0..cut).collect()
        }
    };
    let Some(place) = axes.iter().position(|&axis| axis.rem_euclid(rank.max(1)) == at as i64)
    else {
        return Ok(None);
    };
    let whole = |index: usize, what: &str| -> Result<Vec<i64>, ImportError> {
        b.ints(node.input(index)?, what)
    };
    let starts = whole(1, "the start of the slice")?;
    let steps = match node.optional(4) {
        Some(_) => whole(4, "the step of the slice")?,
        None => vec![1; axes.len()],
    };
    let (Some(0), Some(1)) = (starts.get(place), steps.get(place)) else {
        return Err(refused(node, "it does not begin at the front"));
    };
    if axes.len() != 1 {
        return Err(refused(node, "it cuts several axes"));
    }
    let end = node.input(2)?;
    let most = bound(b, end).ok_or_else(|| refused(node, "its end has no bound"))?;
    if most < 0 {
        return Err(refused(node, "it counts from the end"));
    }
    let len = b.ty(x).dims[at].known().ok_or_else(|| refused(node, "the largest size is open"))?;
    let mut d = Draft::new(b);
    let y = d.part(x, at, 0, Dim::Known(most.min(len)), 1)?;
    let end = d.cast(end, DType::I64)?;
    let end = d.b.reshape(end, Vec::new())?;
    let found = least(&mut d, end, count)?;
    d.b.set_counted(y, at, found);
    Ok(Some(vec![y]))
}

/// Whether an element counts, for each place along an axis; one element along the others.
///
/// # Errors
/// When there is no such axis.
pub fn used(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    at: usize,
    count: ValueId,
) -> Result<ValueId, ShapeError> {
    let dims = d.b.ty(x).dims.clone();
    let place = places(d, &dims[at])?;
    let used = d.compare(compare::Kind::Less, place, count)?;
    let mut shape = vec![Dim::Known(1); dims.len()];
    shape[at].clone_from(&dims[at]);
    d.b.reshape(used, shape)
}

/// What an integer of one element is at most.
fn bound(b: &Builder<'_>, value: ValueId) -> Option<i64> {
    let mut open = vec![value];
    let mut least: Option<i64> = None;
    // Minima of a few constants and sizes.
    for _ in 0..16 {
        let Some(value) = open.pop() else { break };
        let value = origin(b, value);
        let known = match b.operand(value).ints().as_deref() {
            Some([number]) => Some(*number),
            _ => b.most(value),
        };
        least = least.into_iter().chain(known).min();
        match b.graph().writer(value) {
            Some((Node { op: Op::Minimum(_), inputs, .. }, _)) => {
                open.extend(inputs.iter().flatten());
            }
            Some((Node { op: Op::Reduce(op), inputs, .. }, _)) if op.by.0 == reduce::Kind::Min => {
                let from = inputs.first().copied().flatten();
                let parts = from.and_then(|from| b.graph().writer(from));
                if let Some((Node { op: Op::Concat(_), inputs, .. }, _)) = parts {
                    open.extend(inputs.iter().flatten());
                }
            }
            _ => {}
        }
    }
    least
}

/// Where a number of one element comes from: behind changes of its type and shape, and behind a list
/// that it is taken from.
pub fn origin(b: &Builder<'_>, value: ValueId) -> ValueId {
    let mut value = value;
    for _ in 0..16 {
        let Some((node, _)) = b.graph().writer(value) else { break };
        let Some(Some(from)) = node.inputs.first().copied() else { break };
        value = match &node.op {
            Op::Reshape(_) | Op::Cast(_) => from,
            Op::Gather(_) => {
                let index = node.inputs.get(1).copied().flatten();
                let index = index.and_then(|index| b.operand(index).ints());
                let Some(&[index]) = index.as_deref() else { break };
                let Some((Node { op: Op::Concat(_), inputs, .. }, _)) = b.graph().writer(from)
                else {
                    break;
                };
                let one =
                    |id: &Option<ValueId>| id.is_some_and(|id| *b.ty(id).dims == [Dim::Known(1)]);
                let part = usize::try_from(index).ok().and_then(|index| inputs.get(index).copied());
                match part.flatten() {
                    Some(part) if inputs.iter().all(one) => part,
                    _ => break,
                }
            }
            _ => break,
        };
    }
    value
}

/// Declares which elements of a node's results count, by those of its inputs.
///
/// # Errors
/// When the node would mix elements that do not count with the others.
fn carry(node: &NodeView<'_>, b: &mut Builder<'_>, results: &[ValueId]) -> Result<(), ImportError> {
    let inputs: Vec<(ValueId, Option<Counted>)> =
        node.inputs.items().flatten().map(|id| (id, b.counted(id))).collect();
    if inputs.iter().all(|(_, counted)| counted.is_none()) || COUNTING.contains(&node.op) {
        return Ok(());
    }
    let Some(&y) = results.first() else { return Ok(()) };
    let (at, count) = match node.op {
        op if ELEMENTWISE.contains(&op) => elementwise(node, b, &inputs, y)?,
        "Gather" => gather(node, b)?,
        "GatherND" => match (b.counted(node.input(0)?), b.counted(node.input(1)?)) {
            (None, Some(Counted { axis, count }))
                if node.int("batch_dims", 0)? == 0 && axis + 1 < b.rank(node.input(1)?) =>
            {
                (axis, count)
            }
            _ => return Err(refused(node, "elements are taken from it")),
        },
        "Transpose" => {
            let Some(Counted { axis, count }) = b.counted(node.input(0)?) else { return Ok(()) };
            let rank = b.rank(y);
            let perm = node.opt_ints("perm")?;
            let perm = perm.unwrap_or_else(|| (0..rank as i64).rev().collect());
            let place = perm.iter().position(|&from| from == axis as i64);
            (place.ok_or_else(|| refused(node, "an axis is missing"))?, count)
        }
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            let (x, counted) = inputs[0];
            let Some(Counted { axis, count }) = counted else {
                return Err(refused(node, "it decides over a shape"));
            };
            (
                reshaped(b, x, y, axis).ok_or_else(|| refused(node, "axes are joined or split"))?,
                count,
            )
        }
        "Concat" => {
            let rank = b.rank(y);
            let joined = axis(node.int("axis", 0)?, rank)?;
            let first = inputs[0].1;
            let Some(Counted { axis, count }) = first else {
                return Err(refused(node, "it is joined with another"));
            };
            let alike = inputs.iter().all(|(_, counted)| *counted == first);
            if !alike || (joined == axis && 1 < inputs.len()) {
                return Err(refused(node, "it is joined with another"));
            }
            (axis, count)
        }
        "Split" | "Slice" | "Softmax" | "LogSoftmax" | "ArgMax" | "ArgMin" | "TopK"
        | "ReduceMax" | "ReduceMin" | "ReduceSum" | "ReduceMean" | "ReduceProd" | "ReduceL2" => {
            along(node, b, y)?
        }
        "MatMul" | "Gemm" => {
            let rows = b.rank(node.input(0)?).checked_sub(2);
            match (b.counted(node.input(0)?), &inputs[1..]) {
                (Some(Counted { axis, count }), others)
                    if rows == Some(axis)
                        && node.int("transA", 0)? == 0
                        && others.iter().all(|(_, counted)| counted.is_none()) =>
                {
                    // Rows are the last axis but one, or the last where a vector takes the columns.
                    let behind = if b.rank(node.input(1)?) == 1 { 1 } else { 2 };
                    let row = b.rank(y).checked_sub(behind);
                    (row.ok_or_else(|| refused(node, "it has no rows"))?, count)
                }
                _ => return Err(refused(node, "elements are added up")),
            }
        }
        _ => return Err(refused(node, "this is not supported")),
    };
    for &result in results {
        b.set_counted(result, at, count);
    }
    Ok(())
}

fn elementwise(
    node: &NodeView<'_>,
    b: &Builder<'_>,
    inputs: &[(ValueId, Option<Counted>)],
    y: ValueId,
) -> Result<(usize, ValueId), ImportError> {
    let rank = b.rank(y);
    let mut found: Option<(usize, ValueId)> = None;
    for &(x, counted) in inputs {
        let Some(Counted { axis, count }) = counted else { continue };
        let here = (axis + rank - b.rank(x), count);
        if found.is_some_and(|before| before != here) {
            return Err(refused(node, "it meets one of another size"));
        }
        found = Some(here);
    }
    let Some((at, count)) = found else { return Err(refused(node, "it has no axis")) };
    for &(x, counted) in inputs {
        let dims = &b.ty(x).dims;
        let here = (at + dims.len()).checked_sub(rank).and_then(|at| dims.get(at));
        if counted.is_none() && here.is_some_and(|dim| *dim != Dim::Known(1)) {
            return Err(refused(node, "it meets one of a fixed size"));
        }
    }
    // Filling is zero at first, and a whole number divided by it is an error.
    if node.op == "Div" && !b.ty(y).dtype.is_float() && b.counted(node.input(1)?).is_some() {
        return Err(refused(node, "whole numbers are divided by it"));
    }
    Ok((at, count))
}

fn gather(node: &NodeView<'_>, b: &Builder<'_>) -> Result<(usize, ValueId), ImportError> {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let along = axis(node.int("axis", 0)?, b.rank(data))?;
    match (b.counted(data), b.counted(indices)) {
        // `picked` has brought the indices to where elements count.
        (None, Some(Counted { axis, count })) => Ok((along + axis, count)),
        (Some(from), Some(Counted { axis, count })) if from.axis == along => {
            Ok((along + axis, count))
        }
        (Some(Counted { axis, count }), None) if axis < along => Ok((axis, count)),
        (Some(Counted { axis, count }), None) if along < axis => {
            Ok((axis + b.rank(indices) - 1, count))
        }
        _ => Err(refused(node, "elements are taken at places that may not count")),
    }
}

/// Where an axis is after a change of shape that leaves it whole.
fn reshaped(b: &Builder<'_>, x: ValueId, y: ValueId, at: usize) -> Option<usize> {
    let (from, to) = (&b.ty(x).dims, &b.ty(y).dims);
    let before = dim::product(&from[..at]);
    let mut places = (0..to.len())
        .filter(|&place| to[place] == from[at] && dim::product(&to[..place]) == before);
    let place = places.next();
    // With a size of one there are several places that it may be at.
    place.filter(|_| places.next().is_none())
}

/// Operators along axes other than the counted one.
fn along(
    node: &NodeView<'_>,
    b: &Builder<'_>,
    y: ValueId,
) -> Result<(usize, ValueId), ImportError> {
    let x = node.input(0)?;
    let Some(Counted { axis: at, count }) = b.counted(x) else {
        return Err(refused(node, "it decides over a shape"));
    };
    let (before, after) = (b.ty(x).dims.clone(), b.ty(y).dims.clone());
    let place = match node.op {
        "Softmax" | "LogSoftmax" => {
            let other = axis(node.int("axis", -1)?, before.len())? != at;
            (13 <= node.version && other).then_some(at)
        }
        "ArgMax" | "ArgMin" => {
            let gone = axis(node.int("axis", 0)?, before.len())?;
            without(node, at, vec![gone])?
        }
        op if op.starts_with("Reduce") => {
            let axes = match (node.opt_ints("axes")?, node.optional(1)) {
                (Some(axes), _) => axes,
                (None, Some(axes)) => b.ints(axes, "the list of axes")?,
                (None, None) => Vec::new(),
            };
            // An empty list is of all axes, or of none.
            match axes.is_empty() {
                true => node.flag("noop_with_empty_axes", false)?.then_some(at),
                false => {
                    let axes = axes.into_iter().map(|index| axis(index, before.len()));
                    without(node, at, axes.collect::<Result<_, _>>()?)?
                }
            }
        }
        // The size along the axis changes where it is one that is worked along.
        _ => Some(at).filter(|&at| before[at] != Dim::Known(1)),
    };
    match place.filter(|&place| after.get(place) == before.get(at)) {
        Some(place) => Ok((place, count)),
        None => Err(refused(node, "it works along the axis that the data decide over")),
    }
}

/// Where an axis is after others have become one element each; `None` where it is among them.
fn without(
    node: &NodeView<'_>,
    at: usize,
    mut axes: Vec<usize>,
) -> Result<Option<usize>, ImportError> {
    axes.sort_unstable();
    axes.dedup();
    if axes.contains(&at) {
        return Ok(None);
    }
    let gone = match node.flag("keepdims", true)? {
        true => 0,
        false => axes.iter().filter(|&&axis| axis < at).count(),
    };
    Ok(Some(at - gone))
}
