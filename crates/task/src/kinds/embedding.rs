//! What a text means, as a vector: the vectors of its tokens pooled, then divided by their length
//! (the Euclidean norm), so that the product of two is the cosine of their angle.
//!
//! The back yields `embedding` f32 `[D]`.

use embarca_ir::{Dim, TensorType, ops};
use embarca_kernels::reduce::Kind;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::spec::{self, Pooling, Spec};
use crate::stage::{Result, Stage};

/// Vectors shorter than this are divided by it; PyTorch's `normalize` has the same bound.
const LEAST: f32 = 1e-12;

/// What stands for an element beyond the text when the greatest is looked for.
const LOWEST: f32 = -1e9;

/// A vector for each token, or one that its author calls an embedding.
pub fn recognize(net: &Net) -> Option<Spec> {
    let called = |port: &Port, names: &[&str]| names.iter().any(|name| port.name.contains(name));
    let is_answer = |port: &Port| match port.dims.len() {
        3 => !called(port, &["logits"]),
        2 => called(port, &["embed", "pool"]),
        _ => false,
    };
    let pooled = |port: &Port| port.dims.len() == 2 && called(port, &["sentence_embedding"]);
    let output =
        net.outputs.iter().position(pooled).or_else(|| net.outputs.iter().position(is_answer))?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    Some(Spec { outputs, ..Spec::new(spec::Kind::SentenceEmbedding) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, _: &mut Section) -> Result<()> {
    let x = stage.output(net, super::output(spec, 0))?;
    let dims = stage.dims(x);
    let one = |dim: &Dim| dim.known() == Some(1);
    let x = match &dims[..] {
        [n, tokens, width] if one(n) => {
            let (tokens, width) = (tokens.clone(), width.clone());
            let x = stage.reshape(x, &[tokens.clone(), width.clone()])?;
            pooled(stage, spec.pooling.unwrap_or(Pooling::Mean), x, tokens, width)?
        }
        [n, width] if one(n) => {
            if spec.pooling.is_some() {
                let what = "pooling: the output is one vector already";
                return Err(TaskError::spec(what).hint("outputs = [N] names another output"));
            }
            stage.reshape(x, std::slice::from_ref(width))?
        }
        _ => return Err(TaskError::spec("the output is no vector, nor one for each token")),
    };
    let by = ops::Reduction(Kind::L2);
    let norm = stage.op(ops::Reduce { by, axes: vec![0], keep: true }, &[x])?;
    let least = stage.b.scalar(LEAST);
    let norm = stage.op(ops::Maximum {}, &[norm, least])?;
    let x = stage.op(ops::Div {}, &[x, norm])?;
    stage.yields("embedding", x);
    Ok(())
}

/// Rows of tokens `[T, D]` as one `[D]`.
fn pooled(
    stage: &mut Stage<'_>,
    pooling: Pooling,
    x: embarca_ir::ValueId,
    tokens: Dim,
    width: Dim,
) -> Result<embarca_ir::ValueId> {
    if pooling == Pooling::Cls {
        let first = stage.slice(x, 0, 0, 1)?;
        return stage.reshape(first, &[width]);
    }
    let mask = TensorType::new(DType::I32, [Dim::Known(1), tokens.clone()]);
    let mask = stage.b.input("mask", mask);
    let mask = stage.cast(mask, DType::F32)?;
    let mask = stage.reshape(mask, &[tokens, Dim::Known(1)])?;
    let sum = |stage: &mut Stage<'_>, by, x| {
        stage.op(ops::Reduce { by: ops::Reduction(by), axes: vec![0], keep: false }, &[x])
    };
    if pooling == Pooling::Max {
        let one = stage.b.scalar(1.0);
        let beyond = stage.op(ops::Sub {}, &[one, mask])?;
        let lowest = stage.b.scalar(LOWEST);
        let beyond = stage.op(ops::Mul {}, &[beyond, lowest])?;
        let x = stage.op(ops::Add {}, &[x, beyond])?;
        return sum(stage, Kind::Max, x);
    }
    let x = stage.op(ops::Mul {}, &[x, mask])?;
    let x = sum(stage, Kind::Sum, x)?;
    let count = sum(stage, Kind::Sum, mask)?;
    stage.op(ops::Div {}, &[x, count])
}
