//! An array in memory: element type, dimensions, little-endian bytes.

use embarca_num::{DType, half};

use crate::{DataError, DataLimits, Result};

/// An array as files hold it, row-major (the last axis is the fastest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Its key in an NPZ file, without `.npy`.
    pub name: Option<String>,
    /// The type of every element.
    pub dtype: DType,
    /// The length of each axis; empty for a scalar.
    pub dims: Vec<usize>,
    /// The elements, little-endian, [`DType::size`] bytes each.
    pub data: Vec<u8>,
}

impl Array {
    /// An array over bytes that are already little-endian.
    ///
    /// # Errors
    /// `data` is not as long as `dims` and `dtype` ask.
    pub fn new(dtype: DType, dims: &[usize], data: Vec<u8>) -> Result<Self> {
        match byte_len(dtype, dims) {
            Some(len) if len == data.len() => {
                Ok(Self { name: None, dtype, dims: dims.to_vec(), data })
            }
            Some(len) => Err(DataError::argument(format!(
                "an array of {dtype} {dims:?} takes {len} bytes, not {}",
                data.len()
            ))),
            None => Err(DataError::argument(format!("no array can hold {dtype} {dims:?}"))),
        }
    }

    /// An array that holds a copy of `values`.
    ///
    /// # Errors
    /// `dims` multiply to another number than `values` has.
    pub fn from_slice<T: Element>(dims: &[usize], values: &[T]) -> Result<Self> {
        let mut data = Vec::with_capacity(size_of_val(values));
        for &value in values {
            value.write_le(&mut data);
        }
        Self::new(T::DTYPE, dims, data)
    }

    /// The same array under a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len() / self.dtype.size().max(1)
    }

    /// Whether some axis has length zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, when they are exactly of type `T`.
    ///
    /// # Errors
    /// The array has another element type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if self.dtype != T::DTYPE {
            return Err(DataError::argument(format!(
                "{}is {}, not {}",
                self.label(),
                self.dtype,
                T::DTYPE
            )));
        }
        Ok(self.data.chunks_exact(size_of::<T>()).filter_map(T::read_le).collect())
    }

    /// The elements of an f32 array.
    ///
    /// # Errors
    /// The array has another element type; [`Array::to_f32`] converts.
    pub fn as_f32(&self) -> Result<Vec<f32>> {
        self.to_vec()
    }

    /// The elements of an i8 array.
    ///
    /// # Errors
    /// The array has another element type.
    pub fn as_i8(&self) -> Result<Vec<i8>> {
        self.to_vec()
    }

    /// The elements of a u8 array.
    ///
    /// # Errors
    /// The array has another element type.
    pub fn as_u8(&self) -> Result<Vec<u8>> {
        self.to_vec()
    }

    /// The elements of an i32 array.
    ///
    /// # Errors
    /// The array has another element type; [`Array::to_i64`] converts.
    pub fn as_i32(&self) -> Result<Vec<i32>> {
        self.to_vec()
    }

    /// The elements of an i64 array.
    ///
    /// # Errors
    /// The array has another element type; [`Array::to_i64`] converts.
    pub fn as_i64(&self) -> Result<Vec<i64>> {
        self.to_vec()
    }

    /// The elements as f64, from any integer, boolean or floating type. Integers beyond `2^53`
    /// are rounded.
    ///
    /// # Errors
    /// Strings, complex numbers and floats narrower than f16.
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        fn cast<T: Element>(array: &Array, to: impl Fn(T) -> f64) -> Result<Vec<f64>> {
            Ok(array.to_vec::<T>()?.into_iter().map(to).collect())
        }
        match self.dtype {
            DType::F32 => cast::<f32>(self, f64::from),
            DType::F64 => self.to_vec(),
            DType::F16 | DType::Bf16 => {
                let widen =
                    if self.dtype == DType::F16 { half::f16_to_f32 } else { half::bf16_to_f32 };
                Ok(self
                    .data
                    .chunks_exact(2)
                    .filter_map(u16::read_le)
                    .map(|bits| f64::from(widen(bits)))
                    .collect())
            }
            DType::U8 | DType::U4 | DType::U2 | DType::Bool => {
                Ok(self.data.iter().map(|&x| f64::from(x)).collect())
            }
            DType::I8 | DType::I4 | DType::I2 => {
                Ok(self.data.iter().map(|&x| f64::from(x.cast_signed())).collect())
            }
            DType::U16 => cast::<u16>(self, f64::from),
            DType::I16 => cast::<i16>(self, f64::from),
            DType::U32 => cast::<u32>(self, f64::from),
            DType::I32 => cast::<i32>(self, f64::from),
            DType::U64 => cast::<u64>(self, |x| x as f64),
            DType::I64 => cast::<i64>(self, |x| x as f64),
            _ => Err(DataError::unsupported(format!(
                "{}is {}, which has no real value; convert it to float32 first",
                self.label(),
                self.dtype
            ))),
        }
    }

    /// The elements as f32, from any integer, boolean or floating type, rounded to nearest.
    ///
    /// # Errors
    /// As [`Array::to_f64`].
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        if self.dtype == DType::F32 {
            return self.to_vec();
        }
        Ok(self.to_f64()?.into_iter().map(|x| x as f32).collect())
    }

    /// The elements of any integer or boolean type as i64.
    ///
    /// # Errors
    /// Not an integer type, or a u64 value beyond the range of i64.
    pub fn to_i64(&self) -> Result<Vec<i64>> {
        fn cast<T: Element + Into<i64>>(array: &Array) -> Result<Vec<i64>> {
            Ok(array.to_vec::<T>()?.into_iter().map(Into::into).collect())
        }
        match self.dtype {
            DType::I64 => self.to_vec(),
            DType::I32 => cast::<i32>(self),
            DType::U32 => cast::<u32>(self),
            DType::I16 => cast::<i16>(self),
            DType::U16 => cast::<u16>(self),
            DType::I8 | DType::I4 | DType::I2 => {
                Ok(self.data.iter().map(|&x| i64::from(x.cast_signed())).collect())
            }
            DType::U8 | DType::U4 | DType::U2 | DType::Bool => {
                Ok(self.data.iter().map(|&x| i64::from(x)).collect())
            }
            DType::U64 => self
                .to_vec::<u64>()?
                .into_iter()
                .map(|x| {
                    i64::try_from(x).map_err(|_| {
                        DataError::argument(format!("{}holds {x}, beyond i64", self.label()))
                    })
                })
                .collect(),
            _ => Err(DataError::argument(format!(
                "{}is {}, not an integer type",
                self.label(),
                self.dtype
            ))),
        }
    }

    fn label(&self) -> String {
        self.name.as_ref().map_or_else(|| "the array ".into(), |name| format!("array \"{name}\" "))
    }
}

/// Bytes of an array, `None` for strings and on overflow. An axis of length zero does not excuse
/// overflow in the others, so no order of multiplication overflows later.
pub(crate) fn byte_len(dtype: DType, dims: &[usize]) -> Option<usize> {
    if dtype.size() == 0 {
        return None;
    }
    let len =
        dims.iter().try_fold(dtype.size(), |product, &dim| product.checked_mul(dim.max(1)))?;
    Some(if dims.contains(&0) { 0 } else { len })
}

/// Bytes of an array, within the limits.
pub(crate) fn bounded_len(dtype: DType, dims: &[usize], limits: &DataLimits) -> Result<usize> {
    let len = byte_len(dtype, dims)
        .ok_or_else(|| DataError::malformed(format!("dimensions {dims:?} overflow")))?;
    limits.elements((len / dtype.size()) as u64)?;
    limits.bytes(len as u64)?;
    Ok(len)
}

/// A Rust type that an [`Array`] can hold.
pub trait Element: Copy {
    /// The element type it is stored as.
    const DTYPE: DType;

    /// Appends the little-endian bytes.
    fn write_le(self, out: &mut Vec<u8>);

    /// The value of exactly `size_of::<Self>()` little-endian bytes.
    fn read_le(bytes: &[u8]) -> Option<Self>;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident,)*) => {$(
        impl Element for $rust {
            const DTYPE: DType = DType::$dtype;

            fn write_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read_le(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

// Ten types whose byte conversions share no trait in the standard library.
elements! {
    f32 => F32, f64 => F64, i8 => I8, u8 => U8, i16 => I16,
    u16 => U16, i32 => I32, u32 => U32, i64 => I64, u64 => U64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_round_trip() {
        fn check<T: Element + PartialEq + std::fmt::Debug>(values: &[T]) {
            let array = Array::from_slice(&[values.len()], values).unwrap();
            assert_eq!(array.dtype, T::DTYPE);
            assert_eq!(array.to_vec::<T>().unwrap(), values);
        }
        check(&[-1.5f32, f32::MAX]);
        check(&[-1.5f64, f64::MIN_POSITIVE]);
        check(&[i8::MIN, 127]);
        check(&[0u8, 255]);
        check(&[i16::MIN, 127]);
        check(&[u16::MAX]);
        check(&[i32::MIN, 7]);
        check(&[u32::MAX]);
        check(&[i64::MIN, 7]);
        check(&[u64::MAX]);
    }

    #[test]
    fn conversions() {
        let array = |dtype, data: &[u8]| Array::new(dtype, &[1], data.to_vec()).unwrap();
        for (dtype, data, value) in [
            (DType::U8, &[200u8][..], 200.0),
            (DType::I8, &[200], -56.0),
            (DType::Bool, &[1], 1.0),
            (DType::I16, &[0, 0x80], -32768.0),
            (DType::F16, &[0, 0x3c], 1.0),
            (DType::F16, &[1, 0x80], -5.960_464_477_539_063e-8),
            (DType::F16, &[0xff, 0x7b], 65504.0),
            (DType::F16, &[0, 0xfc], f64::NEG_INFINITY),
            (DType::Bf16, &[0xc0, 0xbf], -1.5),
            (DType::U64, &[255; 8], 18_446_744_073_709_551_615.0),
        ] {
            assert_eq!(array(dtype, data).to_f64().unwrap(), [value], "{dtype}");
            assert_eq!(array(dtype, data).to_f32().unwrap(), [value as f32], "{dtype}");
        }
        assert!(array(DType::F16, &[1, 0x7c]).to_f64().unwrap()[0].is_nan());
        assert_eq!(array(DType::I8, &[200]).to_i64().unwrap(), [-56]);
        let message = array(DType::U64, &[255; 8]).named("n").to_i64().unwrap_err().to_string();
        assert_eq!(message, "array \"n\" holds 18446744073709551615, beyond i64");
        let message = array(DType::C64, &[0; 8]).to_f64().unwrap_err().to_string();
        assert_eq!(
            message,
            "the array is c64, which has no real value; convert it to float32 first"
        );
    }

    #[test]
    fn sizes_must_agree() {
        assert!(Array::from_slice(&[2, 3], &[0f32; 5]).is_err());
        assert!(Array::from_slice(&[usize::MAX, 2], &[0f32; 2]).is_err());
        assert!(Array::new(DType::Str, &[], vec![]).is_err());
        assert_eq!(Array::from_slice(&[], &[7i32]).unwrap().len(), 1);
        let limits = DataLimits::default();
        assert_eq!(bounded_len(DType::F32, &[3, 0], &limits).unwrap(), 0);
        assert!(bounded_len(DType::F32, &[0, usize::MAX, 2], &limits).is_err());
        assert!(bounded_len(DType::F32, &[usize::MAX, 2, 0], &limits).is_err());
        assert!(bounded_len(DType::U8, &[1 << 28, 2], &limits).is_err());
    }
}
