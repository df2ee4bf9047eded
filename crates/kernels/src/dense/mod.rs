//! Fully connected layer: every row of x times a constant matrix, with an optional bias and a
//! fused clamp.
//!
//! `y[row, o] = clamp(bias[o] + sum over i of w[o, i] * x[row, i])`. Inputs: x `[rows.., I]`, w
//! `[O, I]`, bias `[O]` (optional); the other types add an input each. Output `[rows.., O]`, split
//! into its elements.

pub mod f32;
pub mod fast;
pub mod fast_i8;
pub mod hybrid;
pub mod i16;
pub mod i8;
pub mod onnx;

pub use self::f32::F32;
pub use hybrid::{HYBRID, ParamsHybrid};
pub use i8::I8;
pub use i16::I16;
pub use onnx::ONNX;

use crate::{Fault, Kernel, Signature, Ty};

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, HYBRID, ONNX, I16];

/// The sizes of one layer, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of x and y.
    pub rows: usize,
    /// Columns of x.
    pub inputs: usize,
    /// Columns of y.
    pub outputs: usize,
}

impl Shape {
    /// From the dimensions of x, w and y.
    pub fn new(x: Ty, w: Ty, y: Ty) -> Result<Self, Fault> {
        let (Some((inputs, x_rows)), &[o, i]) = (x.dims.split_last(), w.dims) else {
            return Err(Fault::Shape);
        };
        let Some((outputs, y_rows)) = y.dims.split_last() else { return Err(Fault::Shape) };
        if x_rows != y_rows || *inputs != i || *outputs != o {
            return Err(Fault::Shape);
        }
        x.len()?;
        w.len()?;
        y.len()?;
        let rows = crate::element_count(x_rows)?;
        Ok(Self { rows, inputs: i as usize, outputs: o as usize })
    }

    /// From the first two inputs and the output of a step.
    pub fn of(sig: &Signature) -> Result<Self, Fault> {
        Self::new(sig.input(0)?, sig.input(1)?, sig.output(0)?)
    }

    /// Elements of the output.
    pub fn units(&self) -> usize {
        self.rows * self.outputs
    }

    /// Row of x, column of y and row of w of output element `unit`.
    pub fn operands<'a, X, W>(
        &self,
        unit: usize,
        x: &'a [X],
        w: &'a [W],
    ) -> (&'a [X], usize, &'a [W]) {
        let (row, o) = (unit / self.outputs, unit % self.outputs);
        (&x[row * self.inputs..][..self.inputs], o, &w[o * self.inputs..][..self.inputs])
    }
}
