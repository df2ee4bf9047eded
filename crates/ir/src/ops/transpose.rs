//! Transpose: axis `i` of the result is axis `perm[i]` of the input.

use super::prelude::*;

crate::payload! {
    /// Permutes axes.
    pub struct Transpose {
        /// For each axis of the result, the input's axis.
        pub perm: Vec<usize>,
    }
}

impl OpDef for Transpose {
    const NAME: &'static str = "transpose";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..x.rank()) {
            let (perm, rank) = (&self.perm, x.rank());
            return Err(ShapeError::new(format!("{perm:?} does not permute {rank} axes")));
        }
        let mut ty = x.with_dims(self.perm.iter().map(|&axis| x.dims[axis].clone()).collect());
        if let Some(quant) = &mut ty.quant {
            quant.axis = quant.axis.and_then(|axis| self.perm.iter().position(|&at| at == axis));
        }
        Ok(vec![ty])
    }
}
