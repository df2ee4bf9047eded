//! Minimum: the smaller of each pair; NaN when one is.

use embarca_kernels::binary::Kind;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The smaller elements of two tensors.
    pub struct Minimum {}
}

impl OpDef for Minimum {
    const NAME: &'static str = "minimum";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Min", 8), Spelling::tflite("MINIMUM")];
    const U8_AS_I8: Option<&'static str> = Some("an offset keeps the order");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_order(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        elementwise::known_binary(inputs, |a, b| Some(a.smaller(b)))
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        elementwise::spell_binary(s, "Min", "MINIMUM", false)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        elementwise::lower_order(Kind::Min, io)
    }
}
