//! Windows bitmaps, uncompressed, of every depth and header version
//! (<https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-storage>).

use super::Image;
use crate::{DataError, DataLimits, Result};

/// Bytes of the file header.
const FILE_HEADER: usize = 14;

const BI_RGB: u32 = 0;
const BI_BITFIELDS: u32 = 3;
const BI_ALPHABITFIELDS: u32 = 6;

/// Decodes a bitmap. One whose palette is all grey comes out grey.
pub fn decode(bytes: &[u8], limits: &DataLimits) -> Result<Image> {
    let header = Header::parse(bytes)?;
    limits.pixels(header.width as u64, header.height as u64)?;
    // The file holds every row, so nothing is allocated beyond a few times its size.
    let row_bits = header.width * usize::from(header.bits);
    let stride = row_bits.div_ceil(32) * 4;
    let data = bytes.get(header.data_at..).unwrap_or(&[]);
    let needed = stride * (header.height - 1) + row_bits.div_ceil(8);
    if data.len() < needed {
        return Err(DataError::malformed(format!(
            "BMP: {} bytes of pixels instead of {needed}; the file is cut off",
            data.len()
        )));
    }
    let channels = if header.is_gray() { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(header.width * header.height * channels);
    for y in 0..header.height {
        let row = if header.top_down { y } else { header.height - 1 - y };
        let row = data.get(stride * row..).unwrap_or(&[]);
        for x in 0..header.width {
            let rgb = header.pixel(row, x)?;
            pixels.extend(rgb.iter().take(channels));
        }
    }
    Image::new(header.width, header.height, channels, pixels)
}

struct Header {
    width: usize,
    height: usize,
    top_down: bool,
    bits: u16,
    data_at: usize,
    /// Red, green, blue.
    palette: Vec<[u8; 3]>,
    /// Which bits of a pixel are red, green and blue, where it is not 24 bits.
    masks: [u32; 3],
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let short = || DataError::malformed("BMP: the file ends inside its header");
        let u16_at = |at: usize| -> Result<u16> {
            let field = bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
            field.map(u16::from_le_bytes).ok_or_else(short)
        };
        let u32_at = |at: usize| -> Result<u32> {
            let field = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
            field.map(u32::from_le_bytes).ok_or_else(short)
        };
        let data_at = u32_at(10)? as usize;
        let info_len = u32_at(14)?;
        // OS/2's header has 16-bit sides and palette entries of three bytes.
        let core = info_len == 12;
        if !core && !(40..=124).contains(&info_len) {
            return Err(DataError::malformed(format!("BMP: an info header of {info_len} bytes")));
        }
        let (width, height) = if core {
            (i32::from(u16_at(18)?), i32::from(u16_at(20)?))
        } else {
            (u32_at(18)?.cast_signed(), u32_at(22)?.cast_signed())
        };
        let bits = u16_at(if core { 24 } else { 28 })?;
        let compression = if core { BI_RGB } else { u32_at(30)? };
        let side = |size: i32| usize::try_from(size).ok().filter(|&size| 0 < size);
        let (Some(columns), Some(rows)) = (side(width), side(height.saturating_abs())) else {
            return Err(DataError::malformed(format!("BMP: a size of {width}x{height}")));
        };

        let mut palette_at = FILE_HEADER + info_len as usize;
        let masks = match (bits, compression) {
            (1 | 4 | 8 | 24, BI_RGB) => [0; 3],
            (16, BI_RGB) => [0x7c00, 0x3e0, 0x1f],
            (32, BI_RGB) => [0xff_0000, 0xff00, 0xff],
            (16 | 32, BI_BITFIELDS | BI_ALPHABITFIELDS) => {
                // Behind a header of 40 bytes, and at the same place in the longer ones.
                [u32_at(54)?, u32_at(58)?, u32_at(62)?]
            }
            (_, 1 | 2) => {
                return Err(DataError::unsupported(
                    "BMP: run-length compressed; save it uncompressed or as PNG",
                ));
            }
            _ => {
                return Err(DataError::unsupported(format!(
                    "BMP: {bits} bits a pixel with compression {compression}; save it as PNG"
                )));
            }
        };
        let mut palette = Vec::new();
        if bits <= 8 {
            let entry_len = if core { 3 } else { 4 };
            let all = 1usize << bits;
            let used = if core { 0 } else { u32_at(46)? as usize };
            let count = if used == 0 { all } else { used.min(all) };
            for _ in 0..count {
                let entry = bytes.get(palette_at..palette_at + 3).ok_or_else(short)?;
                let mut rgb: [u8; 3] = entry.try_into().map_err(|_| short())?;
                rgb.reverse();
                palette.push(rgb);
                palette_at += entry_len;
            }
        }
        Ok(Self {
            width: columns,
            height: rows,
            top_down: height < 0,
            bits,
            data_at,
            palette,
            masks,
        })
    }

    fn is_gray(&self) -> bool {
        self.bits <= 8 && self.palette.iter().all(|[r, g, b]| r == g && g == b)
    }

    fn pixel(&self, row: &[u8], x: usize) -> Result<[u8; 3]> {
        let bits = usize::from(self.bits);
        let byte = |at: usize| row.get(at).copied().unwrap_or(0);
        match bits {
            24 => Ok([byte(3 * x + 2), byte(3 * x + 1), byte(3 * x)]),
            16 | 32 => {
                let at = x * bits / 8;
                let low = u32::from(byte(at)) | u32::from(byte(at + 1)) << 8;
                let high = u32::from(byte(at + 2)) | u32::from(byte(at + 3)) << 8;
                let pixel = if bits == 32 { low | high << 16 } else { low };
                Ok(self.masks.map(|mask| channel(pixel, mask)))
            }
            _ => {
                let at = x * bits;
                let index = byte(at / 8) >> (8 - bits - at % 8) & ((1u16 << bits) - 1) as u8;
                self.palette.get(usize::from(index)).copied().ok_or_else(|| {
                    DataError::malformed(format!("BMP: colour {index} is not in the palette"))
                })
            }
        }
    }
}

/// The masked bits, stretched to 0..=255 and rounded down, as Pillow does.
fn channel(pixel: u32, mask: u32) -> u8 {
    if mask == 0 {
        return 0;
    }
    let shift = mask.trailing_zeros();
    let most = u64::from(mask >> shift);
    let value = u64::from((pixel & mask) >> shift);
    u8::try_from(value * 255 / most).unwrap_or(u8::MAX)
}
