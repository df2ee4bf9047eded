//! Files to pixels and back.

use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Image, bmp, exif};
use crate::{DataError, DataLimits, ErrorKind, Result};

/// DEFLATE never expands a byte to more than this many.
const PNG_MAX_RATIO: u64 = 1032;

/// Every 8x8 block of a Huffman-coded JPEG takes a bit, and chroma may be four times coarser.
const JPEG_MAX_PIXELS_PER_BYTE: u64 = 1024;

/// Formats that people try, by their first bytes, with the name to tell them.
const OTHER_FORMATS: [(&[u8], &str); 8] = [
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"P5", "PGM"),
    (b"P6", "PPM"),
    (b"\0\0\0", "HEIC, AVIF or JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
];

/// Decodes a PNG, JPEG or BMP, told apart by its first bytes, to grey or RGB.
///
/// An animated PNG yields its first frame. JPEG pixels can differ from libjpeg-turbo's by up to
/// four, as the standard leaves the rounding of the transform and the chroma filter open.
///
/// # Errors
/// Another format, a damaged or truncated file, or an image beyond the limits.
pub fn decode(bytes: &[u8], limits: &DataLimits) -> Result<Image> {
    limits.bytes(bytes.len() as u64)?;
    if bytes.starts_with(b"\x89PNG") {
        return decode_png(bytes, limits);
    }
    if bytes.starts_with(b"\xff\xd8") {
        return decode_jpeg(bytes, limits);
    }
    if bytes.starts_with(b"BM") {
        return bmp::decode(bytes, limits);
    }
    let other = OTHER_FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic));
    Err(match other {
        Some((_, name)) => {
            DataError::unsupported(format!("a {name} file; convert it to PNG, JPEG or BMP"))
        }
        None => DataError::malformed("not an image: neither PNG, JPEG nor BMP"),
    })
}

fn decode_png(bytes: &[u8], limits: &DataLimits) -> Result<Image> {
    let alloc = usize::try_from(limits.max_bytes).unwrap_or(usize::MAX);
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: alloc });
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(png_error)?;
    let (width, height) = (u64::from(header.width), u64::from(header.height));
    limits.pixels(width, height)?;
    let row_bits = width.saturating_mul(header.bits_per_pixel() as u64);
    let raw = (row_bits / 8).saturating_mul(height);
    if (bytes.len() as u64).saturating_mul(PNG_MAX_RATIO) < raw {
        return Err(too_short(width, height, bytes));
    }
    let mut reader = decoder.read_info().map_err(png_error)?;
    let len = reader.output_buffer_size().unwrap_or(usize::MAX);
    limits.bytes(len as u64)?;
    let mut pixels = vec![0; len];
    let frame = reader.next_frame(&mut pixels).map_err(png_error)?;
    pixels.truncate(frame.buffer_size());
    let (kept, stored) = match frame.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (1, 2),
        png::ColorType::Rgb => (3, 3),
        png::ColorType::Rgba => (3, 4),
        png::ColorType::Indexed => {
            return Err(DataError::malformed("PNG: an indexed image without palette"));
        }
    };
    if kept < stored {
        let colours = pixels.chunks_exact(stored).filter_map(|pixel| pixel.get(..kept));
        pixels = colours.flatten().copied().collect();
    }
    Image::new(frame.width as usize, frame.height as usize, kept, pixels)
}

fn png_error(error: png::DecodingError) -> DataError {
    match error {
        png::DecodingError::LimitsExceeded => DataError::unsupported(
            "PNG: it needs more memory than the limit; re-save it without metadata",
        ),
        error => DataError::malformed(format!("PNG: {error}")),
    }
}

fn decode_jpeg(bytes: &[u8], limits: &DataLimits) -> Result<Image> {
    // A truncated file is an error, not a picture with a grey part. The decoder's strict mode
    // misses one that ends in the last row of blocks.
    if !has_end_marker(bytes) {
        return Err(DataError::malformed("JPEG: the file is cut off; its end marker is missing"));
    }
    let options = DecoderOptions::new_safe()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(jpeg_error)?;
    let (width, height) =
        decoder.dimensions().ok_or_else(|| DataError::malformed("JPEG: no dimensions"))?;
    limits.pixels(width as u64, height as u64)?;
    let most = (bytes.len() as u64).saturating_mul(JPEG_MAX_PIXELS_PER_BYTE);
    if most < (width as u64).saturating_mul(height as u64) {
        return Err(too_short(width as u64, height as u64, bytes));
    }
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (colour, channels) = if gray { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    decoder.set_options(options.jpeg_set_out_colorspace(colour));
    let orientation = decoder.exif().map_or(1, |block| exif::orientation(block));
    let pixels = decoder.decode().map_err(jpeg_error)?;
    Ok(exif::upright(Image::new(width, height, channels, pixels)?, orientation))
}

/// Whether an end-of-image marker follows the first scan. Before it, a thumbnail may hold one;
/// after it, coded data cannot.
fn has_end_marker(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments are a marker and a length; a scan starts at FF DA.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            0xda => {
                let scan = bytes.get(at..).unwrap_or(&[]);
                return scan.windows(2).any(|pair| pair == [0xff, 0xd9]);
            }
            // A fill byte before a marker.
            0xff => at += 1,
            // Markers without length.
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // The decoder has a better word for what is wrong before the scan.
    true
}

fn jpeg_error(error: DecodeErrors) -> DataError {
    match error {
        DecodeErrors::Unsupported(scheme) => DataError::unsupported(format!(
            "JPEG: {scheme:?}; save it as baseline or progressive JPEG, or as PNG"
        )),
        error => DataError::malformed(format!("JPEG: {error}")),
    }
}

fn too_short(width: u64, height: u64, bytes: &[u8]) -> DataError {
    DataError::malformed(format!(
        "{} bytes cannot hold an image of {width}x{height}; the file is cut off",
        bytes.len()
    ))
}

/// Encodes a grey or RGB image as PNG; the same pixels give the same bytes.
///
/// # Errors
/// Sides beyond 2^31, or pixels that do not fit the size.
pub fn encode_png(image: &Image) -> Result<Vec<u8>> {
    let side = |size: usize| {
        u32::try_from(size).map_err(|_| DataError::argument(format!("{size} pixels in a row")))
    };
    let error = |error: png::EncodingError| match error {
        png::EncodingError::IoError(error) => DataError::from(ErrorKind::Io(error)),
        error => DataError::argument(format!("PNG: {error}")),
    };
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side(image.width)?, side(image.height)?);
    encoder.set_color(if image.channels == 1 {
        png::ColorType::Grayscale
    } else {
        png::ColorType::Rgb
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(error)?;
    writer.write_image_data(&image.pixels).map_err(error)?;
    writer.finish().map_err(error)?;
    Ok(out)
}
