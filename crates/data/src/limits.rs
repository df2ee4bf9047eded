//! How large a file may be, and may become when it is unpacked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{DataError, ErrorKind, Result};

/// Bounds that a reader enforces before it allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataLimits {
    /// Bytes of one file, and of all that is unpacked from it.
    pub max_bytes: u64,
    /// Width times height of one image.
    pub max_pixels: u64,
    /// Elements of one array, cells of one table, samples of one recording over all channels.
    pub max_elements: u64,
}

impl Default for DataLimits {
    /// 1 GiB, 64 million pixels, 256 million elements.
    fn default() -> Self {
        Self { max_bytes: 1 << 30, max_pixels: 64_000_000, max_elements: 1 << 28 }
    }
}

impl DataLimits {
    /// Checks a number of bytes.
    pub fn bytes(&self, size: u64) -> Result<()> {
        check("bytes", size, self.max_bytes)
    }

    /// Checks the size of an image.
    pub fn pixels(&self, width: u64, height: u64) -> Result<()> {
        check("pixels", width.saturating_mul(height), self.max_pixels)
    }

    /// Checks a number of elements.
    pub fn elements(&self, size: u64) -> Result<()> {
        check("elements", size, self.max_elements)
    }
}

fn check(what: &'static str, size: u64, limit: u64) -> Result<()> {
    if limit < size {
        return Err(ErrorKind::TooLarge { what, size, limit }.into());
    }
    Ok(())
}

/// Reads a whole file of at most `max_bytes`; a pipe or a growing file stops at the limit too.
///
/// # Errors
/// The operating system's, or [`ErrorKind::TooLarge`]; both name the file.
pub fn read_file(path: &Path, limits: &DataLimits) -> Result<Vec<u8>> {
    let read = || {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        limits.bytes(size)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        limits.bytes(bytes.len() as u64)?;
        Ok(bytes)
    };
    read().map_err(|error: DataError| error.in_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_limit_is_refused_by_name() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let size = read_file(&path, &DataLimits::default()).unwrap().len() as u64;
        let limits = DataLimits { max_bytes: size - 1, ..DataLimits::default() };
        let message = read_file(&path, &limits).unwrap_err().to_string();
        assert!(message.contains("Cargo.toml: "), "{message}");
        assert!(message.ends_with(&format!("{size} bytes, more than the limit of {}", size - 1)));
        assert!(read_file(Path::new("no such file"), &limits).is_err());
        assert!(limits.pixels(u64::MAX, 2).is_err());
    }
}
