//! Texts in a model. In the graph a text is its place (i64) in one list of the model's texts, which
//! becomes its labels where an output says texts.
//!
//! What is done to texts either moves them, asks whether two are the same, or is refused here by
//! name: an operator that would take the places for numbers must not see them.

use super::counted;
use super::prelude::*;

/// ONNX's operators that move elements, with the first and the number of the inputs that they move
/// (0: all from there on).
const MOVES: &[(&str, usize, usize)] = &[
    ("ArrayFeatureExtractor", 0, 1),
    ("Concat", 0, 0),
    ("Expand", 0, 1),
    ("Flatten", 0, 1),
    ("Gather", 0, 1),
    ("GatherElements", 0, 1),
    ("GatherND", 0, 1),
    ("Identity", 0, 1),
    ("Reshape", 0, 1),
    ("Slice", 0, 1),
    ("Split", 0, 1),
    ("Squeeze", 0, 1),
    ("Tile", 0, 1),
    ("Transpose", 0, 1),
    ("Unsqueeze", 0, 1),
    ("Where", 1, 2),
];

/// The number of an element type that means texts, in ONNX.
const STRING: i64 = 8;

/// What stands for a label that is not known where a file does not say it.
pub const UNUSED: &str = "_Unused";

/// What a dossier imports of a node, with what becomes of texts.
///
/// # Errors
/// The dossier's, and when an operator would take texts for numbers.
pub fn import_with(
    dossier: fn(&NodeView<'_>, &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError>,
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
) -> Result<Vec<ValueId>, ImportError> {
    let texts: Vec<bool> =
        node.inputs.items().map(|input| input.is_some_and(|input| b.is_text(input))).collect();
    if !texts.contains(&true) {
        return counted::import_with(dossier, node, b);
    }
    let refused = || {
        ImportError::unsupported(format!("{} of texts is not supported", node.op))
            .hint("export the model with classes that are whole numbers")
    };
    match node.op {
        "Cast" if node.opt_int("to")? == Some(STRING) => return one(node.input(0)?),
        "Equal" if !texts.contains(&false) => return counted::import_with(dossier, node, b),
        "LabelEncoder" => return dossier(node, b),
        _ => {}
    }
    let &(_, first, count) =
        MOVES.iter().find(|(name, _, _)| *name == node.op).ok_or_else(refused)?;
    let moved = match count {
        0 => first..texts.len(),
        count => first..first + count,
    };
    if texts.iter().enumerate().any(|(index, &text)| text != moved.contains(&index)) {
        return Err(refused());
    }
    let values = counted::import_with(dossier, node, b)?;
    for &value in &values {
        b.set_text(value);
    }
    Ok(values)
}
