//! Graphs as files of other formats.
//!
//! A dossier says how its operator is spelled ([`embarca_ir::spell`]); here those words become bytes.
//! The same graph gives the same bytes on every machine.

mod error;
mod onnx;
mod tflite;

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
                    Format::TfLite => tflite::write(&foreign),
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
    let nodes: Vec<_> = gaps.list.iter().filter_map(|gap| gap.node).collect();
    let old = model.clone();
    let missing = |graph, node: &embarca_ir::Node| {
        let nodes = nodes.iter().filter(|(at, _)| *at == graph);
        { nodes }.any(|(graph, id)| old.graph(*graph).node(*id).outputs == node.outputs)
    };
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
