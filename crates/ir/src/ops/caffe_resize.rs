//! Caffe's Interp and Upsample layers: another height and width.

use super::prelude::*;
use super::spatial;
use super::{Resize, Slice};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Interp"), Spelling::caffe("Upsample")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (mut x, axes) = spatial::enter(b, node.input(0)?)?;
    let times = |dim: &Dim, by: i64| dim.mul(&Dim::Known(by));
    let (size, bilinear) = if node.op == "Upsample" {
        if node.n_inputs() != 1 {
            let message = "unpooling by a mask of places is not supported";
            return Err(ImportError::unsupported(message).hint("upsample by a scale instead"));
        }
        let scale = positive(node, "scale")?.unwrap_or(2);
        let hw = spatial::height_width(b.ty(x))?;
        (hw.map(|dim| times(dim, scale)), false)
    } else {
        x = cropped(node, b, x)?;
        let hw = spatial::height_width(b.ty(x))?.map(Dim::clone);
        let (zoom, shrink) = (positive(node, "zoom_factor")?, positive(node, "shrink_factor")?);
        let sizes = (positive(node, "height")?, positive(node, "width")?);
        let along = |dim: &Dim| {
            let one = Dim::Known(1);
            let shrunk = match shrink {
                Some(by) => dim.sub(&one).floor_div(&Dim::Known(by)).add(&one),
                None => dim.clone(),
            };
            match zoom {
                Some(by) => shrunk.add(&times(&shrunk.sub(&one), by - 1)),
                None => shrunk,
            }
        };
        let size = match (sizes, zoom.or(shrink)) {
            ((Some(height), Some(width)), None) => [Dim::Known(height), Dim::Known(width)],
            ((None, None), Some(_)) => [along(&hw[0]), along(&hw[1])],
            ((None, None), None) if 1 < node.n_inputs() => {
                let like = &b.ty(node.input(1)?).dims;
                match like.as_slice() {
                    [_, _, height, width] => [height.clone(), width.clone()],
                    _ => return Err(ImportError::malformed("input 1 is no N, C, H, W")),
                }
            }
            _ => {
                let message = "needs either height and width or a factor";
                return Err(ImportError::malformed(message));
            }
        };
        (size, true)
    };
    let text = str::to_owned;
    let op = Resize {
        mode: text(if bilinear { "linear" } else { "nearest" }),
        coordinates: text(if bilinear { "align_corners" } else { "asymmetric" }),
        rounding: text("floor"),
        size: size.to_vec(),
        scales: [0.0; 2],
        tflite: false,
        cubic_a: 0.0,
        exclude_outside: false,
        was_u8: false,
    };
    let y = b.op(op, &[x])?;
    one(spatial::leave(b, y, axes)?)
}

/// Without the borders that negative `pad_beg` and `pad_end` take away.
fn cropped(node: &NodeView<'_>, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId, ImportError> {
    let (start, end) = (node.int("pad_beg", 0)?, node.int("pad_end", 0)?);
    if start == 0 && end == 0 {
        return Ok(x);
    }
    if !(-1 << 20..=0).contains(&start) || !(-1 << 20..=0).contains(&end) {
        return Err(ImportError::unsupported("only borders are cut off").attribute("pad_beg"));
    }
    let mut dims = b.ty(x).dims.clone();
    for dim in &mut dims[1..3] {
        *dim = dim.add(&Dim::Known(start + end));
    }
    Ok(b.op(Slice { starts: vec![0, -start, -start, 0], steps: vec![1; 4], dims }, &[x])?)
}

fn positive(node: &NodeView<'_>, name: &str) -> Result<Option<i64>, ImportError> {
    match node.opt_int(name)? {
        Some(value) if !(1..1 << 20).contains(&value) => {
            Err(ImportError::malformed(format!("{value} is out of range")).attribute(name))
        }
        value => Ok(value),
    }
}
