//! TFLite's segment operators: rows of equal number joined to one.

use embarca_kernels::compare;
use embarca_kernels::scatter::Kind;

use super::compare::Comparison;
use super::prelude::*;
use super::scatter_nd::Meeting;
use super::{Compare, Expand, ScatterNd, Select, Slice};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::tflite("SEGMENT_SUM"),
    Spelling::tflite("UNSORTED_SEGMENT_MAX"),
    Spelling::tflite("UNSORTED_SEGMENT_MIN"),
    Spelling::tflite("UNSORTED_SEGMENT_PROD"),
    Spelling::tflite("UNSORTED_SEGMENT_SUM"),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, numbers) = (node.input(0)?, node.input(1)?);
    let count = if node.op == "SEGMENT_SUM" {
        let numbers = b.ints(numbers, "the numbers of the segments")?;
        numbers.last().map_or(0, |last| last.saturating_add(1))
    } else {
        let count = b.ints(node.input(2)?, "the number of segments")?;
        count.first().copied().unwrap_or(0)
    };
    if !(0..1 << 31).contains(&count) {
        return Err(ImportError::malformed(format!("{count} segments")));
    }
    let ids = b.ty(numbers).clone();
    let dims = b.ty(x).dims.clone();
    if dims.len() < ids.rank() {
        return Err(ImportError::malformed(format!("numbers {ids} for {}", b.ty(x))));
    }
    let (kind, start) = match (node.op, b.ty(x).dtype) {
        ("UNSORTED_SEGMENT_PROD", DType::F32) => (Kind::Mul, Const::from_f32(&[], &[1.0])),
        ("UNSORTED_SEGMENT_MAX", DType::F32) => (Kind::Max, Const::from_f32(&[], &[f32::MIN])),
        ("UNSORTED_SEGMENT_MIN", DType::F32) => (Kind::Min, Const::from_f32(&[], &[f32::MAX])),
        (_, DType::F32) => (Kind::Add, Const::from_f32(&[], &[0.0])),
        ("UNSORTED_SEGMENT_PROD", DType::I32) => (Kind::Mul, Const::from_i32(&[], &[1])),
        ("UNSORTED_SEGMENT_MAX", DType::I32) => (Kind::Max, Const::from_i32(&[], &[i32::MIN])),
        ("UNSORTED_SEGMENT_MIN", DType::I32) => (Kind::Min, Const::from_i32(&[], &[i32::MAX])),
        (_, DType::I32) => (Kind::Add, Const::from_i32(&[], &[0])),
        (_, other) => {
            return Err(ImportError::unsupported(format!("segments of {other} are not supported")));
        }
    };
    // Rows of a negative number belong nowhere: they go to one more row, which is left out.
    let zero = fill_like(b, ids.dtype, 0)?;
    let spare = fill_like(b, ids.dtype, count)?;
    let less = Compare { holds: Comparison(compare::Kind::Less) };
    let nowhere = b.op(less, &[numbers, zero])?;
    let places = b.op(Select {}, &[nowhere, spare, numbers])?;
    let mut tuple = ids.dims.clone();
    tuple.push(Dim::Known(1));
    let places = b.reshape(places, tuple)?;
    let mut all = vec![Dim::Known(count + 1)];
    all.extend_from_slice(&dims[ids.rank()..]);
    let mut kept = all.clone();
    kept[0] = Dim::Known(count);
    let start = b.constant(start, None);
    let start = b.op(Expand { dims: all.clone() }, &[start])?;
    let sums = b.op(ScatterNd { by: Meeting(kind) }, &[start, places, x])?;
    let rank = all.len();
    one(b.op(Slice { starts: vec![0; rank], steps: vec![1; rank], dims: kept }, &[sums])?)
}

/// An integer of a type of indices.
fn fill_like(b: &mut Builder<'_>, dtype: DType, value: i64) -> Result<ValueId, ImportError> {
    let data = match dtype {
        DType::I32 => Const::from_i32(&[], &[value as i32]),
        DType::I64 => Const::from_i64(&[], &[value]),
        other => return Err(ImportError::malformed(format!("segments are numbered by {other}"))),
    };
    Ok(b.constant(data, None))
}
