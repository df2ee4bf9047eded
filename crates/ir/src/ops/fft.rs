//! Fft: the discrete Fourier transform of complex numbers.

use std::f64::consts::TAU;

use embarca_kernels::fft as kernel;

use super::prelude::*;

crate::payload! {
    /// Of `[.., n, 2]`, real and imaginary parts, along the axis before the last.
    pub struct Fft {
        /// Whether it is the inverse, divided by the length.
        pub inverse: bool,
    }
}

impl Fft {
    /// Whether a transform of this length is computed in steps.
    pub fn takes(length: usize) -> bool {
        if length == 0 || (kernel::MAX_LENGTH as usize) < length {
            return false;
        }
        let (mut rest, mut factor) = (length, 2);
        while factor * factor <= rest {
            if rest.is_multiple_of(factor) {
                rest /= factor;
            } else {
                factor += 1;
            }
        }
        rest <= kernel::MAX_FACTOR
    }
}

impl OpDef for Fft {
    const NAME: &'static str = "fft";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        match &*x.dims {
            [.., n, Dim::Known(2)] if n.known().is_none_or(|n| 0 < n) => same_as_input(inputs),
            _ => Err(ShapeError::new(format!("{x} is no row of complex numbers"))),
        }
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        let length = x.rank().checked_sub(2).and_then(|at| x.dims[at].known());
        let length = length.and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|&length| Self::takes(length)) else {
            return Err(LowerError::no_kernel(format!("a transform of {x}")));
        };
        if x.dtype != DType::F32 {
            return Err(LowerError::no_kernel(format!("a transform of {x}")));
        }
        let turn = |i: usize| TAU * i as f64 / length as f64;
        let roots: Vec<f32> =
            (0..length).flat_map(|i| [turn(i).cos() as f32, turn(i).sin() as f32]).collect();
        let roots = Arg::Const(Const::from_f32(&[length, 2], &roots));
        let params = kernel::Params { inverse: self.inverse.into() };
        Ok(Lowered::new(&kernel::F32, &params, vec![Arg::Input(0), roots]))
    }
}
