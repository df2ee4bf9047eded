//! Leaky ReLU: `x` when it is not negative, `alpha * x` when it is.

use embarca_kernels::{prelu, sixteen, unary};

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// A line with a bend at zero.
    pub struct LeakyRelu {
        /// The slope below zero.
        pub alpha: f32,
    }
}

impl OpDef for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("LeakyRelu", 6),
        Spelling::tflite("LEAKY_RELU"),
        Spelling::caffe("ReLU"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, so an offset cancels");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let (key, default) = match node.format {
            Format::Onnx => ("alpha", 0.01),
            Format::TfLite => ("alpha", 0.0),
            Format::Caffe => ("negative_slope", 0.0),
        };
        let alpha = node.float(key, default)?;
        if node.format == Format::Caffe && alpha == 0.0 {
            return one(b.clip(x, 0.0, f32::INFINITY)?);
        }
        one(b.op(Self { alpha }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let name = s.named("LeakyRelu", "LEAKY_RELU")?;
        s.emit(name, &[Some(x)], vec![float("alpha", self.alpha)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if !elementwise::is_quantized(io)? {
            let kind = unary::Kind::LeakyRelu as u32;
            return match io.input(0)?.ty.dtype {
                DType::F32 => {
                    let params = unary::ParamsF32 { kind, a: self.alpha, b: 0.0, c: 0.0 };
                    Ok(Lowered::plain(&unary::F32, &params, 1))
                }
                other => Err(LowerError::no_kernel(format!("leaky ReLU of {other}"))),
            };
        }
        let ((x, in_zero), (y, out_zero)) = (io.input_quant(0)?, io.output_quant(0)?);
        // TFLite forms both factors in single precision; doing better breaks parity.
        let keep = elementwise::factor((x / y).into())?;
        let leak = elementwise::factor((x * self.alpha / y).abs().into())?;
        let negative = self.alpha < 0.0;
        if elementwise::is_wide(io)? {
            let params = sixteen::ParamsScale {
                in_zero,
                out_zero,
                keep,
                leak,
                negate: negative.into(),
                act_min: -32768,
                act_max: 32767,
            };
            return Ok(Lowered::plain(&sixteen::SCALE, &params, 1));
        }
        let sign = if negative { -1 } else { 1 };
        let params = prelu::LeakyI8 { in_zero, out_zero, sign, keep, leak };
        Ok(Lowered::plain(&prelu::LEAKY_I8, &params, 1))
    }
}
