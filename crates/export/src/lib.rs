//! Graphs as files of other formats.
//!
//! A dossier says how its operator is spelled ([`embarca_ir::spell`]); here those words become bytes.
//! The same graph gives the same bytes on every machine.

mod error;
mod onnx;
mod tflite;

use std::collections::HashSet;

use embarca_ir::foreign::Format;
use embarca_ir::spell::{Gaps, SpellError, spell};
use embarca_ir::{Model, Op};
use embarca_opt::Allowance;
use embarca_opt::rewrite::{Verdict, rewrite};

pub use error::ExportError;

/// Rounds of decomposition after which each node must have a spelling; a cycle would be a defect.
const MAX_ROUNDS: usize = 16;

/// Constants beyond this size make a file that its readers do not take.
const MAX_BYTES: usize = (1 << 31) - (1 << 16);

/// The bytes of an ONNX or TFLite file.
///
/// # Errors
/// All nodes that have no spelling in the format; files of 2 GB and more; Caffe.
pub fn write(model: &Model, format: Format) -> Result<Vec<u8>, ExportError> {
    let bytes: usize = model.consts.iter().map(|data| data.data.len()).sum();
    if MAX_BYTES < bytes {
        return Err(ExportError::TooLarge(bytes));
    }
    if format == Format::Caffe {
        return Err(ExportError::Format("Caffe's files are not written"));
    }
    let mut model = prepared(model.clone(), format).map_err(|error| ExportError::Bug(error.0))?;
    for _ in 0..MAX_ROUNDS {
        let gaps = match spell(&model, format) {
            Ok(foreign) => {
                return match format {
                    Format::TfLite => tflite::write(&foreign, &model),
                    _ => onnx::write(&foreign),
                };
            }
            Err(gaps) => gaps,
        };
        model = match decomposed(model, &gaps)? {
            Some(model) => model,
            None => return Err(ExportError::Gaps(gaps)),
        };
    }
    Err(ExportError::Bug("decompositions do not end".to_owned()))
}

/// What of a model's notes for people and front ends a file of the format does not hold, in words.
pub fn left_out(model: &Model, format: Format) -> Vec<String> {
    let meta = &model.meta;
    let mut left = Vec::new();
    let tflite = format == Format::TfLite;
    if tflite && !meta.labels.is_empty() {
        left.push(format!("the names of {} classes", meta.labels.len()));
    }
    if !meta.mean.is_empty() || !meta.std.is_empty() {
        left.push("the mean and the divisor of its pixels".to_owned());
    }
    if tflite {
        left.extend(meta.properties.keys().map(|key| format!("'{key}'")));
    }
    left
}

/// With constants computed, and quantization in the form in which the format holds it.
fn prepared(mut model: Model, format: Format) -> Result<Model, embarca_ir::ShapeError> {
    if format == Format::TfLite || !embarca_opt::qdq::is_spelled_out(&model) {
        return embarca_opt::optimize(model);
    }
    // ONNX spells quantization out itself.
    let mut allowance = Allowance::of(&model);
    loop {
        let (next, folded) = embarca_opt::fold::fold_float_constants(model, &mut allowance)?;
        let (next, shared) = embarca_opt::fold::share_common(next)?;
        model = next;
        if !folded && !shared {
            return Ok(model);
        }
    }
}

/// The model with the nodes that have no spelling decomposed; `None` when none decomposes.
fn decomposed(model: Model, gaps: &Gaps) -> Result<Option<Model>, ExportError> {
    if gaps.list.iter().any(|gap| matches!(gap.error, SpellError::Bug(_))) {
        return Ok(None);
    }
    // Outputs, which are never empty where a node can be decomposed, tell a node.
    let nodes = gaps.list.iter().filter_map(|gap| gap.node);
    let first = |graph, id| model.graph(graph).node(id).outputs.first().copied();
    let nodes: HashSet<_> = nodes.map(|(graph, id)| (graph, first(graph, id))).collect();
    let missing =
        |graph, node: &embarca_ir::Node| nodes.contains(&(graph, node.outputs.first().copied()));
    let result = rewrite(model, &mut |b, site| {
        let quantized = site.inputs.iter().flatten().any(|&id| b.ty(id).is_quantized());
        if quantized || matches!(site.node.op, Op::Transpose(_)) || !missing(b.graph, site.node) {
            return Ok(Verdict::Keep);
        }
        Ok(match site.node.op.decompose(b, site.inputs) {
            Some(result) => Verdict::Replace(result?),
            None => Verdict::Keep,
        })
    });
    let (model, changed) = result.map_err(|error| ExportError::Bug(error.0))?;
    Ok(changed.then_some(model))
}
