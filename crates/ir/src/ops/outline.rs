//! Outline: rectangles, at any angle, around the bright parts of a map.

use embarca_kernels::outline as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs and outputs are those of [`embarca_kernels::outline`].
    pub struct Outline {
        /// The most rectangles that are kept.
        pub most: usize,
        /// How far they grow, in units of area over perimeter.
        pub growth: f32,
        /// The shorter side of what is not too small, in cells of the map.
        pub side: f32,
    }
}

impl OpDef for Outline {
    const NAME: &'static str = "outline";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        if x.rank() != 2 {
            return Err(ShapeError::new(format!("{x} is no map")));
        }
        let m = self.most;
        Ok(vec![
            TensorType::of(DType::F32, &[m, 4, 2]),
            TensorType::of(DType::F32, &[m]),
            TensorType::of(DType::I32, &[1]),
        ])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        if x.dtype != DType::F32 {
            return Err(LowerError::no_kernel(format!("outlines of {x}")));
        }
        let params = kernel::Params { growth: self.growth, side: self.side };
        Ok(Lowered::plain(&kernel::F32, &params, 3))
    }
}
