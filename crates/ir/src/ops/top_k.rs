//! TopK: the greatest (or smallest) elements along an axis, in order, and their places.

use embarca_kernels::top_k as kernel;

use super::prelude::*;
use super::moves;

crate::payload! {
    /// Outputs: values, places.
    pub struct TopK {
        /// Counted from the front.
        pub axis: usize,
        /// How many.
        pub k: Dim,
        /// Whether the smallest are looked for.
        pub smallest: bool,
        /// The places' type: `i32` or `i64`.
        pub to: DType,
    }
}

impl OpDef for TopK {
    const NAME: &'static str = "top_k";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("TopK", 1), Spelling::tflite("TOPK_V2")];
    const U8_AS_I8: Option<&'static str> = Some("an offset keeps the order");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let at = axis(node.int("axis", -1)?, b.rank(x))?;
        // Sorted results are right whether or not the order is asked for.
        node.ignore(&["sorted"]);
        let smallest = !node.flag("largest", true)?;
        let k = match node.opt_int("k")? {
            Some(k) => Dim::Known(k),
            None => {
                let k = b.dims(node.input(1)?, "the number of elements")?;
                let missing = || ImportError::malformed("the number of elements is missing");
                k.first().cloned().ok_or_else(missing)?
            }
        };
        let to = if node.format == Format::Onnx { DType::I64 } else { DType::I32 };
        Ok(b.node(Self { axis: at, k, smallest, to }, &[Some(x)])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let at = axis(self.axis as i64, x.rank())?;
        let outside = self.k.known().is_some_and(|k| k < 0)
            || x.dims[at].sub(&self.k).known().is_some_and(|rest| rest < 0);
        if outside || !matches!(self.to, DType::I32 | DType::I64) {
            return Err(ShapeError::new(format!("axis {at} of {x} has no {} elements", self.k)));
        }
        let mut dims = x.dims.clone();
        dims[at] = self.k.clone();
        Ok(vec![TensorType::new(x.dtype, dims.clone()), TensorType::new(self.to, dims)])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let axis = *perm.get(self.axis)?;
        Some((Self { axis, ..self.clone() }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let k = s.shape(std::slice::from_ref(&self.k))?;
        let (values, places) = (s.out(0)?, s.out(1)?);
        if s.is_tflite() {
            if self.smallest || self.axis + 1 != values.rank() {
                return Err(SpellError::none("TFLite's TOPK_V2 takes the greatest along the last axis"));
            }
            let k = s.reshaped(k, Vec::new())?;
            if self.to == DType::I32 {
                return s.emit("TOPK_V2", &[Some(x), Some(k)], Vec::new());
            }
            let narrow = TensorType::new(DType::I32, places.dims);
            let [values, places] = s.steps("TOPK_V2", &[x, k], Vec::new(), [values, narrow]);
            let places = moves::like(s, places, self.to);
            s.yields(0, values);
            s.yields(1, places);
            return Ok(());
        }
        s.moves();
        let x = s.input(0)?;
        let attrs = vec![int("axis", self.axis), flag("largest", !self.smallest)];
        if self.to == DType::I64 {
            return s.emit("TopK", &[Some(x), Some(k)], attrs);
        }
        let wide = TensorType::new(DType::I64, places.dims);
        let [values, places] = s.steps("TopK", &[x, k], attrs, [values, wide]);
        let places = moves::like(s, places, self.to);
        s.yields(0, values);
        s.yields(1, places);
        Ok(())
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
        let params = kernel::Params { axis: self.axis as u32, smallest: self.smallest.into() };
        Ok(Lowered::plain(kernel, &params, 1))
    }
}
