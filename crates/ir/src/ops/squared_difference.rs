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

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        if s.is_tflite() {
            return s.plainly("", "SQUARED_DIFFERENCE");
        }
        let (x, y) = (s.input(0)?, s.input(1)?);
        let real = TensorType::new(s.type_of(x).dtype, s.out(0)?.dims);
        let difference = s.step("Sub", &[x, y], Vec::new(), real);
        s.emit("Mul", &[Some(difference); 2], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_quantized(io)? {
            return elementwise::lower_sum(Kind::SquaredDifference, io);
        }
        elementwise::lower_plain(Kind::SquaredDifference, io)
    }
}
