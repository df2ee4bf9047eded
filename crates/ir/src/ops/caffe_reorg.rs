//! Caffe's Reorg layer, as Darknet's: positions become channels, in Darknet's peculiar order.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Reorg")];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let side = node.int("stride", 2)?;
    if !(1..1 << 10).contains(&side) {
        return Err(ImportError::malformed(format!("{side} is out of range")).attribute("stride"));
    }
    if node.flag("reverse", false)? {
        return Err(ImportError::unsupported("is not supported").attribute("reverse"));
    }
    let dims = b.ty(x).dims.clone();
    let [n, c, h, w] = &dims[..] else {
        return Err(ImportError::malformed(format!("expected N, C, H, W, got {}", b.ty(x))));
    };
    let (by, area) = (Dim::Known(side), Dim::Known(side * side));
    let divides = |dim: &Dim, by: &Dim| dim.rem(by) == Dim::Known(0);
    if !divides(c, &area) || !divides(h, &by) || !divides(w, &by) {
        let message = format!("{} does not fall into blocks of {side}", b.ty(x));
        return Err(ImportError::malformed(message).attribute("stride"));
    }
    // The data is read as fewer channels of a larger picture, which is cut into blocks.
    let blocks = [n, &c.floor_div(&area), h, &by, w, &by].map(Dim::clone);
    let blocks = b.reshape(x, blocks.to_vec())?;
    let moved = b.transpose(blocks, &[0, 3, 5, 1, 2, 4])?;
    let to = [n.clone(), c.mul(&area), h.floor_div(&by), w.floor_div(&by)];
    one(b.reshape(moved, to.to_vec())?)
}
