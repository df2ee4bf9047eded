//! Suppress: the best of many overlapping boxes, by greedy non-maximum suppression.

use embarca_kernels::suppress as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs and outputs are those of [`embarca_kernels::suppress`].
    pub struct Suppress {
        /// The most boxes that are kept.
        pub most: usize,
        /// Whether boxes of different classes suppress each other.
        pub across: bool,
    }
}

impl OpDef for Suppress {
    const NAME: &'static str = "suppress";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (boxes, scores) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let (2, 2) = (boxes.rank(), scores.rank()) else {
            return Err(ShapeError::new(format!("boxes are {boxes}, scores {scores}")));
        };
        let n = boxes.dims[0].sub(&scores.dims[0]).known();
        if boxes.dims[1].known() != Some(4) || n.is_some_and(|difference| difference != 0) {
            return Err(ShapeError::new(format!("boxes are {boxes}, scores {scores}")));
        }
        let m = self.most;
        Ok(vec![
            TensorType::of(DType::F32, &[m, 4]),
            TensorType::of(DType::F32, &[m]),
            TensorType::of(DType::I32, &[m]),
            TensorType::of(DType::I32, &[m]),
            TensorType::of(DType::I32, &[1]),
        ])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        for i in 0..io.inputs.len() {
            let x = io.input(i)?.ty;
            if x.dtype != DType::F32 {
                return Err(LowerError::no_kernel(format!("suppression of {x}")));
            }
        }
        let params = kernel::Params { across: self.across.into() };
        Ok(Lowered::plain(&kernel::F32, &params, io.inputs.len()))
    }
}
