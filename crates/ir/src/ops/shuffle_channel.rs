//! Caffe's ShuffleChannel layer: channels in groups, taken one from each group in turn.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("ShuffleChannel")];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let group = Dim::Known(node.int("group", 1)?);
    let [n, c, rest @ ..] = &dims[..] else {
        return Err(ImportError::malformed("there is no channel axis"));
    };
    if c.rem(&group) != Dim::Known(0) {
        let message = format!("{c} channels do not fall into {group} groups");
        return Err(ImportError::malformed(message).attribute("group"));
    }
    let mut split = vec![n.clone(), group.clone(), c.floor_div(&group)];
    split.extend_from_slice(rest);
    let mut perm: Vec<usize> = (0..split.len()).collect();
    perm.swap(1, 2);
    let y = b.reshape(x, split)?;
    let y = b.transpose(y, &perm)?;
    one(b.reshape(y, dims)?)
}
