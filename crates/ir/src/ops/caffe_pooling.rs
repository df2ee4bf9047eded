//! Caffe's Pooling layer: maximum or average.

use super::pooling::{self, Pooling};
use super::prelude::*;
use super::spatial::Window;
use super::{AveragePool2d, MaxPool2d};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Pooling")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let average = match node.text("pool", "MAX")? {
        "MAX" => false,
        "AVE" => true,
        other => {
            let message = format!("{other} pooling is not supported");
            return Err(ImportError::unsupported(message).attribute("pool"));
        }
    };
    pooling::import(node, b, |b, x, pooling| {
        let Pooling { size, window: Window { strides, dilations, pads }, ceil, count_pad } =
            pooling;
        // Else a window could lie in the padding alone, which Caffe refuses.
        if (0..4).any(|side| 0 < pads[side] && size[side % 2] as i64 <= i64::from(pads[side])) {
            return Err(ShapeError::new("the padding is as large as the window"));
        }
        if average {
            let half_up = false;
            let op = AveragePool2d { size, strides, dilations, pads, ceil, count_pad, half_up };
            b.op(op, &[x])
        } else {
            b.op(MaxPool2d { size, strides, dilations, pads, ceil }, &[x])
        }
    })
}
