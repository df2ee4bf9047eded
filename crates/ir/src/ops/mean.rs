//! ONNX's Mean of several tensors that broadcast.

use super::prelude::*;
use super::{Add, Div};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Mean", 8)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut sum = node.input(0)?;
    for index in 1..node.n_inputs() {
        let next = node.input(index)?;
        sum = b.op(Add {}, &[sum, next])?;
    }
    let count = b.scalar(node.n_inputs() as f32);
    one(b.op(Div {}, &[sum, count])?)
}
