//! Constants that are written as nodes.

use super::prelude::*;
use crate::foreign_node::Texts;

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Constant", 1), Spelling::caffe("Parameter")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    if node.format == Format::Caffe {
        node.ignore(&["shape"]);
        let missing = || {
            ImportError::malformed("the layer has no learned value")
                .hint("give the .caffemodel with --weights")
        };
        return one(node.blob(0).ok_or_else(missing)?);
    }
    let texts = match node.opt_texts("value_strings")? {
        Some(list) => Some(Texts { dims: vec![list.len()], list }),
        None if node.has("value_string") => {
            Some(Texts { dims: Vec::new(), list: vec![node.text("value_string", "")?.to_owned()] })
        }
        None => node.opt_text_tensor("value"),
    };
    if let Some(texts) = texts {
        return one(b.text_constant("", &texts)?);
    }
    let one_of = "needs one of value, value_int, value_ints, value_float and value_floats";
    let data = if let Some(data) = node.opt_tensor("value")? {
        data
    } else if node.has("value_int") {
        Const::from_i64(&[], &[node.int("value_int", 0)?])
    } else if let Some(values) = node.opt_ints("value_ints")? {
        Const::from_i64(&[values.len()], &values)
    } else if node.has("value_float") {
        Const::from_f32(&[], &[node.float("value_float", 0.0)?])
    } else if let Some(values) = node.opt_floats("value_floats")? {
        Const::from_f32(&[values.len()], &values)
    } else {
        return Err(ImportError::unsupported(one_of));
    };
    one(b.constant(data, None))
}
