//! GatherND: slices or elements picked by tuples of indices.

use embarca_kernels::gather_nd as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Inputs: data, and indices whose last axis holds tuples.
    pub struct GatherNd {
        /// Leading axes that data and indices share.
        pub batch_dims: usize,
    }
}

impl OpDef for GatherNd {
    const NAME: &'static str = "gather_nd";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("GatherND", 11), Spelling::tflite("GATHER_ND")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let batch = node.int("batch_dims", 0)?;
        let negative = || ImportError::malformed("is negative").attribute("batch_dims");
        let batch_dims = usize::try_from(batch).map_err(|_| negative())?;
        super::gather::from_the_front(node, b, node.input(1)?)?;
        one(b.op(Self { batch_dims }, &[node.input(0)?, node.input(1)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, indices) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let refuse = || ShapeError::new(format!("tuples {indices} do not pick from {x}"));
        let (tuple, outer) = indices.dims.split_last().ok_or_else(refuse)?;
        let tuple = tuple.known().and_then(|len| usize::try_from(len).ok()).ok_or_else(refuse)?;
        let picked = self.batch_dims.checked_add(tuple).ok_or_else(refuse)?;
        if outer.len() < self.batch_dims || !matches!(indices.dtype, DType::I32 | DType::I64) {
            return Err(refuse());
        }
        let rest = x.dims.get(picked..).ok_or_else(refuse)?;
        let mut ty = x.with_dims(outer.iter().chain(rest).cloned().collect());
        ty.quant = ty.quant.filter(|quant| quant.axis.is_none());
        Ok(vec![ty])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let inputs = s.inputs()?;
        if !s.is_tflite() {
            let indices = s.input(1)?;
            let inputs = [inputs[0], Some(moves::like(s, indices, DType::I64))];
            return s.emit("GatherND", &inputs, vec![int("batch_dims", self.batch_dims)]);
        }
        if self.batch_dims != 0 {
            return Err(SpellError::none("TFLite's GATHER_ND shares no axes between its inputs"));
        }
        s.emit("GATHER_ND", &inputs, Vec::new())
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::Params { batch_dims: self.batch_dims as u32 };
        Ok(Lowered::plain(&kernel::ND, &params, 2))
    }
}
