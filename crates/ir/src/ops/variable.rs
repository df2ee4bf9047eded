//! TFLite's variables. They become values and states of the graph while a model is imported, because
//! no node of ours refers to a tensor.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[
    Spelling::tflite("ASSIGN_VARIABLE"),
    Spelling::tflite("CALL_ONCE"),
    Spelling::tflite("READ_VARIABLE"),
    Spelling::tflite("VAR_HANDLE"),
];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, _: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    Err(ImportError::unsupported(format!("'{}' stands where there are no variables", node.op)))
}
