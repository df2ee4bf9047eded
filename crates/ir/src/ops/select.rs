//! Where: elements of one tensor where a condition holds, of another where not.

use embarca_kernels::select as kernel;

use super::elementwise::broadcast;
use super::moves;
use super::prelude::*;

crate::payload! {
    /// Inputs: condition, value where it holds, value where not; all broadcast.
    pub struct Select {}
}

impl OpDef for Select {
    const NAME: &'static str = "select";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Where", 9), Spelling::tflite("SELECT"), Spelling::tflite("SELECT_V2")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let mut when = node.input(0)?;
        let x = moves::as_declared(node, b, node.input(1)?)?;
        let y = moves::as_declared(node, b, node.input(2)?)?;
        let rank = b.rank(x);
        if node.op == "SELECT" && b.rank(when) == 1 && 1 < rank {
            // A vector chooses whole slices of the first axis.
            let mut dims = vec![Dim::Known(1); rank];
            dims[0] = b.ty(when).dims[0].clone();
            when = b.reshape(when, dims)?;
        }
        one(b.op(Self {}, &[when, x, y])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (when, x, y) = (inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty);
        if when.dtype != DType::Bool || x.dtype != y.dtype {
            return Err(ShapeError::new(format!("{when} cannot choose between {x} and {y}")));
        }
        let dims = broadcast(&broadcast(&when.dims, &x.dims)?, &y.dims)?;
        let same = x.quant == y.quant && x.quant.as_ref().is_none_or(|q| q.axis.is_none());
        let quant = if same { x.quant.clone() } else { None };
        Ok(vec![TensorType::new(x.dtype, dims).with_quant(quant)])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let known = || {
            let all = [inputs.optional(0)?, inputs.optional(1)?, inputs.optional(2)?];
            if all.iter().any(|x| 1 < x.ty.rank()) {
                return None;
            }
            let [when, x, y] = all.map(|x| x.known);
            let (when, x, y) = (when?, x?, y?);
            let len = [when, x, y].iter().map(|x| x.len()).max()?;
            let at = |values: &[Dim], i: usize| {
                values.get(if values.len() == 1 { 0 } else { i }).cloned()
            };
            let pick = |i: usize| at(if at(when, i)?.known()? != 0 { x } else { y }, i);
            (0..len).map(pick).collect::<Option<Vec<Dim>>>()
        };
        vec![known()]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        s.plainly("Where", "SELECT_V2")
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if io.input(1)?.ty.quant != io.output(0)?.quant {
            return Err(LowerError::no_kernel("a choice between several quantizations"));
        }
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 3))
    }
}
