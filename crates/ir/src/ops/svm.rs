//! Support vector machines (`ai.onnx.ml`): how near a row is to each support vector, weighted.

use embarca_kernels::{compare, reduce, unary};

use super::draft::Draft;
use super::ml::{Labels, post_transform};
use super::prelude::*;
use super::{Dense, ForLoop};
use crate::ids::GraphId;
use crate::model::{Graph, Output};

const ML: &str = "ai.onnx.ml";

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("SVMClassifier", 1).domain(ML),
    Spelling::onnx("SVMRegressor", 1).domain(ML),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut d = Draft::new(b);
    let x = node.input(0)?;
    let x = d.cast(x, DType::F32)?;
    let x = match d.b.rank(x) {
        1 => d.unsqueeze(x, 0)?,
        _ => x,
    };
    match node.op {
        "SVMRegressor" => regressor(node, &mut d, x),
        _ => classifier(node, &mut d, x),
    }
}

fn floats(node: &NodeView<'_>, name: &str) -> Result<Vec<f32>, ImportError> {
    Ok(node.opt_floats(name)?.unwrap_or_default())
}

fn wrong(name: &str) -> ImportError {
    ImportError::malformed("does not fit the others").attribute(name)
}

fn regressor(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let count = usize::try_from(node.int("n_supports", 0)?).unwrap_or(0);
    let (coefficients, rho) = (floats(node, "coefficients")?, floats(node, "rho")?);
    let &[rho] = &*rho else { return Err(wrong("rho")) };
    let near = match count {
        // The coefficients are those of the features.
        0 => {
            node.ignore(&["kernel_type", "kernel_params", "support_vectors"]);
            x
        }
        _ if coefficients.len() != count => return Err(wrong("coefficients")),
        _ => nearness(node, d, x, count)?,
    };
    let coefficients = d.b.f32s(&[1, coefficients.len()], &coefficients);
    let y = d.b.op(Dense::PLAIN, &[near, coefficients])?;
    let mut y = d.shifted(y, f64::from(rho))?;
    if node.flag("one_class", false)? {
        // 1 inside of the class, else -1.
        let zero = d.number(y, 0.0)?;
        let inside = d.compare(compare::Kind::Greater, y, zero)?;
        let (yes, no) = (d.number(y, 1.0)?, d.number(y, -1.0)?);
        y = d.select(inside, yes, no)?;
    }
    one(post_transform(node, d, y)?)
}

/// How near each row is to each of `count` support vectors: `[rows, count]`.
fn nearness(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
    count: usize,
) -> Result<ValueId, ImportError> {
    let vectors = floats(node, "support_vectors")?;
    if vectors.is_empty() || !vectors.len().is_multiple_of(count) {
        return Err(wrong("support_vectors"));
    }
    let features = Dim::Known((vectors.len() / count) as i64);
    if !matches!(&*d.b.ty(x).dims, [_, own] if own.may_equal(&features)) {
        let message = format!("{features} features of each vector do not fit {}", d.b.ty(x));
        return Err(ImportError::malformed(message).attribute("support_vectors"));
    }
    let kind = node.text("kernel_type", "LINEAR")?;
    let parameters = floats(node, "kernel_params")?;
    let own = d.b.f32s(&[count, vectors.len() / count], &vectors);
    if kind == "LINEAR" {
        return Ok(d.b.op(Dense::PLAIN, &[x, own])?);
    }
    let &[gamma, constant, degree] = &*parameters else { return Err(wrong("kernel_params")) };
    if kind == "RBF" {
        let own = d.unsqueeze(own, 0)?;
        let wide = d.unsqueeze(x, 1)?;
        let apart = d.sub(wide, own)?;
        let square = d.mul(apart, apart)?;
        let sum = d.reduce(reduce::Kind::Sum, square, [2], false)?;
        let sum = d.scaled(sum, -f64::from(gamma))?;
        return Ok(d.unary(unary::Kind::Exp, sum)?);
    }
    let product = d.b.op(Dense::PLAIN, &[x, own])?;
    let product = d.scaled(product, f64::from(gamma))?;
    let product = d.shifted(product, f64::from(constant))?;
    match kind {
        "POLY" => {
            let degree = d.number(product, f64::from(degree))?;
            Ok(d.pow(product, degree)?)
        }
        "SIGMOID" => Ok(d.unary(unary::Kind::Tanh, product)?),
        other => {
            let message = format!("there is no kernel {other}");
            Err(ImportError::malformed(message).attribute("kernel_type"))
        }
    }
}

/// All pairs of classes, the second after the first.
fn pairs(classes: usize) -> Vec<(usize, usize)> {
    (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect()
}

/// One machine for each pair of classes; the class that wins most of them, the first of equals.
fn classifier(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let labels = Labels::read(node, d, ["classlabels_ints", "classlabels_strings"])?;
    let classes = labels.len();
    let counts: Vec<usize> = node
        .opt_ints("vectors_per_class")?
        .unwrap_or_default()
        .into_iter()
        .map(|count| usize::try_from(count).map_err(|_| wrong("vectors_per_class")))
        .collect::<Result<_, _>>()?;
    if counts.is_empty() {
        let message = "a machine without support vectors; a linear one is LinearClassifier";
        return Err(ImportError::unsupported(message).attribute("vectors_per_class"));
    }
    if !(2..=MAX_CLASSES).contains(&classes) || counts.len() != classes {
        let message = format!("{classes} classes; 2 to {MAX_CLASSES} can be told apart by pairs");
        return Err(ImportError::unsupported(message).attribute("vectors_per_class"));
    }
    let all = counts.iter().try_fold(0usize, |all, &count| all.checked_add(count));
    let all = all.filter(|&all| 0 < all).ok_or_else(|| wrong("vectors_per_class"))?;
    let (coefficients, rho) = (floats(node, "coefficients")?, floats(node, "rho")?);
    let pairs = pairs(classes);
    if all.checked_mul(classes - 1) != Some(coefficients.len()) {
        return Err(wrong("coefficients"));
    }
    if rho.len() != pairs.len() {
        return Err(wrong("rho"));
    }
    let near = nearness(node, d, x, all)?;
    // What the machine of a pair takes of each support vector: those of other classes nothing.
    let cells = all.checked_mul(pairs.len()).ok_or_else(|| wrong("vectors_per_class"))?;
    super::draft::check_table(Some(cells / 16))?;
    let mut table = vec![0.0; cells];
    let firsts: Vec<usize> = counts
        .iter()
        .scan(0, |next, &count| Some(std::mem::replace(next, *next + count)))
        .collect();
    for (row, &(i, j)) in table.chunks_exact_mut(all).zip(&pairs) {
        for (of, against) in [(i, j - 1), (j, i)] {
            let part = firsts[of]..firsts[of] + counts[of];
            let from = &coefficients[against * all..(against + 1) * all];
            row[part.clone()].copy_from_slice(&from[part]);
        }
    }
    let table = d.b.table(Const::from_f32(&[pairs.len(), all], &table))?;
    let scores = d.b.op(Dense::PLAIN, &[near, table])?;
    let rho = d.b.f32s(&[pairs.len()], &rho);
    let scores = d.add(scores, rho)?;
    let label = votes(d, scores, &pairs, classes)?;
    let label = labels.best(d, label)?;
    let [slopes, offsets] = [floats(node, "prob_a")?, floats(node, "prob_b")?];
    if slopes.is_empty() && offsets.is_empty() {
        if classes == 2 {
            if node.text("post_transform", "NONE")? != "NONE" {
                return Err(ImportError::unsupported("of the score of two classes")
                    .attribute("post_transform"));
            }
            let other = d.scaled(scores, -1.0)?;
            return Ok(vec![label, d.concat(&[other, scores], 1)?]);
        }
        return Ok(vec![label, post_transform(node, d, scores)?]);
    }
    if [slopes.len(), offsets.len()] != [pairs.len(); 2] {
        return Err(wrong("prob_a"));
    }
    // The chance of the first class of each pair.
    let slopes = d.b.f32s(&[pairs.len()], &slopes);
    let offsets = d.b.f32s(&[pairs.len()], &offsets);
    let scaled = d.mul(scores, slopes)?;
    let scaled = d.add(scaled, offsets)?;
    let opposite = d.scaled(scaled, -1.0)?;
    let chance = d.unary(unary::Kind::Sigmoid, opposite)?;
    let chance = d.b.clip(chance, LEAST, 1.0 - LEAST)?;
    let chances = coupled(d, chance, &pairs, classes)?;
    Ok(vec![label, post_transform(node, d, chances)?])
}

/// More classes than this would make too many pairs.
const MAX_CLASSES: usize = 128;

/// The least chance of a class against another, as LIBSVM has it.
const LEAST: f32 = 1e-7;

/// How many pairs each class wins: `[rows, classes]`.
fn votes(
    d: &mut Draft<'_, '_>,
    scores: ValueId,
    pairs: &[(usize, usize)],
    classes: usize,
) -> Result<ValueId, ShapeError> {
    let zero = d.number(scores, 0.0)?;
    let wins = d.compare(compare::Kind::Greater, scores, zero)?;
    let wins = d.cast(wins, DType::F32)?;
    let mut gain = vec![0.0; classes * pairs.len()];
    let mut lost = vec![0.0; classes];
    for (at, &(i, j)) in pairs.iter().enumerate() {
        gain[i * pairs.len() + at] = 1.0;
        gain[j * pairs.len() + at] = -1.0;
        lost[j] += 1.0;
    }
    let gain = d.b.table(Const::from_f32(&[classes, pairs.len()], &gain))?;
    let lost = d.b.f32s(&[classes], &lost);
    let votes = d.b.op(Dense::PLAIN, &[wins, gain])?;
    d.add(votes, lost)
}

/// Chances of all classes from those of the first of each pair: the second method of Wu, Lin and Weng,
/// "Probability Estimates for Multi-class Classification by Pairwise Coupling" (2004), with LIBSVM's
/// number of rounds and its bound for the error.
fn coupled(
    d: &mut Draft<'_, '_>,
    chance: ValueId,
    pairs: &[(usize, usize)],
    classes: usize,
) -> Result<ValueId, ImportError> {
    let rows = d.b.ty(chance).dims[0].clone();
    let wide = Dim::Known(classes as i64);
    let square = vec![rows.clone(), wide.clone(), wide.clone()];
    // The chance of class i against class j, as a matrix with zeros where they are the same.
    let reverse = one_less(d, chance)?;
    let nothing = d.scaled(chance, 0.0)?;
    let all = d.concat(&[chance, reverse, nothing], 1)?;
    let mut places = vec![2 * pairs.len() as i64; classes * classes];
    for (at, &(i, j)) in pairs.iter().enumerate() {
        places[i * classes + j] = at as i64;
        places[j * classes + i] = (pairs.len() + at) as i64;
    }
    let places = d.b.table(Const::from_i64(&[classes * classes], &places))?;
    let against = d.gather(all, places, 1)?;
    let against = d.b.reshape(against, square)?;
    let turned = d.b.transpose(against, &[0, 2, 1])?;
    // q[i][j] = -r[j][i] r[i][j], q[i][i] = the sum of the squares of r[j][i].
    let product = d.mul(turned, against)?;
    let apart = d.scaled(product, -1.0)?;
    let squares = d.mul(turned, turned)?;
    let sums = d.reduce(reduce::Kind::Sum, squares, [2], true)?;
    let mut unit = vec![0.0; classes * classes];
    unit.iter_mut().step_by(classes + 1).for_each(|cell| *cell = 1.0);
    let unit = d.b.table(Const::from_f32(&[classes, classes], &unit))?;
    let diagonal = d.mul(sums, unit)?;
    let q = d.add(apart, diagonal)?;
    let even = d.b.f32s(&[1, 1], &[1.0 / classes as f32]);
    let even = d.expand(even, vec![rows, wide])?;
    let body = rounds(d, even, q, classes)?;
    let trips = d.b.constant(Const::from_i64(&[], &[ROUNDS.max(classes as i64)]), None);
    let op = ForLoop { body, vars: 1, dtypes: Vec::new(), dims: Vec::new() };
    let results = d.b.node(op, &[Some(trips), None, Some(even), Some(q)])?;
    results.first().copied().ok_or_else(|| ImportError::malformed("the loop yields nothing"))
}

/// `1 - x`
fn one_less(d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
    let whole = d.number(x, 1.0)?;
    d.sub(whole, x)
}

/// LIBSVM's least number of rounds; as many as there are classes, where that is more.
const ROUNDS: i64 = 100;

/// LIBSVM's bound for the error, times the number of classes.
const CLOSE: f64 = 0.005;

/// The graph of one round, which moves each row's chances `p` until they are close.
fn rounds(
    d: &mut Draft<'_, '_>,
    p: ValueId,
    q: ValueId,
    classes: usize,
) -> Result<GraphId, ImportError> {
    let (p, q) = (d.b.ty(p).clone(), d.b.ty(q).clone());
    d.b.model.graphs.push(Graph { name: "coupled chances".to_owned(), ..Graph::default() });
    let own = GraphId::new(d.b.model.graphs.len() - 1);
    let outer = std::mem::replace(&mut d.b.graph, own);
    let results = round(d, p, q, classes);
    d.b.graph = outer;
    let (goes_on, next) = results?;
    let output = |name: &str, value| Output { name: name.to_owned(), value, counted: None };
    d.b.model.graphs[own.index()].outputs = vec![output("goes_on", goes_on), output("p", next)];
    Ok(own)
}

fn round(
    d: &mut Draft<'_, '_>,
    p: TensorType,
    q: TensorType,
    classes: usize,
) -> Result<(ValueId, ValueId), ShapeError> {
    d.b.input("trip", TensorType::new(DType::I64, []));
    d.b.input("condition", TensorType::new(DType::Bool, []));
    let (before, q) = (d.b.input("p", p), d.b.input("q", q));
    let mut p = before;
    let column = d.unsqueeze(p, 2)?;
    let product = d.matmul(q, column)?;
    let mut qp = d.squeeze(product, 2)?;
    let weighted = d.mul(p, qp)?;
    let mut pqp = d.reduce(reduce::Kind::Sum, weighted, [1], true)?;
    let error = d.sub(qp, pqp)?;
    let error = d.unary(unary::Kind::Abs, error)?;
    let error = d.reduce(reduce::Kind::Max, error, [1], true)?;
    let close = d.number(error, CLOSE / classes as f64)?;
    let open = d.compare(compare::Kind::GreaterEqual, error, close)?;
    for i in 0..classes {
        let at = i as i64;
        let row = d.part(q, 1, at, Dim::Known(1), 1)?;
        let row = d.squeeze(row, 1)?;
        let own = d.part(row, 1, at, Dim::Known(1), 1)?;
        let own_qp = d.part(qp, 1, at, Dim::Known(1), 1)?;
        let short = d.sub(pqp, own_qp)?;
        let step = d.div(short, own)?;
        let scale = d.shifted(step, 1.0)?;
        let mut unit = vec![0.0; classes];
        unit[i] = 1.0;
        let unit = d.b.table(Const::from_f32(&[classes], &unit))?;
        let moved = d.mul(step, unit)?;
        let moved = d.add(p, moved)?;
        let curve = d.mul(step, own)?;
        let twice = d.scaled(own_qp, 2.0)?;
        let curve = d.add(curve, twice)?;
        let curve = d.mul(step, curve)?;
        let sum = d.add(pqp, curve)?;
        let sum = d.div(sum, scale)?;
        pqp = d.div(sum, scale)?;
        let change = d.mul(step, row)?;
        let sum = d.add(qp, change)?;
        qp = d.div(sum, scale)?;
        p = d.div(moved, scale)?;
    }
    let next = d.select(open, p, before)?;
    let open = d.cast(open, DType::F32)?;
    let goes_on = d.reduce(reduce::Kind::Max, open, [0, 1], false)?;
    Ok((d.cast(goes_on, DType::Bool)?, next))
}
