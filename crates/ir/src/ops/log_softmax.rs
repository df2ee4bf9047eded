//! Logarithm of softmax along one axis: `x - max - ln(sum(exp(x - max)))`.

use embarca_kernels::softmax as kernel;

use super::prelude::*;

crate::payload! {
    /// Logarithm of softmax along one axis.
    pub struct LogSoftmax {
        /// Counted from the front.
        pub axis: usize,
    }
}

impl OpDef for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("LogSoftmax", 1), Spelling::tflite("LOG_SOFTMAX")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        let old = node.format == Format::Onnx && node.version < 13;
        let at = axis(node.int("axis", if old { 1 } else { -1 })?, rank)?;
        if old && at + 1 < rank {
            // Before opset 13 all axes from `axis` on are one.
            let dims = b.ty(x).dims.clone();
            let (rows, columns) = (dim::product(&dims[..at]), dim::product(&dims[at..]));
            let flat = b.reshape(x, vec![rows, columns])?;
            let flat = b.op(LogSoftmax { axis: 1 }, &[flat])?;
            return one(b.reshape(flat, dims)?);
        }
        one(b.op(LogSoftmax { axis: at }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        axis(self.axis as i64, inputs.get(0)?.ty.rank())?;
        same_as_input(inputs)
    }

    /// Along another axis than the last: transposed there and back.
    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let [Some(x)] = *inputs else { return None };
        let last = b.rank(x).checked_sub(1)?;
        if self.axis == last {
            return None;
        }
        let mut perm: Vec<usize> = (0..=last).collect();
        perm.swap(self.axis, last);
        Some(b.transpose(x, &perm).and_then(|x| {
            let y = b.op(LogSoftmax { axis: last }, &[x])?;
            Ok(vec![b.transpose(y, &perm)?])
        }))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        if !s.is_tflite() {
            return s.emit("LogSoftmax", &[Some(x)], vec![int("axis", self.axis)]);
        }
        let last = s.type_of(x).rank().saturating_sub(1);
        s.along_last(self.axis, last, x, ("LOG_SOFTMAX", Vec::new()))
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        if x.rank() != self.axis + 1 {
            return Err(LowerError::no_kernel("the logarithm of softmax runs along the last axis"));
        }
        match x.dtype {
            DType::F32 => Ok(Lowered::plain(&kernel::LOG_F32, &NO_PARAMS, 1)),
            DType::I8 => {
                let (scale, _) = io.input_quant(0)?;
                if io.output_quant(0)? != (1.0 / 16.0, 127) {
                    let message = "an i8 log_softmax yields scale 1/16 and zero point 127";
                    return Err(LowerError::no_kernel(message));
                }
                let refused = || LowerError::no_kernel(format!("log_softmax of scale {scale}"));
                let (multiplier, left_shift, diff_min) =
                    embarca_num::build::softmax_scale(1.0, scale).ok_or_else(refused)?;
                let back = embarca_num::build::softmax_unscale(multiplier, left_shift);
                let scale = kernel::ParamsI8 { multiplier, left_shift, diff_min };
                let params = kernel::ParamsLogI8 { scale, back: back.ok_or_else(refused)? };
                Ok(Lowered::plain(&kernel::LOG_I8, &params, 1))
            }
            other => Err(LowerError::no_kernel(format!("log_softmax of {other}"))),
        }
    }
}
