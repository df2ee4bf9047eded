//! Places: where a condition holds.

use embarca_kernels::places as kernel;

use super::prelude::*;

crate::payload! {
    /// Input: truth values `[n]`. Outputs: the places of the true ones `[n]`, zero behind those that
    /// there are; how many there are `[]`. Both i64.
    pub struct Places {}
}

impl OpDef for Places {
    const NAME: &'static str = "places";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        if x.dtype != DType::Bool || x.rank() != 1 {
            return Err(ShapeError::new(format!("{x} is no row of truth values")));
        }
        let places = TensorType::new(DType::I64, x.dims.iter().cloned());
        Ok(vec![places, TensorType::of(DType::I64, &[])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        Ok(Lowered::plain(&kernel::BOOL, &NO_PARAMS, 1))
    }
}
