//! Division: `a / b`, broadcast as in NumPy; of integers toward zero.

use embarca_kernels::binary::{self, Kind};

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The quotient of two tensors.
    pub struct Div {}
}

impl OpDef for Div {
    const NAME: &'static str = "div";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Div", 7), Spelling::tflite("DIV")];
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        elementwise::import_binary(&Self {}, node, b)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    /// Dimensions are not negative, so rounding down is rounding toward zero.
    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        elementwise::known_binary(inputs, divide)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        elementwise::spell_binary(s, "Div", "DIV", true)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if !elementwise::is_quantized(io)? {
            return elementwise::lower_plain(Kind::Div, io);
        }
        let wide = elementwise::is_wide(io)?;
        let [(a, a_zero), (b, b_zero)] = [io.input_quant(0)?, io.input_quant(1)?];
        let (y, out_zero) = io.output_quant(0)?;
        let range = if wide { (-32768, 32767) } else { (-128, 127) };
        let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, out_zero), range);
        let params = binary::ParamsDivI8 {
            in_zero: [a_zero, b_zero],
            // In f32, as TFLM does (`micro/kernels/div.cc`).
            factor: elementwise::factor((a / (b * y)).into())?,
            out_zero,
            act_min,
            act_max,
        };
        let kernel = if wide { &binary::DIV_I16 } else { &binary::DIV_I8 };
        Ok(Lowered::plain(kernel, &params, 2))
    }
}

fn divide(a: &Dim, b: &Dim) -> Option<Dim> {
    match (a.known(), b.known()) {
        (Some(a), Some(b)) => Some(Dim::Known(a.checked_div(b)?)),
        (_, Some(1..)) => Some(a.floor_div(b)),
        (_, None) => Some(a.floor_div(b)),
        _ => None,
    }
}
