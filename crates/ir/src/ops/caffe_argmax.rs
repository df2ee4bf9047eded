//! Caffe's ArgMax layer: the place of the greatest element, as a real number.

use super::prelude::*;
use super::reduce::Reduction;
use super::{ArgMax, Concat, Reduce, Slice, Sub, TopK, cast};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("ArgMax")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut x = node.input(0)?;
    let with_value = node.flag("out_max_val", false)?;
    let count = node.int("top_k", 1)?;
    if count < 1 {
        return Err(ImportError::malformed("is not positive").attribute("top_k"));
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
    if count != 1 {
        let (value, place) = best(b, x, along, count)?;
        return match (with_value, node.has("axis")) {
            (false, _) => one(place),
            (true, true) => one(value),
            (true, false) => one(b.op(Concat { axis: 1 }, &[place, value])?),
        };
    }
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

/// The `count` greatest elements and their places; of equals the last comes first.
fn best(
    b: &mut Builder<'_>,
    x: ValueId,
    along: usize,
    count: i64,
) -> Result<(ValueId, ValueId), ImportError> {
    let dims = b.ty(x).dims.clone();
    let Some(len) = dims[along].known() else {
        let message = "the axis that is searched is of open size";
        return Err(ImportError::unsupported(message).attribute("top_k"));
    };
    // The first of equals in a tensor turned around.
    let (mut starts, mut steps) = (vec![0; dims.len()], vec![1; dims.len()]);
    (starts[along], steps[along]) = (-1, -1);
    let turned = b.op(Slice { starts, steps, dims }, &[x])?;
    let top = TopK { axis: along, k: Dim::Known(count), smallest: false, to: DType::I32 };
    let [value, place] = *b.node(top, &[Some(turned)])? else {
        return Err(ImportError::malformed("has no two results"));
    };
    let place = cast::to(b, place, DType::F32)?;
    let last = b.scalar((len - 1) as f32);
    Ok((value, b.op(Sub {}, &[last, place])?))
}
