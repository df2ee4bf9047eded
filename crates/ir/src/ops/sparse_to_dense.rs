//! TFLite's SPARSE_TO_DENSE: one value everywhere but at given places.

use embarca_kernels::scatter::Kind;

use super::prelude::*;
use super::scatter_nd::Meeting;
use super::{Expand, ScatterNd};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("SPARSE_TO_DENSE")];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    // Whether indices are in order and differ, which changes nothing.
    node.ignore(&["validate_indices"]);
    let (mut places, mut values) = (node.input(0)?, node.input(2)?);
    let dims = b.dims(node.input(1)?, "the shape")?;
    let rank = Dim::Known(dims.len() as i64);
    let count = match b.rank(places) {
        2 => b.ty(places).dims[0].clone(),
        1 => {
            // Places along a single axis.
            let count = b.ty(places).dims[0].clone();
            places = b.reshape(places, vec![count.clone(), Dim::Known(1)])?;
            count
        }
        _ => {
            places = b.reshape(places, vec![Dim::Known(1), Dim::Known(1)])?;
            Dim::Known(1)
        }
    };
    if !b.ty(places).dims[1].may_equal(&rank) {
        let message = format!("places of {} in a tensor of {rank} axes", b.ty(places));
        return Err(ImportError::malformed(message));
    }
    if b.rank(values) == 0 {
        values = b.op(Expand { dims: vec![count] }, &[values])?;
    }
    let everywhere = b.op(Expand { dims }, &[node.input(3)?])?;
    one(b.op(ScatterNd { by: Meeting(Kind::Replace) }, &[everywhere, places, values])?)
}
