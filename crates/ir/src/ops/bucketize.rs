//! TFLite's BUCKETIZE: how many of some sorted boundaries a number reaches.

use embarca_kernels::compare;
use embarca_kernels::reduce::Kind;

use super::compare::Comparison;
use super::prelude::*;
use super::reduce::{Reduce, Reduction};
use super::{Compare, cast};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("BUCKETIZE")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let boundaries = node.opt_floats("boundaries")?.unwrap_or_default();
    if !boundaries.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(ImportError::malformed("is not sorted").attribute("boundaries"));
    }
    let x = cast::to(b, node.input(0)?, DType::F32)?;
    let mut dims = b.ty(x).dims.clone();
    let rank = dims.len();
    dims.push(Dim::Known(1));
    let x = b.reshape(x, dims)?;
    let boundaries = b.f32s(&[boundaries.len()], &boundaries);
    let holds = Comparison(compare::Kind::GreaterEqual);
    let reached = b.op(Compare { holds }, &[x, boundaries])?;
    let reached = cast::to(b, reached, DType::I32)?;
    one(b.op(Reduce { by: Reduction(Kind::Sum), axes: vec![rank], keep: false }, &[reached])?)
}
