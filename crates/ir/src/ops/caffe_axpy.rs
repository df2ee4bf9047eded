//! Caffe's Axpy layer: `a * x + y` with a factor for each channel of each sample.

use super::prelude::*;
use super::{Add, Mul};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Axpy")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (a, x, y) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let rank = b.rank(x);
    let mut dims = b.ty(a).dims.clone();
    if dims.len() < 2 || dims[2..].iter().any(|dim| *dim != Dim::Known(1)) || rank < 2 {
        let message = format!("factors of {} for {}", b.ty(a), b.ty(x));
        return Err(ImportError::malformed(message));
    }
    dims.resize(rank, Dim::Known(1));
    let a = b.reshape(a, dims)?;
    let scaled = b.op(Mul {}, &[a, x])?;
    one(b.op(Add {}, &[scaled, y])?)
}
