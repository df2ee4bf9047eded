//! TFLite's CONV_3D: a convolution over depth, height and width.

use super::prelude::*;
use super::volume::{Span, convolve};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("CONV_3D")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, w) = (node.input(0)?, node.input(1)?);
    let [depth, height, width, each, _] = super::spatial::weight_dims(b.ty(w))?;
    let three = |stem: [&str; 3], default: i64| -> Result<[usize; 3], ImportError> {
        let mut values = [1; 3];
        for (value, name) in values.iter_mut().zip(stem) {
            let given = usize::try_from(node.int(name, default)?).ok();
            let wrong = || ImportError::malformed("is not positive").attribute(name);
            *value = given.filter(|&given| 0 < given).ok_or_else(wrong)?;
        }
        Ok(values)
    };
    let dilations = ["dilation_d_factor", "dilation_h_factor", "dilation_w_factor"];
    let mut span = Span {
        size: [depth, height, width],
        strides: three(["stride_d", "stride_h", "stride_w"], 0)?,
        dilations: three(dilations, 1)?,
        pads: [0; 6],
    };
    match node.text("padding", "SAME")? {
        "VALID" => {}
        "SAME" => span.pad_same(b.ty(x), false)?,
        other => return Err(ImportError::malformed(format!("{other} is no padding"))),
    }
    let channels = b.ty(x).dims.get(4).and_then(Dim::known);
    let channels = channels.and_then(|channels| usize::try_from(channels).ok()).unwrap_or(each);
    let groups = channels.checked_div(each).unwrap_or(0).max(1);
    let w = b.transpose(w, &[0, 4, 1, 2, 3])?;
    let y = convolve(b, x, w, node.optional(2), &span, groups)?;
    tflite_activation(node, b, y)
}

/// ONNX's Conv on N, C, D, H, W.
///
/// # Errors
/// As of [`convolve`].
pub fn import_onnx(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
) -> Result<Vec<ValueId>, ImportError> {
    let (x, w) = (b.channels_last(node.input(0)?)?, node.input(1)?);
    let [_, _, depth, height, width] = super::spatial::weight_dims(b.ty(w))?;
    let size = [depth, height, width];
    if let Some(shape) = node.opt_ints("kernel_shape")?
        && super::volume::triple(&shape) != Some(size)
    {
        let message = "differs from the shape of the weights";
        return Err(ImportError::malformed(message).attribute("kernel_shape"));
    }
    let span = Span::onnx(node, b.ty(x), size)?;
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    let w = b.transpose(w, &[2, 0, 3, 4, 1])?;
    let y = convolve(b, x, w, node.optional(2), &span, groups)?;
    one(b.channels_first(y)?)
}
