//! Not: the opposite of each truth value.

use embarca_kernels::unary as kernel;

use super::prelude::*;

crate::payload! {
    /// The opposite.
    pub struct LogicalNot {}
}

impl OpDef for LogicalNot {
    const NAME: &'static str = "not";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Not", 1), Spelling::tflite("LOGICAL_NOT")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        one(b.op(Self {}, &[node.input(0)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        if x.dtype != DType::Bool {
            return Err(ShapeError::new(format!("{x} holds no truth values")));
        }
        same_as_input(inputs)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Some(known) = inputs.optional(0).and_then(|x| x.known) else { return Vec::new() };
        let not = |dim: &Dim| dim.known().map(|value| Dim::Known((value == 0).into()));
        vec![known.iter().map(not).collect()]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.plainly("Not", "LOGICAL_NOT")
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::NOT, &NO_PARAMS, 1))
    }
}
