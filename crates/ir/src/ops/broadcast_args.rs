//! TFLite's BROADCAST_ARGS: the shape that two shapes broadcast to.

use super::elementwise::broadcast;
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("BROADCAST_ARGS")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let dtype = b.ty(node.input(0)?).dtype;
    let first = b.dims(node.input(0)?, "the first shape")?;
    let dims = broadcast(&first, &b.dims(node.input(1)?, "the second shape")?)?;
    let known: Option<Vec<i64>> = dims.iter().map(Dim::known).collect();
    let open = || {
        ImportError::unsupported("the shapes are open").hint("fix the sizes with --shape")
    };
    let dims = known.ok_or_else(open)?;
    let data = match dtype {
        DType::I64 => Const::from_i64(&[dims.len()], &dims),
        _ => Const::from_i32(&[dims.len()], &dims.iter().map(|&d| d as i32).collect::<Vec<_>>()),
    };
    one(b.constant(data, None))
}
