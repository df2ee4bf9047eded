//! TFLite's EMBEDDING_LOOKUP: rows of a table.

use super::prelude::*;
use super::{Gather, Requantize};

pub const SPELLINGS: &[Spelling] = &[Spelling::tflite("EMBEDDING_LOOKUP")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (rows, table) = (node.input(0)?, node.input(1)?);
    super::gather::from_the_front(node, b, rows)?;
    let quant = b.ty(table).quant.clone();
    let y = b.op(Gather { axis: 0, batch_dims: 0 }, &[table, rows])?;
    let real = node.output_type(0).is_some_and(|ty| ty.dtype == DType::F32);
    if real && b.ty(table).dtype == DType::I8 {
        if quant.as_ref().and_then(Quant::single).is_none() {
            let message = "a table with several scales is not supported";
            return Err(ImportError::unsupported(message));
        }
        b.set_quant(y, quant);
        return one(b.op(Requantize { to: DType::F32, rule: "tflite".to_owned() }, &[y])?);
    }
    one(y)
}
