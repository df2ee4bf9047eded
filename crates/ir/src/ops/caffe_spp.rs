//! Caffe's SPP layer: pooling by grids of 1, 2, 4, ... windows a side, one after the other.

use super::prelude::*;
use super::spatial;
use super::{AveragePool2d, Concat, MaxPool2d};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("SPP")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let levels = node.int("pyramid_height", 0)?;
    if !(1..=12).contains(&levels) {
        let message = format!("{levels} is out of range");
        return Err(ImportError::malformed(message).attribute("pyramid_height"));
    }
    let average = match node.text("pool", "MAX")? {
        "MAX" => false,
        "AVE" => true,
        other => {
            let message = format!("{other} pooling is not supported");
            return Err(ImportError::unsupported(message).attribute("pool"));
        }
    };
    let (x, axes) = spatial::enter(b, node.input(0)?)?;
    let hw = spatial::height_width(b.ty(x))?.map(Dim::known);
    let [Some(height), Some(width)] = hw else {
        let message = "the windows depend on the picture's size";
        return Err(ImportError::unsupported(message).hint("fix height and width with --shape"));
    };
    let mut parts = Vec::new();
    for level in 0..levels {
        let bins = 1i64 << level;
        let along = |len: i64| {
            let size = (len.max(1) + bins - 1) / bins;
            let pad = (size * bins - len + 1) / 2;
            let narrow = i32::try_from(pad).ok().zip(usize::try_from(size).ok());
            narrow.ok_or_else(|| ImportError::malformed("the picture is too large"))
        };
        let ((top, height), (left, width)) = (along(height)?, along(width)?);
        let size = [height, width];
        let (strides, dilations, pads) = (size, [1, 1], [top, left, top, left]);
        let y = if average {
            let (ceil, count_pad, half_up) = (true, true, false);
            let op = AveragePool2d { size, strides, dilations, pads, ceil, count_pad, half_up };
            b.op(op, &[x])?
        } else {
            b.op(MaxPool2d { size, strides, dilations, pads, ceil: true }, &[x])?
        };
        let y = spatial::leave(b, y, axes)?;
        if levels == 1 {
            return one(y);
        }
        let dims = b.ty(y).dims.clone();
        parts.push(b.reshape(y, vec![dims[0].clone(), dim::product(&dims[1..])])?);
    }
    one(b.op(Concat { axis: 1 }, &parts)?)
}
