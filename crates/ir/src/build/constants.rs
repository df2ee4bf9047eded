//! Types and constants of a file as the graph has them.

use crate::error::ImportError;
use crate::foreign::{ForeignDim, ForeignQuant, ForeignTensor};
use crate::types::{Const, Quant, TensorType};
use embarca_num::DType;

/// The number zero everywhere, whatever the zero point: what a fresh variable holds.
pub(super) fn real_zeros(ty: &TensorType) -> Result<Const, ImportError> {
    let dims = ty
        .known_dims()
        .ok_or_else(|| ImportError::unsupported("has a size that depends on the input"))?;
    let zero = ty.quant.as_ref().and_then(Quant::single).map_or(0, |(_, zero)| zero);
    let fill = if ty.dtype.size() == 1 { zero as u8 } else { 0 };
    let len = dims.iter().try_fold(ty.dtype.size(), |len, &dim| len.checked_mul(dim));
    let len = len.filter(|&len| len <= 1 << 28);
    let len = len.ok_or_else(|| ImportError::unsupported("is larger than 256 MiB"))?;
    Const::new(ty.dtype, dims, vec![fill; len])
        .ok_or_else(|| ImportError::unsupported("has elements without a size"))
}

/// The `u8` twin of an `i8` type.
pub(super) fn unsigned(ty: &TensorType) -> TensorType {
    let mut quant = ty.quant.clone();
    if let Some(quant) = &mut quant {
        for zero in &mut quant.zero_points {
            *zero = zero.saturating_add(128);
        }
    }
    TensorType { dtype: DType::U8, dims: ty.dims.clone(), quant }
}

/// Quantization as the graph has it; the axis is one of `rank`.
pub(super) fn quant(foreign: Option<&ForeignQuant>, rank: usize) -> Option<Quant> {
    let foreign = foreign?;
    let bounded = |zero: &i64| (*zero).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    Some(Quant {
        scales: foreign.scales.clone(),
        zero_points: foreign.zero_points.iter().map(bounded).collect(),
        axis: (foreign.scales.len() != 1).then_some(foreign.axis.min(rank.saturating_sub(1))),
    })
}

/// The content of a constant; `None` where there is none.
pub(super) fn constant(tensor: &ForeignTensor<'_>) -> Result<Option<Const>, ImportError> {
    let (Some(data), Some(dtype), Some(dims)) = (&tensor.data, tensor.dtype, &tensor.dims) else {
        return Ok(None);
    };
    let known = dims.iter().map(|dim| match dim {
        ForeignDim::Known(dim) => usize::try_from(*dim).ok(),
        _ => None,
    });
    let wrong = || {
        ImportError::malformed(format!(
            "constant '{}' has another size than its shape",
            tensor.name
        ))
    };
    let dims = known.collect::<Option<Vec<usize>>>().ok_or_else(wrong)?;
    Const::new(dtype, dims, &**data).map(Some).ok_or_else(wrong)
}
