//! ONNX's ConvInteger and MatMulInteger: integers less their zero points, multiplied and summed up
//! in i32.

use super::prelude::*;
use super::{Conv2d, Matmul, Sub, cast};

pub const SPELLINGS: &[Spelling] =
    &[Spelling::onnx("ConvInteger", 10), Spelling::onnx("MatMulInteger", 10)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let convolution = node.op == "ConvInteger";
    // Zero points of the rows of A are one for each row, those of weights one for each output.
    let x = centred(node, b, [0, 2], |_, len| vec![len, Dim::Known(1)])?;
    let w = centred(node, b, [1, 3], |rank, len| {
        let ones = if convolution { rank.saturating_sub(1) } else { 0 };
        [len].into_iter().chain(std::iter::repeat_n(Dim::Known(1), ones)).collect()
    })?;
    let inputs = vec![Some(x), Some(w)];
    if convolution {
        return node.disguised("Conv", inputs, |n| Conv2d::import(n, b));
    }
    let (a_rank, b_rank) = (b.rank(x), b.rank(w));
    if a_rank < 2 || b_rank < 2 {
        return Err(ImportError::unsupported("products with vectors are not supported"));
    }
    one(b.op(Matmul { transpose_a: false, transpose_b: false }, &[x, w])?)
}

/// Input `value` as i32, less the zero points of input `zero`, if it has any; several lie along the
/// dimensions that `along` yields for the rank and their number.
fn centred(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    [value, zero]: [usize; 2],
    along: impl FnOnce(usize, Dim) -> Vec<Dim>,
) -> Result<ValueId, ImportError> {
    let x = cast::to(b, node.input(value)?, DType::I32)?;
    let Some(zero) = node.optional(zero) else { return Ok(x) };
    let mut zero = cast::to(b, zero, DType::I32)?;
    if let [len] = b.ty(zero).dims.clone().as_slice()
        && *len != Dim::Known(1)
    {
        let dims = along(b.rank(x), len.clone());
        zero = b.reshape(zero, dims)?;
    }
    Ok(b.op(Sub {}, &[x, zero])?)
}
