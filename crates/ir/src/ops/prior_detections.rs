//! Caffe's DetectionOutput layer: the detections of an SSD.

use embarca_kernels::prior_detections as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Inputs: offsets, confidences, priors with variances. Outputs: rows of sample, class, score,
    /// left, top, right, bottom, those behind the last detection -1; the number of detections.
    pub struct PriorDetections {
        /// Classes, the background counted.
        pub classes: usize,
        /// The class that is not reported; none when it is no class.
        pub background: u32,
        /// Whether all classes share the offsets.
        pub shared: bool,
        /// What offsets mean: `corner`, `center_size` or `corner_size`.
        pub code: String,
        /// Whether the offsets are already multiplied by the variances.
        pub scaled: bool,
        /// Boxes of each class that are looked at; none for all.
        pub top_k: Option<usize>,
        /// Detections of each sample that are kept; none for all.
        pub keep: Option<usize>,
        /// Scores have to exceed it.
        pub min_score: f32,
        /// Of two boxes that share more than this part of their union the better one stays.
        pub max_overlap: f32,
        /// While `max_overlap` exceeds 0.5, each box that stays multiplies it by this.
        pub eta: f32,
    }
}

const CODES: [(&str, &str, u32); 3] = [
    ("CORNER", "corner", kernel::CORNER),
    ("CENTER_SIZE", "center_size", kernel::CENTER_SIZE),
    ("CORNER_SIZE", "corner_size", kernel::CORNER_SIZE),
];

impl PriorDetections {
    /// The most rows of one sample among `boxes` boxes.
    fn rows(&self, boxes: usize) -> usize {
        let each = self.top_k.map_or(boxes, |top| top.min(boxes));
        let all = each.saturating_mul(self.classes);
        // Where nothing is found, one row says so.
        self.keep.map_or(all, |keep| keep.min(all)).max(1)
    }

    fn boxes(inputs: Operands<'_, '_>) -> Result<usize, ShapeError> {
        let priors = inputs.get(2)?.ty;
        match *priors.dims {
            [Dim::Known(1), Dim::Known(2), ref edges] => {
                let edges = edges.known().and_then(|edges| usize::try_from(edges).ok());
                let open = || ShapeError::new("the number of priors is open");
                edges.map(|edges| edges / 4).ok_or_else(open)
            }
            _ => Err(ShapeError::new(format!("priors of {priors}"))),
        }
    }
}

/// -1 stands for no limit.
fn limit(node: &NodeView<'_>, name: &str) -> Result<Option<usize>, ImportError> {
    Ok(usize::try_from(node.int(name, -1)?).ok().filter(|&limit| limit < u32::MAX as usize))
}

impl OpDef for PriorDetections {
    const NAME: &'static str = "prior_detections";
    const SPELLINGS: &'static [Spelling] = &[Spelling::caffe("DetectionOutput")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let code = node.text("code_type", "CORNER")?;
        let code = CODES.iter().find(|(name, ..)| *name == code);
        let unknown = || ImportError::unsupported("is not known").attribute("code_type");
        let classes = node.int("num_classes", 0)?;
        let few = || ImportError::malformed("is not positive").attribute("num_classes");
        let op = Self {
            classes: usize::try_from(classes).ok().filter(|&n| 0 < n).ok_or_else(few)?,
            background: u32::try_from(node.int("background_label_id", 0)?).unwrap_or(u32::MAX),
            shared: node.flag("share_location", true)?,
            code: code.ok_or_else(unknown)?.1.to_owned(),
            scaled: node.flag("variance_encoded_in_target", false)?,
            top_k: limit(node, "top_k")?,
            keep: limit(node, "keep_top_k")?,
            min_score: node.float("confidence_threshold", -f32::MAX)?,
            max_overlap: node.float("nms_threshold", 0.3)?,
            eta: node.float("eta", 1.0)?,
        };
        if !(0.0 < op.eta && op.eta <= 1.0) {
            return Err(ImportError::malformed("is not in (0, 1]").attribute("eta"));
        }
        let inputs = [Some(node.input(0)?), Some(node.input(1)?), Some(node.input(2)?)];
        let outputs = b.node(op, &inputs)?;
        Ok(outputs[..1].to_vec())
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let boxes = Self::boxes(inputs)?;
        let (offsets, scores) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let sets = if self.shared { 1 } else { self.classes };
        let fits = |ty: &TensorType, each: usize| {
            let wanted = boxes.checked_mul(each).map(|len| Dim::Known(len as i64));
            1 < ty.rank()
                && wanted.is_some_and(|wanted| wanted.may_equal(&dim::product(&ty.dims[1..])))
        };
        if !fits(offsets, sets.saturating_mul(4)) || !fits(scores, self.classes) {
            let message = format!("offsets {offsets} and scores {scores} for {boxes} boxes");
            return Err(ShapeError::new(message));
        }
        let rows = offsets.dims[0].mul(&Dim::Known(self.rows(boxes) as i64));
        let dims = [Dim::Known(1), Dim::Known(1), rows, Dim::Known(7)];
        Ok(vec![TensorType::new(DType::F32, dims), TensorType::of(DType::I32, &[1])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let bug = |error: ShapeError| LowerError::Bug(error.0);
        let boxes = Self::boxes(io.inputs).map_err(bug)?;
        let code = CODES.iter().find(|(_, name, _)| *name == self.code);
        let unknown = || LowerError::Bug(format!("code {}", self.code));
        let params = kernel::Params {
            classes: moves::narrow(self.classes)?,
            background: self.background,
            shared: self.shared.into(),
            code: code.ok_or_else(unknown)?.2,
            scaled: self.scaled.into(),
            top_k: moves::narrow(self.top_k.unwrap_or(boxes))?,
            keep: moves::narrow(self.rows(boxes))?,
            min_score: self.min_score,
            max_overlap: self.max_overlap,
            eta: self.eta,
        };
        Ok(Lowered::plain(&kernel::F32, &params, 3))
    }
}
