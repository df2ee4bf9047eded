//! What the element-wise dossiers share: broadcasting, known values, quantized lowering.

use embarca_kernels::{binary, sixteen, table};
use embarca_num::build;
use embarca_num::fixed::Requant;

use super::moves;
use super::prelude::*;

/// The dimensions of two tensors broadcast together as in NumPy.
pub fn broadcast(a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>, ShapeError> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let missing = long.len() - short.len();
    let mut dims = long.to_vec();
    for (at, other) in dims[missing..].iter_mut().zip(short) {
        let one = Dim::Known(1);
        if *at == *other || *other == one {
            continue;
        }
        if *at == one {
            *at = other.clone();
            continue;
        }
        match (at.known(), other.known()) {
            (Some(a), Some(b)) => {
                return Err(ShapeError::new(format!("{a} and {b} do not broadcast")));
            }
            // The symbol is 1 or the number; either way the number results.
            (Some(_), None) => {}
            (None, Some(_)) => *at = other.clone(),
            // One of them is 1 or they are equal.
            (None, None) => *at = at.larger(other),
        }
    }
    Ok(dims)
}

/// The type of an operator on two tensors of one element type that broadcast, with another element
/// type for the result when `to` says so.
pub fn infer_binary(
    inputs: Operands<'_, '_>,
    to: Option<DType>,
) -> Result<Vec<TensorType>, ShapeError> {
    let (a, b) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
    if a.dtype != b.dtype {
        return Err(ShapeError::new(format!("{} and {} do not mix", a.dtype, b.dtype)));
    }
    let dims = broadcast(&a.dims, &b.dims)?;
    Ok(vec![TensorType::new(to.unwrap_or(a.dtype), dims)])
}

/// `f` of each pair of known elements; vectors and scalars only.
pub fn known_binary(
    inputs: Operands<'_, '_>,
    f: impl Fn(&Dim, &Dim) -> Option<Dim>,
) -> Vec<Option<Vec<Dim>>> {
    let known = || {
        let (a, b) = (inputs.optional(0)?, inputs.optional(1)?);
        let (x, y) = (a.known?, b.known?);
        if 1 < a.ty.rank().max(b.ty.rank()) && a.ty.dims != b.ty.dims {
            return None;
        }
        match (x, y) {
            (x, [y]) => x.iter().map(|x| f(x, y)).collect(),
            ([x], y) => y.iter().map(|y| f(x, y)).collect(),
            (x, y) if x.len() == y.len() => x.iter().zip(y).map(|(x, y)| f(x, y)).collect(),
            _ => None,
        }
    };
    vec![known()]
}

/// Operators of any number of operands, which fold from the left.
const VARIADIC: [&str; 4] = ["ADD_N", "Max", "Min", "Sum"];

/// Two operands, or any number, of an operator that TFLite may follow by an activation.
pub fn import_binary<T: OpDef + Into<Op>>(
    op: &T,
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
) -> Result<Vec<ValueId>, ImportError> {
    let mut result = operand(node, b, 0)?;
    let count = if VARIADIC.contains(&node.op) { node.n_inputs() } else { 2 };
    for index in 1..count {
        let other = operand(node, b, index)?;
        result = b.op(op.clone(), &[result, other])?;
    }
    match node.format {
        Format::TfLite => {
            // It constrains how int16 scales are chosen, not what is computed.
            node.ignore(&["pot_scale_int16"]);
            tflite_activation(node, b, result)
        }
        _ => one(result),
    }
}

/// An operand. TFLite's kernels compute with wide integers as they are stored, whatever scale the
/// file gives them.
fn operand(node: &NodeView<'_>, b: &mut Builder<'_>, index: usize) -> Result<ValueId, ImportError> {
    let value = node.input(index)?;
    let is_wide = matches!(b.ty(value).dtype, DType::I32 | DType::I64);
    if node.format == Format::TfLite && is_wide {
        return Ok(b.relabel(value, None)?);
    }
    Ok(value)
}

/// [`import_binary`] of the greater or smaller of two: TFLite's kernels compare stored integers.
pub fn import_order<T: OpDef + Into<Op>>(
    op: &T,
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
) -> Result<Vec<ValueId>, ImportError> {
    if node.format != Format::TfLite {
        return import_binary(op, node, b);
    }
    let left = moves::as_declared(node, b, node.input(0)?)?;
    let right = moves::as_declared(node, b, node.input(1)?)?;
    let y = b.op(op.clone(), &[left, right])?;
    tflite_activation(node, b, y)
}

/// A real factor as a kernel applies it.
pub fn factor(real: f64) -> Result<Requant, LowerError> {
    build::requant(real).ok_or_else(|| {
        LowerError::no_kernel(format!("the rescaling factor {real} is out of range"))
    })
}

/// The operator on f32, i32, i64 and unquantized integers.
pub fn lower_plain(kind: binary::Kind, io: &Io<'_>) -> Result<Lowered, LowerError> {
    let params = binary::Params { kind: kind as u32 };
    let kernel = match io.input(0)?.ty.dtype {
        DType::F32 => {
            let (act_min, act_max) = io.tail.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
            let params = binary::ParamsF32 { kind: kind as u32, act_min, act_max };
            return Ok(Lowered::plain(&binary::F32, &params, 2));
        }
        _ if io.tail.clamp.is_some() => {
            return Err(LowerError::no_kernel("integers without quantization are clamped apart"));
        }
        DType::I32 => &binary::I32,
        DType::I64 => &binary::I64,
        DType::U8 => &binary::U8,
        DType::I8 => &binary::I8,
        DType::I16 => &binary::I16,
        DType::U16 => &binary::U16,
        DType::U32 => &binary::U32,
        DType::Bool => &binary::BOOL,
        DType::F64 => &binary::F64,
        DType::U64 => &binary::U64,
        other => return Err(LowerError::no_kernel(format!("arithmetic on {other}"))),
    };
    Ok(Lowered::plain(kernel, &params, 2))
}

/// A quantized sum or difference as TFLM forms it (`micro/kernels/add_common.cc`).
pub fn lower_sum(kind: binary::Kind, io: &Io<'_>) -> Result<Lowered, LowerError> {
    let [(a, a_zero), (b, b_zero)] = [io.input_quant(0)?, io.input_quant(1)?];
    let (y, out_zero) = io.output_quant(0)?;
    let wide = is_wide(io)?;
    let squared = kind == binary::Kind::SquaredDifference;
    let both = 2.0 * a.max(b);
    let unit = match (squared, wide) {
        (true, true) => 1.0,
        (true, false) => f32::from(1u16 << 14),
        (false, true) => f32::from(1u16 << 15),
        (false, false) => f32::from(1u16 << 10) * f32::from(1u16 << 10),
    };
    let over = |x: f32, y: f32| f64::from(x) / f64::from(y);
    // The product of the unit and the output's scale is an f32 in the reference.
    let out_scale = if squared {
        f64::from(both) * f64::from(both) / f64::from(unit * y)
    } else {
        over(both, unit * y)
    };
    let in_scale = [factor(over(a, both))?, factor(over(b, both))?];
    let (in_zero, out_scale) = ([a_zero, b_zero], factor(out_scale)?);
    if wide {
        let range = (-32768, 32767);
        let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, out_zero), range);
        let kind = kind as u32;
        let params =
            sixteen::ParamsSum { kind, in_zero, in_scale, out_scale, out_zero, act_min, act_max };
        return Ok(Lowered::plain(&sixteen::SUM, &params, 2));
    }
    let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, out_zero), (-128, 127));
    let params = binary::ParamsSumI8 {
        kind: kind as u32,
        in_zero,
        in_scale,
        out_scale,
        out_zero,
        act_min,
        act_max,
    };
    Ok(Lowered::plain(&binary::SUM_I8, &params, 2))
}

/// Whether all quantized tensors are i16 instead of i8.
///
/// # Errors
/// For other types and mixtures.
pub fn is_wide(io: &Io<'_>) -> Result<bool, LowerError> {
    let mut types = io.inputs.0.iter().flatten().map(|x| x.ty.dtype);
    if io.outputs.iter().all(|ty| ty.dtype == DType::I16) && types.all(|ty| ty == DType::I16) {
        return Ok(true);
    }
    check_i8(io).map(|()| false)
}

/// Refuses 16-bit tensors with a zero point.
pub fn check_centred(io: &Io<'_>) -> Result<(), LowerError> {
    let types = io.inputs.0.iter().flatten().map(|x| x.ty).chain(io.outputs);
    let mut quants = types.filter_map(|ty| ty.quant.as_ref());
    if quants.any(|quant| quant.zero_points.iter().any(|&zero| zero != 0)) {
        return Err(LowerError::no_kernel("16-bit tensors with a zero point"));
    }
    Ok(())
}

/// Refuses quantized tensors that are not i8.
pub fn check_i8(io: &Io<'_>) -> Result<(), LowerError> {
    let types = io.inputs.0.iter().flatten().map(|x| x.ty).chain(io.outputs);
    for ty in types {
        if ty.dtype != DType::I8 {
            let message = format!("quantized arithmetic on {}", ty.dtype);
            return Err(LowerError::no_kernel(message));
        }
    }
    Ok(())
}

/// Whether input 0 holds quantized integers.
pub fn is_quantized(io: &Io<'_>) -> Result<bool, LowerError> {
    Ok(io.input(0)?.ty.is_quantized())
}

/// A function from i8 to i8 as a table.
pub fn lower_table(f: impl Fn(i8) -> i8) -> Lowered {
    let bytes = table::table_i8(f).map(u8::cast_signed);
    let table = Const::from_i8(&[256], &bytes);
    Lowered::new(&table::B8, &NO_PARAMS, vec![Arg::Input(0), Arg::Const(table)])
}

/// A real function as a table, as TFLite's `LUTPopulate` fills it (`kernels/internal/common.h`):
/// every product and sum in f32.
pub fn lower_real_table(
    io: &Io<'_>,
    f: impl Fn(f32) -> Result<f32, LowerError>,
) -> Result<Lowered, LowerError> {
    if is_wide(io)? {
        let table = points(io.input_quant(0)?, io.output_quant(0)?, f)?;
        return Ok(Lowered::new(&sixteen::TABLE, &NO_PARAMS, vec![Arg::Input(0), table]));
    }
    let entries = real_table(io.input_quant(0)?, io.output_quant(0)?, f)?;
    Ok(lower_table(|x| entries[(i32::from(x) + 128) as usize]))
}

/// The entries of [`lower_real_table`] for -128 to 127, between two scales and zero points.
pub fn real_table(
    (x_scale, x_zero): (f32, i32),
    (y_scale, y_zero): (f32, i32),
    f: impl Fn(f32) -> Result<f32, LowerError>,
) -> Result<[i8; 256], LowerError> {
    let inverse = 1.0 / y_scale;
    let mut entries = [0i8; 256];
    for (entry, x) in entries.iter_mut().zip(-128i32..) {
        let real = f(x_scale * x.wrapping_sub(x_zero) as f32)?;
        let stored = (real * inverse).round() + y_zero as f32;
        *entry = (stored as i32).clamp(-128, 127) as i8;
    }
    Ok(entries)
}

/// A real function as points for interpolation, as TFLite's `LUTPopulateInt16` places them
/// (`kernels/internal/common.h`), all in f32: each is moved against half of the error in the middle.
pub fn points(
    (x_scale, x_zero): (f32, i32),
    (y_scale, y_zero): (f32, i32),
    f: impl Fn(f32) -> Result<f32, LowerError>,
) -> Result<Arg, LowerError> {
    let ends = |scale: f32, zero: i32| [-32768, 32767].map(|end: i32| scale * (end - zero) as f32);
    let ([x_min, x_max], [y_min, y_max]) = (ends(x_scale, x_zero), ends(y_scale, y_zero));
    let step = (x_max - x_min) / 512.0;
    let up = 65536.0 / (y_max - y_min);
    let stored = |value: f32| value.clamp(-32768.0, 32767.0) as i16;
    let mut table = Vec::with_capacity(sixteen::TABLE_LEN);
    for i in 0..512u16 {
        let at = x_min + f32::from(i) * step;
        let (here, next) = (f(at)?, f(x_min + f32::from(i + 1) * step)?);
        let middle = (f(at + step / 2.0)? * up).round();
        let line = ((next * up + (here * up).round()) / 2.0).round();
        table.push(stored((here * up).round() - ((line - middle) / 2.0).round()));
    }
    table.push(stored((f(x_max)? * up).round()));
    let bytes: Vec<u8> = table.iter().flat_map(|point| point.to_le_bytes()).collect();
    let table = Const::new(DType::I16, vec![sixteen::TABLE_LEN], bytes);
    table.map(Arg::Const).ok_or_else(|| LowerError::Bug("a table has another size".to_owned()))
}

/// Minimum or maximum: on quantized tensors of one quantization that of the stored integers.
pub fn lower_order(kind: binary::Kind, io: &Io<'_>) -> Result<Lowered, LowerError> {
    if is_quantized(io)? {
        let quants = [io.input_quant(0)?, io.input_quant(1)?, io.output_quant(0)?];
        if quants[0] != quants[1] || quants[0] != quants[2] {
            return Err(LowerError::no_kernel("minimum or maximum of several quantizations"));
        }
    }
    lower_plain(kind, io)
}

/// A node of two operands under its names in both formats.
///
/// # Errors
/// When it has no name in the format.
pub fn spell_binary(
    s: &mut Speller<'_, '_, '_>,
    onnx: &str,
    tflite: &str,
    activated: bool,
) -> Result<(), SpellError> {
    let name = s.named(onnx, tflite)?.to_owned();
    let inputs = s.inputs()?;
    let mut attrs = Vec::new();
    if s.is_tflite() && activated {
        attrs.push(no_activation());
        if matches!(name.as_str(), "ADD" | "SUB") && s.ty(0)?.dtype == DType::I16 {
            // The general kernel, which takes every scale.
            attrs.push(flag("pot_scale_int16", false));
        }
    }
    s.emit(&name, &inputs, attrs)
}
