//! Fourier transforms: of complex numbers in f32 and of long signals in steps, else as products with
//! matrices of sines and cosines in f64; windows and the matrix of mel filters, which are constants.

use std::f64::consts::PI;

use super::draft::{Draft, MAX_TABLE, check_table, numbers, sizes};
use super::Fft;
use super::moves::{dtype_attr, int_input};
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("BlackmanWindow", 17),
    Spelling::onnx("DFT", 17),
    Spelling::onnx("HammingWindow", 17),
    Spelling::onnx("HannWindow", 17),
    Spelling::onnx("MelWeightMatrix", 17),
    Spelling::onnx("STFT", 17),
];
pub const U8_AS_I8: Option<&str> = None;

/// A matrix of sines has up to the square of this many elements.
const MAX_LENGTH: usize = 2048;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    match node.op {
        "DFT" => dft(node, b),
        "STFT" => stft(node, b),
        "MelWeightMatrix" => mel(node, b),
        _ => window(node, b),
    }
}

fn window(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let size = int_input(node, b, 0)?;
    let size = usize::try_from(size).ok().filter(|&size| size <= MAX_TABLE);
    let size = size.ok_or_else(|| ImportError::malformed("the window's size is out of range"))?;
    let dtype = dtype_attr(node, "output_datatype", DType::F32)?;
    let period = if node.flag("periodic", true)? { size } else { size.saturating_sub(1) };
    let cosine = |n: usize, times: f64| (2.0 * PI * times * n as f64 / period as f64).cos();
    let value = |n: usize| match node.op {
        "HannWindow" => 0.5 - 0.5 * cosine(n, 1.0),
        // The specification's fractions.
        "HammingWindow" => 25.0 / 46.0 - (1.0 - 25.0 / 46.0) * cosine(n, 1.0),
        _ => 0.42 - 0.5 * cosine(n, 1.0) + 0.08 * cosine(n, 2.0),
    };
    let values: Vec<f64> = (0..size).map(value).collect();
    one(b.table(numbers(dtype, &[size], &values)?)?)
}

fn mel(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let dtype = dtype_attr(node, "output_datatype", DType::F32)?;
    let count = |index: usize| -> Result<usize, ImportError> {
        let value = int_input(node, b, index)?;
        let fits = usize::try_from(value).ok().filter(|&value| 0 < value && value <= 1 << 16);
        fits.ok_or_else(|| ImportError::malformed(format!("input {index} is out of range")))
    };
    let edge = |index: usize| -> Result<f64, ImportError> {
        let values = b.floats(node.input(index)?, &format!("input {index}"))?;
        values.first().map(|&v| v.into()).ok_or_else(|| ImportError::malformed("an edge is empty"))
    };
    let (bins, length, rate) = (count(0)?, count(1)?, count(2)?);
    let to_mel = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let (low, high) = (to_mel(edge(3)?), to_mel(edge(4)?));
    let rows = length / 2 + 1;
    check_table(rows.checked_mul(bins))?;
    let step = (high - low) / (bins + 2) as f64;
    let place = |i: usize| {
        let hertz = 700.0 * (10f64.powf((low + step * i as f64) / 2595.0) - 1.0);
        ((length + 1) as f64 * hertz / rate as f64).floor()
    };
    let places: Vec<f64> = (0..bins + 2).map(place).collect();
    let mut values = vec![0.0; rows * bins];
    for bin in 0..bins {
        let [left, centre, right] = [places[bin], places[bin + 1], places[bin + 2]];
        for row in 0..rows {
            let at = row as f64;
            let rising = left <= at && at <= centre;
            let value = &mut values[row * bins + bin];
            if at == centre && left == centre {
                *value = 1.0;
            } else if rising && left < centre {
                *value = (at - left) / (centre - left);
            }
            if centre <= at && at < right {
                *value = (right - at) / (right - centre);
            }
        }
    }
    one(b.table(numbers(dtype, &[rows, bins], &values)?)?)
}

/// A signal whose last axis is what is transformed.
struct Signal {
    real: ValueId,
    imaginary: Option<ValueId>,
}

fn dft(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let (inverse, onesided) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
    let rank = b.rank(x);
    let at = match (node.version < 20, node.optional(2)) {
        (true, _) => node.int("axis", 1)?,
        (false, Some(_)) => int_input(node, b, 2)?,
        (false, None) => -2,
    };
    let at = axis(at, rank)?;
    if at + 1 == rank {
        return Err(ImportError::malformed("the last axis holds real and imaginary parts"));
    }
    let given = match node.optional(1) {
        Some(_) => Some(int_input(node, b, 1)?),
        None => None,
    };
    let dtype = b.ty(x).dtype;
    let parts = b.ty(x).dims[rank - 1].known();
    let stored = sizes(b, x, "the signal")?[at];
    let default = if inverse && onesided { 2 * stored.saturating_sub(1) } else { stored };
    let length = given.map_or(Some(default), |length| usize::try_from(length).ok());
    let in_steps = |length: &usize| {
        let long = parts == Some(2) || MAX_LENGTH < *length;
        long && dtype == DType::F32 && !(inverse && onesided) && Fft::takes(*length)
    };
    let fits = |length: &usize| 0 < *length && (*length <= MAX_LENGTH || in_steps(length));
    let length = length.filter(fits).ok_or_else(|| {
        let message = format!("{dtype} transforms of none or more than {MAX_LENGTH} elements");
        ImportError::unsupported(message)
    })?;
    let mut d = Draft::new(b);
    if in_steps(&length) {
        return one(stepwise(&mut d, x, (at, stored, length), inverse, onesided)?);
    }
    let x = d.cast(x, DType::F64)?;
    // The axis to the end, the parts before it.
    let mut perm: Vec<usize> = (0..rank).filter(|&i| i != at).collect();
    perm.push(at);
    let back: Vec<usize> =
        (0..rank).map(|i| perm.iter().position(|&p| p == i).unwrap_or(i)).collect();
    let x = d.b.transpose(x, &perm)?;
    let wanted = if inverse && onesided { length / 2 + 1 } else { length };
    let x = fitted(&mut d, x, rank - 1, stored, wanted)?;
    let part = |d: &mut Draft<'_, '_>, i: i64| -> Result<ValueId, ShapeError> {
        let part = d.part(x, rank - 2, i, Dim::Known(1), 1)?;
        d.squeeze(part, rank - 2)
    };
    let signal = match parts {
        Some(1) => Signal { real: part(&mut d, 0)?, imaginary: None },
        Some(2) => Signal { real: part(&mut d, 0)?, imaginary: Some(part(&mut d, 1)?) },
        _ => return Err(ImportError::malformed("the last axis is neither 1 nor 2")),
    };
    let y = transform(&mut d, &signal, length, inverse, onesided)?;
    let y = d.b.transpose(y, &back)?;
    one(d.cast(y, dtype)?)
}

/// The transform along axis `at` of `stored` elements, cut or filled to `length`.
fn stepwise(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    (at, stored, length): (usize, usize, usize),
    inverse: bool,
    onesided: bool,
) -> Result<ValueId, ImportError> {
    let last = d.b.rank(x) - 1;
    let mut perm: Vec<usize> = (0..last).filter(|&i| i != at).collect();
    perm.extend([at, last]);
    let back: Vec<usize> =
        (0..=last).map(|i| perm.iter().position(|&p| p == i).unwrap_or(i)).collect();
    let x = d.b.transpose(x, &perm)?;
    let x = fitted(d, x, last - 1, stored, length)?;
    let x = match d.b.ty(x).dims[last].known() {
        // Without imaginary parts.
        Some(1) => fitted(d, x, last, 1, 2)?,
        Some(2) => x,
        _ => return Err(ImportError::malformed("the last axis is neither 1 nor 2")),
    };
    let y = d.b.op(Fft { inverse }, &[x])?;
    let kept = if onesided { length / 2 + 1 } else { length };
    let y = fitted(d, y, last - 1, length, kept)?;
    Ok(d.b.transpose(y, &back)?)
}

/// Cut or filled with zeros to `wanted` elements.
fn fitted(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    axis: usize,
    stored: usize,
    wanted: usize,
) -> Result<ValueId, ShapeError> {
    if wanted <= stored {
        return d.part(x, axis, 0, Dim::Known(wanted as i64), 1);
    }
    let mut dims = d.b.ty(x).dims.clone();
    dims[axis] = Dim::Known((wanted - stored) as i64);
    let zero = d.number(x, 0.0)?;
    let zeros = d.expand(zero, dims)?;
    d.concat(&[x, zeros], axis)
}

/// The transform along the last axis; the parts of the result are an axis before it.
fn transform(
    d: &mut Draft<'_, '_>,
    signal: &Signal,
    length: usize,
    inverse: bool,
    onesided: bool,
) -> Result<ValueId, ShapeError> {
    let half = length / 2 + 1;
    let real_result = inverse && onesided;
    let (rows, columns) = match (real_result, onesided) {
        (true, _) => (half, length),
        (false, true) => (length, half),
        (false, false) => (length, length),
    };
    let factor = if inverse { 1.0 / length as f64 } else { 1.0 };
    let table = |f: fn(f64) -> f64| -> Vec<f64> {
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            // A one-sided spectrum leaves out the mirror images.
            let mirrored = real_result && row != 0 && 2 * row != length;
            let factor = if mirrored { 2.0 * factor } else { factor };
            for column in 0..columns {
                let turn = (row * column % length) as f64 / length as f64;
                values.push(factor * f(2.0 * PI * turn));
            }
        }
        values
    };
    let mut matrix = |f: fn(f64) -> f64| {
        d.b.table(numbers(DType::F64, &[rows, columns], &table(f))?)
    };
    let (cosines, sines) = (matrix(f64::cos)?, matrix(f64::sin)?);
    let rank = d.b.rank(signal.real);
    let mut parts = Vec::with_capacity(2);
    let mut real = d.matmul(signal.real, cosines)?;
    if let Some(x) = signal.imaginary {
        let other = d.matmul(x, sines)?;
        real = if inverse { d.sub(real, other)? } else { d.add(real, other)? };
    }
    parts.push(d.unsqueeze(real, rank - 1)?);
    if !real_result {
        let turned = d.matmul(signal.real, sines)?;
        let mut imaginary = d.scaled(turned, if inverse { 1.0 } else { -1.0 })?;
        if let Some(x) = signal.imaginary {
            let other = d.matmul(x, cosines)?;
            imaginary = d.add(imaginary, other)?;
        }
        parts.push(d.unsqueeze(imaginary, rank - 1)?);
    }
    d.concat(&parts, rank - 1)
}

fn stft(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let onesided = node.flag("onesided", true)?;
    let step = int_input(node, b, 1)?;
    let dtype = b.ty(x).dtype;
    let dims = sizes(b, x, "the signal")?;
    let (samples, parts) = match dims.as_slice() {
        [_, samples] => (*samples, 1),
        [_, samples, parts] => (*samples, *parts),
        _ => return Err(ImportError::malformed(format!("the signal is {}", b.ty(x)))),
    };
    let window = node.optional(2);
    let length = match (node.optional(3), window) {
        (Some(_), _) => usize::try_from(int_input(node, b, 3)?).ok(),
        (None, Some(window)) => sizes(b, window, "the window")?.first().copied(),
        (None, None) => Some(samples),
    };
    let length = length.filter(|&length| 0 < length && length <= MAX_LENGTH.min(samples));
    let length = length.ok_or_else(|| {
        ImportError::unsupported(format!("frames of none or more than {MAX_LENGTH} samples"))
    })?;
    let step = usize::try_from(step).ok().filter(|&step| 0 < step);
    let step = step.ok_or_else(|| ImportError::malformed("frames are no step apart"))?;
    let frames = 1 + (samples - length) / step;
    check_table(frames.checked_mul(length))?;
    let places: Vec<i64> = (0..frames * length)
        .map(|i| (i / length * step + i % length) as i64)
        .collect();
    let mut d = Draft::new(b);
    let x = d.cast(x, DType::F64)?;
    let places = d.b.table(Const::from_i64(&[frames, length], &places))?;
    // N, frames, samples and, where there is one, the axis of parts
    let x = d.gather(x, places, 1)?;
    let weigh = |d: &mut Draft<'_, '_>, x: ValueId| -> Result<ValueId, ImportError> {
        let Some(window) = window else { return Ok(x) };
        let window = d.cast(window, DType::F64)?;
        Ok(d.mul(x, window)?)
    };
    let part = |d: &mut Draft<'_, '_>, i: i64| -> Result<ValueId, ImportError> {
        let part = d.part(x, 3, i, Dim::Known(1), 1)?;
        let part = d.squeeze(part, 3)?;
        weigh(d, part)
    };
    let signal = match (dims.len(), parts) {
        (2, _) => Signal { real: weigh(&mut d, x)?, imaginary: None },
        (_, 1) => Signal { real: part(&mut d, 0)?, imaginary: None },
        (_, 2) => Signal { real: part(&mut d, 0)?, imaginary: Some(part(&mut d, 1)?) },
        _ => return Err(ImportError::malformed("the last axis is neither 1 nor 2")),
    };
    let y = transform(&mut d, &signal, length, false, onesided)?;
    let y = d.b.transpose(y, &[0, 1, 3, 2])?;
    one(d.cast(y, dtype)?)
}
