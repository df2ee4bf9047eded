//! BitCast: the same bits read as another type of the same size.

use embarca_kernels::copy as kernel;

use super::prelude::*;

crate::payload! {
    /// Bits under another type.
    pub struct BitCast {
        /// The element type of the result.
        pub to: DType,
    }
}

/// Types of which an element takes whole bytes.
fn is_whole(dtype: DType) -> bool {
    use DType::*;
    !matches!(dtype, Str | U4 | I4 | F4E2M1 | U2 | I2)
}

impl OpDef for BitCast {
    const NAME: &'static str = "bit_cast";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("BitCast", 26)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let to = super::moves::dtype_attr(node, "to", DType::Str)?;
        one(b.op(Self { to }, &[node.input(0)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        if x.dtype.size() != self.to.size() || !is_whole(x.dtype) || !is_whole(self.to) {
            return Err(ShapeError::new(format!("{x} is not as wide as {}", self.to)));
        }
        Ok(vec![TensorType::new(self.to, x.dims.iter().cloned())])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::BITS, &NO_PARAMS, 1))
    }
}
