//! Expand: repetition along axes of one element, as in NumPy's `broadcast_to`.

use embarca_kernels::expand as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Repeats axes of size 1 and adds axes in front.
    pub struct Expand {
        /// The dimensions of the result.
        pub dims: Vec<Dim>,
    }
}

impl OpDef for Expand {
    const NAME: &'static str = "expand";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Expand", 8), Spelling::tflite("BROADCAST_TO")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let shape = b.dims(node.input(1)?, "the shape")?;
        let own = &b.ty(x).dims;
        let rank = own.len().max(shape.len());
        let at = |dims: &[Dim], i: usize| {
            let front = rank - dims.len();
            i.checked_sub(front).map_or(Dim::Known(1), |i| dims[i].clone())
        };
        let one_dim = Dim::Known(1);
        let dims: Vec<Dim> = (0..rank)
            .map(|i| {
                let (own, wanted) = (at(own, i), at(&shape, i));
                // A wanted 1 leaves the input's size.
                if wanted == one_dim { own } else { wanted }
            })
            .collect();
        let y = if *own == dims { x } else { b.op(Self { dims }, &[x])? };
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let fits = |(own, wanted): (&Dim, &Dim)| *own == Dim::Known(1) || own.may_equal(wanted);
        let front = self.dims.len().checked_sub(x.rank());
        let fits = front.is_some_and(|front| x.dims.iter().zip(&self.dims[front..]).all(fits));
        if !fits || self.dims.iter().any(|dim| dim.known().is_some_and(|dim| dim < 0)) {
            let wanted = TensorType::new(x.dtype, self.dims.iter().cloned());
            return Err(ShapeError::new(format!("{x} cannot be expanded to {wanted}")));
        }
        Ok(vec![moves::moved(x, self.dims.clone())?])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Some(x) = inputs.optional(0) else { return Vec::new() };
        let Some(front) = self.dims.len().checked_sub(x.ty.rank()) else { return Vec::new() };
        let one_dim = Dim::Known(1);
        let from = |index: &[usize]| {
            let each = index.get(front..)?.iter().zip(&x.ty.dims);
            Some(each.map(|(&i, dim)| if *dim == one_dim { 0 } else { i }).collect())
        };
        vec![moves::picked(Some(x), &self.dims, from)]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let dims = moves::permuted(&self.dims, perm)?;
        Some((Self { dims }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let shape = s.shape(&self.dims)?;
        let name = s.named("Expand", "BROADCAST_TO")?;
        s.emit(name, &[Some(x), Some(shape)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 1))
    }
}
