//! Placement: where a picture lies in the frame that a model takes.

use embarca_kernels::picture as kernel;

use super::prelude::*;

crate::payload! {
    /// From a picture and what became of it, of which only the dimensions count, to the rows scale,
    /// offset and size, each as x, y, x, y.
    pub struct Placement {
        /// As [`super::Resample`]'s.
        pub fit: String,
        /// As [`super::Resample`]'s.
        pub short: usize,
        /// As [`super::Resample`]'s.
        pub frame: [usize; 2],
    }
}

impl OpDef for Placement {
    const NAME: &'static str = "placement";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        for x in [inputs.get(0)?.ty, inputs.get(1)?.ty] {
            if x.rank() != 4 {
                return Err(ShapeError::new(format!("{x} is no picture")));
            }
        }
        Ok(vec![TensorType::of(DType::F32, &[3, 4])])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let fit = super::resample::fit(&self.fit, self.short, self.frame)?;
        Ok(Lowered::plain(&kernel::PLACEMENT, &fit, 2))
    }
}
