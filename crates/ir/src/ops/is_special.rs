//! IsNaN and IsInf: whether each element is special.

use embarca_kernels::unary as kernel;

use super::prelude::*;

crate::payload! {
    /// A truth value for each element.
    pub struct IsSpecial {
        /// Whether NaN counts.
        pub nan: bool,
        /// Whether infinity counts.
        pub positive: bool,
        /// Whether minus infinity counts.
        pub negative: bool,
    }
}

impl IsSpecial {
    /// Whether an element is not a number.
    pub const NAN: Self = Self { nan: true, positive: false, negative: false };
}

impl OpDef for IsSpecial {
    const NAME: &'static str = "is_special";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("IsNaN", 9), Spelling::onnx("IsInf", 10)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let nan = node.op == "IsNaN";
        let positive = node.flag("detect_positive", true)? && !nan;
        let negative = node.flag("detect_negative", true)? && !nan;
        one(b.op(Self { nan, positive, negative }, &[node.input(0)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        Ok(vec![TensorType::new(DType::Bool, x.dims.iter().cloned())])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        if s.is_tflite() {
            if !self.nan || self.positive || self.negative {
                return Err(SpellError::none("TFLite has no test for infinity"));
            }
            return s.emit("NOT_EQUAL", &[Some(x); 2], Vec::new());
        }
        if self.nan && !self.positive && !self.negative {
            return s.emit("IsNaN", &[Some(x)], Vec::new());
        }
        if self.nan {
            return Err(SpellError::none("ONNX tests for NaN and infinity apart"));
        }
        let signs = [flag("detect_positive", self.positive), flag("detect_negative", self.negative)];
        s.emit("IsInf", &[Some(x)], signs.to_vec())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if io.input(0)?.ty.dtype != DType::F32 {
            let message = format!("special values of {}", io.input(0)?.ty.dtype);
            return Err(LowerError::no_kernel(message));
        }
        let what = u32::from(self.nan) * kernel::TEST_NAN
            + u32::from(self.positive) * kernel::TEST_POSITIVE_INFINITY
            + u32::from(self.negative) * kernel::TEST_NEGATIVE_INFINITY;
        Ok(Lowered::plain(&kernel::TEST, &kernel::ParamsTest { what }, 1))
    }
}
