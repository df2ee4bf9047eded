//! What operators that only move data have in common.

use embarca_kernels::walk::MAX_RANK;

use super::prelude::*;
use crate::builder::MAX_KNOWN;
use crate::spell::Wire;

/// The type of data of `x` under other dimensions. Scales along an axis have no place there.
///
/// # Errors
/// When `x` has a scale for each index of an axis.
pub fn moved(x: &TensorType, dims: Vec<Dim>) -> Result<TensorType, ShapeError> {
    if x.quant.as_ref().is_some_and(|quant| quant.axis.is_some()) {
        return Err(ShapeError::new("tensors with several quantization scales are not moved"));
    }
    Ok(x.with_dims(dims))
}

/// The input `x` under the quantization that a TFLite file declares for output 0: the reference
/// kernels move (or compare) the stored integers as they are and pad with the output's zero point.
///
/// # Errors
/// Never on a value of this graph.
pub fn as_declared(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
) -> Result<ValueId, ImportError> {
    let Some(declared) = node.output_type(0).filter(|_| b.ty(x).dtype.is_int()) else {
        return Ok(x);
    };
    let mut quant = declared.quant.clone();
    if let Some(quant) = &mut quant
        && (b.ty(x).dtype, declared.dtype) == (DType::U8, DType::I8)
    {
        for zero in &mut quant.zero_points {
            *zero = zero.saturating_add(128);
        }
    }
    Ok(b.relabel(x, quant)?)
}

/// The known content of a result of dimensions `dims` whose element at an index is the element of
/// `x` at the index that `from` yields; `None` where either is not known.
pub fn picked(
    x: Option<Operand<'_>>,
    dims: &[Dim],
    mut from: impl FnMut(&[usize]) -> Option<Vec<usize>>,
) -> Option<Vec<Dim>> {
    let x = x?;
    let (known, x_dims) = (x.known?, x.ty.known_dims()?);
    each_index(dims, |index| {
        let source = from(index)?;
        let mut at = 0usize;
        for (&i, &dim) in source.iter().zip(&x_dims) {
            if dim <= i {
                return None;
            }
            at = at.checked_mul(dim)?.checked_add(i)?;
        }
        known.get(at).cloned()
    })
}

/// What `element` yields for each index into `dims`, in row-major order; `None` when it yields
/// `None` once, or when a dimension is not known or there are too many elements.
pub fn each_index(
    dims: &[Dim],
    mut element: impl FnMut(&[usize]) -> Option<Dim>,
) -> Option<Vec<Dim>> {
    let dims: Vec<usize> =
        dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect::<Option<_>>()?;
    let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))?;
    if MAX_KNOWN < len {
        return None;
    }
    let mut index = vec![0; dims.len()];
    let mut elements = Vec::with_capacity(len);
    for _ in 0..len {
        elements.push(element(&index)?);
        for (i, &dim) in index.iter_mut().zip(&dims).rev() {
            *i += 1;
            if *i < dim {
                break;
            }
            *i = 0;
        }
    }
    Some(elements)
}

/// `values` by axis of an operator's input, by axis of what is below a transpose of that input.
pub fn permuted<T: Clone>(values: &[T], perm: &[usize]) -> Option<Vec<T>> {
    if values.len() != perm.len() {
        return None;
    }
    let at = |axis: usize| perm.iter().position(|&own| own == axis);
    (0..perm.len()).map(|axis| values.get(at(axis)?).cloned()).collect()
}

/// The permutation that is left of `perm` when the axes `dropped` (before the transpose) vanish
/// from both sides.
pub fn without_axes(perm: &[usize], dropped: &[usize]) -> Vec<usize> {
    let kept = perm.iter().filter(|axis| !dropped.contains(axis));
    kept.map(|&axis| axis - dropped.iter().filter(|&&dropped| dropped < axis).count()).collect()
}

/// A record's field with one entry for each axis, the rest being `rest`.
///
/// # Errors
/// When there are more axes than kernels take, or a number does not fit.
pub fn by_axis<T: TryFrom<V>, V: Copy + std::fmt::Display>(
    values: &[V],
    rest: [T; MAX_RANK],
) -> Result<[T; MAX_RANK], LowerError> {
    let mut entries = rest;
    if MAX_RANK < values.len() {
        return Err(LowerError::no_kernel(format!("rank {} exceeds {MAX_RANK}", values.len())));
    }
    for (entry, &value) in entries.iter_mut().zip(values) {
        *entry = T::try_from(value)
            .map_err(|_| LowerError::no_kernel(format!("{value} is too large for a kernel")))?;
    }
    Ok(entries)
}

/// A number of a record.
///
/// # Errors
/// When it does not fit.
pub fn narrow(value: usize) -> Result<u32, LowerError> {
    u32::try_from(value).map_err(|_| LowerError::no_kernel(format!("{value} is too large")))
}

/// One dimension of which two tensors agree; the known one where only one is.
///
/// # Errors
/// When they certainly differ.
pub fn agreed(a: &Dim, b: &Dim) -> Result<Dim, ShapeError> {
    if !a.may_equal(b) {
        return Err(ShapeError::new(format!("dimensions {a} and {b} differ")));
    }
    Ok(if a.known().is_some() { a.clone() } else { b.clone() })
}

/// Input `index` as one known integer, be it a scalar or a list of one.
///
/// # Errors
/// When it is not known or not one.
pub fn int_input(node: &NodeView<'_>, b: &Builder<'_>, index: usize) -> Result<i64, ImportError> {
    let values = b.ints(node.input(index)?, &format!("input {index}"))?;
    match values.as_slice() {
        [value] => Ok(*value),
        _ => Err(ImportError::malformed(format!("input {index} is not a single number"))),
    }
}

/// The element type that an attribute names: ONNX by number, TFLite by name.
///
/// # Errors
/// When there is no such type.
pub fn dtype_attr(node: &NodeView<'_>, name: &str, default: DType) -> Result<DType, ImportError> {
    let unknown = || ImportError::malformed("is not an element type").attribute(name.to_owned());
    if node.format == Format::Onnx {
        let Some(code) = node.opt_int(name)? else { return Ok(default) };
        return u8::try_from(code).ok().and_then(DType::from_code).ok_or_else(unknown);
    }
    if !node.has(name) {
        return Ok(default);
    }
    let text = node.text(name, "")?;
    let entry = TFLITE_TYPES.iter().find(|(_, name)| *name == text);
    entry.map(|(dtype, _)| *dtype).ok_or_else(unknown)
}

/// TFLite's names of element types.
const TFLITE_TYPES: [(DType, &str); 13] = [
    (DType::F32, "FLOAT32"),
    (DType::F16, "FLOAT16"),
    (DType::F64, "FLOAT64"),
    (DType::Bf16, "BFLOAT16"),
    (DType::Bool, "BOOL"),
    (DType::I8, "INT8"),
    (DType::I16, "INT16"),
    (DType::I32, "INT32"),
    (DType::I64, "INT64"),
    (DType::U8, "UINT8"),
    (DType::U16, "UINT16"),
    (DType::U32, "UINT32"),
    (DType::U64, "UINT64"),
];

/// TFLite's name of an element type.
pub fn tflite_type(dtype: DType) -> Option<&'static str> {
    TFLITE_TYPES.iter().find(|(own, _)| *own == dtype).map(|(_, name)| *name)
}

/// Whole numbers as `dtype`.
pub fn like(s: &mut Speller<'_, '_, '_>, wire: Wire, dtype: DType) -> Wire {
    let ty = s.type_of(wire).clone();
    if ty.dtype == dtype {
        return wire;
    }
    let to = TensorType::new(dtype, ty.dims.iter().cloned());
    if !s.is_tflite() {
        return s.step("Cast", &[wire], vec![int("to", dtype.code())], to);
    }
    let names = [tflite_type(ty.dtype), tflite_type(dtype)].map(Option::unwrap_or_default);
    let attrs = vec![text("in_data_type", names[0]), text("out_data_type", names[1])];
    s.step("CAST", &[wire], attrs, to)
}

/// Indices along an axis of `dim` elements for TFLite, which counts from the front: constants that
/// count from the back are brought there.
///
/// # Errors
/// When some count from the back of an open axis.
pub fn from_front(
    s: &mut Speller<'_, '_, '_>,
    index: usize,
    dim: &Dim,
) -> Result<Wire, SpellError> {
    let operand = s.operand(index)?;
    let Some(values) = operand.data.and_then(Const::to_i64) else { return s.input(index) };
    if values.iter().all(|&value| 0 <= value) {
        return s.input(index);
    }
    let Some(dim) = dim.known() else {
        return Err(SpellError::none("TFLite does not count from the back of an open axis"));
    };
    let front =
        values.into_iter().map(|value| (if value < 0 { value + dim } else { value }) as f64);
    let (dtype, dims) = (operand.ty.dtype, operand.ty.known_dims().unwrap_or_default());
    let data = super::draft::numbers(dtype, &dims, &front.collect::<Vec<f64>>());
    Ok(s.constant(data.map_err(|error| SpellError::Bug(error.0))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::GraphId;
    use crate::model::Model;
    use crate::ops::{Cast, Concat, Expand, Gather, Mul, ShapeOf, Slice, Split};

    fn graph(model: &mut Model) -> Builder<'_> {
        Builder::new(model, GraphId(0))
    }

    #[test]
    fn sizes_survive_a_chain_of_moves() {
        // As PyTorch exports x.view(n, 2 * c, -1): Shape, Gather, Mul, Concat, Reshape.
        let mut model = Model::new("main");
        let (n, w) = (model.symbol("n"), model.symbol("w"));
        let (n, w) = (Dim::symbol(n), Dim::symbol(w));
        let mut b = graph(&mut model);
        let x = b.input("x", TensorType::new(DType::F32, [n.clone(), w.clone(), Dim::Known(6)]));
        let shape = b.op(ShapeOf { start: 0, end: 3, to: DType::I64 }, &[x]).unwrap();
        let dims: Vec<ValueId> = [0, 1, -1]
            .into_iter()
            .map(|at| {
                let at = b.constant(Const::from_i64(&[1], &[at]), None);
                b.op(Gather { axis: 0, batch_dims: 0 }, &[shape, at]).unwrap()
            })
            .collect();
        assert_eq!(b.const_of(dims[2]), Some(&Const::from_i64(&[1], &[6])));
        let two = b.i64s(&[2]);
        let wide = b.op(Mul {}, &[dims[1], two]).unwrap();
        let half = b.i64s(&[3]);
        let target = b.op(Concat { axis: 0 }, &[dims[0], wide, half]).unwrap();
        let double = w.mul(&Dim::Known(2));
        let expected = [n, double, Dim::Known(3)];
        assert_eq!(b.dims(target, "the target").unwrap(), expected);
        assert_eq!(b.reshape(x, expected.to_vec()).map(|y| b.rank(y)), Ok(3));
    }

    #[test]
    fn padding_as_pytorch_writes_it_is_known() {
        // [128, 129, 0, 0] in pairs from the last axis on, as begins and ends from the first on.
        let mut model = Model::new("main");
        let mut b = graph(&mut model);
        let pads = b.i64s(&[128, 129, 0, 0]);
        let pairs = b.reshape(pads, vec![Dim::Known(2), Dim::Known(2)]).unwrap();
        let flip = Slice { starts: vec![-1, 0], steps: vec![-1, 1], dims: vec![Dim::Known(2); 2] };
        let flipped = b.op(flip, &[pairs]).unwrap();
        let sides = b.transpose(flipped, &[1, 0]).unwrap();
        let flat = b.reshape(sides, vec![Dim::Known(4)]).unwrap();
        assert_eq!(b.ints(flat, "the padding").unwrap(), [0, 128, 0, 129]);
    }

    #[test]
    fn what_moves_integers_knows_them() {
        let mut model = Model::new("main");
        let mut b = graph(&mut model);
        let x = b.constant(Const::from_i64(&[2, 3], &[1, 2, 3, 4, 5, 6]), None);
        let k = |dims: &[i64]| dims.iter().map(|&dim| Dim::Known(dim)).collect::<Vec<_>>();
        let parts = Split { axis: 1, sizes: k(&[1, 2]) };
        let parts = b.node(parts, &[Some(x)]).unwrap();
        let joined = b.op(Concat { axis: 1 }, &[parts[1], parts[0]]).unwrap();
        let rows = b.i64s(&[-1, 0]);
        let gathered = b.op(Gather { axis: 0, batch_dims: 0 }, &[x, rows]).unwrap();
        let wide = b.op(Expand { dims: k(&[2, 2, 3]) }, &[x]).unwrap();
        let real = b.f32s(&[3], &[2.9, -2.9, 0.5]);
        let whole = b.op(Cast { to: DType::I32 }, &[real]).unwrap();
        let truth = b.op(Cast { to: DType::Bool }, &[real]).unwrap();
        let cases: [(ValueId, &[i64]); 4] = [
            (joined, &[2, 3, 1, 5, 6, 4]),
            (gathered, &[4, 5, 6, 1, 2, 3]),
            (wide, &[1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]),
            (whole, &[2, -2, 0]),
        ];
        for (value, expected) in cases {
            assert_eq!(b.ints(value, "it").unwrap(), expected);
        }
        assert!(b.ints(truth, "it").is_err(), "0.5 is true, but rounds to 0");
    }

    #[test]
    fn axes_are_renumbered_below_a_transpose() {
        // x = transpose(s, [0, 3, 1, 2]): x's axis 1 is s's axis 3.
        let perm = [0, 3, 1, 2];
        assert_eq!(permuted(&["n", "c", "h", "w"], &perm).unwrap(), ["n", "h", "w", "c"]);
        assert_eq!(without_axes(&perm, &[3]), [0, 1, 2]);
        assert_eq!(without_axes(&perm, &[1, 2]), [0, 1]);
        assert_eq!(without_axes(&perm, &[0]), [2, 0, 1]);
    }
}
