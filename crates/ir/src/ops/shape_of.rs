//! ShapeOf: the dimensions of a tensor as data; the number of its elements or axes.

use embarca_kernels::reduce::Kind;
use embarca_kernels::shape_of as kernel;

use super::moves;
use super::prelude::*;
use super::reduce::{Reduce, Reduction};

crate::payload! {
    /// Dimensions `start..end` of a tensor.
    pub struct ShapeOf {
        /// The first axis.
        pub start: usize,
        /// The axis after the last one.
        pub end: usize,
        /// `i32` or `i64`.
        pub to: DType,
    }
}

impl OpDef for ShapeOf {
    const NAME: &'static str = "shape_of";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Shape", 1),
        Spelling::onnx("Size", 1),
        Spelling::tflite("SHAPE"),
        Spelling::tflite("RANK"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("reads no element");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        if node.op == "RANK" {
            return one(b.constant(Const::from_i32(&[], &[rank as i32]), None));
        }
        let to = match node.format {
            Format::TfLite => moves::dtype_attr(node, "out_type", DType::I32)?,
            _ => DType::I64,
        };
        if node.op == "Size" {
            let dims = b.op(Self { start: 0, end: rank, to }, &[x])?;
            return one(
                b.op(Reduce { by: Reduction(Kind::Prod), axes: vec![0], keep: false }, &[dims])?
            );
        }
        // Negative ones count from the back; what lies outside is cut off.
        let clamped = |at: i64| {
            let at = if at < 0 { at.saturating_add(rank as i64) } else { at };
            usize::try_from(at).unwrap_or(0).min(rank)
        };
        let start = clamped(node.int("start", 0)?);
        let end = clamped(node.int("end", rank as i64)?).max(start);
        one(b.op(Self { start, end, to }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let rank = inputs.get(0)?.ty.rank();
        if self.end < self.start || rank < self.end {
            let (start, end) = (self.start, self.end);
            return Err(ShapeError::new(format!("there are no axes {start}..{end} of {rank}")));
        }
        if !matches!(self.to, DType::I32 | DType::I64) {
            return Err(ShapeError::new(format!("dimensions are not given as {}", self.to)));
        }
        Ok(vec![TensorType::of(self.to, &[self.end - self.start])])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let dims = inputs.optional(0).and_then(|x| x.ty.dims.get(self.start..self.end));
        vec![dims.map(<[Dim]>::to_vec)]
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.plain(0)?;
        let rank = s.ty(0)?.rank();
        let ty = s.out(0)?;
        if !s.is_tflite() {
            let attrs = vec![int("start", self.start), int("end", self.end)];
            if self.to == DType::I64 {
                return s.emit("Shape", &[Some(x)], attrs);
            }
            let shape = s.step("Shape", &[x], attrs, TensorType::new(DType::I64, ty.dims));
            return s.emit("Cast", &[Some(shape)], vec![int("to", self.to.code())]);
        }
        let attrs = vec![text("out_type", if self.to == DType::I64 { "INT64" } else { "INT32" })];
        if (self.start, self.end) == (0, rank) {
            return s.emit("SHAPE", &[Some(x)], attrs);
        }
        let shape = s.step("SHAPE", &[x], attrs, TensorType::of(self.to, &[rank]));
        let begin = s.list(&[self.start as i64])?;
        let size = s.list(&[(self.end - self.start) as i64])?;
        s.emit("SLICE", &[Some(shape), Some(begin), Some(size)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let params =
            kernel::Params { start: moves::narrow(self.start)?, end: moves::narrow(self.end)? };
        Ok(Lowered::plain(&kernel::ANY, &params, 1))
    }
}
