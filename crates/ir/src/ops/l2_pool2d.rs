//! TFLite's L2_POOL_2D: the root of the mean of squares.

use embarca_kernels::unary::Kind;

use super::pooling::{self, Pooling};
use super::prelude::*;
use super::spatial::Window;
use super::{AveragePool2d, Unary};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("L2_POOL_2D")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    if b.ty(node.input(0)?).dtype != DType::F32 {
        return Err(ImportError::unsupported("only f32 is supported"));
    }
    pooling::import(node, b, |b, x, pooling| {
        let Pooling { size, window: Window { strides, dilations, pads }, ceil, count_pad } =
            pooling;
        let half_up = false;
        let squares = b.op(Unary::plain(Kind::Square), &[x])?;
        let mean = AveragePool2d { size, strides, dilations, pads, ceil, count_pad, half_up };
        let means = b.op(mean, &[squares])?;
        b.op(Unary::plain(Kind::Sqrt), &[means])
    })
}
