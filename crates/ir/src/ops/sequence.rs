//! ONNX's sequences and optional values. They are lists of values while a model is imported; no node
//! of ours knows them.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("ConcatFromSequence", 11),
    Spelling::onnx("Optional", 15),
    Spelling::onnx("OptionalGetElement", 15),
    Spelling::onnx("OptionalHasElement", 15),
    Spelling::onnx("SequenceAt", 11),
    Spelling::onnx("SequenceConstruct", 11),
    Spelling::onnx("SequenceEmpty", 11),
    Spelling::onnx("SequenceErase", 11),
    Spelling::onnx("SequenceInsert", 11),
    Spelling::onnx("SequenceLength", 11),
    Spelling::onnx("SequenceMap", 17),
    Spelling::onnx("SplitToSequence", 11),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, _: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    Err(ImportError::unsupported(format!("'{}' stands where there are no sequences", node.op)))
}
