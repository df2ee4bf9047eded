//! BitwiseNot: every bit inverted.

use embarca_kernels::unary as kernel;

use super::prelude::*;

crate::payload! {
    /// Inverts every bit.
    pub struct BitwiseNot {}
}

impl OpDef for BitwiseNot {
    const NAME: &'static str = "bitwise_not";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("BitwiseNot", 18)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        one(b.op(Self {}, &[node.input(0)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.plainly("BitwiseNot", "")
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kernel = match io.input(0)?.ty.dtype {
            DType::I8 => &kernel::I8,
            DType::U8 => &kernel::U8,
            DType::I16 => &kernel::I16,
            DType::U16 => &kernel::U16,
            DType::I32 => &kernel::I32,
            DType::U32 => &kernel::U32,
            DType::I64 => &kernel::I64,
            other => return Err(LowerError::no_kernel(format!("the bits of {other}"))),
        };
        Ok(Lowered::plain(kernel, &kernel::ParamsInt { kind: kernel::BIT_NOT }, 1))
    }
}
