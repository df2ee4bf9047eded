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
    if node.op == "Dropout" && 12 <= node.version {
        node.ignore_inputs([1]);
    }
    if let (12.., Some(training)) = (node.version, node.optional(2)) {
        let Some(training) = b.operand(training).ints() else {
            return Err(ImportError::unknown(training, "training_mode is not a constant"));
        };
        let keeps = match node.optional(1) {
            Some(ratio) => b.floats(ratio, "the ratio")? == [0.0],
            None => false,
        };
        if training != [0] && !keeps {
            return Err(ImportError::unsupported("training_mode is true: elements are drawn")
                .hint("export the model in evaluation mode"));
        }
    }
    match (node.op, node.n_outputs) {
        (_, 0 | 1) => one(x),
        ("Split", outputs) => Ok(vec![x; outputs]),
        _ => {
            let dims = b.ty(x).dims.clone();
            let kept = b.constant(Const::new(DType::Bool, Vec::new(), [1]).ok_or_else(|| {
                ImportError::malformed("a truth value has one byte")
            })?, None);
            Ok(vec![x, b.op(super::Expand { dims }, &[kept])?])
        }
    }
}
