//! Softmax along one axis: `exp(beta * x) / sum(exp(beta * x))`.

use embarca_kernels::{reduce, sixteen, softmax as kernel, unary};

use super::draft::Draft;
use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// Softmax along one axis.
    pub struct Softmax {
        /// Counted from the front.
        pub axis: usize,
        /// Factor before the exponential.
        pub beta: f32,
    }
}

impl OpDef for Softmax {
    const NAME: &'static str = "softmax";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Softmax", 1), Spelling::tflite("SOFTMAX"), Spelling::caffe("Softmax")];
    const U8_AS_I8: Option<&'static str> =
        Some("depends on differences to the maximum only, so an offset cancels");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        let (default, beta) = match node.format {
            Format::Onnx => (if node.version < 13 { 1 } else { -1 }, 1.0),
            Format::TfLite => (-1, node.float("beta", 1.0)?),
            Format::Caffe => (1, 1.0),
        };
        if node.format == Format::Caffe {
            node.ignore(&["engine"]);
        }
        let at = axis(node.int("axis", default)?, rank)?;
        if node.format == Format::Onnx && node.version < 13 && at + 1 < rank {
            // Before opset 13 all axes from `axis` on are one.
            let dims = b.ty(x).dims.clone();
            let (rows, columns) = (dim::product(&dims[..at]), dim::product(&dims[at..]));
            let flat = b.reshape(x, vec![rows, columns])?;
            let flat = b.op(Softmax { axis: 1, beta }, &[flat])?;
            return one(b.reshape(flat, dims)?);
        }
        one(b.op(Softmax { axis: at, beta }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        axis(self.axis as i64, inputs.get(0)?.ty.rank())?;
        same_as_input(inputs)
    }

    /// Along another axis than the last: transposed there and back. An f32 factor: multiplied first.
    /// Of f64: step by step.
    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let [Some(x)] = *inputs else { return None };
        let last = b.rank(x).checked_sub(1)?;
        if self.axis == last && b.ty(x).dtype == DType::F64 {
            return Some(wide(b, x, last, self.beta).map(|y| vec![y]));
        }
        if self.axis == last {
            if self.beta == 1.0 || b.ty(x).dtype != DType::F32 {
                return None;
            }
            let beta = b.scalar(self.beta);
            let scaled = b.op(super::Mul {}, &[x, beta]);
            return Some(
                scaled.and_then(|x| Ok(vec![b.op(Softmax { axis: last, beta: 1.0 }, &[x])?])),
            );
        }
        let mut perm: Vec<usize> = (0..=last).collect();
        perm.swap(self.axis, last);
        let beta = self.beta;
        Some(b.transpose(x, &perm).and_then(|x| {
            let y = b.op(Softmax { axis: last, beta }, &[x])?;
            Ok(vec![b.transpose(y, &perm)?])
        }))
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let axis = *perm.get(self.axis)?;
        Some((Softmax { axis, beta: self.beta }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let mut x = s.input(0)?;
        if s.is_tflite() {
            let last = s.type_of(x).rank().saturating_sub(1);
            let beta = vec![float("beta", self.beta)];
            return s.along_last(self.axis, last, x, ("SOFTMAX", beta));
        }
        if self.beta != 1.0 {
            let (beta, ty) = (s.number(self.beta), s.type_of(x).clone());
            x = s.step("Mul", &[x, beta], Vec::new(), ty);
        }
        s.emit("Softmax", &[Some(x)], vec![int("axis", self.axis)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        if x.rank() != self.axis + 1 {
            return Err(LowerError::no_kernel("softmax runs along the last axis"));
        }
        match x.dtype {
            DType::F32 if self.beta == 1.0 => Ok(Lowered::plain(&kernel::F32, &NO_PARAMS, 1)),
            DType::I8 => {
                let (scale, _) = io.input_quant(0)?;
                if io.output_quant(0)? != (1.0 / 256.0, -128) {
                    let message = "an i8 softmax yields scale 1/256 and zero point -128";
                    return Err(LowerError::no_kernel(message));
                }
                let scaled = embarca_num::build::softmax_scale(self.beta, scale);
                let (multiplier, left_shift, diff_min) = scaled.ok_or_else(|| {
                    LowerError::no_kernel(format!("softmax of scale {scale} times {}", self.beta))
                })?;
                let params = kernel::ParamsI8 { multiplier, left_shift, diff_min };
                Ok(Lowered::plain(&kernel::I8, &params, 1))
            }
            DType::I16 => lower_wide(io, self.beta),
            other => Err(LowerError::no_kernel(format!("softmax of {other}"))),
        }
    }
}

/// Of f64, which has no kernel of its own.
fn wide(b: &mut Builder<'_>, x: ValueId, last: usize, beta: f32) -> Result<ValueId, ShapeError> {
    let mut d = Draft::new(b);
    let x = if beta == 1.0 { x } else { d.scaled(x, beta.into())? };
    let most = d.reduce(reduce::Kind::Max, x, [last], true)?;
    let below = d.sub(x, most)?;
    let powers = d.unary(unary::Kind::Exp, below)?;
    let sum = d.reduce(reduce::Kind::Sum, powers, [last], true)?;
    d.div(powers, sum)
}

/// Of 16 bits, as TFLM prepares it (`micro/kernels/softmax_common.cc`).
fn lower_wide(io: &Io<'_>, beta: f32) -> Result<Lowered, LowerError> {
    let (scale, _) = io.input_quant(0)?;
    elementwise::check_centred(io)?;
    if 0.001 < (io.output_quant(0)?.0 * 32768.0 - 1.0).abs() {
        let message = "an i16 softmax yields scale 1/32768 and zero point 0";
        return Err(LowerError::no_kernel(message));
    }
    let factor = elementwise::factor(f64::from(scale) * f64::from(beta) / (10.0 / 65535.0))?;
    let y = (2.0 / 65535.0, 0);
    let exp = elementwise::points((10.0 / 65535.0, 32767), y, |x| {
        Ok(embarca_num::float::exp(x))
    })?;
    let inverse = elementwise::points((1.0 / 65535.0, -32768), y, |x| Ok(1.0 / (1.0 + x)))?;
    let args = vec![Arg::Input(0), exp, inverse];
    Ok(Lowered::new(&sixteen::SOFTMAX, &sixteen::ParamsSoftmax { factor }, args))
}
