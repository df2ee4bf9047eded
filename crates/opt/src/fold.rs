//! Constant folding, common subexpressions, and decomposition of what has no kernel.

use std::collections::HashMap;
use std::sync::Arc;

use embarca_ir::control;
use embarca_ir::{
    Builder, Const, ConstId, Def, GraphId, Io, LowerError, Model, Op, Operand, Operands, Quant,
    ShapeError, Tail, TensorType, ValueId,
};
use embarca_num::DType;

use crate::eval::eval_constant_node;
use crate::rewrite::{Site, Verdict, rewrite};

/// Results of up to this many bytes are folded wherever there is room.
const MAX_SMALL: usize = 1 << 16;

/// What constant folding may spend, so that a small file asks for neither much memory nor much time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes of results beyond those that they replace.
    pub bytes: usize,
    /// Multiply-accumulates, or elements that are looked at.
    pub work: u64,
}

impl Allowance {
    /// As many bytes as the constants of `model` and 4 MiB, and the work of a second.
    pub fn of(model: &Model) -> Self {
        let bytes = model.consts.iter().map(|data| data.data.len());
        Self { bytes: bytes.fold(4 << 20, usize::saturating_add), work: 1 << 30 }
    }
}

/// Computes nodes whose inputs are all constants.
///
/// # Errors
/// Only through a defect.
pub fn fold_constants(
    model: Model,
    allowance: &mut Allowance,
) -> Result<(Model, bool), ShapeError> {
    fold(model, allowance, false)
}

/// Computes nodes whose inputs are all constants, but leaves weights quantized.
///
/// # Errors
/// Only through a defect.
pub fn fold_float_constants(
    model: Model,
    allowance: &mut Allowance,
) -> Result<(Model, bool), ShapeError> {
    fold(model, allowance, true)
}

fn fold(
    model: Model,
    allowance: &mut Allowance,
    keep_quantized: bool,
) -> Result<(Model, bool), ShapeError> {
    rewrite(model, &mut |b, site| {
        if keep_quantized && matches!(&site.node.op, Op::Requantize(op) if op.to.is_float()) {
            return Ok(Verdict::Keep);
        }
        let constant = site.inputs.iter().flatten().all(|&id| b.const_of(id).is_some());
        if !constant || site.inputs.iter().flatten().next().is_none() {
            return Ok(Verdict::Keep);
        }
        let operands = operands(b, site);
        let Ok(mut types) = site.node.op.infer(Operands(&operands)) else {
            return Ok(Verdict::Keep);
        };
        for (ty, &output) in types.iter_mut().zip(&site.node.outputs) {
            ty.quant.clone_from(&site.old.ty(output).quant);
        }
        let Some(cost) = cost(site, &operands, &types, allowance) else {
            return Ok(Verdict::Keep);
        };
        let Some(results) = eval_constant_node(&site.node.op, &operands, &types) else {
            return Ok(Verdict::Keep);
        };
        *allowance = cost;
        let quants = types.into_iter().map(|ty| ty.quant);
        let values = results.into_iter().zip(quants).map(|(data, quant)| b.constant(data, quant));
        Ok(Verdict::Replace(values.collect()))
    })
}

/// What is left of the allowance when a node is computed; `None` where it is not worth it.
fn cost(
    site: &Site<'_>,
    operands: &[Option<Operand<'_>>],
    types: &[TensorType],
    allowance: &Allowance,
) -> Option<Allowance> {
    let bytes = |ty: &TensorType| ty.known_len()?.checked_mul(ty.dtype.size());
    let after = types.iter().map(bytes).try_fold(0usize, |sum, len| sum.checked_add(len?))?;
    // An input that nothing else reads makes room; one that is read twice here counts once.
    let (mut before, mut freed) = (0usize, 0usize);
    for (index, (old, operand)) in site.node.inputs.iter().zip(operands).enumerate() {
        let (Some(old), Some(data)) = (old, operand.as_ref().and_then(|operand| operand.data))
        else {
            continue;
        };
        if !site.node.inputs[..index].contains(&Some(*old)) {
            before = before.saturating_add(data.data.len());
            freed =
                freed.saturating_add(if site.uses[old.index()] == 1 { data.data.len() } else { 0 });
        }
    }
    if before.max(MAX_SMALL) < after {
        return None;
    }
    let lens = operands.iter().flatten().filter_map(|operand| operand.data).map(Const::len);
    let lens: Vec<u64> = lens.map(|len| len as u64).collect();
    let results: u64 = types.iter().filter_map(TensorType::known_len).map(|len| len as u64).sum();
    // Each result of a product or a window looks at a part of an input.
    let each = match site.node.op.name() {
        "conv2d" | "depthwise_conv2d" | "conv_transpose2d" | "dense" => {
            let channels = operands.get(1)?.as_ref()?.data?.dims.first().copied().unwrap_or(1);
            lens.get(1)? / (channels.max(1) as u64)
        }
        "matmul" => {
            let dims = &operands.first()?.as_ref()?.data?.dims;
            dims.iter().rev().take(2).max().map_or(1, |&dim| dim as u64)
        }
        "average_pool2d" | "max_pool2d" | "lrn" => lens.iter().copied().max().unwrap_or(1),
        _ => 1,
    };
    let work = results.saturating_mul(each).saturating_add(lens.iter().sum());
    Some(Allowance {
        bytes: allowance.bytes.checked_sub(after.saturating_sub(freed))?,
        work: allowance.work.checked_sub(work)?,
    })
}

fn operands<'b>(b: &'b Builder<'_>, site: &Site<'_>) -> Vec<Option<Operand<'b>>> {
    site.inputs.iter().map(|input| input.map(|id| b.operand(id))).collect()
}

/// Computes nodes that do the same to the same inputs once.
///
/// # Errors
/// Only through a defect.
pub fn share_common(model: Model) -> Result<(Model, bool), ShapeError> {
    let mut seen: HashMap<(GraphId, &'static str, Vec<InputKey>), Vec<Seen>> = HashMap::new();
    rewrite(model, &mut |b, site| {
        let inputs: Vec<InputKey> = site.inputs.iter().map(|input| input_key(b, *input)).collect();
        let constants = site.inputs.iter().flatten().filter(|&&id| b.const_of(id).is_some());
        let constants = constants.map(|&id| b.ty(id).quant.clone());
        let results = site.node.outputs.iter().map(|&output| site.old.ty(output).quant.clone());
        let quants: Vec<Option<Quant>> = constants.chain(results).collect();
        let twins = seen.entry((b.graph, site.node.op.name(), inputs)).or_default();
        let recent = twins.iter().rev().take(MAX_TWINS);
        let twin = { recent }.find(|twin| twin.op == site.node.op && twin.quants == quants);
        if let Some(twin) = twin {
            return Ok(Verdict::Replace(twin.outputs.clone()));
        }
        let outputs = crate::rewrite::keep(b, site.old, site.node, site.inputs)?;
        twins.push(Seen { op: site.node.op.clone(), quants, outputs: outputs.clone() });
        Ok(Verdict::Unchanged(outputs))
    })
}

/// A node that has been computed.
struct Seen {
    op: Op,
    /// Of the inputs that are constants, then of the outputs.
    quants: Vec<Option<Quant>>,
    outputs: Vec<ValueId>,
}

/// What makes two inputs the same; constants are different values even where their content is
/// equal, so that small ones are compared by content.
#[derive(PartialEq, Eq, Hash)]
enum InputKey {
    Absent,
    Value(ValueId),
    Constant(ConstId),
    Content(DType, Vec<usize>, Arc<[u8]>),
}

/// A node is compared with this many of those that do something to the same inputs, so that many
/// different ones (the parts of a split, say) take linear time.
const MAX_TWINS: usize = 64;

/// Constants up to this many bytes are compared by content.
const MAX_COMPARED: usize = 64;

fn input_key(b: &Builder<'_>, input: Option<ValueId>) -> InputKey {
    let Some(id) = input else { return InputKey::Absent };
    match (b.const_of(id), b.graph().value(id).def) {
        (Some(data), _) if data.data.len() <= MAX_COMPARED => {
            InputKey::Content(data.dtype, data.dims.clone(), data.data.clone())
        }
        (_, Def::Const(constant)) => InputKey::Constant(constant),
        _ => InputKey::Value(id),
    }
}

/// Replaces nodes without a portable kernel by their decomposition, as deep as needed.
///
/// # Errors
/// With the reason for every node that has neither.
pub fn decompose(mut model: Model) -> Result<Model, LegalizeError> {
    // Each round may expose nodes that need another one; a cycle of decompositions is a defect.
    for _ in 0..16 {
        let mut gaps = Vec::new();
        let mut narrowed = HashMap::new();
        let (next, changed) = rewrite(model, &mut |b, site| {
            if control::is_call(&site.node.op) {
                return Ok(Verdict::Keep);
            }
            let error = match kernel_gap(b, site) {
                None if moves(&site.node.op)
                    && site.inputs.iter().flatten().any(|id| narrowed.contains_key(id)) =>
                {
                    let results = widened(b, site, &mut narrowed)?;
                    return Ok(results.map_or(Verdict::Keep, Verdict::Replace));
                }
                None => return Ok(Verdict::Keep),
                Some(error) => error,
            };
            let quantized = site.inputs.iter().flatten().any(|&id| b.ty(id).is_quantized());
            if !quantized && let Some(result) = site.node.op.decompose(b, site.inputs) {
                return Ok(Verdict::Replace(result?));
            }
            if !quantized
                && matches!(error, LowerError::NoKernel(_))
                && let Some(results) = widened(b, site, &mut narrowed)?
            {
                return Ok(Verdict::Replace(results));
            }
            gaps.push(Gap { node: site.node.name.clone(), op: site.node.op.name(), error });
            Ok(Verdict::Keep)
        })
        .map_err(|error| defect(error.0))?;
        if !gaps.is_empty() {
            return Err(LegalizeError { gaps });
        }
        model = next;
        if !changed {
            return Ok(model);
        }
    }
    Err(defect("decompositions do not end".to_owned()))
}

fn defect(what: String) -> LegalizeError {
    let error = LowerError::Bug(what);
    LegalizeError { gaps: vec![Gap { node: String::new(), op: "decompose", error }] }
}

/// The type in which an operator computes numbers of a type for which it has no kernel, so that the
/// result is the same once rounded: floats of 16 bits accumulate in f32; integers that are only put
/// in order fit f32, and wrapping sums are cut from i64.
fn wider(op: &Op, dtype: DType) -> Option<DType> {
    use DType::*;
    match (dtype, op) {
        (F16 | Bf16, _) => Some(F32),
        (I8 | U8 | I16 | U16, Op::MaxPool2d(_) | Op::TopK(_)) => Some(F32),
        (I8 | U8 | I16 | U16 | U32, Op::Reduce(_) | Op::Cumsum(_)) => Some(I64),
        _ => None,
    }
}

/// Whether an operator only moves numbers, so that it belongs to the chain that they come from.
fn moves(op: &Op) -> bool {
    matches!(op, Op::Reshape(_) | Op::Select(_) | Op::Transpose(_))
}

/// The node's results by way of a wider type; `None` where none is known to help. `narrowed` holds
/// results before they were cut: the next node takes those, so that a chain rounds at its end.
fn widened(
    b: &mut Builder<'_>,
    site: &Site<'_>,
    narrowed: &mut HashMap<ValueId, ValueId>,
) -> Result<Option<Vec<ValueId>>, ShapeError> {
    let op = &site.node.op;
    let mut changed = false;
    let mut inputs = Vec::with_capacity(site.inputs.len());
    for input in site.inputs {
        inputs.push(match input.map(|id| (id, wider(op, b.ty(id).dtype))) {
            Some((id, Some(to))) => {
                changed = true;
                let before = narrowed.get(&id).copied();
                Some(match before.filter(|&wide| to.is_float() && b.ty(wide).dtype == to) {
                    Some(wide) => wide,
                    None => b.op(embarca_ir::ops::Cast { to }, &[id])?,
                })
            }
            Some((id, None)) => Some(id),
            None => None,
        });
    }
    if !changed {
        return Ok(None);
    }
    let mut results = b.node(op.clone(), &inputs)?;
    for (result, &output) in results.iter_mut().zip(&site.node.outputs) {
        let to = site.old.ty(output).dtype;
        if b.ty(*result).dtype != to {
            let wide = *result;
            *result = b.op(embarca_ir::ops::Cast { to }, &[wide])?;
            narrowed.insert(*result, wide);
        }
    }
    Ok(Some(results))
}

/// Why a node cannot be lowered as it stands.
fn kernel_gap(b: &Builder<'_>, site: &Site<'_>) -> Option<LowerError> {
    let operands = operands(b, site);
    let types = site.node.op.infer(Operands(&operands));
    let mut types = match types {
        Ok(types) => types,
        Err(error) => return Some(LowerError::Bug(error.0)),
    };
    for (ty, &output) in types.iter_mut().zip(&site.node.outputs) {
        ty.quant.clone_from(&site.old.ty(output).quant);
    }
    let io = Io { inputs: Operands(&operands), outputs: &types, tail: Tail::default() };
    site.node.op.lower(&io).err()
}

/// Gaps that a message names; more fill more than a screen.
const MOST_GAPS: usize = 20;

/// Nodes that no kernel computes and that do not decompose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalizeError {
    /// In the order of the graph; never empty.
    pub gaps: Vec<Gap>,
}

/// A node that no kernel computes and that does not decompose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The author's name.
    pub node: String,
    /// The operator.
    pub op: &'static str,
    /// Why.
    pub error: LowerError,
}

impl std::fmt::Display for LegalizeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, gap) in self.gaps.iter().take(MOST_GAPS).enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}node '{}' ({}): {}", gap.node, gap.op, gap.error)?;
        }
        match self.gaps.len().saturating_sub(MOST_GAPS) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for LegalizeError {}

#[cfg(test)]
mod tests {
    use embarca_ir::GraphId;
    use embarca_ir::ops::AveragePool2d;

    use super::*;

    #[test]
    fn every_node_without_a_kernel_is_named() {
        let mut model = Model::new("pools");
        let mut b = Builder::new(&mut model, GraphId(0));
        let mut x = b.input("x", TensorType::of(DType::U8, &[1, 4, 4, 1]));
        let pool = AveragePool2d {
            size: [2, 2],
            strides: [1, 1],
            dilations: [1, 1],
            pads: [0; 4],
            ceil: false,
            count_pad: false,
            half_up: false,
        };
        for name in ["first", "second"] {
            b.node_name = name.into();
            x = b.op(pool.clone(), &[x]).unwrap();
        }
        b.output(x, "y");
        let error = decompose(model).unwrap_err();
        let names: Vec<&str> = error.gaps.iter().map(|gap| gap.node.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        assert_eq!(error.to_string().lines().count(), 2);
    }
}
