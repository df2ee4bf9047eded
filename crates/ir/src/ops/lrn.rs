//! Local response normalization across channels, which are the last axis.

use embarca_kernels::lrn as kernel;

use super::prelude::*;

crate::payload! {
    /// `x / (bias + alpha * sum of squares of the neighbours)^beta`.
    pub struct Lrn {
        /// Neighbours before each channel.
        pub before: u32,
        /// Neighbours behind each channel.
        pub after: u32,
        /// Factor of the sum.
        pub alpha: f32,
        /// Exponent.
        pub beta: f32,
        /// Added to the scaled sum.
        pub bias: f32,
    }
}

impl OpDef for Lrn {
    const NAME: &'static str = "lrn";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("LRN", 1),
        Spelling::tflite("LOCAL_RESPONSE_NORMALIZATION"),
        Spelling::caffe("LRN"),
    ];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        if node.format == Format::TfLite {
            let reach = u32::try_from(node.int("radius", 0)?).unwrap_or(0);
            let (alpha, beta) = (node.float("alpha", 0.0)?, node.float("beta", 0.0)?);
            let bias = node.float("bias", 0.0)?;
            return one(b.op(Self { before: reach, after: reach, alpha, beta, bias }, &[x])?);
        }
        let (size, alpha, bias) = match node.format {
            Format::Onnx => ("size", 1e-4, node.float("bias", 1.0)?),
            _ => ("local_size", 1.0, node.float("k", 1.0)?),
        };
        if node.text("norm_region", "ACROSS_CHANNELS")? != "ACROSS_CHANNELS" {
            let message = "only ACROSS_CHANNELS is supported";
            return Err(ImportError::unsupported(message).attribute("norm_region"));
        }
        let count = u32::try_from(node.int(size, 5)?).ok().filter(|&count| 0 < count);
        let count = count.ok_or_else(|| ImportError::malformed("is empty").attribute(size))?;
        let op = Self {
            before: (count - 1) / 2,
            after: count / 2,
            alpha: node.float("alpha", alpha)? / count as f32,
            beta: node.float("beta", 0.75)?,
            bias,
        };
        let x = b.channels_last(x)?;
        let y = b.op(op, &[x])?;
        one(b.channels_first(y)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.rank() == 0 {
            return Err(ShapeError::new("a number has no channels"));
        }
        same_as_input(inputs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        match io.input(0)?.ty.dtype {
            DType::F32 => {
                let Self { before, after, alpha, beta, bias } = *self;
                let params = kernel::Params { reach: [before, after], alpha, beta, bias };
                Ok(Lowered::plain(&kernel::F32, &params, 1))
            }
            other => Err(LowerError::no_kernel(format!("local response normalization of {other}"))),
        }
    }
}
