//! Rows brought to mean 0 and variance 1 along the last axis.

use embarca_kernels::standardize as kernel;

use super::prelude::*;

crate::payload! {
    /// `(x - mean) / sqrt(variance + epsilon)` along the last axis.
    pub struct Standardize {
        /// Added to the variance.
        pub epsilon: f32,
    }
}

impl OpDef for Standardize {
    const NAME: &'static str = "standardize";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.rank() == 0 {
            return Err(ShapeError::new("a number has no last axis"));
        }
        same_as_input(inputs)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let ty = s.type_of(x).clone();
        let last = ty.rank().saturating_sub(1);
        let mut narrow = ty.clone();
        narrow.dims[last] = Dim::Known(1);
        let epsilon = s.number(self.epsilon);
        let axes = s.list(&[last as i64])?;
        let tflite = s.is_tflite();
        let keep = || vec![flag(if tflite { "keep_dims" } else { "keepdims" }, true)];
        let [mean, sub, mul, add] = if tflite {
            ["MEAN", "SUB", "MUL", "ADD"]
        } else {
            ["ReduceMean", "Sub", "Mul", "Add"]
        };
        let middle = s.step(mean, &[x, axes], keep(), narrow.clone());
        let centred = s.step(sub, &[x, middle], Vec::new(), ty.clone());
        let squares = s.step(mul, &[centred; 2], Vec::new(), ty);
        let variance = s.step(mean, &[squares, axes], keep(), narrow.clone());
        let variance = s.step(add, &[variance, epsilon], Vec::new(), narrow.clone());
        if tflite {
            let scale = s.step("RSQRT", &[variance], Vec::new(), narrow);
            return s.emit("MUL", &[Some(centred), Some(scale)], vec![no_activation()]);
        }
        let deviation = s.step("Sqrt", &[variance], Vec::new(), narrow);
        s.emit("Div", &[Some(centred), Some(deviation)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        match io.input(0)?.ty.dtype {
            DType::F32 => Ok(Lowered::plain(&kernel::F32, &self.epsilon, 1)),
            other => Err(LowerError::no_kernel(format!("standardization of {other}"))),
        }
    }
}
