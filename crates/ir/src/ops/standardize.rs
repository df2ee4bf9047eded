//! Rows brought to mean 0 and variance 1 along the last axis.

use embarca_kernels::standardize as kernel;

use super::prelude::*;

crate::payload! {
    /// `(x - mean) / sqrt(variance + epsilon)` along the last axis.
    pub struct Standardize {
        /// Added to the variance.
        pub epsilon: f32,
    }
}

impl OpDef for Standardize {
    const NAME: &'static str = "standardize";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.rank() == 0 {
            return Err(ShapeError::new("a number has no last axis"));
        }
        same_as_input(inputs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        match io.input(0)?.ty.dtype {
            DType::F32 => Ok(Lowered::plain(&kernel::F32, &self.epsilon, 1)),
            other => Err(LowerError::no_kernel(format!("standardization of {other}"))),
        }
    }
}
