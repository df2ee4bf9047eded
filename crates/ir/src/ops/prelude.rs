//! What nearly every dossier uses.

pub use embarca_num::DType;

pub use crate::builder::Builder;
pub use crate::dim::{self, Dim};
pub use crate::error::{ImportError, LowerError, ShapeError};
pub use crate::foreign::Format;
pub use crate::foreign_node::NodeView;
pub use crate::ids::ValueId;
pub use crate::op::{
    Algorithm, Arg, Io, Lowered, NO_PARAMS, OpDef, Operand, Operands, Spelling, Tail, Tails,
};
pub use crate::ops::Op;
pub use crate::spell::speller::{flag, float, int, ints, no_activation, text};
pub use crate::spell::{SpellError, Speller};
pub use crate::types::{Const, Quant, TensorType};

/// The type of input 0, quantization left to whoever makes the node.
pub fn same_as_input(inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
    let x = inputs.get(0)?.ty;
    Ok(vec![TensorType::new(x.dtype, x.dims.iter().cloned())])
}

/// [`OpDef::sink`] of an element-wise operator: it is the same on permuted axes.
pub fn sink_elementwise(op: impl Into<Op>, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
    Some((op.into(), perm.to_vec()))
}

/// The only output of a node.
pub fn one(value: ValueId) -> Result<Vec<ValueId>, ImportError> {
    Ok(vec![value])
}

/// An axis counted from the front; negative ones count from the back.
pub fn axis(axis: i64, rank: usize) -> Result<usize, ShapeError> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(from_front) {
        Ok(index) if index < rank => Ok(index),
        _ => Err(ShapeError::new(format!("axis {axis} does not exist in rank {rank}"))),
    }
}

/// The value behind a TFLite node's fused activation: declares the output's quantization on `value`
/// and adds the activation as an operator of its own.
pub fn tflite_activation(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    value: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let quant = node.output_type(0).and_then(|ty| ty.quant.clone());
    b.set_quant(value, quant);
    let activated = match node.text("fused_activation_function", "NONE")? {
        "NONE" => value,
        "RELU" => b.clip(value, 0.0, f32::INFINITY)?,
        "RELU_N1_TO_1" => b.clip(value, -1.0, 1.0)?,
        "RELU6" => b.clip(value, 0.0, 6.0)?,
        other => {
            return Err(ImportError::unsupported(format!("{other} cannot be fused"))
                .attribute("fused_activation_function"));
        }
    };
    one(activated)
}

/// Stored bounds of real bounds under a quantization, within `low..=high`
/// (TFLite's `CalculateActivationRangeQuantized`: `zero + round(bound / scale)` in f32, halves away
/// from zero).
pub fn quantized_bounds(
    clamp: Option<(f32, f32)>,
    (scale, zero): (f32, i32),
    (low, high): (i32, i32),
) -> (i32, i32) {
    let Some((min, max)) = clamp else { return (low, high) };
    let stored = |bound: f32, open: i32| {
        if bound.is_finite() { zero.saturating_add((bound / scale).round() as i32) } else { open }
    };
    (stored(min, low).clamp(low, high), stored(max, high).clamp(low, high))
}
