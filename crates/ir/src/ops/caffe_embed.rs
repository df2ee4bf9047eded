//! Caffe's Embed layer: rows of a learned table, chosen by numbers that are stored as real ones.

use super::prelude::*;
use super::{Add, Gather, cast};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Embed")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let with_bias = node.flag("bias_term", true)?;
    node.ignore(&["num_output", "input_dim"]);
    let missing = || {
        ImportError::malformed("the layer has no learned weights")
            .hint("give the .caffemodel with --weights")
    };
    let table = node.blob(0).ok_or_else(missing)?;
    let index = cast::to(b, node.input(0)?, DType::I32)?;
    let rows = b.op(Gather { axis: 0, batch_dims: 0 }, &[table, index])?;
    if !with_bias {
        return one(rows);
    }
    let bias = node.blob(1).ok_or_else(missing)?;
    one(b.op(Add {}, &[rows, bias])?)
}
