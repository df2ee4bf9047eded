//! Elements spread apart: TFLite's DILATE, and padding inside a tensor.

use embarca_kernels::pad::Mode;

use super::pad::PadMode;
use super::prelude::*;
use super::{Pad, Slice};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("DILATE")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let steps = b.ints(node.input(1)?, "the dilations")?;
    let fill = b.floats(node.input(2)?, "the filling")?.first().copied().unwrap_or(0.0);
    one(spread(b, x, &steps, fill)?)
}

/// `x` with `steps[i] - 1` elements of `fill` between neighbours along axis `i`.
///
/// # Errors
/// When a step is not positive or there is not one for each axis.
pub fn spread(
    b: &mut Builder<'_>,
    mut x: ValueId,
    steps: &[i64],
    fill: f32,
) -> Result<ValueId, ImportError> {
    let dims = b.ty(x).dims.clone();
    if steps.len() != dims.len() || steps.iter().any(|step| !(1..1 << 20).contains(step)) {
        let message = format!("steps {steps:?} for {}", b.ty(x));
        return Err(ImportError::malformed(message));
    }
    for (axis, &step) in steps.iter().enumerate().filter(|(_, step)| **step != 1) {
        // Each element becomes a row of its own that is filled up; the last row is cut.
        let before: Vec<Dim> = b.ty(x).dims.clone();
        let rows = [dim::product(&before[..=axis]), Dim::Known(1), dim::product(&before[axis + 1..])];
        let rows = b.reshape(x, rows.to_vec())?;
        let pad = Pad {
            mode: PadMode(Mode::Constant),
            before: vec![0; 3],
            after: vec![0, step - 1, 0],
            value: fill,
        };
        let rows = b.op(pad, &[rows])?;
        let mut wide = before.clone();
        wide[axis] = before[axis].mul(&Dim::Known(step));
        let wide = b.reshape(rows, wide)?;
        let mut cut = before.clone();
        cut[axis] = before[axis].sub(&Dim::Known(1)).mul(&Dim::Known(step)).add(&Dim::Known(1));
        if before[axis] == Dim::Known(0) {
            cut[axis] = Dim::Known(0);
        }
        let rank = cut.len();
        x = b.op(Slice { starts: vec![0; rank], steps: vec![1; rank], dims: cut }, &[wide])?;
    }
    Ok(x)
}
