//! OneHot: a vector per index, with one value at the index's place and another elsewhere.

use embarca_kernels::one_hot as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs: indices, value elsewhere, value at the place.
    pub struct OneHot {
        /// The result's axis that the vectors run along, counted from the front.
        pub axis: usize,
        /// The length of the vectors.
        pub depth: Dim,
        /// Whether negative indices count from the end.
        pub wraps: bool,
    }
}

impl OpDef for OneHot {
    const NAME: &'static str = "one_hot";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("OneHot", 9), Spelling::tflite("ONE_HOT")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let mut indices = node.input(0)?;
        let depth = node.input(1)?;
        let depths = if b.ty(depth).dtype.is_float() {
            let depths = b.floats(depth, "the depth")?;
            depths.into_iter().map(|depth| Dim::Known(depth as i64)).collect()
        } else {
            b.dims(depth, "the depth")?
        };
        let Ok([depth]) = <[Dim; 1]>::try_from(depths) else {
            return Err(ImportError::malformed("the depth is not one number"));
        };
        let at = axis(node.int("axis", -1)?, b.rank(indices) + 1)?;
        let onnx = node.format == Format::Onnx;
        if !matches!(b.ty(indices).dtype, DType::I32 | DType::I64) {
            indices = super::cast::to(b, indices, DType::I64)?;
        }
        let (off, on) = if onnx {
            // Both values in one tensor.
            let values = node.input(2)?;
            let sizes = vec![Dim::Known(1); 2];
            let parts = b.node(super::Split { axis: 0, sizes }, &[Some(values)])?;
            let [off, on] = parts[..] else {
                return Err(ImportError::malformed("there are not two values"));
            };
            (off, on)
        } else {
            (node.input(3)?, node.input(2)?)
        };
        one(b.op(Self { axis: at, depth, wraps: onnx }, &[indices, off, on])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (indices, off, on) = (inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty);
        axis(self.axis as i64, indices.rank() + 1)?;
        if off.dtype != on.dtype || !matches!(indices.dtype, DType::I32 | DType::I64) {
            return Err(ShapeError::new(format!("{off} and {on} at {indices} do not fit")));
        }
        let mut dims = indices.dims.clone();
        dims.insert(self.axis, self.depth.clone());
        Ok(vec![TensorType::new(on.dtype, dims)])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::Params { axis: self.axis as u32, wraps: self.wraps.into() };
        Ok(Lowered::plain(&kernel::ANY, &params, 3))
    }
}
