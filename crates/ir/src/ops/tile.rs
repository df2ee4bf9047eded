//! Tile: the whole tensor again and again along each axis.

use embarca_kernels::tile as kernel;

use super::prelude::*;

crate::payload! {
    /// Repeats a tensor.
    pub struct Tile {
        /// How often, along each axis.
        pub times: Vec<Dim>,
    }
}

impl OpDef for Tile {
    const NAME: &'static str = "tile";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Tile", 6), Spelling::tflite("TILE"), Spelling::caffe("Tile")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let times = if node.format == Format::Caffe {
            let at = axis(node.int("axis", 1)?, b.rank(x))?;
            let mut times = vec![Dim::Known(1); b.rank(x)];
            times[at] = Dim::Known(node.int("tiles", 1)?);
            times
        } else {
            b.dims(node.input(1)?, "the number of repetitions")?
        };
        one(b.op(Self { times }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let negative = self.times.iter().any(|times| times.known().is_some_and(|times| times < 0));
        if self.times.len() != x.rank() || negative {
            return Err(ShapeError::new(format!("{x} cannot be repeated so")));
        }
        let dims = x.dims.iter().zip(&self.times).map(|(dim, times)| dim.mul(times));
        let mut ty = x.with_dims(dims.collect());
        ty.quant = ty.quant.filter(|quant| quant.axis.is_none());
        Ok(vec![ty])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let times = s.shape(&self.times)?;
        let name = s.named("Tile", "TILE")?;
        s.emit(name, &[Some(x), Some(times)], Vec::new())
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 1))
    }
}
