//! Caffe's Scale and Bias layers: a factor, or a summand, for each index of some axes.

use super::prelude::*;
use super::{Add, Mul};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Scale"), Spelling::caffe("Bias")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let rank = b.rank(x);
    let start = axis(node.int("axis", 1)?, rank)?;
    let count = node.int("num_axes", 1)?;
    // The factors come from a second input or are learned.
    let mut learned = (0..2).map_while(|index| node.blob(index));
    let missing = || ImportError::malformed("the factors are missing");
    let given = match node.optional(1) {
        Some(value) => value,
        None => learned.next().ok_or_else(missing)?,
    };
    let dims = b.ty(given).dims.clone();
    let expected = match usize::try_from(count) {
        _ if node.optional(1).is_some() => dims.len(),
        Ok(count) => count,
        Err(_) => rank - start,
    };
    if dims.len() != expected || rank < start + dims.len() {
        let message = format!("factors for {} axes from axis {start} on", dims.len());
        return Err(ImportError::malformed(message).attribute("num_axes"));
    }
    let aligned = |b: &mut Builder<'_>, value: ValueId| {
        let mut wide = dims.clone();
        wide.resize(rank - start, Dim::Known(1));
        b.reshape(value, wide)
    };
    let factor = aligned(b, given)?;
    if node.op == "Bias" {
        return one(b.op(Add {}, &[x, factor])?);
    }
    let mut y = b.op(Mul {}, &[x, factor])?;
    if node.flag("bias_term", false)? {
        let bias = learned.next().ok_or_else(missing)?;
        let bias = aligned(b, bias)?;
        y = b.op(Add {}, &[y, bias])?;
    }
    one(y)
}
