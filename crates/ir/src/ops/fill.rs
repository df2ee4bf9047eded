//! Tensors of one value: ConstantOfShape, FILL, ZEROS_LIKE.

use super::Expand;
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("ConstantOfShape", 9),
    Spelling::tflite("FILL"),
    Spelling::tflite("ZEROS_LIKE"),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (value, dims) = match node.op {
        "ConstantOfShape" => {
            let value = match node.opt_tensor("value")? {
                Some(value) => value,
                None => Const::from_f32(&[1], &[0.0]),
            };
            let scalar = Const::new(value.dtype, Vec::new(), value.data);
            let wrong = || ImportError::malformed("is not one element").attribute("value");
            let scalar = scalar.ok_or_else(wrong)?;
            (b.constant(scalar, None), b.dims(node.input(0)?, "the shape")?)
        }
        "FILL" => (node.input(1)?, b.dims(node.input(0)?, "the shape")?),
        _ => {
            let x = b.ty(node.input(0)?);
            let (dtype, dims) = (x.dtype, x.dims.clone());
            (zero(b, dtype)?, dims)
        }
    };
    if b.ty(value).dims == dims {
        return one(value);
    }
    one(b.op(Expand { dims }, &[value])?)
}

/// A scalar zero.
pub fn zero(b: &mut Builder<'_>, dtype: DType) -> Result<ValueId, ImportError> {
    let data = Const::new(dtype, Vec::new(), vec![0; dtype.size()]);
    let data = data.ok_or_else(|| ImportError::unsupported(format!("{dtype} has no zero")))?;
    Ok(b.constant(data, None))
}
