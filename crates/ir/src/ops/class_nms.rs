//! Non-maximum suppression within every class: ONNX's NonMaxSuppression.

use embarca_kernels::class_nms as kernel;

use super::counted::origin;
use super::prelude::*;
use crate::builder::Counted;

crate::payload! {
    /// Inputs and outputs are those of [`embarca_kernels::class_nms`].
    pub struct ClassNms {
        /// The most boxes of one class of one sample.
        pub each: Dim,
        /// A box that shares more than this part of its union with a better one is left out.
        pub max_overlap: f32,
        /// Scores have to exceed it; minus infinity lets all numbers pass.
        pub min_score: f32,
        /// Whether a box is its centre, width and height, not two corners.
        pub centred: bool,
    }
}

impl OpDef for ClassNms {
    const NAME: &'static str = "class_nms";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("NonMaxSuppression", 10)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (boxes, scores) = (node.input(0)?, node.input(1)?);
        let used = match (b.counted(boxes), b.counted(scores)) {
            (None, None) => None,
            (Some(Counted { axis: 1, count }), Some(Counted { axis: 2, count: other }))
                if count == other =>
            {
                Some(count)
            }
            _ => return Err(ImportError::unsupported("boxes and scores of unlike sizes")),
        };
        let number = |b: &Builder<'_>, index: usize, what: &str, default: f32| {
            let Some(value) = node.optional(index) else { return Ok(default) };
            let values = b.floats(value, what)?;
            values.first().copied().ok_or_else(|| ImportError::malformed(format!("{what} is empty")))
        };
        let all = b.ty(boxes).dims.get(1).cloned();
        let all = all.ok_or_else(|| ImportError::malformed("the boxes have no second axis"))?;
        let each = match node.optional(2) {
            None => Dim::Known(0),
            // As many as there are.
            Some(most) if used.is_some_and(|used| origin(b, most) == used) => all,
            Some(most) => {
                let most = b.dims(most, "the number of boxes")?;
                let most = most.first().ok_or_else(|| ImportError::malformed("it is empty"))?;
                match (most.known(), all.known()) {
                    (Some(most), Some(all)) => Dim::Known(most.clamp(0, all)),
                    // Limits like the largest integer mean all of them.
                    (Some(MANY..), None) => all,
                    (Some(most), None) => Dim::Known(most.max(0)),
                    (None, _) => most.clone(),
                }
            }
        };
        let op = Self {
            each,
            max_overlap: number(b, 3, "the overlap", 0.0)?,
            min_score: number(b, 4, "the least score", f32::NEG_INFINITY)?,
            centred: match node.int("center_point_box", 0)? {
                0 => false,
                1 => true,
                other => {
                    let message = format!("there is no format {other}");
                    return Err(ImportError::malformed(message).attribute("center_point_box"));
                }
            },
        };
        let mut inputs = vec![Some(boxes), Some(scores)];
        inputs.extend(used.map(Some));
        let results = b.node(op, &inputs)?;
        b.set_counted(results[0], 0, results[1]);
        one(results[0])
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (boxes, scores) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let fit = match (&*boxes.dims, &*scores.dims) {
            ([n, all, Dim::Known(4)], [samples, _, len]) => n.may_equal(samples) && all.may_equal(len),
            _ => false,
        };
        if !fit || boxes.dtype != DType::F32 || scores.dtype != DType::F32 {
            return Err(ShapeError::new(format!("boxes {boxes} with scores {scores}")));
        }
        let most = scores.dims[0].mul(&scores.dims[1]).mul(&self.each);
        let kept = TensorType::new(DType::I64, [most, Dim::Known(3)]);
        Ok(vec![kept, TensorType::of(DType::I64, &[])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let Self { max_overlap, min_score, centred, .. } = *self;
        // The shape of the result is bounded by this number or by that of the boxes.
        let each = self.each.known().and_then(|each| u32::try_from(each).ok()).unwrap_or(u32::MAX);
        let params = kernel::Params { max_overlap, min_score, centred: centred.into(), each };
        Ok(Lowered::plain(&kernel::F32, &params, io.inputs.len()))
    }
}

/// More boxes of one class than a model keeps.
const MANY: i64 = 1 << 20;
