//! Tensors of a TFLite graph: types, shapes, quantization, constants.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use embarca_ir::foreign::{ForeignDim, ForeignGraph, ForeignQuant, ForeignTensor};
use embarca_num::DType;

use super::options::TYPES;
use super::schema::{buffer, quantization, tensor as tensor_fields};
use crate::error::{ReadError, shown};
use crate::limits::Budget;
use crate::narrow;
use crate::wire::flatbuffer::{Table, Tables};

/// How a `TensorType` is stored.
#[derive(Clone, Copy)]
enum Stored {
    /// As the type itself.
    Whole(DType),
    /// Several elements in a byte.
    Packed(DType),
    /// Handles of run-time objects, which have no content.
    Handle,
}

impl Stored {
    /// What quantized elements of up to 16 bits can be.
    fn range(self) -> Option<RangeInclusive<i64>> {
        let (Self::Whole(dtype) | Self::Packed(dtype)) = self else { return None };
        Some(match dtype {
            DType::I2 => -2..=1,
            DType::I4 => -8..=7,
            DType::U4 => 0..=15,
            DType::I8 => -128..=127,
            DType::U8 => 0..=255,
            // The specification of quantization leaves 16 bits no offset.
            DType::I16 => 0..=0,
            DType::U16 => 0..=65_535,
            _ => return None,
        })
    }
}

/// By the number of `TensorType`.
fn stored(number: i8) -> Option<Stored> {
    use Stored::{Handle, Packed, Whole};
    Some(match number {
        0 => Whole(DType::F32),
        1 => Whole(DType::F16),
        2 => Whole(DType::I32),
        3 => Whole(DType::U8),
        4 => Whole(DType::I64),
        5 => Whole(DType::Str),
        6 => Whole(DType::Bool),
        7 => Whole(DType::I16),
        8 => Whole(DType::C64),
        9 => Whole(DType::I8),
        10 => Whole(DType::F64),
        11 => Whole(DType::C128),
        12 => Whole(DType::U64),
        13 | 14 => Handle,
        15 => Whole(DType::U32),
        16 => Whole(DType::U16),
        17 => Packed(DType::I4),
        18 => Whole(DType::Bf16),
        19 => Packed(DType::I2),
        20 => Packed(DType::U4),
        21 => Whole(DType::F8E4M3Fn),
        22 => Whole(DType::F8E5M2),
        _ => return None,
    })
}

/// Reads one tensor; [`settle`] completes it when the graph is known.
pub fn read<'a>(
    table: Table<'a>,
    file: &'a [u8],
    buffers: Tables<'a>,
    budget: &mut Budget<'_>,
) -> Result<ForeignTensor<'a>, ReadError> {
    budget.tensor()?;
    let name = table.text(tensor_fields::NAME)?;
    read_named(table, name, file, buffers, budget)
        .map_err(|error| error.within(|| format!("'{}'", shown(name))))
}

fn read_named<'a>(
    table: Table<'a>,
    name: &str,
    file: &'a [u8],
    buffers: Tables<'a>,
    budget: &mut Budget<'_>,
) -> Result<ForeignTensor<'a>, ReadError> {
    let number = table.i8(tensor_fields::TYPE, 0)?;
    let Some(stored) = stored(number) else {
        return Err(ReadError::unsupported(format!(
            "element type {number}; the schema this reader knows ends with {}",
            TYPES.last().copied().unwrap_or_default()
        )));
    };
    if table.table(tensor_fields::SPARSITY)?.is_some() {
        return Err(ReadError::unsupported(
            "the tensor is stored sparse; export the model without sparsity",
        ));
    }
    if table.u32(tensor_fields::EXTERNAL_BUFFER, 0)? != 0 {
        return Err(ReadError::unsupported(
            "the tensor lies in an external file; export the model as one file",
        ));
    }
    let content = content(table, file, buffers)?;
    let dims = dims(table, !content.is_empty(), budget)?;

    let mut data = None;
    if !content.is_empty() {
        let shape = known(dims.as_deref().unwrap_or_default());
        let shape = shape.ok_or_else(|| ReadError::malformed("a constant of unknown size"))?;
        let count = budget.elements(&shape)?;
        data = Some(match stored {
            Stored::Handle => return Err(ReadError::malformed("a handle with content")),
            Stored::Whole(DType::Str) => {
                check_strings(content, count)?;
                Cow::Borrowed(content)
            }
            Stored::Whole(dtype) => {
                narrow::expect_bytes(content, count, dtype)?;
                Cow::Borrowed(content)
            }
            Stored::Packed(dtype) => Cow::Owned(narrow::unpack(content, count, dtype, budget)?),
        });
    }

    let quant = match table.table(tensor_fields::QUANTIZATION)? {
        Some(table) => quant(table, stored, dims.as_deref(), budget)?,
        None => None,
    };
    Ok(ForeignTensor {
        name: budget.text(name)?,
        dtype: match stored {
            // Unpacked, four bits are eight.
            Stored::Packed(DType::I4) if data.is_some() => Some(DType::I8),
            Stored::Whole(dtype) | Stored::Packed(dtype) => Some(dtype),
            Stored::Handle => None,
        },
        dims,
        quant,
        data,
        is_variable: table.bool(tensor_fields::IS_VARIABLE, false)?,
    })
}

/// The bytes of the tensor's buffer, inline or elsewhere in the file; empty if it has none.
fn content<'a>(
    table: Table<'a>,
    file: &'a [u8],
    buffers: Tables<'a>,
) -> Result<&'a [u8], ReadError> {
    let index = table.u32(tensor_fields::BUFFER, 0)?;
    // Buffer 0 stands for none.
    if index == 0 {
        return Ok(&[]);
    }
    let table = usize::try_from(index).ok().map(|index| buffers.get(index)).transpose()?.flatten();
    let Some(table) = table else {
        let what = format!("there is no buffer {index}, the file has {}", buffers.len());
        return Err(ReadError::malformed(what));
    };
    let offset = table.u64(buffer::OFFSET, 0)?;
    let size = table.u64(buffer::SIZE, 0)?;
    // Offsets 0 and 1 mean that the data lies inline.
    match offset > 1 && size > 0 {
        true => super::slice(file, offset, size),
        false => table.bytes(buffer::DATA),
    }
}

/// A constant has the shape itself, other tensors the signature, in which -1 is open.
fn dims(
    table: Table<'_>,
    constant: bool,
    budget: &mut Budget<'_>,
) -> Result<Option<Vec<ForeignDim>>, ReadError> {
    let shape = table.find_vector::<4>(tensor_fields::SHAPE)?;
    let signature = table.vector::<4>(tensor_fields::SHAPE_SIGNATURE)?;
    let Some(shape) = shape else {
        // Writers leave out the empty list of a scalar, and say `has_rank` when they are careful.
        let scalar = constant || table.bool(tensor_fields::HAS_RANK, false)?;
        return Ok(scalar.then(Vec::new));
    };
    let mut items = shape;
    if !constant && !signature.items.is_empty() {
        if signature.items.len() != shape.items.len() {
            let what = "the shape and its signature differ in rank";
            return Err(ReadError::malformed_at(signature.at, what));
        }
        items = signature;
    }
    budget.rank(items.items.len())?;
    budget.items::<ForeignDim>(items.items.len())?;
    let mut dims = Vec::with_capacity(items.items.len());
    for &item in items.items {
        dims.push(match i32::from_le_bytes(item) {
            -1 => ForeignDim::Unknown,
            dim => match u64::try_from(dim) {
                Ok(dim) => ForeignDim::Known(dim),
                Err(_) => {
                    let what = format!("a dimension is {dim}");
                    return Err(ReadError::malformed_at(items.at, what));
                }
            },
        });
    }
    if let Some(shape) = known(&dims) {
        budget.elements(&shape)?;
    }
    Ok(Some(dims))
}

/// The numbers, if all dimensions are numbers.
fn known(dims: &[ForeignDim]) -> Option<Vec<u64>> {
    dims.iter()
        .map(|dim| match dim {
            ForeignDim::Known(dim) => Some(*dim),
            ForeignDim::Named(_) | ForeignDim::Unknown => None,
        })
        .collect()
}

fn quant(
    table: Table<'_>,
    stored: Stored,
    dims: Option<&[ForeignDim]>,
    budget: &mut Budget<'_>,
) -> Result<Option<ForeignQuant>, ReadError> {
    match table.u8(quantization::DETAILS_TYPE, 0)? {
        0 => {}
        2 => {
            return Err(ReadError::unsupported(
                "blockwise quantization; quantize the weights per channel",
            ));
        }
        other => {
            let what = format!("custom quantization (details of type {other})");
            return Err(ReadError::unsupported(what));
        }
    }
    let scales = table.vector::<4>(quantization::SCALE)?;
    let zeros = table.vector::<8>(quantization::ZERO_POINT)?;
    if scales.items.is_empty() {
        return Ok(None);
    }
    let count = scales.items.len();
    budget.list::<(f32, i64)>(count)?;
    let scale_values: Vec<f32> =
        scales.items.iter().map(|&item| f32::from_le_bytes(item)).collect();
    if scale_values.iter().any(|scale| !scale.is_finite() || *scale < 0.0) {
        let what = "a quantization scale is negative or not a number";
        return Err(ReadError::malformed_at(scales.at, what));
    }
    let far = |item: &[u8; 8]| i32::try_from(i64::from_le_bytes(*item)).is_err();
    if zeros.items.iter().any(far) {
        return Err(ReadError::malformed_at(zeros.at, "a zero point has more than 32 bits"));
    }
    let zero_points = match zeros.items {
        [] => vec![0; count],
        [zero] => vec![i64::from_le_bytes(*zero); count],
        items if items.len() == count => {
            items.iter().map(|&item| i64::from_le_bytes(item)).collect()
        }
        items => {
            let what = format!("{count} quantization scales and {} zero points", items.len());
            return Err(ReadError::malformed_at(zeros.at, what));
        }
    };
    if let Some(range) = stored.range() {
        if let [0.0] = scale_values[..] {
            return Err(ReadError::malformed_at(scales.at, "the quantization scale is 0"));
        }
        if let Some(zero) = zero_points.iter().find(|zero| !range.contains(zero)) {
            let (low, high) = (range.start(), range.end());
            let what = format!("zero point {zero} lies outside {low} to {high}");
            return Err(ReadError::malformed_at(zeros.at, what));
        }
    }
    let axis = table.i32(quantization::QUANTIZED_DIMENSION, 0)?;
    let axis = channel_axis(axis, count, dims)?;
    Ok(Some(ForeignQuant { scales: scale_values, zero_points, axis }))
}

/// The axis along which `count` scales run.
fn channel_axis(
    stated: i32,
    count: usize,
    dims: Option<&[ForeignDim]>,
) -> Result<usize, ReadError> {
    if count == 1 {
        return Ok(0);
    }
    let fits = |axis: usize| match dims.and_then(|dims| dims.get(axis)) {
        Some(ForeignDim::Known(dim)) => *dim == count as u64,
        Some(_) => true,
        None => false,
    };
    let axis = usize::try_from(stated).ok();
    if let Some(axis) = axis.filter(|&axis| fits(axis)) {
        return Ok(axis);
    }
    // Biases often repeat the axis of their weights, which they do not have.
    if dims.is_some_and(|dims| dims.len() == 1) && fits(0) {
        return Ok(0);
    }
    let what = format!("{count} quantization scales do not fit axis {stated}");
    Err(ReadError::malformed(what))
}

/// The layout of texts: a count, an offset for each and one more for the end, all `i32` and
/// counted from the start; then the bytes.
fn check_strings(content: &[u8], count: u64) -> Result<(), ReadError> {
    let broken = || ReadError::malformed("the list of texts is broken");
    let numbers = content.as_chunks::<4>().0;
    let number = |index: usize| numbers.get(index).map(|&number| u32::from_le_bytes(number));
    let stated = number(0).ok_or_else(broken)?;
    if u64::from(stated) != count {
        let what = format!("{stated} texts where the shape asks for {count}");
        return Err(ReadError::malformed(what));
    }
    let stated = usize::try_from(stated).map_err(|_| broken())?;
    let offsets = numbers.get(1..).and_then(|rest| rest.get(..=stated)).ok_or_else(broken)?;
    let mut before = 4 * (offsets.len() as u64 + 1);
    for &offset in offsets {
        let offset = u64::from(u32::from_le_bytes(offset));
        if offset < before || offset > content.len() as u64 {
            return Err(broken());
        }
        before = offset;
    }
    Ok(())
}

/// Completes the tensors of a graph and checks the order of its nodes: every tensor is written
/// once, and read only after that (a custom operator may also list tensors that it scribbles
/// on). A tensor that nothing writes and that has no elements is a constant; a graph's input
/// without a shape is a scalar.
pub fn settle(graph: &mut ForeignGraph<'_>, budget: &mut Budget<'_>) -> Result<(), ReadError> {
    let ForeignGraph { tensors, nodes, inputs, outputs, .. } = graph;
    budget.items::<bool>(2 * tensors.len())?;
    let mut written: Vec<bool> =
        tensors.iter().map(|tensor| tensor.data.is_some() || tensor.is_variable).collect();
    for &input in inputs.iter() {
        if tensors.get(input).is_some_and(|tensor| tensor.data.is_some()) {
            return Err(ReadError::malformed(format!("input {input} is a constant")));
        }
        if let (Some(written), Some(tensor)) = (written.get_mut(input), tensors.get_mut(input)) {
            *written = true;
            tensor.dims.get_or_insert_default();
        }
    }
    let mut produced = vec![false; tensors.len()];
    for output in nodes.iter().flat_map(|node| &node.outputs).flatten() {
        if let Some(produced) = produced.get_mut(*output) {
            *produced = true;
        }
    }
    for (index, tensor) in tensors.iter_mut().enumerate() {
        let is_free = written.get(index) == Some(&false) && produced.get(index) == Some(&false);
        let is_empty = tensor
            .dims
            .as_ref()
            .is_some_and(|dims| dims.contains(&ForeignDim::Known(0)) && known(dims).is_some());
        if is_free && is_empty && tensor.dtype.is_some_and(|dtype| dtype != DType::Str) {
            tensor.data = Some(Cow::Borrowed(&[]));
            if let Some(written) = written.get_mut(index) {
                *written = true;
            }
        }
    }
    let name = |index: usize| tensors.get(index).map_or("", |tensor| &tensor.name);
    for (index, node) in nodes.iter().enumerate() {
        let place = || format!("node {index} {}", shown(&node.op));
        for &input in node.inputs.iter().flatten() {
            // Custom operators also list what they scribble on.
            let is_scratch =
                node.domain == super::CUSTOM_DOMAIN && produced.get(input) == Some(&false);
            if written.get(input) != Some(&true) && !is_scratch {
                let what =
                    format!("tensor {input} '{}' is read before it is written", shown(name(input)));
                return Err(ReadError::malformed(what).within(place));
            }
        }
        for &output in node.outputs.iter().flatten() {
            let is_variable = tensors.get(output).is_some_and(|tensor| tensor.is_variable);
            if written.get(output) != Some(&false) && !is_variable {
                let what = format!("tensor {output} '{}' is written twice", shown(name(output)));
                return Err(ReadError::malformed(what).within(place));
            }
            if let Some(written) = written.get_mut(output) {
                *written = true;
            }
        }
    }
    for &output in outputs.iter() {
        if written.get(output) != Some(&true) {
            let what = format!("output {output} '{}' is never written", shown(name(output)));
            return Err(ReadError::malformed(what));
        }
    }
    Ok(())
}
