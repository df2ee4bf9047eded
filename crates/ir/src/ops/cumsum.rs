//! CumSum: running sums along an axis.

use embarca_kernels::cumsum as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Running sums.
    pub struct Cumsum {
        /// Counted from the front.
        pub axis: usize,
        /// Whether an element's own value is left out of its sum.
        pub exclusive: bool,
        /// Whether the sums run from the end.
        pub reverse: bool,
    }
}

impl OpDef for Cumsum {
    const NAME: &'static str = "cumsum";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("CumSum", 11), Spelling::tflite("CUMSUM")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let at = moves::int_input(node, b, 1)?;
        let at = axis(at, b.rank(x))?;
        let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
        one(b.op(Self { axis: at, exclusive, reverse }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        axis(self.axis as i64, inputs.get(0)?.ty.rank())?;
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let axis = *perm.get(self.axis)?;
        Some((Self { axis, ..self.clone() }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let axis = s.index(self.axis as i64)?;
        let name = s.named("CumSum", "CUMSUM")?;
        let attrs = vec![flag("exclusive", self.exclusive), flag("reverse", self.reverse)];
        s.emit(name, &[Some(x), Some(axis)], attrs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        let kernel = match x.dtype {
            _ if x.is_quantized() => return Err(LowerError::no_kernel("quantized running sums")),
            DType::F32 => &kernel::F32,
            DType::I32 => &kernel::I32,
            DType::I64 => &kernel::I64,
            DType::F64 => &kernel::F64,
            other => return Err(LowerError::no_kernel(format!("running sums of {other}"))),
        };
        let params = kernel::Params {
            axis: self.axis as u32,
            exclusive: self.exclusive.into(),
            reverse: self.reverse.into(),
        };
        Ok(Lowered::plain(kernel, &params, 1))
    }
}
