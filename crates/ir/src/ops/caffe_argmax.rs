//! Caffe's ArgMax layer: the place of the greatest element, as a real number.

use super::prelude::*;
use super::reduce::Reduction;
use super::{ArgMax, Concat, Reduce, cast};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("ArgMax")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut x = node.input(0)?;
    let with_value = node.flag("out_max_val", false)?;
    if node.int("top_k", 1)? != 1 {
        return Err(ImportError::unsupported("is not 1").attribute("top_k"));
    }
    let along = match node.opt_int("axis")? {
        Some(at) => axis(at, b.rank(x))?,
        None => {
            // All but the batch is searched; the result is N, 1, 1, with the value N, 2, 1.
            let dims = b.ty(x).dims.clone();
            let batch = dims.first().cloned().unwrap_or(Dim::Known(1));
            let rest = dim::product(dims.iter().skip(1));
            x = b.reshape(x, vec![batch, Dim::Known(1), rest])?;
            2
        }
    };
    // Caffe sorts pairs of value and place downward, so the last of equals is first.
    let op = ArgMax { axis: along, smallest: false, last: true, keep: true, to: DType::I32 };
    let place = b.op(op, &[x])?;
    let place = cast::to(b, place, DType::F32)?;
    if !with_value {
        return one(place);
    }
    let by = Reduction(embarca_kernels::reduce::Kind::Max);
    let value = b.op(Reduce { by, axes: vec![along], keep: true }, &[x])?;
    if node.has("axis") {
        // Caffe then yields the values alone.
        return one(value);
    }
    one(b.op(Concat { axis: 1 }, &[place, value])?)
}
