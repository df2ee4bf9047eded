//! ONNX's QuantizeLinear and DequantizeLinear spelled out: for types without a quantized kernel, for
//! scales in blocks, and for scales that the graph is fed.

use embarca_kernels::unary::Kind;

use super::draft::{Draft, check_table, numbers, sizes};
use super::moves::dtype_attr;
use super::prelude::*;
use super::{Maximum, Minimum};

/// The nodes' result.
///
/// # Errors
/// When scales do not fit the input, or types have no such conversion.
pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, scale, zero) = (node.input(0)?, node.input(1)?, node.optional(2));
    let at = node.int("axis", 1)?;
    let block = node.int("block_size", 0)?;
    // What the quotient is computed in; kept at f32 or wider here, which is never less exact.
    node.ignore(&["precision"]);
    let saturate = node.flag("saturate", true)?;
    let downward = node.op == "QuantizeLinear";
    let from = b.ty(x).dtype;
    let scale_type = b.ty(scale).dtype;
    let mut d = Draft::new(b);
    let to = match (downward, zero) {
        (true, Some(zero)) => d.b.ty(zero).dtype,
        (true, None) => dtype_attr(node, "output_dtype", DType::U8)?,
        (false, _) => dtype_attr(node, "output_dtype", scale_type)?,
    };
    if downward {
        node.ignore(&["output_dtype"]);
    }
    let scale = d.cast(scale, DType::F32)?;
    let scale = spread(&mut d, scale, x, at, block)?;
    let zero = match zero {
        Some(zero) => {
            let zero = d.cast(zero, DType::F32)?;
            Some(spread(&mut d, zero, x, at, block)?)
        }
        None => None,
    };
    let wide = d.cast(x, DType::F32)?;
    if !downward {
        let moved = match zero {
            Some(zero) => d.sub(wide, zero)?,
            None => wide,
        };
        let y = d.mul(moved, scale)?;
        return one(d.cast(y, to)?);
    }
    if !matches!(from, DType::F32 | DType::F16 | DType::Bf16 | DType::I32) {
        return Err(ImportError::unsupported(format!("quantization of {from}")));
    }
    let y = d.div(wide, scale)?;
    let Some((low, high)) = range(to) else {
        // A float of 8 bits or less: its own rounding.
        let rounding = "up".to_owned();
        return one(d.b.op(super::CastSmall { to, saturate, rounding }, &[y])?);
    };
    let y = d.unary(Kind::Round, y)?;
    let y = match zero {
        Some(zero) => d.add(y, zero)?,
        None => y,
    };
    let (low, high) = (d.number(y, low)?, d.number(y, high)?);
    let y = d.b.op(Maximum {}, &[y, low])?;
    let y = d.b.op(Minimum {}, &[y, high])?;
    one(d.cast(y, to)?)
}

/// Least and greatest number of a type of integers that f32 holds.
fn range(dtype: DType) -> Option<(f64, f64)> {
    Some(match dtype {
        DType::U2 => (0.0, 3.0),
        DType::I2 => (-2.0, 1.0),
        DType::U4 => (0.0, 15.0),
        DType::I4 => (-8.0, 7.0),
        DType::U8 => (0.0, 255.0),
        DType::I8 => (-128.0, 127.0),
        DType::U16 => (0.0, 65535.0),
        DType::I16 => (-32768.0, 32767.0),
        _ => return None,
    })
}

/// Scales as they meet the elements of `x`.
fn spread(
    d: &mut Draft<'_, '_>,
    scale: ValueId,
    x: ValueId,
    at: i64,
    block: i64,
) -> Result<ValueId, ImportError> {
    let rank = d.b.rank(x);
    let own = d.b.ty(scale).dims.clone();
    if own.is_empty() || (own.len() == 1 && own[0] == Dim::Known(1) && block == 0) {
        return Ok(d.b.reshape(scale, Vec::new())?);
    }
    let at = axis(at, rank)?;
    if block == 0 {
        let [len] = own.as_slice() else {
            return Err(ImportError::malformed("scales along an axis are a list"));
        };
        let mut dims = vec![Dim::Known(1); rank];
        dims[at] = len.clone();
        return Ok(d.b.reshape(scale, dims)?);
    }
    if own.len() != rank || block < 0 {
        return Err(ImportError::malformed("scales of blocks have the input's axes"));
    }
    let len = sizes(d.b, x, "the input")?[at];
    let blocks = sizes(d.b, scale, "the scale")?[at];
    let block = usize::try_from(block).unwrap_or(usize::MAX);
    if blocks != len.div_ceil(block) {
        return Err(ImportError::malformed(format!("{blocks} blocks of {block} for {len}")));
    }
    check_table(Some(len))?;
    let places: Vec<f64> = (0..len).map(|i| (i / block) as f64).collect();
    let places = d.b.table(numbers(DType::I64, &[len], &places)?)?;
    Ok(d.gather(scale, places, at)?)
}
