//! Tensor types and constants.

use std::fmt;
use std::sync::Arc;

use embarca_num::{DType, half};

use crate::dim::Dim;

/// The largest number of axes.
pub const MAX_RANK: usize = 8;

/// Affine quantization: `real = scale * (stored - zero_point)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quant {
    /// One, or one per index of `axis`.
    pub scales: Vec<f32>,
    /// As many as `scales`.
    pub zero_points: Vec<i32>,
    /// The axis that the scales run along; `None` when there is one for the whole tensor.
    pub axis: Option<usize>,
}

impl Quant {
    /// One scale for the whole tensor.
    pub fn per_tensor(scale: f32, zero_point: i32) -> Self {
        Self { scales: vec![scale], zero_points: vec![zero_point], axis: None }
    }

    /// Scale and zero point of the whole tensor, if there is one of each.
    pub fn single(&self) -> Option<(f32, i32)> {
        match (self.scales.as_slice(), self.zero_points.as_slice()) {
            ([scale], [zero]) => Some((*scale, *zero)),
            _ => None,
        }
    }
}

/// Element type, dimensions (outermost first) and quantization.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    /// The stored element type.
    pub dtype: DType,
    /// Rank 0 to 8.
    pub dims: Vec<Dim>,
    /// How stored integers stand for real numbers.
    pub quant: Option<Quant>,
}

impl TensorType {
    /// A type without quantization.
    pub fn new(dtype: DType, dims: impl IntoIterator<Item = Dim>) -> Self {
        Self { dtype, dims: dims.into_iter().collect(), quant: None }
    }

    /// A type of known dimensions without quantization.
    pub fn of(dtype: DType, dims: &[usize]) -> Self {
        Self::new(dtype, dims.iter().map(|&dim| Dim::Known(dim as i64)))
    }

    /// The same with a quantization.
    pub fn with_quant(mut self, quant: Option<Quant>) -> Self {
        self.quant = quant;
        self
    }

    /// The same type and quantization with other dimensions.
    pub fn with_dims(&self, dims: Vec<Dim>) -> Self {
        Self { dtype: self.dtype, dims, quant: self.quant.clone() }
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The dimensions, if all are numbers.
    pub fn known_dims(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect()
    }

    /// The number of elements, if all dimensions are numbers.
    pub fn known_len(&self) -> Option<usize> {
        self.known_dims()?.into_iter().try_fold(1usize, usize::checked_mul)
    }

    /// Whether stored integers stand for real numbers.
    pub fn is_quantized(&self) -> bool {
        self.quant.is_some() && self.dtype.is_int()
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, dim) in self.dims.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { "," })?;
        }
        f.write_str("]")
    }
}

/// A constant tensor: row-major little-endian elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// The element type.
    pub dtype: DType,
    /// Outermost first.
    pub dims: Vec<usize>,
    /// As many bytes as type and dimensions ask for.
    pub data: Arc<[u8]>,
}

impl Const {
    /// `None` when `data` has another size than type and dimensions ask for.
    pub fn new(dtype: DType, dims: Vec<usize>, data: impl Into<Arc<[u8]>>) -> Option<Self> {
        let data = data.into();
        let len = dims.iter().try_fold(dtype.size(), |len, &dim| len.checked_mul(dim))?;
        (len == data.len()).then_some(Self { dtype, dims, data })
    }

    /// From f32 values; the dimensions must multiply to their number.
    pub fn from_f32(dims: &[usize], values: &[f32]) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len());
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: DType::F32, dims: dims.to_vec(), data: data.into() }
    }

    /// From i32 values; the dimensions must multiply to their number.
    pub fn from_i32(dims: &[usize], values: &[i32]) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len());
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: DType::I32, dims: dims.to_vec(), data: data.into() }
    }

    /// From i64 values; the dimensions must multiply to their number.
    pub fn from_i64(dims: &[usize], values: &[i64]) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len());
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: DType::I64, dims: dims.to_vec(), data: data.into() }
    }

    /// From i8 values; the dimensions must multiply to their number.
    pub fn from_i8(dims: &[usize], values: &[i8]) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len());
        let data: Vec<u8> = values.iter().map(|value| value.cast_unsigned()).collect();
        Self { dtype: DType::I8, dims: dims.to_vec(), data: data.into() }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type, without quantization.
    pub fn ty(&self) -> TensorType {
        TensorType::of(self.dtype, &self.dims)
    }

    /// The elements as f32; `None` when they are stored as something else.
    pub fn as_f32(&self) -> Option<Vec<f32>> {
        let chunks = self.data.as_chunks::<4>().0.iter();
        (self.dtype == DType::F32).then(|| chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// The elements as f64, from any integer or real type of 16 to 64 bits; `None` for the others.
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        if let Some(values) = self.as_f32() {
            return Some(values.into_iter().map(f64::from).collect());
        }
        if self.dtype == DType::F64 {
            let chunks = self.data.as_chunks::<8>().0.iter();
            return Some(chunks.map(|bytes| f64::from_le_bytes(*bytes)).collect());
        }
        let two = || self.data.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
        match self.dtype {
            DType::F16 => return Some(two().map(|b| half::f16_to_f32(b).into()).collect()),
            DType::Bf16 => return Some(two().map(|b| half::bf16_to_f32(b).into()).collect()),
            _ => {}
        }
        Some(self.to_i64()?.into_iter().map(|value| value as f64).collect())
    }

    /// The elements as i64, from any integer type or bool; `None` for the others.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let two = || self.data.as_chunks::<2>().0.iter();
        let four = || self.data.as_chunks::<4>().0.iter();
        let eight = || self.data.as_chunks::<8>().0.iter();
        Some(match self.dtype {
            DType::I64 => eight().map(|b| i64::from_le_bytes(*b)).collect(),
            DType::U64 => eight().map(|b| u64::from_le_bytes(*b).cast_signed()).collect(),
            DType::I32 => four().map(|b| i64::from(i32::from_le_bytes(*b))).collect(),
            DType::U32 => four().map(|b| i64::from(u32::from_le_bytes(*b))).collect(),
            DType::I16 => two().map(|b| i64::from(i16::from_le_bytes(*b))).collect(),
            DType::U16 => two().map(|b| i64::from(u16::from_le_bytes(*b))).collect(),
            DType::I8 | DType::I4 | DType::I2 => {
                self.data.iter().map(|&b| i64::from(b.cast_signed())).collect()
            }
            DType::U8 | DType::U4 | DType::U2 | DType::Bool => {
                self.data.iter().map(|&b| i64::from(b)).collect()
            }
            _ => return None,
        })
    }
}
