//! Whether a result is what a test expects, by the rule of ONNX's own runner for floats
//! (`numpy.testing.assert_allclose`): `|ours - theirs| <= atol + rtol * |theirs|`, NaN like NaN, and
//! two units in the last place of bf16. All other types have to be equal, which is stricter than
//! that runner.

use embarca_num::{DType, half, small};

/// The runner's default for a difference relative to the expected number.
pub const RTOL: f64 = 1e-3;
/// The runner's default for an absolute difference.
pub const ATOL: f64 = 1e-7;

/// How far floats may be apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Relative to the expected number.
    pub relative: f64,
    /// Absolute.
    pub absolute: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: RTOL, absolute: ATOL }
    }
}

/// Type, dimensions and content of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The element type.
    pub dtype: DType,
    /// Outermost first.
    pub dims: Vec<usize>,
    /// Little-endian elements, those narrower than a byte in one byte each; texts as
    /// [`embarca_ir::foreign::ForeignTensor::data`].
    pub data: Vec<u8>,
}

/// That runner's least relative difference in bf16, whose neighbours are up to half of it apart.
pub const RTOL_BF16: f64 = 1.0 / 64.0;

/// Compares; the error says where they differ.
///
/// # Errors
/// When they do.
pub fn same(ours: &Tensor, theirs: &Tensor, tolerance: Tolerance) -> Result<(), String> {
    if (ours.dtype, &ours.dims) != (theirs.dtype, &theirs.dims) {
        return Err(format!(
            "{}{:?} instead of {}{:?}",
            ours.dtype, ours.dims, theirs.dtype, theirs.dims
        ));
    }
    let (Some(a), Some(b)) = (floats(ours), floats(theirs)) else {
        if ours.data == theirs.data {
            return Ok(());
        }
        let size = ours.dtype.size().max(1);
        let mut pairs = ours.data.chunks(size).zip(theirs.data.chunks(size));
        let at = pairs.position(|(a, b)| a != b).unwrap_or_default();
        let shown = |data: &[u8]| integer(ours.dtype, data.chunks(size).nth(at).unwrap_or(&[]));
        return Err(format!(
            "element {at} is {} instead of {}",
            shown(&ours.data),
            shown(&theirs.data)
        ));
    };
    let relative = match ours.dtype {
        DType::Bf16 => tolerance.relative.max(RTOL_BF16),
        _ => tolerance.relative,
    };
    let near = |a: f64, b: f64| {
        a == b
            || (a.is_nan() && b.is_nan())
            || (a - b).abs() <= tolerance.absolute + relative * b.abs() && b.is_finite()
    };
    let wrong: Vec<usize> = (0..a.len()).filter(|&i| !near(a[i], b[i])).collect();
    let Some(&at) = wrong.first() else { return Ok(()) };
    Err(format!(
        "{} of {} elements differ, first element {at}: {} instead of {}",
        wrong.len(),
        a.len(),
        a[at],
        b[at]
    ))
}

fn integer(dtype: DType, bytes: &[u8]) -> String {
    let mut wide = [0; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    let value = i64::from_le_bytes(wide);
    let shift = 64 - 8 * (bytes.len() as u32).clamp(1, 8);
    match dtype {
        DType::U64 => value.cast_unsigned().to_string(),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::I4 | DType::I2 => {
            (value << shift >> shift).to_string()
        }
        _ => value.to_string(),
    }
}

/// The numbers of a float type; `None` for the others.
fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    let two = || tensor.data.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
    let four = || tensor.data.as_chunks::<4>().0.iter();
    let eight = || tensor.data.as_chunks::<8>().0.iter();
    Some(match tensor.dtype {
        DType::F32 | DType::C64 => four().map(|b| f32::from_le_bytes(*b).into()).collect(),
        DType::F64 | DType::C128 => eight().map(|b| f64::from_le_bytes(*b)).collect(),
        DType::F16 => two().map(|bits| half::f16_to_f32(bits).into()).collect(),
        DType::Bf16 => two().map(|bits| half::bf16_to_f32(bits).into()).collect(),
        dtype => {
            let format = small::Format::of(dtype)?;
            tensor.data.iter().map(|&bits| format.to_f32(bits).into()).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Tensor {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Tensor { dtype: DType::F32, dims: vec![values.len()], data }
    }

    #[test]
    fn floats_are_near_and_the_rest_is_equal() {
        let near = |a: &[f32], b: &[f32]| same(&f32s(a), &f32s(b), Tolerance::default()).is_ok();
        assert!(near(&[1.0005, f32::NAN, f32::INFINITY], &[1.0, f32::NAN, f32::INFINITY]));
        assert!(!near(&[1.0], &[f32::INFINITY]) && !near(&[1.002], &[1.0]));
        assert!(!near(&[f32::NAN], &[1.0]) && !near(&[1.0], &[f32::NAN]));
        assert!(!near(&[f32::INFINITY], &[1.0]));
        let int = |v: u8| Tensor { dtype: DType::I8, dims: vec![1], data: vec![v] };
        let error = same(&int(255), &int(1), Tolerance::default()).unwrap_err();
        assert_eq!(error, "element 0 is -1 instead of 1");
        assert!(!near(&[0.0, 2.0], &[3e-7, 2.0]));
        let bf16 = |bits: u16| {
            let data = bits.to_le_bytes().to_vec();
            Tensor { dtype: DType::Bf16, dims: vec![1], data }
        };
        let apart = |by: u16| same(&bf16(0x3f80 + by), &bf16(0x3f80), Tolerance::default());
        assert!(apart(2).is_ok() && apart(3).is_err());
    }
}
