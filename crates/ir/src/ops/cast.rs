//! Cast: the same numbers in another element type.

use embarca_kernels::cast as kernel;

use super::cast_small::{self, CastSmall};
use super::prelude::*;
use super::moves;

crate::payload! {
    /// To another element type; floats to integers toward zero.
    pub struct Cast {
        /// The element type of the result.
        pub to: DType,
    }
}

/// `value` as `dtype`.
pub fn to(b: &mut Builder<'_>, value: ValueId, dtype: DType) -> Result<ValueId, ShapeError> {
    if b.ty(value).dtype == dtype { Ok(value) } else { b.op(Cast { to: dtype }, &[value]) }
}

impl OpDef for Cast {
    const NAME: &'static str = "cast";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Cast", 6), Spelling::onnx("CastLike", 15), Spelling::tflite("CAST")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        // Both matter for floats of 8 bits and less only.
        let saturate = node.flag("saturate", true)?;
        let rounding = node.text("round_mode", "up")?.to_owned();
        let dtype = match node.format {
            Format::Onnx if node.op == "Cast" => {
                let code = node.int("to", 0)?;
                let dtype = u8::try_from(code).ok().and_then(DType::from_code);
                dtype.ok_or_else(|| ImportError::malformed("is no type").attribute("to"))?
            }
            Format::Onnx => b.ty(node.input(1)?).dtype,
            _ => {
                node.ignore(&["in_data_type", "out_data_type"]);
                let missing = || ImportError::malformed("the output has no type");
                node.output_type(0).ok_or_else(missing)?.dtype
            }
        };
        if cast_small::applies(b.ty(x).dtype, dtype) {
            return one(b.op(CastSmall { to: dtype, saturate, rounding }, &[x])?);
        }
        one(to(b, x, dtype)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        for dtype in [x.dtype, self.to] {
            if !kernel::is_supported(dtype) {
                return Err(ShapeError::new(format!("{dtype} cannot be cast")));
            }
        }
        Ok(vec![TensorType::new(self.to, x.dims.iter().cloned())])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        // 0.5 is true, but rounds to 0.
        let whole = inputs.optional(0).is_some_and(|x| x.known.is_some());
        let Some(known) = inputs.optional(0).and_then(integers) else { return Vec::new() };
        let cast = |dim: &Dim| match (self.to, dim.known()) {
            (DType::I64, _) => Some(dim.clone()),
            (DType::I32, Some(value)) => Some(Dim::Known((value as i32).into())),
            // Dimensions fit.
            (DType::I32, None) => Some(dim.clone()),
            (DType::Bool, Some(value)) if whole => Some(Dim::Known((value != 0).into())),
            _ => None,
        };
        vec![known.iter().map(cast).collect()]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        if !s.is_tflite() {
            return s.emit("Cast", &[Some(x)], vec![int("to", self.to.code())]);
        }
        let from = s.ty(0)?.dtype;
        if (from, self.to) == (DType::F16, DType::F32) {
            return s.emit("DEQUANTIZE", &[Some(x)], Vec::new());
        }
        let (Some(from), Some(to)) = (moves::tflite_type(from), moves::tflite_type(self.to)) else {
            return Err(SpellError::none(format!("TFLite does not cast {from} to {}", self.to)));
        };
        let attrs = vec![text("in_data_type", from), text("out_data_type", to)];
        s.emit("CAST", &[Some(x)], attrs)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 1))
    }
}

/// The elements that are known, real ones of constants rounded toward zero. `None` where that has
/// no meaning as dimensions: then the kernel computes it.
fn integers(x: Operand<'_>) -> Option<Vec<Dim>> {
    if let Some(known) = x.known {
        return Some(known.to_vec());
    }
    let whole = |value: f64| (value.abs() < 2e9).then_some(Dim::Known(value as i64));
    let data = x.data.filter(|data| data.len() <= crate::builder::MAX_KNOWN)?;
    data.to_f64()?.into_iter().map(whole).collect()
}
