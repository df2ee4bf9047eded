//! Operators whose result is as large as the data say: NonZero, Compress, Unique. Where what decides
//! over the size is not known when the graph is made, the result has the size that it may have at
//! most, and is counted; for Unique it has to be known.

use std::cmp::Ordering;

use super::binary::BinaryFunction;
use super::counted::used;
use super::draft::Draft;
use super::prelude::*;
use super::{Binary, Places};
use crate::builder::Counted;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("Compress", 9),
    Spelling::onnx("NonZero", 9),
    Spelling::onnx("Unique", 11),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    match node.op {
        "Compress" => compress(node, b),
        "NonZero" => non_zero(b, node.input(0)?),
        _ => unique(node, b),
    }
}

/// The numbers of a constant.
fn known(b: &Builder<'_>, value: ValueId) -> Result<Vec<f64>, ImportError> {
    b.const_of(value).and_then(Const::to_f64).ok_or_else(|| {
        ImportError::unknown(value, "the size of the result depends on the input's content")
    })
}

/// The places where a row of truth values holds, of which only those that count are asked.
fn places_of(
    d: &mut Draft<'_, '_>,
    mut holds: ValueId,
    counted: Option<Counted>,
) -> Result<(ValueId, ValueId), ImportError> {
    if let Some(Counted { axis, count }) = counted {
        let used = used(d, holds, axis, count)?;
        holds = d.b.op(Binary { function: BinaryFunction::And }, &[holds, used])?;
    }
    let len = dim::product(&d.b.ty(holds).dims);
    let row = d.b.reshape(holds, vec![len])?;
    match d.b.node(Places {}, &[Some(row)])?.as_slice() {
        &[places, count] => Ok((places, count)),
        _ => Err(ImportError::malformed("there are no places")),
    }
}

fn compress(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut x = node.input(0)?;
    let condition = node.input(1)?;
    let by = b.counted(condition);
    if b.const_of(condition).is_none() {
        let at = match node.opt_int("axis")? {
            Some(at) => Some(axis(at, b.rank(x))?),
            None => None,
        };
        let own = b.counted(x);
        let fits = match (own, at) {
            (None, _) => true,
            (Some(own), Some(at)) => own.axis == at && by.is_some_and(|by| by.count == own.count),
            (Some(_), None) => own == by && b.rank(x) == 1,
        };
        if !fits {
            let message = "two sizes that the data decide over meet";
            return Err(ImportError::unsupported(message));
        }
        let mut d = Draft::new(b);
        let (places, count) = places_of(&mut d, condition, by)?;
        if at.is_none() {
            let len = dim::product(&d.b.ty(x).dims);
            x = d.b.reshape(x, vec![len])?;
        }
        let y = d.gather(x, places, at.unwrap_or(0))?;
        d.b.set_counted(y, at.unwrap_or(0), count);
        return one(y);
    }
    if b.counted(x).is_some() {
        return Err(ImportError::unsupported("a fixed choice of what the data decide over"));
    }
    let chosen = known(b, condition)?;
    let at = match node.opt_int("axis")? {
        Some(at) => axis(at, b.rank(x))?,
        None => {
            let len = dim::product(&b.ty(x).dims);
            x = b.reshape(x, vec![len])?;
            0
        }
    };
    let chosen: Vec<i64> = (0..).zip(chosen).filter(|(_, c)| *c != 0.0).map(|(i, _)| i).collect();
    let len = b.ty(x).dims[at].known();
    if let (Some(len), Some(&last)) = (len, chosen.last())
        && len <= last
    {
        return Err(ImportError::malformed(format!("element {last} of {len} is chosen")));
    }
    let chosen = b.i64s(&chosen);
    one(Draft::new(b).gather(x, chosen, at)?)
}

/// The indices of the elements that are not zero, a row for each axis.
fn non_zero_found(b: &mut Builder<'_>, x: ValueId) -> Result<Vec<ValueId>, ImportError> {
    let counted = b.counted(x);
    let dims = b.ty(x).dims.clone();
    if dims.is_empty() {
        return Err(ImportError::unsupported("of a value without axes"));
    }
    let mut d = Draft::new(b);
    let holds = d.cast(x, DType::Bool)?;
    let (mut rest, count) = places_of(&mut d, holds, counted)?;
    let mut rows = Vec::with_capacity(dims.len());
    for axis in 0..dims.len() {
        let step = dim::product(&dims[axis + 1..]).known().ok_or_else(|| {
            ImportError::unsupported("of a value with an open dimension behind the first")
                .hint("give the inputs' shapes with --shapes")
        })?;
        let mut index = rest;
        if 1 < step {
            let step = d.number(rest, step as f64)?;
            index = d.div(rest, step)?;
            let whole = d.mul(index, step)?;
            rest = d.sub(rest, whole)?;
        }
        rows.push(d.unsqueeze(index, 0)?);
    }
    let y = d.concat(&rows, 0)?;
    d.b.set_counted(y, 1, count);
    one(y)
}

fn non_zero(b: &mut Builder<'_>, x: ValueId) -> Result<Vec<ValueId>, ImportError> {
    if b.const_of(x).is_none() {
        return non_zero_found(b, x);
    }
    let values = known(b, x)?;
    let dims = b.const_of(x).map(|data| data.dims.clone()).unwrap_or_default();
    let places: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    let mut indices = Vec::with_capacity(dims.len() * places.len());
    for axis in 0..dims.len() {
        let step: usize = dims[axis + 1..].iter().product();
        indices.extend(places.iter().map(|place| (place / step.max(1) % dims[axis].max(1)) as i64));
    }
    one(b.constant(Const::from_i64(&[dims.len(), places.len()], &indices), None))
}

fn unique(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let values = known(b, x)?;
    let sorted = node.flag("sorted", true)?;
    let dims = b.const_of(x).map(|data| data.dims.clone()).unwrap_or_default();
    let at = node.opt_int("axis")?.map(|at| axis(at, dims.len())).transpose()?;
    // Slices along the axis, or single elements.
    let (outer, len, inner) = match at {
        Some(at) => {
            (dims[..at].iter().product(), dims[at], dims[at + 1..].iter().product::<usize>())
        }
        None => (1, values.len(), 1),
    };
    let slice = |i: usize| -> Vec<f64> {
        let of_outer = |o: usize| {
            let start = (o * len + i) * inner;
            values[start..start + inner].iter().copied()
        };
        (0..outer).flat_map(of_outer).collect()
    };
    let order = |a: &[f64], b: &[f64]| {
        let mut pairs = a.iter().zip(b).map(|(a, b)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let slices: Vec<Vec<f64>> = (0..len).map(slice).collect();
    let mut sorted_slices: Vec<usize> = (0..len).collect();
    // Stable, so that of equal slices the first comes first.
    sorted_slices.sort_by(|&i, &j| order(&slices[i], &slices[j]));
    let mut groups: Vec<&[usize]> =
        sorted_slices.chunk_by(|&i, &j| order(&slices[i], &slices[j]).is_eq()).collect();
    if !sorted {
        groups.sort_by_key(|group| group.first());
    }
    let mut inverse = vec![0i64; len];
    for (place, group) in groups.iter().enumerate() {
        group.iter().for_each(|&member| inverse[member] = place as i64);
    }
    let firsts: Vec<i64> = groups.iter().filter_map(|group| group.first()).map(|&i| i as i64).collect();
    let counts: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
    let mut d = Draft::new(b);
    let (firsts, inverse, counts) = (d.b.i64s(&firsts), d.b.i64s(&inverse), d.b.i64s(&counts));
    let flat = match at {
        Some(_) => x,
        None => d.b.reshape(x, vec![Dim::Known(len as i64)])?,
    };
    let y = d.gather(flat, firsts, at.unwrap_or(0))?;
    Ok(vec![y, firsts, inverse, counts])
}
