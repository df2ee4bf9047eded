//! OneHot: a vector per index, with one value at the index's place and another elsewhere.

use embarca_kernels::one_hot as kernel;

use super::prelude::*;
use super::moves;

crate::payload! {
    /// Inputs: indices, value elsewhere, value at the place.
    pub struct OneHot {
        /// The result's axis that the vectors run along, counted from the front.
        pub axis: usize,
        /// The length of the vectors.
        pub depth: Dim,
        /// Whether negative indices count from the end.
        pub wraps: bool,
    }
}

impl OpDef for OneHot {
    const NAME: &'static str = "one_hot";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("OneHot", 9), Spelling::tflite("ONE_HOT")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let mut indices = node.input(0)?;
        let depth = node.input(1)?;
        let depths = if b.ty(depth).dtype.is_float() {
            let depths = b.floats(depth, "the depth")?;
            depths.into_iter().map(|depth| Dim::Known(depth as i64)).collect()
        } else {
            b.dims(depth, "the depth")?
        };
        let Ok([depth]) = <[Dim; 1]>::try_from(depths) else {
            return Err(ImportError::malformed("the depth is not one number"));
        };
        let at = axis(node.int("axis", -1)?, b.rank(indices) + 1)?;
        let onnx = node.format == Format::Onnx;
        if !matches!(b.ty(indices).dtype, DType::I32 | DType::I64) {
            indices = super::cast::to(b, indices, DType::I64)?;
        }
        let (off, on) = if onnx {
            // Both values in one tensor.
            let values = node.input(2)?;
            let sizes = vec![Dim::Known(1); 2];
            let parts = b.node(super::Split { axis: 0, sizes }, &[Some(values)])?;
            let [off, on] = parts[..] else {
                return Err(ImportError::malformed("there are not two values"));
            };
            (off, on)
        } else {
            (node.input(3)?, node.input(2)?)
        };
        one(b.op(Self { axis: at, depth, wraps: onnx }, &[indices, off, on])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (indices, off, on) = (inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty);
        axis(self.axis as i64, indices.rank() + 1)?;
        if off.dtype != on.dtype || !matches!(indices.dtype, DType::I32 | DType::I64) {
            return Err(ShapeError::new(format!("{off} and {on} at {indices} do not fit")));
        }
        let mut dims = indices.dims.clone();
        dims.insert(self.axis, self.depth.clone());
        Ok(vec![TensorType::new(on.dtype, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let mut indices = s.input(0)?;
        let depth = s.shape(std::slice::from_ref(&self.depth))?;
        let depth = s.reshaped(depth, Vec::new())?;
        let whole = s.type_of(indices).clone();
        let truth = TensorType::new(DType::Bool, whole.dims.iter().cloned());
        let wide = moves::like(s, depth, whole.dtype);
        let known = s.operand(0)?.ints().is_some_and(|ints| ints.iter().all(|&index| 0 <= index));
        // Only ONNX counts from the end where an index is negative.
        if !known && self.wraps == s.is_tflite() {
            let zero = super::draft::numbers(whole.dtype, &[], &[0.0]);
            let zero = s.constant(zero.map_err(|error| SpellError::Bug(error.0))?);
            let names = if s.is_tflite() { ["LESS", "ADD", "SELECT_V2"] } else { ["Less", "", "Where"] };
            let below = s.step(names[0], &[indices, zero], Vec::new(), truth);
            let moved = match s.is_tflite() {
                true => s.step(names[1], &[indices, wide], vec![no_activation()], whole.clone()),
                // Beyond the last, nothing is set.
                false => wide,
            };
            indices = s.step(names[2], &[below, moved, indices], Vec::new(), whole);
        }
        let (off, on) = (s.input(1)?, s.input(2)?);
        let axis = int("axis", self.axis);
        if s.is_tflite() {
            let (off, on) = (s.reshaped(off, Vec::new())?, s.reshaped(on, Vec::new())?);
            return s.emit("ONE_HOT", &[Some(indices), Some(depth), Some(on), Some(off)], vec![axis]);
        }
        let one = vec![Dim::Known(1)];
        let (off, on) = (s.reshaped(off, one.clone())?, s.reshaped(on, one)?);
        let ty = TensorType::of(s.type_of(on).dtype, &[2]);
        let values = s.step("Concat", &[off, on], vec![int("axis", 0)], ty);
        s.emit("OneHot", &[Some(indices), Some(depth), Some(values)], vec![axis])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::Params { axis: self.axis as u32, wraps: self.wraps.into() };
        Ok(Lowered::plain(&kernel::ANY, &params, 3))
    }
}
