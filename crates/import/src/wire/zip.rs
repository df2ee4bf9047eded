//! ZIP archives, as far as files hang onto a model: stored or deflated, no encryption, no zip64.
//!
//! Source: PKWARE's `APPNOTE.TXT`, version 6.3.

use crate::error::ReadError;
use crate::limits::Budget;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;

/// An archive at the end of a file.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    file: &'a [u8],
    /// The central directory.
    directory: &'a [u8],
    /// Where the archive's own offsets begin.
    start: usize,
}

/// A file of the archive.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u32,
    size: u32,
    offset: u32,
}

impl<'a> Archive<'a> {
    /// The archive that `file` ends with, `None` if it ends with none.
    ///
    /// # Errors
    /// The directory leaves the file.
    pub fn find(file: &'a [u8]) -> Result<Option<Self>, ReadError> {
        // A comment of up to 65,535 bytes may follow the end record.
        let from = file.len().saturating_sub(END_BYTES + usize::from(u16::MAX));
        let tail = file.get(from..).unwrap_or_default();
        let is_end = |at: usize| {
            let record = tail.get(at..)?;
            let comment = usize::from(half(record, 20)?);
            (record.starts_with(END) && record.len() == END_BYTES + comment).then_some(at)
        };
        let last = tail.len().checked_sub(END_BYTES);
        let Some(at) = last.and_then(|last| (0..=last).rev().find_map(is_end)) else {
            return Ok(None);
        };
        let record = tail.get(at..).unwrap_or_default();
        let end = from + at;
        let archive = || {
            let size = usize::try_from(word(record, 12)?).ok()?;
            let offset = usize::try_from(word(record, 16)?).ok()?;
            let directory = end.checked_sub(size)?;
            let start = directory.checked_sub(offset)?;
            Some(Self { file, directory: file.get(directory..end)?, start })
        };
        match archive() {
            Some(archive) => Ok(Some(archive)),
            None => Err(ReadError::malformed_at(end, "the archive's directory leaves the file")),
        }
    }

    /// The unpacked file of this name, `None` if there is none.
    ///
    /// # Errors
    /// The archive is broken, the file over a limit, or packed in another way.
    pub fn read(&self, name: &str, budget: &mut Budget<'_>) -> Result<Option<Vec<u8>>, ReadError> {
        let mut rest = self.directory;
        while !rest.is_empty() {
            let Some((entry, length)) = entry(rest) else {
                return Err(ReadError::malformed("the archive's directory is broken"));
            };
            if entry.name == name.as_bytes() {
                return self.unpack(&entry, budget).map(Some);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(None)
    }

    fn unpack(&self, entry: &Entry<'_>, budget: &mut Budget<'_>) -> Result<Vec<u8>, ReadError> {
        if entry.flags & 1 != 0 {
            return Err(ReadError::unsupported("the archive is encrypted"));
        }
        let packed = || {
            let offset = usize::try_from(entry.offset).ok()?;
            let local = self.file.get(self.start.checked_add(offset)?..)?;
            let skip = usize::from(half(local, 26)?) + usize::from(half(local, 28)?);
            let length = usize::try_from(entry.packed).ok()?;
            let is_local = local.starts_with(LOCAL);
            local.get(LOCAL_BYTES + skip..)?.get(..length).filter(|_| is_local)
        };
        let packed = packed().ok_or_else(|| ReadError::malformed("a packed file is cut off"))?;
        let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
        if size > budget.limits.text {
            let what = format!("{size} bytes unpacked, `text` allows {}", budget.limits.text);
            return Err(ReadError::over_limit(what));
        }
        budget.items::<u8>(size)?;
        let bytes = match entry.method {
            0 => packed.to_vec(),
            8 => miniz_oxide::inflate::decompress_to_vec_with_limit(packed, size)
                .map_err(|error| ReadError::malformed(format!("unpacking: {error}")))?,
            other => {
                let what = format!("packing method {other}; use deflate");
                return Err(ReadError::unsupported(what));
            }
        };
        if bytes.len() != size || checksum(&bytes) != entry.checksum {
            return Err(ReadError::malformed("a packed file's size or checksum is wrong"));
        }
        Ok(bytes)
    }
}

/// The first entry of a directory and how many bytes it takes.
fn entry(directory: &[u8]) -> Option<(Entry<'_>, usize)> {
    if !directory.starts_with(ENTRY) {
        return None;
    }
    let name_length = usize::from(half(directory, 28)?);
    let name = directory.get(ENTRY_BYTES..)?.get(..name_length)?;
    let more = usize::from(half(directory, 30)?) + usize::from(half(directory, 32)?);
    let entry = Entry {
        name,
        flags: half(directory, 8)?,
        method: half(directory, 10)?,
        checksum: word(directory, 16)?,
        packed: word(directory, 20)?,
        size: word(directory, 24)?,
        offset: word(directory, 42)?,
    };
    Some((entry, ENTRY_BYTES + name_length + more))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&bytes| u16::from_le_bytes(bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes))
}

/// CRC-32 as ZIP uses it (reflected polynomial 0xEDB88320).
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImportLimits;

    /// An archive of one file after a prefix of three bytes; `size` is what it claims to unpack to.
    fn archive(method: u16, packed: &[u8], size: u32, sum: u32) -> Vec<u8> {
        let mut file = vec![1, 2, 3];
        let common = |file: &mut Vec<u8>| {
            for half in [20u16, 0, method, 0, 0] {
                file.extend(half.to_le_bytes());
            }
            for word in [sum, packed.len() as u32, size] {
                file.extend(word.to_le_bytes());
            }
            file.extend([5, 0, 0, 0]);
        };
        file.extend(LOCAL);
        common(&mut file);
        file.extend(b"a.txt");
        file.extend(packed);
        let directory = file.len();
        file.extend(ENTRY);
        file.extend([20, 0]);
        common(&mut file);
        file.extend([0; 14]);
        file.extend(b"a.txt");
        let length = file.len() - directory;
        file.extend(END);
        file.extend([0, 0, 0, 0, 1, 0, 1, 0]);
        file.extend((length as u32).to_le_bytes());
        file.extend((directory as u32 - 3).to_le_bytes());
        file.extend([0, 0]);
        file
    }

    fn read(file: &[u8], name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let limits = ImportLimits { text: 1000, ..ImportLimits::default() };
        let mut budget = Budget::new(&limits, file.len())?;
        match Archive::find(file)? {
            Some(archive) => archive.read(name, &mut budget),
            None => Ok(None),
        }
    }

    #[test]
    fn stored_and_deflated() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        let sum = checksum(b"hello");
        let stored = archive(0, b"hello", 5, sum);
        assert_eq!(read(&stored, "a.txt"), Ok(Some(b"hello".to_vec())));
        assert_eq!(read(&stored, "b.txt"), Ok(None));
        assert_eq!(read(b"no archive", "a.txt"), Ok(None));
        // A single deflate block, stored: 01, length, complement.
        let deflated = archive(8, b"\x01\x05\x00\xfa\xffhello", 5, sum);
        assert_eq!(read(&deflated, "a.txt"), Ok(Some(b"hello".to_vec())));
    }

    #[test]
    fn bombs_and_broken_archives() {
        let sum = checksum(b"hello");
        // A million zeros, deflated, that claim to be five bytes or to be what they are.
        let zeros = miniz_oxide::deflate::compress_to_vec(&vec![0; 1_000_000], 6);
        assert!(matches!(read(&archive(8, &zeros, 5, sum), "a.txt"), Err(ReadError::Malformed(_))));
        let honest = archive(8, &zeros, 1_000_000, 0);
        assert!(matches!(read(&honest, "a.txt"), Err(ReadError::OverLimit(_))));
        assert!(read(&archive(0, b"hello", 5, sum ^ 1), "a.txt").is_err());
        assert!(read(&archive(0, b"hello", 6, sum), "a.txt").is_err());
        assert!(read(&archive(9, b"hello", 5, sum), "a.txt").is_err());
        let whole = archive(0, b"hello", 5, sum);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length], "a.txt"), Ok(None), "{length}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0xff;
            let _ = read(&flipped, "a.txt");
        }
    }
}
