//! Values in files of their own, as ONNX stores the inputs and results of its tests: one
//! `TensorProto`, `SequenceProto` or `OptionalProto` a file.

use embarca_ir::foreign::ForeignTensor;

use super::external::{Files, NoExternal};
use super::tensor;
use crate::error::ReadError;
use crate::limits::{Budget, ImportLimits};
use crate::wire::protobuf::Message;

/// What such a file holds.
#[derive(Clone, Debug)]
pub enum FileValue<'a> {
    /// A tensor with its content.
    Tensor(ForeignTensor<'a>),
    /// A list of values.
    Sequence(Vec<FileValue<'a>>),
    /// An optional value that is not there.
    Nothing,
}

/// Which message a file holds: nothing in it says so, the model's declaration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A `TensorProto`.
    Tensor,
    /// A `SequenceProto`.
    Sequence,
    /// An `OptionalProto`.
    Optional,
}

/// Reads a value.
///
/// # Errors
/// The file is broken or over a limit; it holds a map, or a sparse or external tensor.
pub fn read_value<'a>(
    bytes: &'a [u8],
    kind: FileKind,
    limits: &ImportLimits,
) -> Result<FileValue<'a>, ReadError> {
    let mut budget = Budget::new(limits, bytes.len())?;
    read(Message::new(bytes, limits.nesting), kind, &mut budget)
}

/// Fields and values of `SequenceProto.DataType` and `OptionalProto.DataType`, which agree.
mod element {
    pub const UNDEFINED: i64 = 0;
    pub const TENSOR: i64 = 1;
    pub const SEQUENCE: i64 = 3;
    pub const OPTIONAL: i64 = 5;
}

fn read<'a>(
    mut message: Message<'a>,
    kind: FileKind,
    budget: &mut Budget<'_>,
) -> Result<FileValue<'a>, ReadError> {
    if kind == FileKind::Tensor {
        let mut none = NoExternal;
        let constant = tensor::read(message, &mut Files::new(&mut none), budget)?;
        let name = budget.text(constant.name)?;
        return Ok(FileValue::Tensor(constant.into_tensor(name)));
    }
    let whole = message.clone();
    let mut of = element::UNDEFINED;
    while let Some(field) = message.next_field()? {
        // `elem_type`
        if field.number == 2 {
            of = field.int()?;
        }
    }
    let (number, inner) = match (kind, of) {
        (_, element::UNDEFINED) => return Ok(none(kind)),
        (_, element::TENSOR) => (3, FileKind::Tensor),
        (_, element::SEQUENCE) => (5, FileKind::Sequence),
        (FileKind::Sequence, element::OPTIONAL) => (7, FileKind::Optional),
        (_, element::OPTIONAL) => (7, FileKind::Optional),
        _ => return Err(ReadError::unsupported(format!("a list of element kind {of}"))),
    };
    let mut values = Vec::new();
    let mut message = whole;
    while let Some(field) = message.next_field()? {
        if field.number == number {
            budget.longer_list::<FileValue<'_>>(values.len(), 1)?;
            values.push(read(field.message()?, inner, budget)?);
        }
    }
    Ok(match kind {
        FileKind::Optional => values.pop().unwrap_or(FileValue::Nothing),
        _ => FileValue::Sequence(values),
    })
}

/// What an empty message of this kind is.
fn none(kind: FileKind) -> FileValue<'static> {
    match kind {
        FileKind::Sequence => FileValue::Sequence(Vec::new()),
        _ => FileValue::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `TensorProto` of one i64.
    const TENSOR: &[u8] = &[0x08, 0x01, 0x10, 0x07, 0x4a, 8, 5, 0, 0, 0, 0, 0, 0, 0];

    fn wrapped(field: u8, of: u8) -> Vec<u8> {
        let mut bytes = vec![0x10, of, field << 3 | 2, TENSOR.len() as u8];
        bytes.extend(TENSOR);
        bytes
    }

    #[test]
    fn tensors_lists_and_what_is_not_there() {
        let limits = ImportLimits::default();
        let FileValue::Tensor(tensor) = read_value(TENSOR, FileKind::Tensor, &limits).unwrap()
        else {
            panic!("a tensor is expected")
        };
        assert_eq!(tensor.data.as_deref(), Some(&[5, 0, 0, 0, 0, 0, 0, 0][..]));
        let list = wrapped(3, 1);
        let read = read_value(&list, FileKind::Sequence, &limits).unwrap();
        assert!(matches!(read, FileValue::Sequence(values) if values.len() == 1));
        let read = read_value(&list, FileKind::Optional, &limits).unwrap();
        assert!(matches!(read, FileValue::Tensor(_)));
        let read = read_value(&[], FileKind::Optional, &limits).unwrap();
        assert!(matches!(read, FileValue::Nothing));
        for end in 1..list.len() {
            // Every cut ends in a value or an error.
            let _ = read_value(&list[..end], FileKind::Sequence, &limits);
        }
        assert!(read_value(&wrapped(6, 4), FileKind::Sequence, &limits).is_err());
    }
}
