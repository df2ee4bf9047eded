//! Rewrites of a graph that keep its meaning. Knows no target, no kernel's speed, no file.

pub mod affine;
pub mod branches;
mod calls;
pub mod eval;
pub mod fold;
pub mod pads;
pub mod qdq;
pub mod rewrite;
mod tables;
pub mod transposes;

pub use eval::{EvalError, eval, eval_with};
pub use fold::{Allowance, Gap, LegalizeError, decompose};

use embarca_ir::{Model, ShapeError};

/// A rewrite: the model and whether it changed, within what it may spend.
pub type Pass = fn(Model, &mut Allowance) -> Result<(Model, bool), ShapeError>;

/// The rewrites that a model in which quantization is spelled out goes through first.
pub const QUANTIZED_PASSES: &[(&str, Pass)] = &[
    ("fold_float_constants", fold::fold_float_constants),
    ("share_common", |model, _| fold::share_common(model)),
    ("sink_stored_transposes", |model, _| transposes::sink_stored_transposes(model)),
    ("fuse_quantized", |model, _| qdq::fuse_quantized(model)),
];

/// The rewrites that every model goes through, in the order in which a round applies them.
pub const PASSES: &[(&str, Pass)] = &[
    ("fold_constants", fold::fold_constants),
    ("fold_branches", |model, _| branches::fold_branches(model)),
    ("share_common", |model, _| fold::share_common(model)),
    ("sink_transposes", |model, _| transposes::sink_transposes(model)),
    ("fold_affine", |model, _| affine::fold_affine(model)),
];

/// Rewrites that `compile` asks for where a target's kernels take the result.
pub const TARGET_PASSES: &[(&str, Pass)] = &[("fold_pads", |model, _| pads::fold_pads(model))];

/// Rounds after which the passes must have come to rest; a defect of a pass could otherwise make
/// two of them undo each other for ever.
const MAX_ROUNDS: usize = 64;

/// Applies all rewrites until none changes the graph.
///
/// # Errors
/// Only through a defect of a rewrite.
pub fn optimize(mut model: Model) -> Result<Model, ShapeError> {
    let mut allowance = Allowance::of(&model);
    if qdq::is_spelled_out(&model) {
        model = settle(model, &mut allowance, QUANTIZED_PASSES)?;
    }
    settle(model, &mut allowance, PASSES)
}

fn settle(
    mut model: Model,
    allowance: &mut Allowance,
    passes: &[(&str, Pass)],
) -> Result<Model, ShapeError> {
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (_, pass) in passes {
            let (next, pass_changed) = pass(model, allowance)?;
            model = next;
            changed |= pass_changed;
        }
        if !changed {
            break;
        }
    }
    Ok(model)
}
