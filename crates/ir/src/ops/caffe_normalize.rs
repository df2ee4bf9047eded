//! Caffe's Normalize and MVN layers: tensors brought to a common length, or to mean 0.

use embarca_kernels::reduce::Kind;
use embarca_kernels::unary;

use super::prelude::*;
use super::reduce::{Reduce, Reduction};
use super::{Add, Div, Mul, Sub, Unary};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Normalize"), Spelling::caffe("MVN")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let rank = b.rank(x);
    if rank < 2 {
        return Err(ImportError::malformed(format!("expected N, C, ..., got {}", b.ty(x))));
    }
    if node.op == "MVN" {
        return mean_variance(node, b, x);
    }
    // Of each sample, or of each position of it.
    let last = if node.flag("across_spatial", true)? { rank } else { 2 };
    let epsilon = b.scalar(node.float("eps", 1e-10)?);
    let squares = reduced(b, x, Kind::SumSquare, 1..last)?;
    let squares = b.op(Add {}, &[squares, epsilon])?;
    let length = b.op(Unary::plain(unary::Kind::Sqrt), &[squares])?;
    let y = b.op(Div {}, &[x, length])?;
    let missing = || {
        ImportError::malformed("the layer has no learned scale")
            .hint("give the .caffemodel with --weights")
    };
    let scale = node.blob(0).ok_or_else(missing)?;
    let mut dims = vec![Dim::Known(1); rank - 1];
    if !node.flag("channel_shared", true)? {
        dims[0] = dim::product(&b.ty(scale).dims);
    }
    let scale = b.reshape(scale, dims)?;
    one(b.op(Mul {}, &[y, scale])?)
}

/// `(x - mean) / (sqrt(variance) + epsilon)`, of each channel or of each sample.
fn mean_variance(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let first = if node.flag("across_channels", false)? { 1 } else { 2 };
    let rank = b.rank(x);
    if rank <= first {
        return Err(ImportError::malformed(format!("expected N, C, H, W, got {}", b.ty(x))));
    }
    let epsilon = b.scalar(node.float("eps", 1e-9)?);
    let mean = reduced(b, x, Kind::Mean, first..rank)?;
    let centered = b.op(Sub {}, &[x, mean])?;
    if !node.flag("normalize_variance", true)? {
        return one(centered);
    }
    let squares = b.op(Unary::plain(unary::Kind::Square), &[centered])?;
    let variance = reduced(b, squares, Kind::Mean, first..rank)?;
    let deviation = b.op(Unary::plain(unary::Kind::Sqrt), &[variance])?;
    let deviation = b.op(Add {}, &[deviation, epsilon])?;
    one(b.op(Div {}, &[centered, deviation])?)
}

fn reduced(
    b: &mut Builder<'_>,
    x: ValueId,
    by: Kind,
    axes: std::ops::Range<usize>,
) -> Result<ValueId, ShapeError> {
    b.op(Reduce { by: Reduction(by), axes: axes.collect(), keep: true }, &[x])
}
