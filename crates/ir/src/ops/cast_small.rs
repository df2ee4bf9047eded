//! Cast from or to a float of at most 8 bits or an integer of less than 8.

use embarca_kernels::cast_small as kernel;

use super::prelude::*;

crate::payload! {
    /// The same numbers in another element type, one of the two being small.
    pub struct CastSmall {
        /// The element type of the result.
        pub to: DType,
        /// Whether floats beyond the greatest become the greatest.
        pub saturate: bool,
        /// How a number becomes a power of two (`f8e8m0`): `up`, `down` or `nearest`.
        pub rounding: String,
    }
}

/// Whether a cast between the two is this one.
pub fn applies(from: DType, to: DType) -> bool {
    from != to && (kernel::is_small(from) || kernel::is_small(to))
}

/// `value` as `dtype` by whichever cast does it, saturating.
pub fn to(b: &mut Builder<'_>, value: ValueId, dtype: DType) -> Result<ValueId, ShapeError> {
    let (from, rounding) = (b.ty(value).dtype, "up".to_owned());
    if !applies(from, dtype) {
        return super::cast::to(b, value, dtype);
    }
    b.op(CastSmall { to: dtype, saturate: true, rounding }, &[value])
}

impl OpDef for CastSmall {
    const NAME: &'static str = "cast_small";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        for dtype in [x.dtype, self.to] {
            if !kernel::is_supported(dtype) {
                return Err(ShapeError::new(format!("{dtype} cannot be cast to a small type")));
            }
        }
        Ok(vec![TensorType::new(self.to, x.dims.iter().cloned())])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let attrs = vec![
            int("to", self.to.code()),
            flag("saturate", self.saturate),
        ];
        let name = s.named("Cast", "")?;
        s.emit(name, &[Some(x)], attrs)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let rounding = match self.rounding.as_str() {
            "up" => 0,
            "down" => 1,
            "nearest" => 2,
            other => return Err(LowerError::Bug(format!("rounding {other} is not known"))),
        };
        let params = kernel::Params { saturate: self.saturate.into(), rounding };
        Ok(Lowered::plain(&kernel::ANY, &params, 1))
    }
}
