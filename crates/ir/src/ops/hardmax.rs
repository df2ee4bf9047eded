//! Hardmax: 1 at the first greatest element along an axis, else 0.

use super::prelude::*;
use super::{ArgMax, OneHot};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Hardmax", 1)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let old = node.version < 13;
    let mut at = axis(node.int("axis", if old { 1 } else { -1 })?, dims.len())?;
    let mut flat = x;
    if old {
        // Before opset 13 all axes from `axis` on are one.
        flat = b.reshape(x, vec![dim::product(&dims[..at]), dim::product(&dims[at..])])?;
        at = 1;
    }
    let depth = b.ty(flat).dims[at].clone();
    let op = ArgMax { axis: at, smallest: false, last: false, keep: false, to: DType::I64 };
    let place = b.op(op, &[flat])?;
    let (off, on) = (b.scalar(0.0), b.scalar(1.0));
    let y = b.op(OneHot { axis: at, depth, wraps: true }, &[place, off, on])?;
    one(b.reshape(y, dims)?)
}
