//! ScatterElements: a copy of a tensor with elements replaced, one index for each.

use embarca_kernels::scatter as kernel;

use super::prelude::*;
use super::scatter_nd::{self, Meeting};

crate::payload! {
    /// Inputs: data, indices, updates, all of one rank.
    pub struct ScatterElements {
        /// How an update meets what is there.
        pub by: Meeting,
        /// The axis that the indices count along, counted from the front.
        pub axis: usize,
    }
}

impl OpDef for ScatterElements {
    const NAME: &'static str = "scatter_elements";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("ScatterElements", 11), Spelling::onnx("Scatter", 9)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let by = Meeting::onnx(node)?;
        let x = node.input(0)?;
        let at = axis(node.int("axis", 0)?, b.rank(x))?;
        one(b.op(Self { by, axis: at }, &[x, node.input(1)?, node.input(2)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        scatter_nd::check(inputs)?;
        axis(self.axis as i64, inputs.get(0)?.ty.rank())?;
        same_as_input(inputs)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let name = s.named("ScatterElements", "")?;
        s.moves();
        let inputs = s.inputs()?;
        let attrs = vec![int("axis", self.axis), text("reduction", self.by.name())];
        s.emit(name, &inputs, attrs)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::ElementsParams { kind: self.by.0 as u32, axis: self.axis as u32 };
        Ok(Lowered::plain(&kernel::ELEMENTS, &params, 3))
    }
}
