//! ArgMax and ArgMin: the place of the greatest or smallest element along an axis.

use embarca_kernels::arg as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// A place along one axis.
    pub struct ArgMax {
        /// Counted from the front.
        pub axis: usize,
        /// Whether the smallest is looked for.
        pub smallest: bool,
        /// Whether the last among equals is taken, not the first.
        pub last: bool,
        /// Whether the axis stays, with one element.
        pub keep: bool,
        /// `i32` or `i64`.
        pub to: DType,
    }
}

impl ArgMax {
    /// The place of the greatest element, the first of equals, as i64; the axis goes.
    pub fn first(axis: usize) -> Self {
        Self { axis, smallest: false, last: false, keep: false, to: DType::I64 }
    }
}

impl OpDef for ArgMax {
    const NAME: &'static str = "arg_max";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("ArgMax", 1),
        Spelling::onnx("ArgMin", 1),
        Spelling::tflite("ARG_MAX"),
        Spelling::tflite("ARG_MIN"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("an offset keeps the order");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        let smallest = matches!(node.op, "ArgMin" | "ARG_MIN");
        let op = if node.format == Format::Onnx {
            let at = axis(node.int("axis", 0)?, rank)?;
            let keep = node.flag("keepdims", true)?;
            let last = node.flag("select_last_index", false)?;
            Self { axis: at, smallest, last, keep, to: DType::I64 }
        } else {
            node.ignore(&["output_type"]);
            let at = axis(moves::int_input(node, b, 1)?, rank)?;
            let to = node.output_type(0).map_or(DType::I32, |ty| ty.dtype);
            Self { axis: at, smallest, last: false, keep: false, to }
        };
        one(b.op(op, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let at = axis(self.axis as i64, x.rank())?;
        if !matches!(self.to, DType::I32 | DType::I64) {
            return Err(ShapeError::new(format!("{} holds no places", self.to)));
        }
        let mut dims = x.dims.clone();
        if self.keep {
            dims[at] = Dim::Known(1);
        } else {
            dims.remove(at);
        }
        Ok(vec![TensorType::new(self.to, dims)])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let axis = *perm.get(self.axis)?;
        let perm = if self.keep { perm.to_vec() } else { moves::without_axes(perm, &[axis]) };
        Some((Self { axis, ..self.clone() }.into(), perm))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let ty = s.out(0)?;
        if !s.is_tflite() {
            let name = if self.smallest { "ArgMin" } else { "ArgMax" };
            let last = self.last.then(|| int("select_last_index", 1));
            let attrs = [int("axis", self.axis), flag("keepdims", self.keep)];
            let attrs: Vec<_> = attrs.into_iter().chain(last).collect();
            if self.to == DType::I64 {
                return s.emit(name, &[Some(x)], attrs);
            }
            let place = s.step(name, &[x], attrs, TensorType::new(DType::I64, ty.dims));
            return s.emit("Cast", &[Some(place)], vec![int("to", self.to.code())]);
        }
        if self.last {
            return Err(SpellError::none("TFLite takes the first among equals"));
        }
        let name = if self.smallest { "ARG_MIN" } else { "ARG_MAX" };
        let axis = s.index(self.axis as i64)?;
        let to = text("output_type", if self.to == DType::I64 { "INT64" } else { "INT32" });
        if !self.keep {
            return s.emit(name, &[Some(x), Some(axis)], vec![to]);
        }
        let mut dims = ty.dims.clone();
        dims.remove(self.axis);
        let place = s.step(name, &[x, axis], vec![to], TensorType::new(self.to, dims));
        let place = s.reshaped(place, ty.dims)?;
        s.give(place)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kernel = match io.input(0)?.ty.dtype {
            DType::F32 => &kernel::F32,
            DType::I8 => &kernel::I8,
            DType::U8 => &kernel::U8,
            DType::I32 => &kernel::I32,
            DType::I64 => &kernel::I64,
            other => return Err(LowerError::no_kernel(format!("the greatest of {other}"))),
        };
        let params = kernel::Params {
            axis: self.axis as u32,
            smallest: self.smallest.into(),
            last: self.last.into(),
        };
        Ok(Lowered::plain(kernel, &params, 1))
    }
}
