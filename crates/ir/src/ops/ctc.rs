//! Ctc: the classes that a recognizer reads, step by step, repeats and the blank left out.

use embarca_kernels::ctc as kernel;

use super::prelude::*;

crate::payload! {
    /// From scores `[T, C]` to classes, scores and their number.
    pub struct Ctc {
        /// The class that stands for nothing.
        pub blank: usize,
    }
}

impl OpDef for Ctc {
    const NAME: &'static str = "ctc";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let [t, classes] = x.dims.as_slice() else {
            return Err(ShapeError::new(format!("scores are {x}, not steps by classes")));
        };
        if classes.known().is_some_and(|classes| classes <= self.blank as i64) {
            return Err(ShapeError::new(format!("there is no class {} in {x}", self.blank)));
        }
        let steps = |dtype| TensorType::new(dtype, [t.clone()]);
        Ok(vec![steps(DType::I32), steps(DType::F32), TensorType::of(DType::I32, &[1])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        if x.dtype != DType::F32 {
            return Err(LowerError::no_kernel(format!("CTC on {x}")));
        }
        let params = kernel::Params { blank: super::moves::narrow(self.blank)? };
        Ok(Lowered::plain(&kernel::F32, &params, 1))
    }
}
