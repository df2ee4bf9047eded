//! Losses of a classification: ONNX's NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.

use embarca_kernels::compare::Kind as Relation;
use embarca_kernels::reduce::Kind;
use embarca_kernels::unary;

use super::draft::Draft;
use super::prelude::*;
use super::{GatherElements, LogSoftmax};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("NegativeLogLikelihoodLoss", 12),
    Spelling::onnx("SoftmaxCrossEntropyLoss", 12),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, labels) = (node.input(0)?, node.input(1)?);
    if b.rank(x) < 2 {
        return Err(ImportError::malformed(format!("expected N, C, ..., got {}", b.ty(x))));
    }
    if node.op == "NegativeLogLikelihoodLoss" {
        return one(likelihood(node, b, x, labels)?);
    }
    let log = b.op(LogSoftmax { axis: 1 }, &[x])?;
    Ok(vec![likelihood(node, b, log, labels)?, log])
}

/// Minus the number of `x` at each label, weighted and put together.
fn likelihood(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    labels: ValueId,
) -> Result<ValueId, ImportError> {
    let reduction = node.text("reduction", "mean")?;
    if !matches!(reduction, "none" | "mean" | "sum") {
        let message = format!("{reduction} is not known");
        return Err(ImportError::malformed(message).attribute("reduction"));
    }
    let ignored = node.opt_int("ignore_index")?;
    let mut d = Draft::new(b);
    let mut labels = d.cast(labels, DType::I64)?;
    let mut without = None;
    if let Some(ignored) = ignored {
        let ignored = d.number(labels, ignored as f64)?;
        let zero = d.number(labels, 0.0)?;
        let hit = d.compare(Relation::Equal, labels, ignored)?;
        labels = d.select(hit, zero, labels)?;
        without = Some(hit);
    }
    let spread = d.unsqueeze(labels, 1)?;
    let picked = d.b.op(GatherElements { axis: 1 }, &[x, spread])?;
    let picked = d.squeeze(picked, 1)?;
    let mut loss = d.unary(unary::Kind::Neg, picked)?;
    let mut weights = match node.optional(2) {
        Some(weights) => Some(d.gather(weights, labels, 0)?),
        None => None,
    };
    if let Some(hit) = without {
        let (zero, one) = (d.number(x, 0.0)?, d.number(x, 1.0)?);
        weights = Some(d.select(hit, zero, weights.unwrap_or(one))?);
    }
    if let Some(weights) = weights {
        loss = d.mul(loss, weights)?;
    }
    let axes = 0..d.b.rank(loss);
    Ok(match (reduction, weights) {
        ("none", _) => loss,
        ("mean", Some(weights)) => {
            let sum = d.reduce(Kind::Sum, loss, axes.clone(), false)?;
            let total = d.reduce(Kind::Sum, weights, axes, false)?;
            d.div(sum, total)?
        }
        ("mean", None) => d.reduce(Kind::Mean, loss, axes, false)?,
        _ => d.reduce(Kind::Sum, loss, axes, false)?,
    })
}
