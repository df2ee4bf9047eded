//! Caffe's Threshold layer: 1 above a threshold, else 0.

use embarca_kernels::compare::Kind;

use super::compare::{Compare, Comparison};
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Threshold")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let threshold = b.scalar(node.float("threshold", 0.0)?);
    let op = Compare { holds: Comparison(Kind::Greater) };
    let above = b.op(op, &[node.input(0)?, threshold])?;
    one(super::cast::to(b, above, DType::F32)?)
}
