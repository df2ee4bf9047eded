//! Elements narrower than a byte, several in a byte in files, one byte each in memory.

use embarca_num::DType;

use crate::error::ReadError;
use crate::limits::Budget;

/// Checks that `content` holds exactly `count` elements of `dtype`, a byte or more each.
///
/// # Errors
/// It does not.
pub fn expect_bytes(content: &[u8], count: u64, dtype: DType) -> Result<(), ReadError> {
    match count.checked_mul(dtype.size() as u64) {
        Some(bytes) if bytes == content.len() as u64 => Ok(()),
        _ => Err(ReadError::malformed(format!(
            "{} bytes of data for {count} elements of {dtype}",
            content.len()
        ))),
    }
}

/// Bits of an element in a file, `None` for types of a byte or more.
pub const fn bits(dtype: DType) -> Option<u32> {
    match dtype {
        DType::I4 | DType::U4 | DType::F4E2M1 => Some(4),
        DType::I2 | DType::U2 => Some(2),
        _ => None,
    }
}

/// `count` elements from `content`, the first in the lowest bits; signed ones sign-extended.
///
/// # Errors
/// `content` is too short or too long, or the result over a limit.
pub fn unpack(
    content: &[u8],
    count: u64,
    dtype: DType,
    budget: &mut Budget<'_>,
) -> Result<Vec<u8>, ReadError> {
    let bits = bits(dtype).unwrap_or(8);
    let per_byte = 8 / u64::from(bits);
    if count.div_ceil(per_byte) != content.len() as u64 {
        return Err(ReadError::malformed(format!(
            "{} bytes of data for {count} elements of {dtype}",
            content.len()
        )));
    }
    budget.bytes(count)?;
    let is_signed = matches!(dtype, DType::I4 | DType::I2);
    let shift = 8 - bits;
    let element = |byte: u8, index: u32| {
        let high = byte >> (index * bits) << shift;
        match is_signed {
            true => (high.cast_signed() >> shift).cast_unsigned(),
            false => high >> shift,
        }
    };
    let mut elements = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut left = count;
    for &byte in content {
        let here = left.min(per_byte) as u32;
        elements.extend((0..here).map(|index| element(byte, index)));
        left -= u64::from(here);
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImportLimits;

    #[test]
    fn each_narrow_type() {
        let cases: &[(DType, &[u8], u64, &[u8])] = &[
            (DType::I4, &[0x87, 0x0f], 3, &[7, 0xf8, 0xff]),
            (DType::U4, &[0x87, 0x0f], 3, &[7, 8, 15]),
            (DType::I2, &[0b11_10_01_00, 0b01], 5, &[0, 1, 0xfe, 0xff, 1]),
            (DType::U2, &[0b11_10_01_00], 4, &[0, 1, 2, 3]),
            (DType::F4E2M1, &[0x21], 2, &[1, 2]),
            (DType::I4, &[], 0, &[]),
        ];
        let limits = ImportLimits::default();
        let mut budget = Budget::new(&limits, 0).unwrap();
        for &(dtype, content, count, expected) in cases {
            assert_eq!(unpack(content, count, dtype, &mut budget).as_deref(), Ok(expected));
            assert!(unpack(content, count + 4, dtype, &mut budget).is_err());
        }
        assert!(expect_bytes(&[0; 8], 2, DType::F32).is_ok());
        assert!(expect_bytes(&[0; 8], 3, DType::F32).is_err());
        assert!(expect_bytes(&[], u64::MAX, DType::F32).is_err());
    }
}
