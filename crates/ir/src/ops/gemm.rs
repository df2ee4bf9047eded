//! ONNX's Gemm: `alpha * A * B + beta * C`, either matrix transposed or not.

use super::prelude::*;
use super::{Add, Dense, Mul};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Gemm", 7)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (mut x, mut w) = (node.input(0)?, node.input(1)?);
    if b.rank(x) != 2 || b.rank(w) != 2 {
        return Err(ImportError::malformed("the factors are not matrices"));
    }
    if node.flag("transA", false)? {
        x = b.transpose(x, &[1, 0])?;
    }
    if !node.flag("transB", false)? {
        w = b.transpose(w, &[1, 0])?;
    }
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    if alpha != 1.0 {
        let alpha = b.scalar(alpha);
        w = b.op(Mul {}, &[w, alpha])?;
    }
    let dense = Dense::PLAIN;
    let Some(mut c) = node.optional(2) else { return one(b.op(dense, &[x, w])?) };
    if beta != 1.0 {
        let beta = b.scalar(beta);
        c = b.op(Mul {}, &[c, beta])?;
    }
    let outputs = b.ty(w).dims[0].clone();
    let is_bias = match b.ty(c).dims.as_slice() {
        [len] => *len == outputs,
        [Dim::Known(1), len] => *len == outputs,
        _ => false,
    };
    if is_bias {
        let bias = b.reshape(c, vec![outputs])?;
        return one(b.op(dense, &[x, w, bias])?);
    }
    let product = b.op(dense, &[x, w])?;
    one(b.op(Add {}, &[product, c])?)
}
