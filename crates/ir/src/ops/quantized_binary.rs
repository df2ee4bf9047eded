//! Arithmetic on two quantized tensors as ONNX spells it out: dequantize, compute in f32, quantize.

use embarca_kernels::binary::Kind;
use embarca_kernels::quantized_binary as kernel;

use super::elementwise;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// What of two i8 tensors, broadcast as in NumPy; all three tensors carry a quantization.
    pub struct QuantizedBinary {
        /// Which operator.
        pub function: Arithmetic,
    }
}

/// An operator on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic(pub Kind);

const WORDS: [(Kind, &str); 4] =
    [(Kind::Add, "add"), (Kind::Sub, "sub"), (Kind::Mul, "mul"), (Kind::Div, "div")];

impl Field for Arithmetic {
    fn write(&self) -> Attr {
        let entry = WORDS.iter().find(|(kind, _)| *kind == self.0);
        Attr::Word(entry.map_or("add", |(_, word)| word).to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(text) = attr else { return None };
        WORDS.iter().find(|(_, word)| word == text).map(|(kind, _)| Self(*kind))
    }
}

impl OpDef for QuantizedBinary {
    const NAME: &'static str = "quantized_binary";
    const TAILS: Tails = Tails { clamp: true };

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.dtype != DType::I8 {
            return Err(ShapeError::new("quantized arithmetic is on i8"));
        }
        elementwise::infer_binary(inputs, None)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        match self.function.0 {
            Kind::Add => elementwise::spell_binary(s, "Add", "ADD", true),
            Kind::Sub => elementwise::spell_binary(s, "Sub", "SUB", true),
            Kind::Mul => elementwise::spell_binary(s, "Mul", "MUL", true),
            _ => elementwise::spell_binary(s, "Div", "DIV", true),
        }
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let [(a, a_zero), (b, b_zero)] = [io.input_quant(0)?, io.input_quant(1)?];
        let (y, y_zero) = io.output_quant(0)?;
        let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, y_zero), (-128, 127));
        let params = kernel::Params {
            kind: self.function.0 as u32,
            scales: [a, b, y],
            zeros: [a_zero, b_zero, y_zero],
            act_min,
            act_max,
        };
        Ok(Lowered::plain(&kernel::I8, &params, 2))
    }
}
