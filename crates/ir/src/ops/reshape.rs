//! Reshape: the same elements in the same order under other dimensions.

use super::prelude::*;

crate::payload! {
    /// The same elements under other dimensions.
    pub struct Reshape {
        /// The dimensions of the result, all resolved.
        pub dims: Vec<Dim>,
    }
}

impl OpDef for Reshape {
    const NAME: &'static str = "reshape";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let (from, to) = (dim::product(&x.dims), dim::product(&self.dims));
        if !from.may_equal(&to) {
            return Err(ShapeError::new(format!("{from} elements cannot become {to}")));
        }
        Ok(vec![x.with_dims(self.dims.clone())])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        vec![inputs.optional(0).and_then(|x| x.known).map(<[Dim]>::to_vec)]
    }
}
