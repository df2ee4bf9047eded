//! TFLite's strided slice: Python's `x[a:b:c, ..., None, i]`, its parts given as bit masks.

use super::prelude::*;
use super::slice::{Part, take};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("STRIDED_SLICE")];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let mut begin = b.dims(node.input(1)?, "the start of the slice")?;
    let mut end = b.dims(node.input(2)?, "the end of the slice")?;
    let mut steps = b.ints(node.input(3)?, "the step of the slice")?;
    if end.len() != begin.len() || steps.len() != begin.len() || 32 < begin.len() {
        return Err(ImportError::malformed("begin, end and strides differ in number"));
    }
    let mask = |name: &str| -> Result<u32, ImportError> { Ok(node.int(name, 0)? as u32) };
    let (no_begin, no_end) = (mask("begin_mask")?, mask("end_mask")?);
    let (ellipsis, new, shrink) =
        (mask("ellipsis_mask")?, mask("new_axis_mask")?, mask("shrink_axis_mask")?);
    let has = |mask: u32, i: usize| mask >> i & 1 == 1;
    if 1 < ellipsis.count_ones() {
        return Err(ImportError::malformed("has several bits").attribute("ellipsis_mask"));
    }
    let by_length = node.flag("offset", false)?;

    // Entries behind the last axis change nothing.
    let entries = begin.len();
    let effective = dims.len() + (0..entries).filter(|&i| has(new & !ellipsis, i)).count();
    if effective < entries && ellipsis == 0 && (effective..entries).all(|i| !has(new, i)) {
        begin.truncate(effective);
        end.truncate(effective);
        steps.truncate(effective);
    }

    // Entries that take an axis of the input; the ellipsis stands for all others.
    let consuming = |i: &usize| !has(ellipsis, *i) && !has(new, *i);
    let consumed = (0..begin.len()).filter(consuming).count();
    let open = dims.len().checked_sub(consumed).ok_or_else(|| {
        ImportError::malformed(format!("{consumed} axes are sliced of {}", dims.len()))
    })?;
    if open == 0 && ellipsis != 0 && (ellipsis.trailing_zeros() as usize) + 1 < begin.len() {
        let message = "stands for no axis; readers of the format disagree on what that means";
        return Err(ImportError::unsupported(message).attribute("ellipsis_mask"));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(dims.len());
    let mut shape: Vec<Dim> = Vec::with_capacity(dims.len());
    let whole = |parts: &mut Vec<Part>, shape: &mut Vec<Dim>, count: usize| {
        for _ in 0..count {
            let part = Part::whole(&dims[parts.len()]);
            shape.push(part.len.clone());
            parts.push(part);
        }
    };
    for i in 0..begin.len() {
        if has(ellipsis, i) {
            whole(&mut parts, &mut shape, open);
            continue;
        }
        if has(new, i) {
            shape.push(Dim::Known(1));
            continue;
        }
        let dim = &dims[parts.len()];
        if has(shrink, i) {
            if steps[i] < 1 {
                let message = format!("one element is taken with a stride of {}", steps[i]);
                return Err(ImportError::malformed(message));
            }
            let at = if has(no_begin, i) { Dim::Known(0) } else { begin[i].clone() };
            let part = Part::new(dim, Some(&at), following(&at).as_ref(), 1)?;
            if part.len != Dim::Known(1) {
                return Err(ImportError::malformed(format!("element {at} is taken of {dim}")));
            }
            parts.push(part);
            continue;
        }
        let first = (!has(no_begin, i)).then_some(&begin[i]);
        let behind = if by_length { begin[i].add(&end[i]) } else { end[i].clone() };
        let part = Part::new(dim, first, (!has(no_end, i)).then_some(&behind), steps[i])?;
        shape.push(part.len.clone());
        parts.push(part);
    }
    let rest = dims.len() - parts.len();
    whole(&mut parts, &mut shape, rest);
    let y = take(b, x, &parts)?;
    let y = b.reshape(y, shape)?;
    one(y)
}

/// The position after one; `None` behind the last, where counting from the end begins anew.
fn following(at: &Dim) -> Option<Dim> {
    (*at != Dim::Known(-1)).then(|| at.add(&Dim::Known(1)))
}
