//! Luma: a picture of three colours as shades of grey.

use embarca_kernels::picture as kernel;

use super::prelude::*;

crate::payload! {
    /// ITU-R 601-2 in Pillow's fixed point, on the last axis.
    pub struct Luma {}
}

impl OpDef for Luma {
    const NAME: &'static str = "luma";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let mut dims = x.dims.clone();
        match dims.last_mut() {
            Some(colours) if colours.known() == Some(3) => *colours = Dim::Known(1),
            _ => return Err(ShapeError::new(format!("{x} has no three colours"))),
        }
        Ok(vec![TensorType::new(x.dtype, dims)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        match io.input(0)?.ty.dtype {
            DType::U8 => Ok(Lowered::plain(&kernel::LUMA, &NO_PARAMS, 1)),
            other => Err(LowerError::no_kernel(format!("shades of grey of {other}"))),
        }
    }
}
