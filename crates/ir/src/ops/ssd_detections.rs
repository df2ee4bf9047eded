//! The detections of an SSD: TFLite's custom operator TFLite_Detection_PostProcess.

use embarca_kernels::ssd_detections as kernel;

use super::prelude::*;
use super::{Requantize, moves};

crate::payload! {
    /// Inputs: offsets of boxes, scores, anchors. Outputs: boxes (top, left, bottom, right),
    /// classes, scores, the number of detections; rows behind the last detection are zero.
    pub struct SsdDetections {
        /// The most boxes that are reported.
        pub max_detections: usize,
        /// Rows reported for each box, best class first; not with `regular`.
        pub max_classes: usize,
        /// With `regular`: the most boxes of one class.
        pub per_class: usize,
        /// Whether overlaps are looked for in each class apart.
        pub regular: bool,
        /// Classes, the background not counted.
        pub classes: usize,
        /// The least score of a detection.
        pub min_score: f32,
        /// Of two boxes that share more than this part of their union the better one stays.
        pub max_overlap: f32,
        /// What offsets are divided by: y, x, height, width.
        pub scales: [f32; 4],
    }
}

impl OpDef for SsdDetections {
    const NAME: &'static str = "ssd_detections";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::tflite("TFLite_Detection_PostProcess").domain("custom")];
    const U8_AS_I8: Option<&'static str> =
        Some("reads real numbers, which an offset of values and zero points leaves as they are");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let missing = |name: &str| ImportError::malformed("is missing").attribute(name);
        let count = |name: &str, default: Option<i64>| {
            let value = node.opt_int(name)?.or(default).ok_or_else(|| missing(name))?;
            let small = u32::try_from(value).ok().map(|value| value as usize);
            let wrong = || ImportError::malformed(format!("{value} is out of range"));
            small.ok_or_else(|| wrong().attribute(name))
        };
        let real = |name: &str| match node.has(name) {
            true => node.float(name, 0.0),
            false => Err(missing(name)),
        };
        // Interpreters read it to name types of outputs, which are all real here.
        node.ignore(&["_output_quantized", "_output_types", "_support_output_type_float_in_quantized_op"]);
        let op = Self {
            max_detections: count("max_detections", None)?,
            max_classes: count("max_classes_per_detection", None)?,
            per_class: count("detections_per_class", Some(100))?,
            regular: node.flag("use_regular_nms", false)?,
            classes: count("num_classes", None)?,
            min_score: real("nms_score_threshold")?,
            max_overlap: real("nms_iou_threshold")?,
            scales: [real("y_scale")?, real("x_scale")?, real("h_scale")?, real("w_scale")?],
        };
        let mut inputs = Vec::with_capacity(3);
        for index in 0..3 {
            let mut x = node.input(index)?;
            if b.ty(x).is_quantized() {
                let rule = "tflite".to_owned();
                x = b.op(Requantize { to: DType::F32, rule }, &[x])?;
            }
            inputs.push(Some(x));
        }
        Ok(b.node(op, &inputs)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let shapes = [inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty];
        let ranks = shapes.map(TensorType::rank);
        if ranks != [3, 3, 2] || shapes.iter().any(|ty| ty.dtype != DType::F32) {
            let [offsets, scores, anchors] = shapes;
            let message = format!("boxes of {offsets}, scores {scores}, anchors {anchors}");
            return Err(ShapeError::new(message));
        }
        let rows = self.max_detections.checked_mul(self.max_classes);
        let rows = rows.ok_or_else(|| ShapeError::new("too many detections"))?;
        let of = |dims: &[usize]| TensorType::of(DType::F32, dims);
        Ok(vec![of(&[1, rows, 4]), of(&[1, rows]), of(&[1, rows]), of(&[1])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let params = kernel::Params {
            max_detections: moves::narrow(self.max_detections)?,
            max_classes: moves::narrow(self.max_classes)?,
            per_class: moves::narrow(self.per_class)?,
            regular: self.regular.into(),
            classes: moves::narrow(self.classes)?,
            min_score: self.min_score,
            max_overlap: self.max_overlap,
            scales: self.scales,
        };
        Ok(Lowered::plain(&kernel::F32, &params, 3))
    }
}
