//! Local response normalization across channels, which are the last axis.

use embarca_kernels::lrn as kernel;

use embarca_kernels::unary;

use super::prelude::*;
use super::{AveragePool2d, Mul, Unary, spatial};

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

/// Caffe's WITHIN_CHANNEL: `x * (1 + alpha * mean)^-beta`, where the mean is that of the squares in
/// a window of the channel, padding counted. The layer's `k` is not used there.
fn within_channel(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    count: u32,
) -> Result<Vec<ValueId>, ImportError> {
    if count.is_multiple_of(2) {
        return Err(ImportError::malformed("has to be odd").attribute("local_size"));
    }
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 0.75)?);
    let (x, axes) = spatial::enter(b, x)?;
    let squares = b.op(Unary::plain(unary::Kind::Square), &[x])?;
    let (size, pad) = (count as usize, (count / 2) as i32);
    let means = b.op(
        AveragePool2d {
            size: [size; 2],
            strides: [1; 2],
            dilations: [1; 2],
            pads: [pad; 4],
            ceil: true,
            count_pad: true,
            half_up: false,
        },
        &[squares],
    )?;
    let factor = b.op(Unary::power(1.0, alpha, -beta), &[means])?;
    let y = b.op(Mul {}, &[x, factor])?;
    one(spatial::leave(b, y, axes)?)
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
            let radius = node.int("radius", 0)?;
            let reach = u32::try_from(radius).map_err(|_| {
                ImportError::malformed(format!("is {radius}")).attribute("radius")
            })?;
            let (alpha, beta) = (node.float("alpha", 0.0)?, node.float("beta", 0.0)?);
            let bias = node.float("bias", 0.0)?;
            return one(b.op(Self { before: reach, after: reach, alpha, beta, bias }, &[x])?);
        }
        let (size, alpha, bias) = match node.format {
            Format::Onnx => ("size", 1e-4, node.float("bias", 1.0)?),
            _ => ("local_size", 1.0, node.float("k", 1.0)?),
        };
        let within = match node.text("norm_region", "ACROSS_CHANNELS")? {
            "ACROSS_CHANNELS" => false,
            "WITHIN_CHANNEL" => true,
            other => {
                let message = format!("{other} is not known");
                return Err(ImportError::unsupported(message).attribute("norm_region"));
            }
        };
        let count = u32::try_from(node.int(size, 5)?).ok().filter(|&count| 0 < count);
        let count = count.ok_or_else(|| ImportError::malformed("is empty").attribute(size))?;
        if node.format == Format::Caffe && count.is_multiple_of(2) {
            return Err(ImportError::malformed("is even; Caffe takes odd sizes").attribute(size));
        }
        if within {
            return within_channel(node, b, x, count);
        }
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

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let Self { before, after, alpha, beta, bias } = *self;
        if s.is_tflite() {
            if before != after {
                return Err(SpellError::none("TFLite counts as many neighbours on both sides"));
            }
            let x = s.input(0)?;
            let attrs = [("bias", bias), ("alpha", alpha), ("beta", beta)];
            let attrs = attrs.map(|(name, value)| float(name, value)).into_iter();
            let attrs = attrs.chain([int("radius", before)]).collect();
            return s.emit("LOCAL_RESPONSE_NORMALIZATION", &[Some(x)], attrs);
        }
        s.channels_first();
        let x = s.input(0)?;
        let size = u64::from(before) + u64::from(after) + 1;
        if before != (after.max(before) + before) / 2 || after < before || before + 1 < after {
            return Err(SpellError::none("ONNX spreads the neighbours evenly"));
        }
        let attrs = [("bias", bias), ("alpha", alpha * size as f32), ("beta", beta)];
        let attrs = attrs.map(|(name, value)| float(name, value)).into_iter();
        s.emit("LRN", &[Some(x)], attrs.chain([int("size", size)]).collect())
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
