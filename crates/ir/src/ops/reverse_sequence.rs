//! ReverseSequence: the first elements of each batch in reverse order, as many as an input says.

use embarca_kernels::reverse_sequence as kernel;

use super::prelude::*;
use super::moves;

crate::payload! {
    /// Inputs: data, and for each batch how many elements are reversed.
    pub struct ReverseSequence {
        /// The axis that is reversed, counted from the front.
        pub time: usize,
        /// The axis of the batches, counted from the front.
        pub batch: usize,
    }
}

impl OpDef for ReverseSequence {
    const NAME: &'static str = "reverse_sequence";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("ReverseSequence", 10), Spelling::tflite("REVERSE_SEQUENCE")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        let (time, batch) = match node.format {
            Format::Onnx => (node.int("time_axis", 0)?, node.int("batch_axis", 1)?),
            _ => (node.int("seq_dim", 0)?, node.int("batch_dim", 0)?),
        };
        let op = Self { time: axis(time, rank)?, batch: axis(batch, rank)? };
        one(b.op(op, &[x, node.input(1)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, lens) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let (time, batch) = (axis(self.time as i64, x.rank())?, axis(self.batch as i64, x.rank())?);
        let index = matches!(lens.dtype, DType::I32 | DType::I64);
        let fits = lens.dims.len() == 1 && lens.dims[0].may_equal(&x.dims[batch]);
        if time == batch || !index || !fits {
            return Err(ShapeError::new(format!("lengths {lens} do not fit {x}")));
        }
        Ok(vec![super::depth_to_space::plain(x, x.dims.clone())])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let (x, lens) = (s.input(0)?, s.input(1)?);
        if s.is_tflite() {
            let attrs = vec![int("seq_dim", self.time), int("batch_dim", self.batch)];
            return s.emit("REVERSE_SEQUENCE", &[Some(x), Some(lens)], attrs);
        }
        if 1 < self.time.max(self.batch) {
            return Err(SpellError::none("ONNX reverses along the first two axes only"));
        }
        let lens = moves::like(s, lens, DType::I64);
        let attrs = vec![int("time_axis", self.time), int("batch_axis", self.batch)];
        s.emit("ReverseSequence", &[Some(x), Some(lens)], attrs)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::Params { time: self.time as u32, batch: self.batch as u32 };
        Ok(Lowered::plain(&kernel::ANY, &params, 2))
    }
}
