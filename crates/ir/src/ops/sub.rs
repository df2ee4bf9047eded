//! Subtraction: `a - b`, broadcast as in NumPy.

use embarca_kernels::binary::Kind;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The difference of two tensors.
    pub struct Sub {}
}

impl OpDef for Sub {
    const NAME: &'static str = "sub";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Sub", 7), Spelling::tflite("SUB")];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, so an offset cancels");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_binary(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        elementwise::known_binary(inputs, |a, b| Some(a.sub(b)))
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        elementwise::spell_binary(s, "Sub", "SUB", true)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_quantized(io)? {
            return elementwise::lower_sum(Kind::Sub, io);
        }
        elementwise::lower_plain(Kind::Sub, io)
    }
}
