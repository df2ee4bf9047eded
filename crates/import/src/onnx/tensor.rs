//! `TensorProto`, `SparseTensorProto` and `TypeProto`.

use std::borrow::Cow;

use embarca_ir::foreign::{ForeignDim, ForeignTensor};
use embarca_num::DType;

use super::external::{Files, Place};
use crate::error::{ReadError, shown};
use crate::limits::Budget;
use crate::narrow;
use crate::wire::protobuf::{Field, Message};

/// Fields of `TensorProto`.
mod tensor_fields {
    pub const DIMS: u32 = 1;
    pub const DATA_TYPE: u32 = 2;
    pub const SEGMENT: u32 = 3;
    pub const FLOAT_DATA: u32 = 4;
    pub const INT32_DATA: u32 = 5;
    pub const STRING_DATA: u32 = 6;
    pub const INT64_DATA: u32 = 7;
    pub const NAME: u32 = 8;
    pub const RAW_DATA: u32 = 9;
    pub const DOUBLE_DATA: u32 = 10;
    pub const UINT64_DATA: u32 = 11;
    pub const EXTERNAL_DATA: u32 = 13;
    pub const DATA_LOCATION: u32 = 14;
}

/// Fields of `SparseTensorProto`.
mod sparse {
    pub const VALUES: u32 = 1;
    pub const INDICES: u32 = 2;
    pub const DIMS: u32 = 3;
}

/// A constant as read.
pub(super) struct Constant<'a> {
    pub name: &'a str,
    pub dtype: DType,
    pub dims: Vec<u64>,
    pub data: Cow<'a, [u8]>,
}

impl<'a> Constant<'a> {
    /// As a tensor called `name`.
    pub fn into_tensor(self, name: String) -> ForeignTensor<'a> {
        ForeignTensor {
            name,
            dtype: Some(self.dtype),
            dims: Some(self.dims.into_iter().map(ForeignDim::Known).collect()),
            quant: None,
            data: Some(self.data),
            is_variable: false,
        }
    }
}

/// The type with this number in `TensorProto.DataType`.
///
/// # Errors
/// There is none, or Embarca has no such type.
pub(super) fn dtype(number: i64) -> Result<DType, ReadError> {
    // Both number their types alike.
    match u8::try_from(number).ok().and_then(DType::from_code) {
        Some(dtype) => Ok(dtype),
        None if matches!(number, 27 | 28) => {
            Err(ReadError::unsupported(format!("element type {number}: floats of 6 bits")))
        }
        None => Err(ReadError::malformed(format!("there is no element type {number}"))),
    }
}

/// Reads a `TensorProto`.
///
/// # Errors
/// The content does not fit the shape, is stored in the wrong field, or over a limit.
pub(super) fn read<'a>(
    message: Message<'a>,
    files: &mut Files<'_>,
    budget: &mut Budget<'_>,
) -> Result<Constant<'a>, ReadError> {
    let name = name(message.clone(), tensor_fields::NAME)?;
    let place = || format!("tensor '{}'", shown(name));
    read_named(message, name, files, budget).map_err(|error| error.within(place))
}

/// The text in field `number`, empty if left out.
pub(super) fn name(mut message: Message<'_>, number: u32) -> Result<&str, ReadError> {
    let mut name = "";
    while let Some(field) = message.next_field()? {
        if field.number == number {
            name = field.text()?;
        }
    }
    Ok(name)
}

fn read_named<'a>(
    mut message: Message<'a>,
    name: &'a str,
    files: &mut Files<'_>,
    budget: &mut Budget<'_>,
) -> Result<Constant<'a>, ReadError> {
    let whole = message.clone();
    let mut dims = Vec::new();
    let mut number = 0;
    let mut raw = None;
    let mut is_external = false;
    // The typed field in use, and where it occurs first.
    let mut typed: Option<Field<'a>> = None;
    let mut occurrences = 0usize;
    while let Some(field) = message.next_field()? {
        match field.number {
            tensor_fields::DIMS => read_dims(&field, &mut dims, budget)?,
            tensor_fields::DATA_TYPE => number = field.int()?,
            tensor_fields::RAW_DATA => raw = Some(field.bytes()?).filter(|raw| !raw.is_empty()),
            tensor_fields::DATA_LOCATION => is_external = field.int()? == 1,
            tensor_fields::SEGMENT => {
                return Err(ReadError::unsupported("a tensor stored in segments"));
            }
            tensor_fields::FLOAT_DATA
            | tensor_fields::INT32_DATA
            | tensor_fields::STRING_DATA
            | tensor_fields::INT64_DATA
            | tensor_fields::DOUBLE_DATA
            | tensor_fields::UINT64_DATA => {
                // Some writers add the packed fields they do not use, with nothing in them.
                let is_text = field.number == tensor_fields::STRING_DATA;
                if !is_text && field.bytes().is_ok_and(<[u8]>::is_empty) {
                    continue;
                }
                if typed.is_some_and(|typed| typed.number != field.number) {
                    return Err(ReadError::malformed_at(field.at, "content in two fields"));
                }
                typed.get_or_insert(field);
                occurrences += 1;
            }
            _ => {}
        }
    }
    let dtype = dtype(number)?;
    let count = budget.elements(&dims)?;

    let data = match (raw, typed, is_external) {
        (None, None, true) => {
            let place = external_place(whole)?;
            let content = files.read(&place, stored_bytes(dtype, count)?, budget)?;
            match narrow::bits(dtype) {
                Some(_) => Cow::Owned(narrow::unpack(&content, count, dtype, budget)?),
                None => Cow::Owned(content),
            }
        }
        (Some(raw), None, false) => match (dtype, narrow::bits(dtype)) {
            (DType::Str, _) => return Err(ReadError::malformed("texts in raw_data")),
            (_, Some(_)) => Cow::Owned(narrow::unpack(raw, count, dtype, budget)?),
            (_, None) => {
                narrow::expect_bytes(raw, count, dtype)?;
                Cow::Borrowed(raw)
            }
        },
        (None, Some(field), false) => typed_data(whole, field, occurrences, dtype, count, budget)?,
        (None, None, false) if count == 0 && dtype != DType::Str => Cow::Borrowed(&[][..]),
        (None, None, false) if count == 0 => Cow::Owned(strings(whole, 0, budget)?),
        (None, None, false) => {
            return Err(ReadError::malformed(format!("no content for {count} elements")));
        }
        _ => return Err(ReadError::malformed("content in two places")),
    };
    Ok(Constant { name, dtype, dims, data })
}

fn read_dims(
    field: &Field<'_>,
    dims: &mut Vec<u64>,
    budget: &mut Budget<'_>,
) -> Result<(), ReadError> {
    budget.rank(dims.len().saturating_add(field.count_uints()?))?;
    budget.items::<ForeignDim>(field.count_uints()?)?;
    field.for_each_int(|dim| {
        let what = format!("a dimension is {dim}");
        dims.push(u64::try_from(dim).map_err(|_| ReadError::malformed_at(field.at, what))?);
        Ok(())
    })
}

/// Bytes of `count` elements in a file.
fn stored_bytes(dtype: DType, count: u64) -> Result<u64, ReadError> {
    let bytes = match (dtype, narrow::bits(dtype)) {
        (DType::Str, _) => return Err(ReadError::malformed("texts in an external file")),
        (_, Some(bits)) => Some(count.div_ceil(8 / u64::from(bits))),
        (_, None) => count.checked_mul(dtype.size() as u64),
    };
    bytes.ok_or_else(|| ReadError::over_limit("a tensor with more bytes than a file can have"))
}

fn external_place(mut message: Message<'_>) -> Result<Place<'_>, ReadError> {
    let mut place = Place { location: "", offset: 0, length: None };
    while let Some(field) = message.next_field()? {
        if field.number != tensor_fields::EXTERNAL_DATA {
            continue;
        }
        let (key, value) = super::entry(field.message()?)?;
        let number = || {
            value.trim().parse::<u64>().map_err(|_| {
                let what = format!("external data: {key} '{}' is no number", shown(value));
                ReadError::malformed_at(field.at, what)
            })
        };
        match key {
            "location" => place.location = value,
            "offset" => place.offset = number()?,
            "length" => place.length = Some(number()?),
            _ => {}
        }
    }
    Ok(place)
}

/// Content that does not lie in `raw_data`; `first` is the first occurrence of its field.
fn typed_data<'a>(
    message: Message<'a>,
    first: Field<'a>,
    occurrences: usize,
    dtype: DType,
    count: u64,
    budget: &mut Budget<'_>,
) -> Result<Cow<'a, [u8]>, ReadError> {
    use DType::*;
    let expected = match dtype {
        F32 | C64 => tensor_fields::FLOAT_DATA,
        F64 | C128 => tensor_fields::DOUBLE_DATA,
        I64 => tensor_fields::INT64_DATA,
        U32 | U64 => tensor_fields::UINT64_DATA,
        Str => tensor_fields::STRING_DATA,
        _ => tensor_fields::INT32_DATA,
    };
    if first.number != expected {
        let what = format!("elements of {dtype} in field {}", first.number);
        return Err(ReadError::malformed_at(first.at, what));
    }
    match expected {
        tensor_fields::STRING_DATA => Ok(Cow::Owned(strings(message, count, budget)?)),
        tensor_fields::FLOAT_DATA | tensor_fields::DOUBLE_DATA => {
            // Packed floats lie as they do in memory.
            if let (1, Ok(bytes)) = (occurrences, first.bytes()) {
                narrow::expect_bytes(bytes, count, dtype)?;
                return Ok(Cow::Borrowed(bytes));
            }
            let mut bytes = room(count, dtype, budget)?;
            each_occurrence(message, expected, |field| {
                match expected {
                    tensor_fields::FLOAT_DATA => {
                        let floats = field.floats()?;
                        check_room(&bytes, floats.len(), 4)?;
                        bytes.extend(floats.flat_map(f32::to_le_bytes));
                    }
                    _ => {
                        let doubles = field.doubles()?;
                        check_room(&bytes, doubles.len(), 8)?;
                        bytes.extend(doubles.flat_map(f64::to_le_bytes));
                    }
                }
                Ok(())
            })?;
            narrow::expect_bytes(&bytes, count, dtype)?;
            Ok(Cow::Owned(bytes))
        }
        _ => {
            // Narrow elements are packed into bytes first, and each byte is a number here.
            let size = dtype.size();
            let mut bytes = room(count, dtype, budget)?;
            each_occurrence(message, expected, |field| {
                check_room(&bytes, field.count_uints()?, size)?;
                field.for_each_int(|value| {
                    if !fits(value, size) {
                        let what = format!("{value} is no {dtype}");
                        return Err(ReadError::malformed_at(field.at, what));
                    }
                    bytes.extend(value.to_le_bytes().iter().take(size));
                    Ok(())
                })
            })?;
            match narrow::bits(dtype) {
                Some(_) => Ok(Cow::Owned(narrow::unpack(&bytes, count, dtype, budget)?)),
                None => {
                    narrow::expect_bytes(&bytes, count, dtype)?;
                    Ok(Cow::Owned(bytes))
                }
            }
        }
    }
}

/// An empty list with room for `count` elements as a file stores them.
fn room(count: u64, dtype: DType, budget: &mut Budget<'_>) -> Result<Vec<u8>, ReadError> {
    let bytes = stored_bytes(dtype, count)?;
    budget.bytes(bytes)?;
    Ok(Vec::with_capacity(usize::try_from(bytes).unwrap_or(0)))
}

/// Refuses more elements than [`room`] was made for.
fn check_room(bytes: &Vec<u8>, added: usize, size: usize) -> Result<(), ReadError> {
    let left = bytes.capacity() - bytes.len();
    match added.checked_mul(size) {
        Some(added) if added <= left => Ok(()),
        _ => Err(ReadError::malformed("more content than the shape asks for")),
    }
}

/// Whether `value`, signed or not, fits into `size` bytes.
fn fits(value: i64, size: usize) -> bool {
    match size {
        1 => (-128..=255).contains(&value),
        2 => (-32_768..=65_535).contains(&value),
        4 => (-(1 << 31)..1 << 32).contains(&value),
        _ => true,
    }
}

fn each_occurrence<'a>(
    mut message: Message<'a>,
    number: u32,
    mut each: impl FnMut(Field<'a>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    while let Some(field) = message.next_field()? {
        if field.number == number {
            each(field)?;
        }
    }
    Ok(())
}

/// Texts in the layout of [`ForeignTensor::data`].
fn strings(
    message: Message<'_>,
    count: u64,
    budget: &mut Budget<'_>,
) -> Result<Vec<u8>, ReadError> {
    let (mut found, mut bytes) = (0u64, 0u64);
    each_occurrence(message.clone(), tensor_fields::STRING_DATA, |field| {
        found += 1;
        bytes += field.text()?.len() as u64;
        Ok(())
    })?;
    if found != count {
        let what = format!("{found} texts where the shape asks for {count}");
        return Err(ReadError::malformed(what));
    }
    let total = found.saturating_mul(4).saturating_add(8).saturating_add(bytes);
    if total > i32::MAX as u64 {
        return Err(ReadError::over_limit("more than 2 GiB of texts in a tensor"));
    }
    budget.bytes(total)?;
    let mut data = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    let mut offset = found * 4 + 8;
    data.extend((found as u32).to_le_bytes());
    data.extend((offset as u32).to_le_bytes());
    each_occurrence(message.clone(), tensor_fields::STRING_DATA, |field| {
        offset += field.bytes()?.len() as u64;
        data.extend((offset as u32).to_le_bytes());
        Ok(())
    })?;
    each_occurrence(message, tensor_fields::STRING_DATA, |field| {
        data.extend(field.bytes()?);
        Ok(())
    })?;
    Ok(data)
}

/// Reads a `SparseTensorProto` and fills the gaps with zeros.
///
/// # Errors
/// As [`read`]; indices that are out of range or of another shape; too large when filled.
pub(super) fn read_sparse<'a>(
    mut message: Message<'a>,
    files: &mut Files<'_>,
    budget: &mut Budget<'_>,
) -> Result<Constant<'a>, ReadError> {
    let (mut values, mut indices, mut dims) = (None, None, Vec::new());
    while let Some(field) = message.next_field()? {
        match field.number {
            sparse::VALUES => values = Some(read(field.message()?, files, budget)?),
            sparse::INDICES => indices = Some(read(field.message()?, files, budget)?),
            sparse::DIMS => read_dims(&field, &mut dims, budget)?,
            _ => {}
        }
    }
    let (Some(values), Some(indices)) = (values, indices) else {
        return Err(ReadError::malformed("a sparse tensor without values or indices"));
    };
    let name = values.name;
    densify(values, indices, dims, budget)
        .map_err(|error| error.within(|| format!("sparse tensor '{}'", shown(name))))
}

fn densify<'a>(
    values: Constant<'a>,
    indices: Constant<'a>,
    dims: Vec<u64>,
    budget: &mut Budget<'_>,
) -> Result<Constant<'a>, ReadError> {
    let size = values.dtype.size();
    if size == 0 || indices.dtype != DType::I64 {
        return Err(ReadError::unsupported("a sparse tensor of texts, or indices that are no i64"));
    }
    let stored = values.data.len() / size;
    let per_value = match indices.dims.as_slice() {
        [_] => 1,
        [_, rank] if *rank == dims.len() as u64 && *rank > 0 => dims.len(),
        other => return Err(ReadError::malformed(format!("indices of shape {other:?}"))),
    };
    let numbers = indices.data.as_chunks::<8>().0;
    if values.dims.len() != 1 || numbers.len() != stored.saturating_mul(per_value) {
        let what = format!("{stored} values and {} numbers that place them", numbers.len());
        return Err(ReadError::malformed(what));
    }
    let count = budget.elements(&dims)?;
    let bytes = count.saturating_mul(size as u64);
    budget.bytes(bytes)?;
    let mut data = vec![0; usize::try_from(bytes).unwrap_or(0)];
    for (value, place) in values.data.chunks_exact(size).zip(numbers.chunks_exact(per_value)) {
        let mut linear = Some(0u64);
        for (position, &number) in place.iter().enumerate() {
            let dim = match per_value {
                1 => count,
                _ => dims.get(position).copied().unwrap_or(0),
            };
            let index = u64::try_from(i64::from_le_bytes(number)).ok();
            linear = match (linear, index.filter(|&index| index < dim)) {
                (Some(linear), Some(index)) => linear.checked_mul(dim).map(|all| all + index),
                _ => None,
            };
        }
        let at = linear.and_then(|linear| usize::try_from(linear).ok()?.checked_mul(size));
        let slot = at.and_then(|at| data.get_mut(at..)?.get_mut(..size));
        match slot {
            Some(slot) => slot.copy_from_slice(value),
            None => return Err(ReadError::malformed("an index out of range")),
        }
    }
    Ok(Constant { name: values.name, dtype: values.dtype, dims, data: Cow::Owned(data) })
}

/// What a `TypeProto` says of a tensor: nothing, if it is a sequence, a map or an optional.
///
/// # Errors
/// An unknown element type, more axes than allowed.
pub(super) fn read_type(
    mut message: Message<'_>,
    budget: &mut Budget<'_>,
) -> Result<(Option<DType>, Option<Vec<ForeignDim>>), ReadError> {
    let mut found = (None, None);
    while let Some(field) = message.next_field()? {
        // `TypeProto.tensor_type`
        if field.number != 1 {
            continue;
        }
        let mut tensor = field.message()?;
        while let Some(field) = tensor.next_field()? {
            match field.number {
                1 => {
                    let number = field.int()?;
                    found.0 = if number == 0 { None } else { Some(dtype(number)?) };
                }
                2 => found.1 = Some(read_shape(field.message()?, budget)?),
                _ => {}
            }
        }
    }
    Ok(found)
}

fn read_shape(
    mut message: Message<'_>,
    budget: &mut Budget<'_>,
) -> Result<Vec<ForeignDim>, ReadError> {
    let mut dims = Vec::new();
    while let Some(field) = message.next_field()? {
        if field.number != 1 {
            continue;
        }
        budget.rank(dims.len() + 1)?;
        budget.items::<ForeignDim>(1)?;
        let mut dim = ForeignDim::Unknown;
        let mut message = field.message()?;
        while let Some(field) = message.next_field()? {
            match field.number {
                // Some writers say -1 where they mean nothing.
                1 => {
                    dim =
                        u64::try_from(field.int()?).map_or(ForeignDim::Unknown, ForeignDim::Known);
                }
                2 if !field.text()?.is_empty() => {
                    dim = ForeignDim::Named(budget.text(field.text()?)?);
                }
                _ => {}
            }
        }
        dims.push(dim);
    }
    Ok(dims)
}
