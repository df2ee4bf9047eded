//! Long short-term memory of TFLite's integer models: 8- or 16-bit activations, 8-bit weights, a
//! 16-bit cell.

use embarca_kernels::lstm_int as kernel;
use embarca_num::fixed::Requant;

use super::elementwise::factor;
use super::prelude::*;

crate::payload! {
    /// Inputs: x `[T, N, I]`, weights `[4 * H, I]`, recurrent weights `[4 * H, H]`, bias `[4 * H]`, h
    /// `[N, H]`, c `[N, H]`; gates in the order input, output, forget, cell, each with its scale.
    /// Outputs: y `[T, N, H]`, h, c; y holds the integers of h.
    pub struct QuantizedLstm {
        /// Bound of the cell as a real number; 0 when there is none.
        pub cell_clip: f32,
    }
}

/// Scale of what enters the gates' functions.
const GATE: f32 = 1.0 / 4096.0;

/// Scale of what leaves them.
const UNIT: f32 = 1.0 / 32768.0;

impl OpDef for QuantizedLstm {
    const NAME: &'static str = "quantized_lstm";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, r, c) = (inputs.get(0)?.ty, inputs.get(2)?.ty, inputs.get(5)?.ty);
        let ([steps, batch, _], [_, hidden]) = (x.dims.as_slice(), r.dims.as_slice()) else {
            return Err(ShapeError::new("the input has three axes, recurrent weights two"));
        };
        let state = [batch.clone(), hidden.clone()];
        let y = [steps.clone(), batch.clone(), hidden.clone()];
        let quant = inputs.get(4)?.ty.quant.clone();
        Ok(vec![
            TensorType::new(x.dtype, y).with_quant(quant.clone()),
            TensorType::new(x.dtype, state.clone()).with_quant(quant),
            TensorType::new(c.dtype, state).with_quant(c.quant.clone()),
        ])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kernel = match (io.input(0)?.ty.dtype, io.input(5)?.ty.dtype) {
            (DType::I8, DType::I16) => &kernel::I8,
            (DType::I16, DType::I16) => &kernel::I16,
            (x, c) => {
                return Err(LowerError::no_kernel(format!("an LSTM of {x} with a cell of {c}")));
            }
        };
        let ((x, x_zero), (h, h_zero)) = (io.input_quant(0)?, io.input_quant(4)?);
        let (c, c_zero) = io.input_quant(5)?;
        if c_zero != 0 {
            return Err(LowerError::no_kernel("the cell has a zero point"));
        }
        let (cell_multiplier, cell_shift) = cell_steps(c);
        let product = |a: f32, b: f32, y: f32| factor(f64::from(a) * f64::from(b) / f64::from(y));
        let clip = f64::from(self.cell_clip) / f64::from(c);
        let params = kernel::Params {
            x_zero,
            h_zero,
            w_factors: gate_factors(io, 1, x)?,
            r_factors: gate_factors(io, 2, h)?,
            forget: product(UNIT, c, c)?,
            input: product(UNIT, UNIT, c)?,
            output: product(UNIT, UNIT, h)?,
            cell_clip: if 0.0 < self.cell_clip { clip.min(32767.0) as i32 } else { 0 },
            cell_multiplier,
            cell_shift,
        };
        Ok(Lowered::plain(kernel, &params, 6))
    }
}

/// The factors of the products of input `index` with activations of scale `x`, gate by gate
/// (`CreateGateParams` in `micro/kernels/lstm_eval_common.cc`: the product of scales is an f32).
fn gate_factors(io: &Io<'_>, index: usize, x: f32) -> Result<[Requant; 4], LowerError> {
    let quant = io.input(index)?.ty.quant.as_ref();
    let quant = quant.ok_or_else(|| LowerError::no_kernel("the weights have no scale"))?;
    if quant.zero_points.iter().any(|&zero| zero != 0) {
        return Err(LowerError::no_kernel("the weights have a zero point"));
    }
    let hidden = quant.scales.len() / 4;
    let mut factors = [Requant::default(); 4];
    for (gate, factor_of_gate) in factors.iter_mut().enumerate() {
        let scales = &quant.scales[gate * hidden..(gate + 1) * hidden];
        let Some(&scale) = scales.first().filter(|first| scales.iter().all(|s| s == *first)) else {
            return Err(LowerError::no_kernel("a gate's weights have several scales"));
        };
        *factor_of_gate = factor(f64::from(x * scale) / f64::from(GATE))?;
    }
    Ok(factors)
}

/// Multiplier and shift that bring a cell of this scale to [`GATE`] times 3 (`Tanh` in
/// `micro/kernels/lstm_eval.cc`, which rounds the scale's logarithm).
fn cell_steps(scale: f32) -> (i32, u32) {
    let log = (embarca_num::float::ln(scale) * (1.0 / core::f32::consts::LN_2)).round() as i32;
    let left = 12i32.saturating_add(log);
    if left < 0 { (3, left.unsigned_abs().min(31)) } else { (3i32.wrapping_shl(left as u32), 0) }
}
