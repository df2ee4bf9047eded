//! What a node yields, from what its inputs are.

use std::sync::Arc;

use embarca_num::DType;

use crate::builder::MAX_KNOWN;
use crate::dim::Dim;
use crate::error::ShapeError;
use crate::model::{Def, Graph, Node};
use crate::op::{Operand, Operands};
use crate::types::{Const, TensorType};

/// The type of a result, and its content where inference knows it.
pub type Inferred = (TensorType, Option<Arc<[Dim]>>);

/// The content of a constant, if it is one that dimensions are computed with.
pub fn known_of_const(data: &Const) -> Option<Arc<[Dim]>> {
    let is_index = matches!(data.dtype, DType::I64 | DType::I32 | DType::Bool);
    if !is_index || MAX_KNOWN < data.len() {
        return None;
    }
    data.to_i64().map(|values| values.into_iter().map(Dim::Known).collect())
}

/// What inference says of each output of a node.
///
/// # Errors
/// When the inputs do not exist or do not fit the operator.
pub fn results(consts: &[Const], graph: &Graph, node: &Node) -> Result<Vec<Inferred>, ShapeError> {
    let mut operands = Vec::with_capacity(node.inputs.len());
    for input in &node.inputs {
        let Some(id) = input else {
            operands.push(None);
            continue;
        };
        let missing = || ShapeError::new(format!("%{} does not exist", id.0));
        let value = graph.values.get(id.index()).ok_or_else(missing)?;
        let data = match value.def {
            Def::Const(id) => consts.get(id.index()),
            _ => None,
        };
        operands.push(Some(Operand { ty: &value.ty, known: value.known.as_deref(), data }));
    }
    let types = node.op.infer(Operands(&operands))?;
    let mut known = node.op.known(Operands(&operands)).into_iter();
    let of_output = |ty| {
        let known = known.next().flatten().filter(|known| known.len() <= MAX_KNOWN);
        (ty, known.map(Arc::from))
    };
    Ok(types.into_iter().map(of_output).collect())
}

/// Whether a stated type can be an inferred one: the same element type and rank, and no dimension
/// that certainly differs. Quantization is declared, not inferred.
pub fn fits(stated: &TensorType, inferred: &TensorType) -> bool {
    let mut dims = stated.dims.iter().zip(&inferred.dims);
    stated.dtype == inferred.dtype
        && stated.rank() == inferred.rank()
        && dims.all(|(stated, inferred)| stated.may_equal(inferred))
}
