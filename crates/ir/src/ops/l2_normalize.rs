//! Rows brought to length 1 along the last axis.

use embarca_kernels::{l2_normalize as kernel, reduce};

use super::draft::Draft;
use super::prelude::*;

crate::payload! {
    /// `x / max(length, epsilon)` along the last axis.
    pub struct L2Normalize {
        /// The smallest length that counts.
        pub epsilon: f32,
    }
}

impl OpDef for L2Normalize {
    const NAME: &'static str = "l2_normalize";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("LpNormalization", 1), Spelling::tflite("L2_NORMALIZATION")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        if node.format == Format::TfLite {
            let y = b.op(Self { epsilon: 1e-6 }, &[x])?;
            return tflite_activation(node, b, y);
        }
        let p = node.int("p", 2)?;
        let rank = b.rank(x);
        let axis = axis(node.int("axis", -1)?, rank)?;
        if p == 1 {
            let mut d = Draft::new(b);
            let sum = d.reduce(reduce::Kind::L1, x, [axis], true)?;
            // Zeros stay zeros.
            let least = d.number(x, f64::from(f32::MIN_POSITIVE))?;
            let sum = d.b.op(super::Maximum {}, &[sum, least])?;
            return one(d.div(x, sum)?);
        }
        if p != 2 {
            return Err(ImportError::unsupported("only 1 and 2 are supported").attribute("p"));
        }
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(axis, rank - 1);
        let x = b.transpose(x, &perm)?;
        // Zeros stay zeros.
        let y = b.op(Self { epsilon: f32::MIN_POSITIVE }, &[x])?;
        one(b.transpose(y, &perm)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.rank() == 0 {
            return Err(ShapeError::new("a number has no last axis"));
        }
        same_as_input(inputs)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        if s.is_tflite() && (self.epsilon == 1e-6 || s.is_quantized(0)) {
            return s.emit("L2_NORMALIZATION", &[Some(x)], vec![no_activation()]);
        }
        let last = s.type_of(x).rank().saturating_sub(1);
        let ty = s.type_of(x).clone();
        let mut narrow = ty.clone();
        narrow.dims[last] = Dim::Known(1);
        let axes = s.list(&[last as i64])?;
        let length = if s.is_tflite() {
            let squares = s.step("MUL", &[x, x], vec![no_activation()], ty);
            let keep = vec![flag("keep_dims", true)];
            let sum = s.step("SUM", &[squares, axes], keep, narrow.clone());
            s.step("SQRT", &[sum], Vec::new(), narrow.clone())
        } else {
            s.step("ReduceL2", &[x, axes], vec![flag("keepdims", true)], narrow.clone())
        };
        let least = s.number(self.epsilon);
        let [larger, divide] = if s.is_tflite() { ["MAXIMUM", "DIV"] } else { ["Max", "Div"] };
        let length = s.step(larger, &[length, least], Vec::new(), narrow);
        s.emit(divide, &[Some(x), Some(length)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        match io.input(0)?.ty.dtype {
            DType::F32 => Ok(Lowered::plain(&kernel::F32, &self.epsilon, 1)),
            DType::I8 => {
                let (_, zero) = io.input_quant(0)?;
                if io.output_quant(0)? != (1.0 / 128.0, 0) {
                    let message = "an i8 normalization yields scale 1/128 and zero point 0";
                    return Err(LowerError::no_kernel(message));
                }
                Ok(Lowered::plain(&kernel::I8, &zero, 1))
            }
            other => Err(LowerError::no_kernel(format!("normalization of {other}"))),
        }
    }
}
