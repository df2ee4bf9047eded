//! A graph that runs as long as another one says so.

use super::prelude::*;
use crate::ids::GraphId;

crate::payload! {
    /// `variables... -> variables...`: types and sizes stay from one round to the next.
    pub struct WhileLoop {
        /// `variables... -> condition`
        pub cond: GraphId,
        /// `variables... -> variables...`
        pub body: GraphId,
    }
}

impl OpDef for WhileLoop {
    const NAME: &'static str = "while_loop";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("WHILE")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        (0..inputs.len()).map(|index| carried(inputs, index)).collect()
    }
}

/// The type of a variable, quantization left to whoever makes the node.
pub(super) fn carried(inputs: Operands<'_, '_>, index: usize) -> Result<TensorType, ShapeError> {
    let ty = inputs.get(index)?.ty;
    Ok(TensorType::new(ty.dtype, ty.dims.iter().cloned()))
}
