//! Comparisons of two tensors that broadcast as in NumPy; the result is bool.

use embarca_kernels::compare as kernel;

use super::elementwise;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// Compares two tensors.
    pub struct Compare {
        /// Which comparison.
        pub holds: Comparison,
    }
}

/// A relation of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison(pub kernel::Kind);

impl Comparison {
    const NAMES: [(kernel::Kind, &'static str); 6] = [
        (kernel::Kind::Equal, "equal"),
        (kernel::Kind::NotEqual, "not_equal"),
        (kernel::Kind::Less, "less"),
        (kernel::Kind::LessEqual, "less_equal"),
        (kernel::Kind::Greater, "greater"),
        (kernel::Kind::GreaterEqual, "greater_equal"),
    ];
}

impl Field for Comparison {
    fn write(&self) -> Attr {
        let name = Self::NAMES.iter().find(|(kind, _)| *kind == self.0);
        Attr::Word(name.map_or("equal", |(_, name)| name).to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        Self::NAMES.iter().find(|(_, name)| name == word).map(|(kind, _)| Self(*kind))
    }
}

impl OpDef for Compare {
    const NAME: &'static str = "compare";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Equal", 7),
        Spelling::onnx("Less", 7),
        Spelling::onnx("LessOrEqual", 12),
        Spelling::onnx("Greater", 7),
        Spelling::onnx("GreaterOrEqual", 12),
        Spelling::tflite("EQUAL"),
        Spelling::tflite("NOT_EQUAL"),
        Spelling::tflite("LESS"),
        Spelling::tflite("LESS_EQUAL"),
        Spelling::tflite("GREATER"),
        Spelling::tflite("GREATER_EQUAL"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("compares differences to the zero points");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        use kernel::Kind::*;
        let kind = match node.op {
            "Equal" | "EQUAL" => Equal,
            "NOT_EQUAL" => NotEqual,
            "Less" | "LESS" => Less,
            "LessOrEqual" | "LESS_EQUAL" => LessEqual,
            "Greater" | "GREATER" => Greater,
            _ => GreaterEqual,
        };
        one(b.op(Self { holds: Comparison(kind) }, &[node.input(0)?, node.input(1)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, Some(DType::Bool))
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let kind = self.holds.0;
        elementwise::known_binary(inputs, |a, b| {
            let truth = match (a.sub(b).known(), kind) {
                (Some(difference), kind) => kind.holds(difference, 0),
                // A dimension is never negative.
                (None, kernel::Kind::Equal) if never_equal(a, b) => false,
                (None, kernel::Kind::NotEqual) if never_equal(a, b) => true,
                _ => return None,
            };
            Some(Dim::Known(truth.into()))
        })
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        use kernel::Kind::*;
        let (onnx, tflite) = match self.holds.0 {
            Equal => ("Equal", "EQUAL"),
            NotEqual => ("", "NOT_EQUAL"),
            Less => ("Less", "LESS"),
            LessEqual => ("LessOrEqual", "LESS_EQUAL"),
            Greater => ("Greater", "GREATER"),
            GreaterEqual => ("GreaterOrEqual", "GREATER_EQUAL"),
        };
        if s.is_tflite() || !onnx.is_empty() {
            return s.plainly(onnx, tflite);
        }
        let (x, y, ty) = (s.input(0)?, s.input(1)?, s.out(0)?);
        let equal = s.step("Equal", &[x, y], Vec::new(), ty);
        s.emit("Not", &[Some(equal)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kind = self.holds.0 as u32;
        if elementwise::is_quantized(io)? {
            return lower_quantized(kind, io);
        }
        let kernel = match io.input(0)?.ty.dtype {
            DType::F32 => &kernel::F32,
            DType::I32 => &kernel::I32,
            DType::I64 => &kernel::I64,
            DType::U8 => &kernel::U8,
            DType::I8 => &kernel::I8,
            DType::Bool => &kernel::BOOL,
            DType::I16 => &kernel::I16,
            DType::U16 => &kernel::U16,
            DType::U32 => &kernel::U32,
            DType::U64 => &kernel::U64,
            DType::F64 => &kernel::F64,
            other => return Err(LowerError::no_kernel(format!("comparison of {other}"))),
        };
        Ok(Lowered::plain(kernel, &kernel::Params { kind }, 2))
    }
}

/// A single symbol and a negative number.
fn never_equal(a: &Dim, b: &Dim) -> bool {
    let negative = |dim: &Dim| dim.known().is_some_and(|value| value < 0);
    a.as_symbol().is_some() && negative(b) || b.as_symbol().is_some() && negative(a)
}

/// As TFLM: both inputs are multiplied by 2^8 times their own scale, which may make different ones
/// equal (`micro/kernels/comparisons.cc`).
fn lower_quantized(kind: u32, io: &Io<'_>) -> Result<Lowered, LowerError> {
    let [(a, a_zero), (b, b_zero)] = [io.input_quant(0)?, io.input_quant(1)?];
    let types = [io.input(0)?.ty.dtype, io.input(1)?.ty.dtype];
    if types == [DType::I16; 2] {
        // LiteRT compares the stored integers, whatever they stand for; TFLM's scales are not set.
        return Ok(Lowered::plain(&kernel::I16, &kernel::Params { kind }, 2));
    }
    if types != [DType::I8; 2] {
        return Err(LowerError::no_kernel(format!("comparison of quantized {}", types[0])));
    }
    let params = kernel::ParamsQuant {
        kind,
        in_zero: [a_zero, b_zero],
        in_scale: [elementwise::factor(a.into())?, elementwise::factor(b.into())?],
    };
    Ok(Lowered::plain(&kernel::QUANT_I8, &params, 2))
}
