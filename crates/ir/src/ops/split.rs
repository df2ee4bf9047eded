//! Split: one tensor into several along an axis.

use embarca_kernels::{concat, split as kernel};

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Consecutive parts along one axis.
    pub struct Split {
        /// Counted from the front.
        pub axis: usize,
        /// The length of each part.
        pub sizes: Vec<Dim>,
    }
}

impl OpDef for Split {
    const NAME: &'static str = "split";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Split", 2),
        Spelling::tflite("SPLIT"),
        Spelling::tflite("SPLIT_V"),
        Spelling::tflite("UNPACK"),
        Spelling::caffe("Slice"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(if node.op == "SPLIT" { 1 } else { 0 })?;
        let rank = b.rank(x);
        let parts = node.n_outputs;
        let (at, sizes) = match node.op {
            "SPLIT" => {
                node.counted("num_splits", parts)?;
                (moves::int_input(node, b, 0)?, None)
            }
            "SPLIT_V" => {
                node.counted("num_splits", parts)?;
                let sizes = b.dims(node.input(1)?, "the list of sizes")?;
                (moves::int_input(node, b, 2)?, Some(sizes))
            }
            "UNPACK" => {
                node.counted("num", parts)?;
                (node.int("axis", 0)?, Some(vec![Dim::Known(1); parts]))
            }
            "Slice" => {
                let old = !node.has("axis") && node.has("slice_dim");
                let at = node.int(if old { "slice_dim" } else { "axis" }, 1)?;
                let points = node.opt_ints("slice_point")?;
                let total = b.ty(x).dims[axis(at, rank)?].clone();
                (at, points.map(|points| between(&points, total)))
            }
            _ => {
                // Since opset 18 a number of parts of equal size, the last perhaps smaller.
                node.counted("num_outputs", parts)?;
                let sizes = match (node.opt_ints("split")?, node.optional(1)) {
                    (Some(sizes), _) => Some(sizes.into_iter().map(Dim::Known).collect()),
                    (None, Some(sizes)) => Some(b.dims(sizes, "the list of sizes")?),
                    (None, None) => None,
                };
                (node.int("axis", 0)?, sizes)
            }
        };
        let at = axis(at, rank)?;
        let total = b.ty(x).dims[at].clone();
        let mut sizes = match sizes {
            Some(sizes) => sizes,
            None => equal(&total, parts, node.has("num_outputs"))?,
        };
        // TFLite lets one size be -1: what the others leave.
        let open: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] == Dim::Known(-1)).collect();
        if let [open] = open[..] {
            sizes[open] = Dim::Known(0);
            let others = sizes.iter().fold(Dim::Known(0), |sum, size| sum.add(size));
            sizes[open] = total.sub(&others);
        }
        let unpack = node.op == "UNPACK";
        let values = b.node(Self { axis: at, sizes }, &[Some(x)])?;
        if !unpack {
            return Ok(values);
        }
        let mut dims = b.ty(x).dims.clone();
        dims.remove(at);
        values.into_iter().map(|value| Ok(b.reshape(value, dims.clone())?)).collect()
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let at = axis(self.axis as i64, x.rank())?;
        let sum = self.sizes.iter().fold(Dim::Known(0), |sum, size| sum.add(size));
        if !sum.may_equal(&x.dims[at]) {
            return Err(ShapeError::new(format!("parts of {sum} do not make up {}", x.dims[at])));
        }
        let part = |size: &Dim| {
            let mut dims = x.dims.clone();
            dims[at] = size.clone();
            let mut ty = x.with_dims(dims);
            ty.quant = ty.quant.filter(|quant| quant.axis.is_none());
            ty
        };
        Ok(self.sizes.iter().map(part).collect())
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Ok(types) = self.infer(inputs) else { return Vec::new() };
        let mut before = Some(0usize);
        let mut contents = Vec::with_capacity(types.len());
        for (ty, size) in types.iter().zip(&self.sizes) {
            let from = |index: &[usize]| {
                let mut index = index.to_vec();
                let at = index.get_mut(self.axis)?;
                *at = at.checked_add(before?)?;
                Some(index)
            };
            contents.push(moves::picked(inputs.optional(0), &ty.dims, from));
            let size = size.known().and_then(|size| usize::try_from(size).ok());
            before = before.zip(size).and_then(|(before, size)| before.checked_add(size));
        }
        contents
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let axis = *perm.get(self.axis)?;
        Some((Self { axis, sizes: self.sizes.clone() }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let axis = s.index(self.axis as i64)?;
        if !s.is_tflite() {
            let sizes = s.shape(&self.sizes)?;
            return s.emit("Split", &[Some(x), Some(sizes)], vec![int("axis", self.axis)]);
        }
        let count = int("num_splits", self.sizes.len());
        if self.sizes.iter().all(|size| *size == self.sizes[0]) {
            return s.emit("SPLIT", &[Some(axis), Some(x)], vec![count]);
        }
        let sizes = s.shape(&self.sizes)?;
        s.emit("SPLIT_V", &[Some(x), Some(sizes), Some(axis)], vec![count])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = concat::Params { axis: self.axis as u32 };
        Ok(Lowered::plain(&kernel::ANY, &params, 1))
    }
}

/// `parts` sizes of equal length, the last smaller where they do not divide `total` and that is
/// allowed.
fn equal(total: &Dim, parts: usize, uneven: bool) -> Result<Vec<Dim>, ImportError> {
    let count = Dim::Known(parts as i64);
    let rest = total.rem(&count);
    if !uneven || rest == Dim::Known(0) {
        if rest.known().is_some_and(|rest| rest != 0) || parts == 0 {
            let message = format!("{total} does not fall into {parts} equal parts");
            return Err(ImportError::malformed(message));
        }
        return Ok(vec![total.floor_div(&count); parts]);
    }
    let size = total.ceil_div(&count);
    let mut sizes = vec![size.clone(); parts];
    if let Some(last) = sizes.last_mut() {
        *last = total.sub(&size.mul(&count.sub(&Dim::Known(1))));
    }
    Ok(sizes)
}

/// The sizes between the places at which Caffe cuts.
fn between(points: &[i64], total: Dim) -> Vec<Dim> {
    let ends = points.iter().map(|&point| Dim::Known(point)).chain([total]);
    let mut start = Dim::Known(0);
    ends.map(|end| end.sub(&std::mem::replace(&mut start, end.clone()))).collect()
}
