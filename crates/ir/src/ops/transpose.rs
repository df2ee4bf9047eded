//! Transpose: axis `i` of the result is axis `perm[i]` of the input.

use embarca_kernels::transpose as kernel;

use super::moves;
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
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Transpose", 1),
        Spelling::tflite("TRANSPOSE"),
        Spelling::caffe("Permute"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        let perm = match node.format {
            Format::Onnx => {
                let perm = node.opt_ints("perm")?;
                perm.unwrap_or_else(|| (0..rank as i64).rev().collect())
            }
            Format::TfLite => b.ints(node.input(1)?, "the permutation")?,
            Format::Caffe => {
                // Axes that are not named follow in order.
                let mut perm = node.opt_ints("order")?.unwrap_or_default();
                let rest: Vec<i64> = (0..rank as i64).filter(|axis| !perm.contains(axis)).collect();
                perm.extend(rest);
                perm
            }
        };
        let perm = perm.into_iter().map(|at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
        one(b.transpose(x, &perm)?)
    }

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

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Ok(types) = self.infer(inputs) else { return Vec::new() };
        let from = |index: &[usize]| moves::permuted(index, &self.perm);
        vec![types.first().and_then(|ty| moves::picked(inputs.optional(0), &ty.dims, from))]
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let mut perm = [0; 8];
        for (to, &from) in perm.iter_mut().zip(&self.perm) {
            *to = from as u32;
        }
        Ok(Lowered::plain(&kernel::ANY, &kernel::Params { perm }, 1))
    }
}
