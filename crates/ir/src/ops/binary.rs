//! The rarer operators on two tensors that broadcast as in NumPy.

use embarca_kernels::binary::Kind;

use super::elementwise;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// A function of two tensors.
    pub struct Binary {
        /// Which one.
        pub function: BinaryFunction,
    }
}

/// A function of two numbers that has no operator of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryFunction {
    Pow,
    /// The remainder with the sign of the dividend.
    Rem,
    /// The remainder with the sign of the divisor.
    Mod,
    FloorDiv,
    Atan2,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

impl BinaryFunction {
    const ALL: [(Self, &'static str, Kind); 10] = [
        (Self::Pow, "pow", Kind::Pow),
        (Self::Rem, "rem", Kind::Rem),
        (Self::Mod, "mod", Kind::Mod),
        (Self::FloorDiv, "floor_div", Kind::FloorDiv),
        (Self::Atan2, "atan2", Kind::Atan2),
        (Self::And, "and", Kind::And),
        (Self::Or, "or", Kind::Or),
        (Self::Xor, "xor", Kind::Xor),
        (Self::ShiftLeft, "shift_left", Kind::ShiftLeft),
        (Self::ShiftRight, "shift_right", Kind::ShiftRight),
    ];

    fn entry(self) -> (&'static str, Kind) {
        let entry = Self::ALL.into_iter().find(|(function, _, _)| *function == self);
        entry.map_or(("pow", Kind::Pow), |(_, name, kind)| (name, kind))
    }
}

impl Field for BinaryFunction {
    fn write(&self) -> Attr {
        Attr::Word(self.entry().0.to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        let mut all = Self::ALL.into_iter();
        all.find(|(_, name, _)| name == word).map(|(function, _, _)| function)
    }
}

impl OpDef for Binary {
    const NAME: &'static str = "binary";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Pow", 7),
        Spelling::onnx("Mod", 10),
        Spelling::onnx("And", 7),
        Spelling::onnx("Or", 7),
        Spelling::onnx("Xor", 7),
        Spelling::onnx("BitwiseAnd", 18),
        Spelling::onnx("BitwiseOr", 18),
        Spelling::onnx("BitwiseXor", 18),
        Spelling::onnx("BitShift", 11),
        Spelling::tflite("POW"),
        Spelling::tflite("FLOOR_DIV"),
        Spelling::tflite("FLOOR_MOD"),
        Spelling::tflite("ATAN2"),
        Spelling::tflite("LOGICAL_AND"),
        Spelling::tflite("LOGICAL_OR"),
        Spelling::tflite("BITWISE_XOR"),
        Spelling::tflite("RIGHT_SHIFT"),
    ];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (x, mut y) = (node.input(0)?, node.input(1)?);
        let function = match node.op {
            "Pow" | "POW" => BinaryFunction::Pow,
            "Mod" if node.flag("fmod", false)? => BinaryFunction::Rem,
            "Mod" | "FLOOR_MOD" => BinaryFunction::Mod,
            "FLOOR_DIV" => BinaryFunction::FloorDiv,
            "ATAN2" => BinaryFunction::Atan2,
            "And" | "BitwiseAnd" | "LOGICAL_AND" => BinaryFunction::And,
            "Or" | "BitwiseOr" | "LOGICAL_OR" => BinaryFunction::Or,
            "Xor" | "BitwiseXor" | "BITWISE_XOR" => BinaryFunction::Xor,
            "BitShift" if node.text("direction", "LEFT")? == "LEFT" => BinaryFunction::ShiftLeft,
            _ => BinaryFunction::ShiftRight,
        };
        if function == BinaryFunction::Pow && node.format == Format::Onnx {
            if b.const_of(y).and_then(Const::to_f64).is_some_and(|y| y == [2.0]) {
                return one(b.op(super::Mul {}, &[x, x])?);
            }
            // Since opset 12 the exponent may be of another type than the base.
            y = super::cast::to(b, y, b.ty(x).dtype)?;
        }
        one(b.op(Self { function }, &[x, y])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        elementwise::infer_binary(inputs, None)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let truth = |f: fn(bool, bool) -> bool| {
            move |a: &Dim, b: &Dim| Some(Dim::Known(f(a.known()? != 0, b.known()? != 0).into()))
        };
        let is_bool = inputs.optional(0).is_some_and(|x| x.ty.dtype == DType::Bool);
        match self.function {
            BinaryFunction::FloorDiv => {
                elementwise::known_binary(inputs, |a, b| Some(a.floor_div(b)))
            }
            BinaryFunction::Mod => elementwise::known_binary(inputs, |a, b| Some(a.rem(b))),
            BinaryFunction::And if is_bool => {
                elementwise::known_binary(inputs, truth(|a, b| a && b))
            }
            BinaryFunction::Or if is_bool => {
                elementwise::known_binary(inputs, truth(|a, b| a || b))
            }
            _ => Vec::new(),
        }
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        use BinaryFunction::*;
        let dtype = s.ty(0)?.dtype;
        let (onnx, tflite) = match self.function {
            Pow => ("Pow", "POW"),
            Rem => ("Mod", ""),
            Mod => (if dtype.is_float() { "" } else { "Mod" }, "FLOOR_MOD"),
            FloorDiv => ("", "FLOOR_DIV"),
            Atan2 => ("", "ATAN2"),
            And if dtype == DType::Bool => ("And", "LOGICAL_AND"),
            Or if dtype == DType::Bool => ("Or", "LOGICAL_OR"),
            Xor if dtype == DType::Bool => ("Xor", "NOT_EQUAL"),
            And => ("BitwiseAnd", ""),
            Or => ("BitwiseOr", ""),
            Xor => ("BitwiseXor", "BITWISE_XOR"),
            ShiftLeft => ("BitShift", ""),
            ShiftRight => ("BitShift", "RIGHT_SHIFT"),
        };
        let inputs = s.inputs()?;
        if self.function == FloorDiv && dtype.is_float() && !s.is_tflite() {
            let (x, y, ty) = (s.input(0)?, s.input(1)?, s.out(0)?);
            let quotient = s.step("Div", &[x, y], Vec::new(), ty);
            return s.emit("Floor", &[Some(quotient)], Vec::new());
        }
        if self.function == FloorDiv && dtype.is_int() && !s.is_tflite() {
            // What is left over has the sign of the divisor, so that the rest divides evenly.
            let (x, y, ty) = (s.input(0)?, s.input(1)?, s.out(0)?);
            let rest = s.step("Mod", &[x, y], Vec::new(), ty.clone());
            let whole = s.step("Sub", &[x, rest], Vec::new(), ty);
            return s.emit("Div", &[Some(whole), Some(y)], Vec::new());
        }
        let name = s.named(onnx, tflite)?;
        let attrs = match (name, self.function) {
            ("Mod", Rem) => vec![int("fmod", 1)],
            ("BitShift", ShiftLeft) => vec![text("direction", "LEFT")],
            ("BitShift", _) => vec![text("direction", "RIGHT")],
            _ => Vec::new(),
        };
        s.emit(name, &inputs, attrs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_quantized(io)? {
            let message = format!("{} of quantized tensors", self.function.entry().0);
            return Err(LowerError::no_kernel(message));
        }
        elementwise::lower_plain(self.function.entry().1, io)
    }
}
