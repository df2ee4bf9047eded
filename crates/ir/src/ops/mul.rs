//! Multiplication: `a * b`, broadcast as in NumPy.

use embarca_kernels::binary::{self, Kind};
use embarca_kernels::sixteen;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The product of two tensors.
    pub struct Mul {}
}

impl OpDef for Mul {
    const NAME: &'static str = "mul";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Mul", 7), Spelling::tflite("MUL")];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, so an offset cancels");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_binary(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        elementwise::known_binary(inputs, |a, b| Some(a.mul(b)))
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        elementwise::spell_binary(s, "Mul", "MUL", true)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if !elementwise::is_quantized(io)? {
            return elementwise::lower_plain(Kind::Mul, io);
        }
        let [(a, a_zero), (b, b_zero)] = [io.input_quant(0)?, io.input_quant(1)?];
        let (y, out_zero) = io.output_quant(0)?;
        let real = f64::from(a) * f64::from(b) / f64::from(y);
        if elementwise::is_wide(io)? {
            elementwise::check_centred(io)?;
            let factor = elementwise::factor(real)?;
            let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, 0), (-32768, 32767));
            let params = sixteen::ParamsMul { factor, act_min, act_max };
            return Ok(Lowered::plain(&sixteen::MUL, &params, 2));
        }
        let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, out_zero), (-128, 127));
        let factor = embarca_num::build::requant_wrapping(real);
        let too_large = || {
            LowerError::no_kernel(format!("the rescaling factor {real} is out of range"))
        };
        let params = binary::ParamsMulI8 {
            in_zero: [a_zero, b_zero],
            factor: factor.ok_or_else(too_large)?,
            out_zero,
            act_min,
            act_max,
        };
        Ok(Lowered::plain(&binary::MUL_I8, &params, 2))
    }
}
