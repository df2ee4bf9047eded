//! Maximum: the greater of each pair; NaN when one is.

use embarca_kernels::binary::Kind;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The greater elements of two tensors.
    pub struct Maximum {}
}

impl OpDef for Maximum {
    const NAME: &'static str = "maximum";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Max", 8), Spelling::tflite("MAXIMUM")];
    const U8_AS_I8: Option<&'static str> = Some("an offset keeps the order");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_order(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        elementwise::known_binary(inputs, |a, b| Some(a.larger(b)))
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        elementwise::spell_binary(s, "Max", "MAXIMUM", false)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        elementwise::lower_order(Kind::Max, io)
    }
}
