//! One of two graphs, by a condition that is known only while the model runs.

use super::prelude::*;
use crate::ids::GraphId;

crate::payload! {
    /// `condition, arguments... -> results...`: both graphs take all arguments and yield all
    /// results.
    pub struct IfElse {
        /// Runs when the condition is true.
        pub then: GraphId,
        /// Runs otherwise.
        pub otherwise: GraphId,
        /// The element types of the results.
        pub dtypes: Vec<DType>,
        /// The dimensions of the results.
        pub dims: Vec<Vec<Dim>>,
    }
}

impl OpDef for IfElse {
    const NAME: &'static str = "if_else";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("If", 1), Spelling::tflite("IF")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        truth(inputs.get(0)?, "the condition")?;
        stated(&self.dtypes, &self.dims)
    }
}

/// One truth value, of rank 0 or 1.
pub(super) fn truth(operand: Operand<'_>, what: &str) -> Result<(), ShapeError> {
    one_element(operand, DType::Bool, what)
}

/// One element, of rank 0 or 1.
pub(super) fn one_element(
    operand: Operand<'_>,
    dtype: DType,
    what: &str,
) -> Result<(), ShapeError> {
    let ty = operand.ty;
    let single = ty.rank() <= 1 && ty.dims.iter().all(|dim| *dim == Dim::Known(1));
    if ty.dtype == dtype && single {
        return Ok(());
    }
    Err(ShapeError::new(format!("{what} is {ty}, not one {dtype}")))
}

/// The types that a call of a graph states.
pub(super) fn stated(
    dtypes: &[DType],
    dims: &[Vec<Dim>],
) -> Result<Vec<TensorType>, ShapeError> {
    if dtypes.len() != dims.len() {
        return Err(ShapeError::new("there is another number of dtypes than of dims"));
    }
    let types = dtypes.iter().zip(dims);
    Ok(types.map(|(&dtype, dims)| TensorType::new(dtype, dims.iter().cloned())).collect())
}
