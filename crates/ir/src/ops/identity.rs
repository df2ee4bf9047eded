//! Operators that pass their input on: nodes of training or debugging without effect here.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("Identity", 1),
    Spelling::onnx("Dropout", 7),
    Spelling::caffe("Dropout"),
    Spelling::caffe("Split"),
];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    // At inference dropout keeps every element.
    node.ignore(&["ratio", "seed", "dropout_ratio", "scale_train"]);
    if let (12.., Some(training)) = (node.version, node.optional(2))
        && b.operand(training).ints() != Some(vec![0])
    {
        return Err(ImportError::unsupported("training_mode is not constant false")
            .hint("export the model in evaluation mode"));
    }
    match (node.op, node.n_outputs) {
        (_, 0 | 1) => one(x),
        ("Split", outputs) => Ok(vec![x; outputs]),
        _ => Err(ImportError::unsupported("the dropout mask is read by another node")
            .hint("export the model in evaluation mode")),
    }
}
