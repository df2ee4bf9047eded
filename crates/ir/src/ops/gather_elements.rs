//! GatherElements: one index for each element of the result.

use embarca_kernels::gather_nd as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs: data, indices of the same rank.
    pub struct GatherElements {
        /// The axis that the indices count along, counted from the front.
        pub axis: usize,
    }
}

impl OpDef for GatherElements {
    const NAME: &'static str = "gather_elements";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("GatherElements", 11)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let at = axis(node.int("axis", 0)?, b.rank(x))?;
        one(b.op(Self { axis: at }, &[x, node.input(1)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, indices) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        axis(self.axis as i64, x.rank())?;
        let index = matches!(indices.dtype, DType::I32 | DType::I64);
        if indices.rank() != x.rank() || !index {
            return Err(ShapeError::new(format!("indices {indices} do not pick from {x}")));
        }
        Ok(vec![TensorType::new(x.dtype, indices.dims.iter().cloned())])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let name = s.named("GatherElements", "")?;
        let inputs = s.inputs()?;
        s.emit(name, &inputs, vec![int("axis", self.axis)])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::ElementsParams { axis: self.axis as u32 };
        Ok(Lowered::plain(&kernel::ELEMENTS, &params, 2))
    }
}
