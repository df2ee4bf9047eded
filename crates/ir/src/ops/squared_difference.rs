//! Squared difference: `(a - b)^2`, broadcast as in NumPy.

use embarca_kernels::binary::Kind;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The squared difference of two tensors.
    pub struct SquaredDifference {}
}

impl OpDef for SquaredDifference {
    const NAME: &'static str = "squared_difference";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("SQUARED_DIFFERENCE")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_binary(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_quantized(io)? {
            return elementwise::lower_sum(Kind::SquaredDifference, io);
        }
        elementwise::lower_plain(Kind::SquaredDifference, io)
    }
}
