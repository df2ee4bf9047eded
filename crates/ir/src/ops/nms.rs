//! Non-maximum suppression of the boxes of one class.

use embarca_kernels::nms as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs: boxes by two corners, scores. Outputs, unused elements zero: places, scores, how many
    /// are used.
    pub struct Nms {
        /// The most boxes that are kept.
        pub most: usize,
        /// A box that shares this part of its union with a better one is left out.
        pub max_overlap: f32,
        /// Scores have to exceed it.
        pub min_score: f32,
        /// What a shared part takes from a score; 0 takes nothing.
        pub sigma: f32,
    }
}

impl OpDef for Nms {
    const NAME: &'static str = "nms";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::tflite("NON_MAX_SUPPRESSION_V4"), Spelling::tflite("NON_MAX_SUPPRESSION_V5")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let most = b.ints(node.input(2)?, "the number of boxes")?;
        let most = most.first().and_then(|&most| usize::try_from(most).ok());
        let number = |b: &Builder<'_>, index: usize, what: &str| {
            let values = b.floats(node.input(index)?, what)?;
            values.first().copied().ok_or_else(|| ImportError::malformed(format!("{what} is empty")))
        };
        let soft = node.op == "NON_MAX_SUPPRESSION_V5";
        let op = Self {
            most: most.ok_or_else(|| ImportError::malformed("the number of boxes is negative"))?,
            max_overlap: number(b, 3, "the overlap")?,
            min_score: number(b, 4, "the least score")?,
            sigma: if soft { number(b, 5, "sigma")? } else { 0.0 },
        };
        if !(0.0 <= op.sigma && op.sigma.is_finite()) {
            return Err(ImportError::malformed(format!("sigma is {}", op.sigma)));
        }
        let mut outputs = b.node(op, &[Some(node.input(0)?), Some(node.input(1)?)])?;
        if !soft {
            outputs.remove(1);
        }
        Ok(outputs)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (boxes, scores) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let fit = match (&*boxes.dims, &*scores.dims) {
            ([n, Dim::Known(4)], [m]) => n.may_equal(m),
            _ => false,
        };
        if !fit || boxes.dtype != DType::F32 || scores.dtype != DType::F32 {
            return Err(ShapeError::new(format!("boxes {boxes} with scores {scores}")));
        }
        Ok(vec![
            TensorType::of(DType::I32, &[self.most]),
            TensorType::of(DType::F32, &[self.most]),
            TensorType::of(DType::I32, &[]),
        ])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let Self { max_overlap, min_score, sigma, .. } = *self;
        let params = kernel::Params { max_overlap, min_score, sigma };
        Ok(Lowered::plain(&kernel::F32, &params, 2))
    }
}
