//! From the ends of a file to a model's input.
//!
//! Takes `bytes` i32 `[1, first + last]`: the beginning of a file, then its end.

use embarca_ir::{Dim, Model, TensorType};
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::Net;
use crate::spec::BytesSpec;
use crate::stage::{Result, Stage};

/// The front for the bytes of a file.
///
/// # Errors
/// The input holds another number of bytes.
pub fn front(spec: &BytesSpec, net: &Net) -> Result<Model> {
    let input = spec.input;
    let missing = || TaskError::spec(format!("bytes: the model has no input {input}"));
    let port = net.inputs.get(input).ok_or_else(missing)?;
    let len = spec.first.checked_add(spec.last).filter(|&len| 0 < len);
    let fits =
        matches!(port.dims[..], [None | Some(1), own] | [own] if own.is_none() || own == len);
    let whole = matches!(port.dtype, DType::I32 | DType::I64 | DType::F32) && port.quant.is_none();
    let Some(len) = len.filter(|_| fits && whole) else {
        let what = format!("input '{}' takes no {} bytes", port.name, len.unwrap_or(0));
        return Err(TaskError::spec(what).hint("first and last say how many it takes"));
    };
    let mut model = Model::new("front");
    let mut stage = Stage::new(&mut model);
    let ty = TensorType::of(DType::I32, &[1, len]);
    let x = stage.b.input("bytes", ty);
    let x = stage.cast(x, port.dtype)?;
    let x = if port.dims.len() == 1 { stage.reshape(x, &[Dim::from(len as i64)])? } else { x };
    stage.yields(&format!("in{input}"), x);
    Ok(model)
}
