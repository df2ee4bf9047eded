//! Spectra of real samples: magnitudes, or their squares.

use std::f64::consts::PI;

use embarca_kernels::spectrum as kernel;

use super::prelude::*;

crate::payload! {
    /// The one-sided spectrum of samples on the last axis, zeros behind them.
    pub struct Spectrum {
        /// The length of the transform, at least that of the axis.
        pub length: usize,
        /// 1 for magnitudes, 2 for their squares.
        pub power: usize,
    }
}

impl OpDef for Spectrum {
    const NAME: &'static str = "spectrum";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let fits = u32::try_from(self.length).is_ok_and(kernel::fits);
        if !fits || !matches!(self.power, 1 | 2) {
            let Self { length, power } = self;
            let message = format!("no spectrum of {length} samples to the power of {power}");
            return Err(ShapeError::new(message));
        }
        let mut dims = x.dims.clone();
        match dims.last_mut() {
            Some(last) if last.known().is_some_and(|len| len <= self.length as i64) => {
                *last = Dim::Known(self.length as i64 / 2 + 1);
            }
            _ => {
                let message = format!("{x} is not of at most {} samples", self.length);
                return Err(ShapeError::new(message));
            }
        }
        Ok(vec![TensorType::new(x.dtype, dims)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let other = io.input(0)?.ty.dtype;
        if other != DType::F32 {
            return Err(LowerError::no_kernel(format!("a spectrum of {other}")));
        }
        let params = kernel::Params { length: self.length as u32, power: self.power as u32 };
        let mut lowered = Lowered::plain(&kernel::F32, &params, 1);
        let mut bytes = Vec::with_capacity(16 * self.length);
        for k in 0..self.length {
            let (sin, cos) = (-2.0 * PI * k as f64 / self.length as f64).sin_cos();
            bytes.extend_from_slice(&cos.to_le_bytes());
            bytes.extend_from_slice(&sin.to_le_bytes());
        }
        let turns = Const::new(DType::F64, vec![self.length, 2], bytes);
        let bug = || LowerError::Bug("a table has another size".to_owned());
        lowered.args.push(Arg::Const(turns.ok_or_else(bug)?));
        Ok(lowered)
    }
}
