//! What stands in a branch that cannot run at the model's shapes: it fails when it is reached.

use embarca_kernels::refuse as kernel;

use super::if_else::stated;
use super::prelude::*;

crate::payload! {
    /// Yields nothing but a failure, under these types.
    pub struct Refuse {
        /// The element types of the results.
        pub dtypes: Vec<DType>,
        /// The dimensions of the results.
        pub dims: Vec<Vec<Dim>>,
    }
}

impl OpDef for Refuse {
    const NAME: &'static str = "refuse";

    fn infer(&self, _: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        stated(&self.dtypes, &self.dims)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 0))
    }
}
