//! Einsum: sums of products over named axes, as transposes, products of matrices and sums.

use embarca_kernels::reduce::Kind;

use super::prelude::*;
use super::reduce::Reduction;
use super::{Matmul, Mul, Reduce};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Einsum", 12)];
pub const U8_AS_I8: Option<&str> = None;

/// A tensor with a name for each axis.
#[derive(Clone)]
struct Term {
    value: ValueId,
    axes: Vec<char>,
}

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let equation = node.text("equation", "")?.replace(' ', "");
    let wrong =
        |what: &str| ImportError::unsupported(format!("{equation}: {what}")).attribute("equation");
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let names: Vec<&str> = left.split(',').collect();
    if names.len() != node.n_inputs() {
        return Err(wrong("there is not one term for each input"));
    }
    let mut terms = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let value = node.input(index)?;
        let axes = named_axes(name, b.rank(value)).ok_or_else(|| wrong("a term does not fit"))?;
        let repeated = axes.iter().enumerate().any(|(i, axis)| axes[..i].contains(axis));
        if repeated {
            return Err(wrong("a diagonal is not supported yet"));
        }
        terms.push(Term { value, axes });
    }
    let all: Vec<char> = terms.iter().flat_map(|term| term.axes.iter().copied()).collect();
    let output = match right {
        Some(right) => {
            let dots = all.iter().filter(|axis| axis.is_ascii_digit());
            let most = dots.map(|axis| *axis as usize - '0' as usize + 1).max().unwrap_or(0);
            let rank = right.len() + if right.contains("...") { most } else { 0 };
            let rank = rank - if right.contains("...") { 3 } else { 0 };
            named_axes(right, rank).ok_or_else(|| wrong("the result does not fit"))?
        }
        None => {
            // Names that occur once, sorted, behind what the dots stand for.
            let once = |axis: &&char| all.iter().filter(|other| other == axis).count() == 1;
            let mut axes: Vec<char> =
                all.iter().filter(|axis| axis.is_ascii_digit()).copied().collect();
            axes.sort_unstable_by(|a, b| b.cmp(a));
            axes.dedup();
            let mut named: Vec<char> =
                all.iter().filter(once).filter(|axis| !axis.is_ascii_digit()).copied().collect();
            named.sort_unstable();
            axes.extend(named);
            axes
        }
    };
    if output.iter().any(|axis| !all.contains(axis)) {
        return Err(wrong("the result has an axis that no term has"));
    }
    let mut terms = terms.into_iter();
    let mut result = terms.next().ok_or_else(|| wrong("there is no term"))?;
    let mut rest: Vec<Term> = terms.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        let needed =
            |axis: &char| output.contains(axis) || rest.iter().any(|term| term.axes.contains(axis));
        result = product(b, result, next, needed)?;
    }
    let result = sum(b, result, |axis| output.contains(axis))?;
    one(arranged(b, &result, &output)?)
}

/// One name for each axis; axes that dots stand for are digits, counted from the back.
fn named_axes(name: &str, rank: usize) -> Option<Vec<char>> {
    let (front, back) = match name.split_once("...") {
        Some((front, back)) => (front, Some(back)),
        None => (name, None),
    };
    let named = front.len() + back.map_or(0, str::len);
    let dots = rank.checked_sub(named)?;
    if (back.is_none() && dots != 0) || 8 < dots {
        return None;
    }
    let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic());
    if !letters(front) || !back.is_none_or(letters) {
        return None;
    }
    let places = (0..dots as u8).rev().map(|place| char::from(b'0' + place));
    Some(front.chars().chain(places).chain(back.unwrap_or_default().chars()).collect())
}

/// Axes that nobody needs are summed up.
fn sum(
    b: &mut Builder<'_>,
    term: Term,
    needed: impl Fn(&char) -> bool,
) -> Result<Term, ShapeError> {
    let gone: Vec<usize> = (0..term.axes.len()).filter(|&at| !needed(&term.axes[at])).collect();
    if gone.is_empty() {
        return Ok(term);
    }
    let axes = term.axes.iter().copied().filter(|axis| needed(axis)).collect();
    let op = Reduce { by: Reduction(Kind::Sum), axes: gone, keep: false };
    Ok(Term { value: b.op(op, &[term.value])?, axes })
}

/// The term with exactly these axes, in this order; missing ones are new axes of 1.
fn arranged(b: &mut Builder<'_>, term: &Term, order: &[char]) -> Result<ValueId, ShapeError> {
    let perm: Vec<usize> =
        order.iter().filter_map(|axis| term.axes.iter().position(|own| own == axis)).collect();
    let value = b.transpose(term.value, &perm)?;
    let mut own = b.ty(value).dims.clone().into_iter();
    let dims = order.iter().map(|axis| match term.axes.contains(axis) {
        true => own.next().unwrap_or(Dim::Known(1)),
        false => Dim::Known(1),
    });
    let dims = dims.collect();
    b.reshape(value, dims)
}

/// Two terms become one; axes that nobody needs afterwards are summed up.
fn product(
    b: &mut Builder<'_>,
    left: Term,
    right: Term,
    needed: impl Fn(&char) -> bool,
) -> Result<Term, ShapeError> {
    let left = sum(b, left, |axis| needed(axis) || right.axes.contains(axis))?;
    let right = sum(b, right, |axis| needed(axis) || left.axes.contains(axis))?;
    let both = |axis: &&char| left.axes.contains(axis) && right.axes.contains(axis);
    let shared: Vec<char> = left.axes.iter().filter(both).copied().collect();
    let (batch, inner): (Vec<char>, Vec<char>) = shared.into_iter().partition(|axis| needed(axis));
    let own = |term: &Term, other: &Term| -> Vec<char> {
        term.axes.iter().filter(|axis| !other.axes.contains(axis)).copied().collect()
    };
    let (rows, columns) = (own(&left, &right), own(&right, &left));
    if inner.is_empty() {
        // Nothing is summed up: an element-wise product on common axes.
        let axes: Vec<char> = [batch, rows, columns].concat();
        let (x, y) = (arranged(b, &left, &axes)?, arranged(b, &right, &axes)?);
        return Ok(Term { value: b.op(Mul {}, &[x, y])?, axes });
    }
    // batch x rows x inner times batch x inner x columns, each group as one axis but the batch.
    let dims = |b: &Builder<'_>, term: &Term, axes: &[char]| -> Vec<Dim> {
        let dim = |axis: &char| {
            let at = term.axes.iter().position(|own| own == axis);
            at.map_or(Dim::Known(1), |at| b.ty(term.value).dims[at].clone())
        };
        axes.iter().map(dim).collect()
    };
    let batch_dims: Vec<Dim> = {
        let (own, other) = (dims(b, &left, &batch), dims(b, &right, &batch));
        own.into_iter().zip(other).map(|(a, b)| if a == Dim::Known(1) { b } else { a }).collect()
    };
    let (row_dims, column_dims) = (dims(b, &left, &rows), dims(b, &right, &columns));
    let flat = |b: &mut Builder<'_>, term: &Term, first: &[char], second: &[char]| {
        let order = [&batch[..], first, second].concat();
        let value = arranged(b, term, &order)?;
        let mut flat = dims(b, term, &batch);
        flat.push(dim::product(&dims(b, term, first)));
        flat.push(dim::product(&dims(b, term, second)));
        b.reshape(value, flat)
    };
    let x = flat(b, &left, &rows, &inner)?;
    let y = flat(b, &right, &inner, &columns)?;
    let value = b.op(Matmul { transpose_a: false, transpose_b: false }, &[x, y])?;
    let value = b.reshape(value, [batch_dims, row_dims, column_dims].concat())?;
    Ok(Term { value, axes: [batch, rows, columns].concat() })
}
