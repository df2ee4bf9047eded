//! Gather: slices along an axis, picked by indices.

use embarca_kernels::gather as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Input 1 holds indices along an axis of input 0; its dimensions take that axis's place.
    pub struct Gather {
        /// Counted from the front.
        pub axis: usize,
        /// Leading axes, at most `axis`, that both inputs share.
        pub batch_dims: usize,
    }
}

impl OpDef for Gather {
    const NAME: &'static str = "gather";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Gather", 1), Spelling::tflite("GATHER")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (x, indices) = (node.input(0)?, node.input(1)?);
        let at = axis(node.int("axis", 0)?, b.rank(x))?;
        let batch_dims = match node.format {
            Format::TfLite => {
                // Negative ones count from the back of the indices.
                let (batch, rank) = (node.int("batch_dims", 0)?, b.rank(indices));
                let batch = if batch < 0 { batch + rank as i64 } else { batch };
                usize::try_from(batch).map_err(|_| {
                    ImportError::malformed("is out of range").attribute("batch_dims")
                })?
            }
            _ => 0,
        };
        from_the_front(node, b, indices)?;
        let indices = index_type(b, indices)?;
        let y = b.op(Self { axis: at, batch_dims }, &[x, indices])?;
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, indices) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        axis(self.axis as i64, x.rank())?;
        if self.axis < self.batch_dims || indices.rank() < self.batch_dims {
            return Err(ShapeError::new(format!("{} axes are not shared", self.batch_dims)));
        }
        if !indices.dtype.is_int() {
            return Err(ShapeError::new(format!("{} is no type of indices", indices.dtype)));
        }
        let mut dims = x.dims[..self.axis].to_vec();
        for (dim, own) in dims.iter_mut().zip(&indices.dims).take(self.batch_dims) {
            *dim = moves::agreed(dim, own)?;
        }
        dims.extend_from_slice(&indices.dims[self.batch_dims..]);
        dims.extend_from_slice(&x.dims[self.axis + 1..]);
        if let (Some(dim), Some(picks)) = (x.dims[self.axis].known(), inputs.get(1)?.ints())
            && let Some(index) = picks.iter().find(|&&index| !(-dim..dim).contains(&index))
        {
            return Err(ShapeError::new(format!("index {index} lies outside {dim} elements")));
        }
        Ok(vec![moves::moved(x, dims)?])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let content = || {
            let (x, indices) = (inputs.optional(0)?, inputs.optional(1)?);
            let ty = self.infer(inputs).ok()?.into_iter().next()?;
            let picks = indices.ints()?;
            let pick_dims = indices.ty.known_dims()?;
            let dim = x.ty.dims.get(self.axis)?.known()?;
            let inner = pick_dims.len().checked_sub(self.batch_dims)?;
            moves::picked(Some(x), &ty.dims, |index| {
                let (front, rest) = index.split_at_checked(self.axis)?;
                let (pick, back) = rest.split_at_checked(inner)?;
                let place = front.iter().take(self.batch_dims).chain(pick).zip(&pick_dims);
                let place = place.fold(0, |at, (i, dim)| at * dim + i);
                let pick = *picks.get(place)?;
                let pick = usize::try_from(if pick < 0 { pick + dim } else { pick }).ok()?;
                Some(front.iter().chain([&pick]).chain(back).copied().collect())
            })
        };
        vec![content()]
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let inputs = s.inputs()?;
        let axis = int("axis", self.axis);
        if s.is_tflite() {
            let indices = moves::from_front(s, 1, &s.ty(0)?.dims[self.axis].clone())?;
            let inputs = [inputs[0], Some(indices)];
            return s.emit("GATHER", &inputs, vec![axis, int("batch_dims", self.batch_dims)]);
        }
        if self.batch_dims != 0 {
            return Err(SpellError::none("ONNX's Gather shares no axes between its inputs"));
        }
        s.emit("Gather", &inputs, vec![axis])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (axis, batch_dims) = (moves::narrow(self.axis)?, moves::narrow(self.batch_dims)?);
        io.input(1)?;
        Ok(Lowered::plain(&kernel::ANY, &kernel::Params { axis, batch_dims }, 2))
    }
}

/// Refuses constant indices that count from the end in a format that has none.
///
/// # Errors
/// When one is negative in a TFLite file.
pub fn from_the_front(
    node: &NodeView<'_>,
    b: &Builder<'_>,
    indices: ValueId,
) -> Result<(), ImportError> {
    if node.format != Format::TfLite {
        return Ok(());
    }
    let known = b.const_of(indices).and_then(Const::to_f64).unwrap_or_default();
    match known.iter().find(|&&index| index < 0.0) {
        Some(index) => Err(ImportError::malformed(format!("index {index} is negative"))),
        None => Ok(()),
    }
}

/// Indices as kernels read them: i32 or i64.
///
/// # Errors
/// Only where a cast does not fit.
pub fn index_type(b: &mut Builder<'_>, indices: ValueId) -> Result<ValueId, ShapeError> {
    match b.ty(indices).dtype {
        DType::I32 | DType::I64 => Ok(indices),
        _ => b.op(super::cast::Cast { to: DType::I64 }, &[indices]),
    }
}
