//! Operators that put elements in other places: CenterCropPad, Col2Im, MaxUnpool, TensorScatter; and
//! Det, determinants of small matrices.

use embarca_kernels::pad::Mode;
use embarca_kernels::scatter::Kind;

use super::binary::BinaryFunction;
use super::draft::{Draft, check_table, sizes};
use super::pad::{Pad, PadMode};
use super::prelude::*;
use super::scatter_nd::Meeting;
use super::{Binary, ScatterElements};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("CenterCropPad", 18),
    Spelling::onnx("Col2Im", 18),
    Spelling::onnx("Det", 11),
    Spelling::onnx("MaxUnpool", 9),
    Spelling::onnx("TensorScatter", 24),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    match node.op {
        "CenterCropPad" => center_crop_pad(node, b),
        "Col2Im" => col2im(node, b),
        "MaxUnpool" => max_unpool(node, b),
        "TensorScatter" => tensor_scatter(node, b),
        _ => {
            let x = node.input(0)?;
            let dims = b.ty(x).dims.clone();
            let [.., rows, columns] = dims.as_slice() else {
                return Err(ImportError::malformed("a determinant is of a matrix"));
            };
            match (rows.known(), columns.known()) {
                (Some(n @ 1..=4), Some(m)) if n == m => {
                    let mut d = Draft::new(b);
                    let rows: Vec<i64> = (0..n).collect();
                    one(determinant(&mut d, x, &rows, &rows)?)
                }
                _ => Err(ImportError::unsupported("determinants of more than 4 rows")),
            }
        }
    }
}

/// Of the rows and columns that are left, by the first row.
fn determinant(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    rows: &[i64],
    columns: &[i64],
) -> Result<ValueId, ShapeError> {
    let rank = d.b.rank(x);
    let (Some((&row, rows)), Some(_)) = (rows.split_first(), columns.first()) else {
        return Err(ShapeError::new("a matrix without elements"));
    };
    let mut sum: Option<ValueId> = None;
    for (i, &column) in columns.iter().enumerate() {
        let element = d.part(x, rank - 2, row, Dim::Known(1), 1)?;
        let element = d.part(element, rank - 1, column, Dim::Known(1), 1)?;
        let element = d.squeeze(element, rank - 1)?;
        let element = d.squeeze(element, rank - 2)?;
        if rows.is_empty() {
            return Ok(element);
        }
        let rest: Vec<i64> = columns.iter().copied().filter(|&other| other != column).collect();
        let minor = determinant(d, x, rows, &rest)?;
        let product = d.mul(element, minor)?;
        sum = Some(match sum {
            None => product,
            Some(sum) if i % 2 == 0 => d.add(sum, product)?,
            Some(sum) => d.sub(sum, product)?,
        });
    }
    sum.ok_or_else(|| ShapeError::new("a matrix without elements"))
}

fn center_crop_pad(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut x = node.input(0)?;
    let wanted = b.ints(node.input(1)?, "the shape")?;
    let rank = b.rank(x);
    let axes = match node.opt_ints("axes")? {
        Some(axes) => axes.iter().map(|&at| axis(at, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect::<Vec<usize>>(),
    };
    if axes.len() != wanted.len() {
        return Err(ImportError::malformed("there is not one size for each axis"));
    }
    let dims = sizes(b, x, "the input")?;
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    let mut d = Draft::new(b);
    for (at, size) in axes.into_iter().zip(wanted) {
        if !(0..1 << 31).contains(&size) {
            return Err(ImportError::malformed(format!("a size of {size}")));
        }
        let missing = size - dims[at] as i64;
        if missing < 0 {
            x = d.part(x, at, -missing / 2, Dim::Known(size), 1)?;
        } else {
            before[at] = missing / 2;
            after[at] = missing - missing / 2;
        }
    }
    if before.iter().chain(&after).all(|&pad| pad == 0) {
        return one(x);
    }
    let mode = PadMode(Mode::Constant);
    one(d.b.op(Pad { mode, before, after, value: 0.0 }, &[x])?)
}

/// A list attribute of small numbers.
fn list(
    node: &NodeView<'_>,
    name: &str,
    default: usize,
    len: usize,
) -> Result<Vec<usize>, ImportError> {
    let Some(values) = node.opt_ints(name)? else { return Ok(vec![default; len]) };
    let small: Option<Vec<usize>> =
        values.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 20)).collect();
    let wrong = || ImportError::malformed(format!("{values:?}")).attribute(name.to_owned());
    small.filter(|list| list.len() == len).ok_or_else(wrong)
}

fn col2im(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let small = |values: Vec<i64>| -> Result<Vec<usize>, ImportError> {
        let small = values.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 20));
        small.collect::<Option<_>>().ok_or_else(|| ImportError::malformed("a size is negative"))
    };
    let image = small(b.ints(node.input(1)?, "the picture's size")?)?;
    let block = small(b.ints(node.input(2)?, "the block's size")?)?;
    let count = image.len();
    let (strides, dilations) = (list(node, "strides", 1, count)?, list(node, "dilations", 1, count)?);
    let pads = list(node, "pads", 0, 2 * count)?;
    let dims = sizes(b, x, "the input")?;
    let taps = block.iter().try_fold(1usize, |n, &m| n.checked_mul(m)).unwrap_or(0);
    let mut steps = Vec::with_capacity(count);
    for i in 0..count {
        let reach = dilations[i] * block.get(i).copied().unwrap_or(0).saturating_sub(1) + 1;
        let room = (image[i] + pads[i] + pads[count + i]).checked_sub(reach);
        let steps_here = room.filter(|_| strides[i] != 0).map(|room| room / strides[i] + 1);
        steps.push(steps_here.ok_or_else(|| ImportError::malformed("a block does not fit"))?);
    }
    let blocks = steps.iter().try_fold(1usize, |n, &m| n.checked_mul(m)).unwrap_or(0);
    let &[n, channels, columns] = dims.as_slice() else {
        return Err(ImportError::malformed(format!("the input is {}", b.ty(x))));
    };
    if block.len() != count || taps == 0 || channels % taps != 0 || columns != blocks {
        return Err(ImportError::malformed(format!("{} does not fit its blocks", b.ty(x))));
    }
    check_table(taps.checked_mul(blocks))?;
    let plane = image.iter().try_fold(1usize, |n, &m| n.checked_mul(m));
    let plane = plane.filter(|&plane| plane < 1 << 31);
    let plane = plane.ok_or_else(|| ImportError::malformed("the picture is too large"))?;
    // Where each element goes; what lies in the padding goes behind the plane.
    let mut places = Vec::with_capacity(taps * blocks);
    for i in 0..taps * blocks {
        let (mut tap, mut at) = (i / blocks, i % blocks);
        let (mut place, mut step, mut inside) = (0, 1, true);
        for axis in (0..count).rev() {
            let position = at % steps[axis] * strides[axis] + tap % block[axis] * dilations[axis];
            at /= steps[axis];
            tap /= block[axis];
            match position.checked_sub(pads[axis]).filter(|&p| p < image[axis]) {
                Some(position) => place += position * step,
                None => inside = false,
            }
            step *= image[axis];
        }
        places.push(if inside { place as i64 } else { plane as i64 });
    }
    let known = |n: usize| Dim::Known(n as i64);
    let own = channels / taps;
    let mut d = Draft::new(b);
    let shape = vec![known(n), known(own), known(taps * blocks)];
    let x = d.b.reshape(x, shape.clone())?;
    let places = d.b.table(Const::from_i64(&[1, 1, taps * blocks], &places))?;
    let places = d.expand(places, shape)?;
    let zero = d.number(x, 0.0)?;
    let zeros = d.expand(zero, vec![known(n), known(own), known(plane + 1)])?;
    let by = Meeting(Kind::Add);
    let sums = d.b.op(ScatterElements { by, axis: 2 }, &[zeros, places, x])?;
    let sums = d.part(sums, 2, 0, known(plane), 1)?;
    let mut shape = vec![known(n), known(own)];
    shape.extend(image.iter().map(|&n| known(n)));
    one(d.b.reshape(sums, shape)?)
}

fn max_unpool(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, places) = (node.input(0)?, node.input(1)?);
    let dims = sizes(b, x, "the input")?;
    let count = dims.len().saturating_sub(2);
    if count == 0 {
        return Err(ImportError::malformed(format!("expected N, C, ..., got {}", b.ty(x))));
    }
    let window = list(node, "kernel_shape", 0, count)?;
    let (strides, pads) = (list(node, "strides", 1, count)?, list(node, "pads", 0, 2 * count)?);
    let mut full = dims.iter().take(2).copied().collect::<Vec<usize>>();
    for i in 0..count {
        let size = dims[i + 2].saturating_sub(1) * strides[i] + window[i];
        let size = size.checked_sub(pads[i] + pads[count + i]);
        full.push(size.ok_or_else(|| ImportError::malformed("the padding is too large"))?);
    }
    let total = full.iter().try_fold(1usize, |n, &m| n.checked_mul(m));
    let total = total.filter(|&total| total < 1 << 31);
    let total = total.ok_or_else(|| ImportError::unsupported("the result is too large"))?;
    let known = |n: usize| Dim::Known(n as i64);
    let wanted = match node.optional(2) {
        Some(shape) => b.ints(shape, "the output's shape")?,
        None => full.iter().map(|&n| n as i64).collect(),
    };
    let mut d = Draft::new(b);
    let elements = known(dims.iter().product());
    let (flat, places) = (d.b.reshape(x, vec![elements.clone()])?, d.b.reshape(places, vec![elements])?);
    let zero = d.number(x, 0.0)?;
    let zeros = d.expand(zero, vec![known(total)])?;
    let by = Meeting(Kind::Replace);
    let y = d.b.op(ScatterElements { by, axis: 0 }, &[zeros, places, flat])?;
    let y = d.b.reshape(y, full.iter().map(|&n| known(n)).collect())?;
    let after: Vec<i64> =
        wanted.iter().zip(&full).map(|(&w, &f)| w.saturating_sub(f as i64)).collect();
    if wanted.len() != full.len() || after.iter().any(|&pad| pad < 0) {
        return Err(ImportError::malformed(format!("the output's shape is {wanted:?}")));
    }
    if after.iter().all(|&pad| pad == 0) {
        return one(y);
    }
    let (mode, before) = (PadMode(Mode::Constant), vec![0; after.len()]);
    one(d.b.op(Pad { mode, before, after, value: 0.0 }, &[y])?)
}

fn tensor_scatter(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (past, update) = (node.input(0)?, node.input(1)?);
    let circular = match node.text("mode", "linear")? {
        "linear" => false,
        "circular" => true,
        other => {
            let message = format!("{other} is not known");
            return Err(ImportError::malformed(message).attribute("mode"));
        }
    };
    let rank = b.rank(past);
    let at = axis(node.int("axis", -2)?, rank)?;
    if at == 0 {
        return Err(ImportError::malformed("is the batch's").attribute("axis"));
    }
    let (own, new) = (sizes(b, past, "the cache")?, sizes(b, update, "the update")?);
    let mut d = Draft::new(b);
    if new.len() != rank {
        return Err(ImportError::malformed(format!("the update is {}", d.b.ty(update))));
    }
    check_table(Some(new[at]))?;
    let steps: Vec<i64> = (0..new[at] as i64).collect();
    let mut shape = vec![1; rank];
    shape[at] = new[at];
    let mut places = d.b.table(Const::from_i64(&shape, &steps))?;
    if let Some(starts) = node.optional(2) {
        let starts = d.cast(starts, DType::I64)?;
        let mut shape = vec![Dim::Known(1); rank];
        shape[0] = Dim::Known(own[0] as i64);
        let starts = d.b.reshape(starts, shape)?;
        places = d.add(places, starts)?;
    }
    if circular {
        let len = d.number(places, own[at] as f64)?;
        places = d.b.op(Binary { function: BinaryFunction::Mod }, &[places, len])?;
    }
    let dims = d.b.ty(update).dims.clone();
    let places = d.expand(places, dims)?;
    let by = Meeting(Kind::Replace);
    one(d.b.op(ScatterElements { by, axis: at }, &[past, places, update])?)
}
