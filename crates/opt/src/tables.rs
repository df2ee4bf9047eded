//! Functions of each element between a dequantization and a quantization become tables.

use embarca_ir::ops::{Lookup, Requantize, Table};
use embarca_ir::{Builder, Const, GraphId, Model, Op, Quant, ShapeError, TensorType, ValueId};
use embarca_num::DType;

use crate::eval::eval;
use crate::qdq::dequantized_i8;

/// Deeper chains of operators are left alone.
const MAX_DEPTH: usize = 8;

/// The integers that quantizing `x` to i8 yields, looked up in a table, when `x` is a function of
/// one dequantized i8 tensor, element by element.
///
/// # Errors
/// Only through a defect.
pub fn lookup(
    b: &mut Builder<'_>,
    x: ValueId,
    quant: &Quant,
) -> Result<Option<ValueId>, ShapeError> {
    let Some(source) = source(b, x, MAX_DEPTH) else { return Ok(None) };
    let Some(entries) = entries(b, x, source, quant) else { return Ok(None) };
    let y = b.op(Lookup { table: Table(Box::new(entries)) }, &[source])?;
    b.set_quant(y, Some(quant.clone()));
    Ok(Some(y))
}

/// Whether an operator computes each element of its result from those at the same place.
fn is_elementwise(op: &Op) -> bool {
    matches!(
        op,
        Op::Add(_)
            | Op::Binary(_)
            | Op::Clip(_)
            | Op::Div(_)
            | Op::LeakyRelu(_)
            | Op::Maximum(_)
            | Op::Minimum(_)
            | Op::Mul(_)
            | Op::Prelu(_)
            | Op::Sub(_)
            | Op::Unary(_)
    )
}

/// A constant that is the same for every element.
fn is_number(b: &Builder<'_>, value: ValueId) -> bool {
    b.const_of(value).is_some() && b.ty(value).known_len() == Some(1)
}

/// The only i8 tensor that `x` depends on, element by element.
fn source(b: &Builder<'_>, x: ValueId, depth: usize) -> Option<ValueId> {
    if let Some((source, _)) = dequantized_i8(b, x)
        && b.const_of(source).is_none()
    {
        return Some(source);
    }
    let (node, _) = b.graph().writer(x)?;
    if depth == 0 || !is_elementwise(&node.op) || b.ty(x).dtype != DType::F32 {
        return None;
    }
    let mut found = None;
    for &input in node.inputs.iter().flatten() {
        if is_number(b, input) || number(b, input).is_some() {
            continue;
        }
        let source = source(b, input, depth - 1)?;
        if *found.get_or_insert(source) != source || b.ty(source).dims != b.ty(x).dims {
            return None;
        }
    }
    found
}

/// The one real number of a dequantized constant.
fn number(b: &Builder<'_>, value: ValueId) -> Option<f32> {
    let (source, quant) = dequantized_i8(b, value)?;
    let [stored] = b.const_of(source)?.to_i64()?[..] else { return None };
    let (scale, zero) = quant.single()?;
    Some(scale * (stored - i64::from(zero)) as f32)
}

/// The results for -128 to 127, computed by the operators themselves.
fn entries(b: &Builder<'_>, x: ValueId, source: ValueId, quant: &Quant) -> Option<[i8; 256]> {
    let mut model = Model::new("table");
    let mut table = Builder::new(&mut model, GraphId(0));
    let ty = TensorType::of(DType::I8, &[256]).with_quant(b.ty(source).quant.clone());
    let input = table.input("x", ty);
    let real = copy(b, &mut table, x, source, input)?;
    let onnx = |to| Requantize { to, rule: "onnx".to_owned() };
    let y = table.op(onnx(DType::I8), &[real]).ok()?;
    table.set_quant(y, Some(quant.clone()));
    table.output(y, "y");
    let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    let results = eval(&model, &[Const::from_i8(&[256], &all)]).ok()?;
    let bytes: Vec<i8> = results.first()?.data.iter().map(|byte| byte.cast_signed()).collect();
    bytes.try_into().ok()
}

/// What computes `x` of `source`, for `input` instead.
fn copy(
    b: &Builder<'_>,
    table: &mut Builder<'_>,
    x: ValueId,
    source: ValueId,
    input: ValueId,
) -> Option<ValueId> {
    if let Some(value) = number(b, x) {
        return Some(table.scalar(value));
    }
    if let Some((own, _)) = dequantized_i8(b, x)
        && own == source
    {
        let op = Requantize { to: DType::F32, rule: "onnx".to_owned() };
        return table.op(op, &[input]).ok();
    }
    if let Some(data) = b.const_of(x) {
        let data = Const { dims: Vec::new(), ..data.clone() };
        return Some(table.constant(data, None));
    }
    let (node, _) = b.graph().writer(x)?;
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for value in &node.inputs {
        inputs.push(match value {
            Some(value) => Some(copy(b, table, *value, source, input)?),
            None => None,
        });
    }
    table.node(node.op.clone(), &inputs).ok()?.first().copied()
}
