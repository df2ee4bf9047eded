//! The part of ZIP that NPZ files and TFLite metadata use: stored and deflated members, ZIP64
//! sizes (PKWARE APPNOTE 6.3.10).

use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::{DataError, DataLimits, Result};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const END64_LOCATOR: u32 = 0x0706_4b50;

/// Bytes of the end record without its comment, of which there can be 65535.
const END_LEN: usize = 22;

/// DEFLATE never expands a byte to more than this many.
const MAX_RATIO: usize = 1032;

/// One file inside an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path, with `/` between folders.
    pub name: String,
    /// Its unpacked bytes.
    pub data: Vec<u8>,
}

/// How [`write()`] packs members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    #[default]
    Stored,
    /// DEFLATE, level 6.
    Deflated,
}

/// Unpacks all members in the order of the central directory; folders are left out. Bytes before
/// the archive (a TFLite model) are allowed, as all offsets may be shifted by them.
///
/// # Errors
/// A damaged archive, a CRC that differs, encryption, a method other than stored and deflated, or
/// members that together exceed `max_bytes`.
pub fn read(bytes: &[u8], limits: &DataLimits) -> Result<Vec<Member>> {
    let directory = Directory::find(bytes)?;
    let mut entries = Vec::new();
    let (mut total, mut packed) = (0u64, 0u64);
    let mut at = directory.start;
    for _ in 0..directory.count {
        let (entry, next) = Entry::parse(bytes, at).map_err(|e| e.at(format!("byte {at}")))?;
        at = next;
        if entry.name.ends_with('/') {
            continue;
        }
        total = total.saturating_add(entry.size);
        packed = packed.saturating_add(entry.packed);
        let place = |error: DataError| error.at(format_args!("member {:?}", entry.name));
        limits.bytes(total).map_err(place)?;
        if (bytes.len() as u64) < packed {
            return Err(place(DataError::malformed("it overlaps another member")));
        }
        entries.push(entry);
    }
    let mut members = Vec::new();
    for entry in entries {
        let data = entry.unpack(bytes, directory.base);
        let data = data.map_err(|e| e.at(format_args!("member {:?}", entry.name)))?;
        members.push(Member { name: entry.name, data });
    }
    Ok(members)
}

/// Packs members in the given order. Stored archives are byte for byte those of Python's
/// `zipfile` with `force_zip64` and the time 1980-01-01 00:00, as `numpy.savez` uses it.
///
/// # Errors
/// A name longer than 65535 bytes, more than 65534 members, or an archive beyond 4 GiB.
pub fn write<'a>(
    members: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    packing: Packing,
) -> Result<Vec<u8>> {
    let too_large = |_| DataError::argument("the archive exceeds the limits of ZIP without ZIP64");
    let (mut out, mut central, mut count) = (Vec::new(), Vec::new(), 0usize);
    for (name, data) in members {
        let packed;
        let (method, stored) = match packing {
            Packing::Stored => (0u16, data),
            Packing::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
                encoder.write_all(data)?;
                packed = encoder.finish()?;
                (8, &packed[..])
            }
        };
        let name_len = u16::try_from(name.len()).map_err(too_large)?;
        let size = u32::try_from(data.len()).map_err(too_large)?;
        let packed_size = u32::try_from(stored.len()).map_err(too_large)?;
        let offset = u32::try_from(out.len()).map_err(too_large)?;
        // Bit 11: the name is UTF-8.
        let flags = if name.is_ascii() { 0u16 } else { 1 << 11 };

        // Version 4.5, flags, method, time 00:00, 1980-01-01, CRC.
        let mut common = Vec::new();
        for word in [45, flags, method, 0, 0x21] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        common.extend_from_slice(&crc32(data).to_le_bytes());

        out.extend_from_slice(&LOCAL.to_le_bytes());
        out.extend_from_slice(&common);
        // Both sizes are in the ZIP64 field.
        out.extend_from_slice(&[0xff; 8]);
        out.extend_from_slice(&name_len.to_le_bytes());
        out.extend_from_slice(&20u16.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&[1, 0, 16, 0]);
        out.extend_from_slice(&u64::from(size).to_le_bytes());
        out.extend_from_slice(&u64::from(packed_size).to_le_bytes());
        out.extend_from_slice(stored);

        central.extend_from_slice(&CENTRAL.to_le_bytes());
        // Made by version 4.5 on Unix.
        central.extend_from_slice(&[45, 3]);
        central.extend_from_slice(&common);
        central.extend_from_slice(&packed_size.to_le_bytes());
        central.extend_from_slice(&size.to_le_bytes());
        central.extend_from_slice(&name_len.to_le_bytes());
        // No extra field, comment, disk or internal attributes; permissions rw-------.
        central.extend_from_slice(&[0; 8]);
        central.extend_from_slice(&(0o600u32 << 16).to_le_bytes());
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
        count += 1;
    }
    let count = u16::try_from(count).ok().filter(|&count| count < u16::MAX);
    let count = count.ok_or_else(|| DataError::argument("more members than ZIP allows"))?;
    let start = u32::try_from(out.len()).map_err(too_large)?;
    let len = u32::try_from(central.len()).map_err(too_large)?;
    out.extend_from_slice(&central);
    out.extend_from_slice(&END.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    Ok(out)
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

/// Where the central directory is.
struct Directory {
    start: usize,
    count: u64,
    /// Bytes in front of the archive, to add to every offset in it.
    base: usize,
}

impl Directory {
    fn find(bytes: &[u8]) -> Result<Self> {
        let lost = || DataError::malformed("not a ZIP archive, or its end is missing");
        let last = bytes.len().checked_sub(END_LEN).ok_or_else(lost)?;
        let end = (last.saturating_sub(usize::from(u16::MAX))..=last)
            .rev()
            .find(|&at| {
                u32_at(bytes, at) == Some(END)
                    && u16_at(bytes, at + 20)
                        .is_some_and(|n| at + END_LEN + usize::from(n) <= bytes.len())
            })
            .ok_or_else(lost)?;
        let field = |at| u32_at(bytes, end + at).map(u64::from).ok_or_else(lost);
        let (mut count, mut len, mut offset) = (field(8)? >> 16, field(12)?, field(16)?);
        let mut directory_end = end;
        if count == 0xffff || len == 0xffff_ffff || offset == 0xffff_ffff {
            // The ZIP64 locator, when there is one, stands right before the end record.
            let locator =
                end.checked_sub(20).filter(|&at| u32_at(bytes, at) == Some(END64_LOCATOR));
            if let Some(locator) = locator {
                // Its offset is unreliable behind a prefix; without extensible data the record
                // is right before it.
                let recorded = u64_at(bytes, locator + 8).and_then(|at| usize::try_from(at).ok());
                let record = [recorded, locator.checked_sub(56)]
                    .into_iter()
                    .flatten()
                    .find(|&at| u32_at(bytes, at) == Some(END64))
                    .ok_or_else(|| DataError::malformed("the ZIP64 end record is missing"))?;
                let field = |at| u64_at(bytes, record.saturating_add(at)).ok_or_else(lost);
                (count, len, offset) = (field(32)?, field(40)?, field(48)?);
                directory_end = record;
            }
        }
        let start = usize::try_from(len).ok().and_then(|len| directory_end.checked_sub(len));
        let start = start.ok_or_else(|| DataError::malformed("the ZIP directory is cut off"))?;
        let base = usize::try_from(offset).ok().and_then(|offset| start.checked_sub(offset));
        let base = base.ok_or_else(|| DataError::malformed("the ZIP directory is misplaced"))?;
        // Each entry takes 46 bytes or more.
        if len / 46 < count {
            return Err(DataError::malformed(format!(
                "{count} members do not fit in a ZIP directory of {len} bytes"
            )));
        }
        Ok(Self { start, count, base })
    }
}

/// One line of the central directory.
struct Entry {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
}

impl Entry {
    fn parse(bytes: &[u8], at: usize) -> Result<(Self, usize)> {
        let short = || DataError::malformed("the ZIP directory is cut off");
        let short_field = |_| short();
        if u32_at(bytes, at) != Some(CENTRAL) {
            return Err(DataError::malformed("no ZIP directory entry where one should be"));
        }
        let word = |offset| u16_at(bytes, at + offset).ok_or_else(short);
        let long = |offset| u32_at(bytes, at + offset).ok_or_else(short);
        let name_at = at + 46;
        let extra_at = name_at + usize::from(word(28)?);
        let comment_at = extra_at + usize::from(word(30)?);
        let name = bytes.get(name_at..extra_at).ok_or_else(short)?;
        let mut extra = bytes.get(extra_at..comment_at).ok_or_else(short)?;

        let mut entry = Self {
            name: String::from_utf8_lossy(name).into_owned(),
            flags: word(8)?,
            method: word(10)?,
            crc: long(16)?,
            packed: long(20)?.into(),
            size: long(24)?.into(),
            offset: long(42)?.into(),
        };
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let id = u16::from_le_bytes([head[0], head[1]]);
            let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let (mut field, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            extra = rest;
            if id != 1 {
                continue;
            }
            // ZIP64 holds, in this order, only what did not fit in 32 bits.
            for value in [&mut entry.size, &mut entry.packed, &mut entry.offset] {
                if *value == 0xffff_ffff {
                    let (wide, rest) = field.split_at_checked(8).ok_or_else(short)?;
                    *value = u64::from_le_bytes(wide.try_into().map_err(short_field)?);
                    field = rest;
                }
            }
        }
        Ok((entry, comment_at + usize::from(word(32)?)))
    }

    fn unpack(&self, bytes: &[u8], base: usize) -> Result<Vec<u8>> {
        let short = || DataError::malformed("the member is cut off");
        if self.flags & 1 != 0 {
            return Err(DataError::unsupported(
                "the member is encrypted; pack it without password",
            ));
        }
        let local = usize::try_from(self.offset).ok().and_then(|at| at.checked_add(base));
        let local = local.filter(|&at| u32_at(bytes, at) == Some(LOCAL)).ok_or_else(short)?;
        let name_len = u16_at(bytes, local + 26).ok_or_else(short)?;
        let extra_len = u16_at(bytes, local + 28).ok_or_else(short)?;
        let start = local + 30 + usize::from(name_len) + usize::from(extra_len);
        let end = usize::try_from(self.packed).ok().and_then(|len| start.checked_add(len));
        let packed = end.and_then(|end| bytes.get(start..end)).ok_or_else(short)?;

        let data = match self.method {
            0 => packed.to_vec(),
            8 => {
                let most = packed.len().saturating_mul(MAX_RATIO);
                let guess = usize::try_from(self.size).unwrap_or(most).min(most);
                let mut data = Vec::with_capacity(guess);
                DeflateDecoder::new(packed)
                    .take(self.size.saturating_add(1))
                    .read_to_end(&mut data)
                    .map_err(|error| {
                        DataError::malformed(format!("damaged deflate data: {error}"))
                    })?;
                data
            }
            method => {
                return Err(DataError::unsupported(format!(
                    "ZIP compression method {method}; pack it with deflate or stored"
                )));
            }
        };
        if data.len() as u64 != self.size {
            return Err(DataError::malformed(format!(
                "the member unpacks to another size than the {} bytes it declares",
                self.size
            )));
        }
        let crc = crc32(&data);
        if crc != self.crc {
            return Err(DataError::malformed(format!(
                "damaged: its CRC is {crc:08x}, not {:08x}",
                self.crc
            )));
        }
        Ok(data)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(packing: Packing) -> Vec<u8> {
        write([("a.txt", &b"aaaaaaaaaaaaaaaaaaaa"[..]), ("\u{e9}/b", b"")], packing).unwrap()
    }

    fn names_and_data(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let members = read(bytes, &DataLimits::default()).unwrap();
        members.into_iter().map(|member| (member.name, member.data)).collect()
    }

    #[test]
    fn round_trip_also_behind_a_prefix() {
        for packing in [Packing::Stored, Packing::Deflated] {
            for prefix in [0, 1000] {
                for comment in [0, 300] {
                    let mut bytes = vec![b'x'; prefix];
                    bytes.extend_from_slice(&archive(packing));
                    let comment_at = bytes.len() - 2;
                    bytes[comment_at..].copy_from_slice(&(comment as u16).to_le_bytes());
                    bytes.resize(bytes.len() + comment, b'P');
                    let members = names_and_data(&bytes);
                    assert_eq!(members[0], ("a.txt".into(), vec![b'a'; 20]));
                    assert_eq!(members[1], ("\u{e9}/b".into(), vec![]));
                }
            }
        }
        assert_eq!(names_and_data(&write([], Packing::Stored).unwrap()), []);
    }

    /// An archive as a streaming writer with large files leaves it: all numbers in ZIP64 fields.
    #[test]
    fn zip64_everywhere() {
        let data = b"hello";
        let mut bytes = b"PK\x03\x04\x2d\0\x08\0\0\0\0\0\x21\0".to_vec();
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&[1, 0, 0, 0, b'h']);
        bytes.extend_from_slice(data);
        let start = bytes.len() as u64;
        bytes.extend_from_slice(b"PK\x01\x02\x2d\x03\x2d\0\x08\0\0\0\0\0\x21\0");
        bytes.extend_from_slice(&crc32(data).to_le_bytes());
        bytes.extend_from_slice(&[0xff; 8]);
        bytes.extend_from_slice(&[1, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0xff; 4]);
        bytes.push(b'h');
        // Another field first, then ZIP64 with size, packed size and offset.
        bytes.extend_from_slice(&[9, 9, 4, 0, 1, 2, 3, 4, 1, 0, 24, 0]);
        for value in [5u64, 5, 0] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let record = bytes.len() as u64;
        bytes.extend_from_slice(b"PK\x06\x06");
        bytes.extend_from_slice(&44u64.to_le_bytes());
        bytes.extend_from_slice(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for value in [1, 1, record - start, start] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&record.to_le_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        bytes.extend_from_slice(&[0xff; 12]);
        bytes.extend_from_slice(&[0; 2]);
        assert_eq!(names_and_data(&bytes), [("h".into(), data.to_vec())]);
    }

    #[test]
    fn refusals() {
        let check = |bytes: &[u8], limits: &DataLimits, reason: &str| {
            let message = read(bytes, limits).unwrap_err().to_string();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        };
        let limits = DataLimits::default();
        let stored = archive(Packing::Stored);
        let central = stored.windows(4).position(|w| w == CENTRAL.to_le_bytes()).unwrap();
        let changed = |at: usize, to: u8| {
            let mut bytes = stored.clone();
            bytes[at] = to;
            bytes
        };
        check(b"", &limits, "not a ZIP archive");
        check(&[0; 100], &limits, "not a ZIP archive");
        check(&changed(60, b'!'), &limits, "member \"a.txt\": damaged: its CRC is");
        check(&changed(central + 8, 1), &limits, "encrypted");
        check(&changed(central + 10, 12), &limits, "method 12");
        check(&changed(central + 24, 21), &limits, "another size");
        check(&changed(central + 42, 1), &limits, "cut off");
        check(&changed(central, 0), &limits, "no ZIP directory entry");
        check(&changed(stored.len() - 12, 9), &limits, "do not fit");
        let small = DataLimits { max_bytes: 19, ..limits };
        check(&stored, &small, "member \"a.txt\": 20 bytes, more than the limit of 19");
    }

    #[test]
    fn a_bomb_is_cut_off_at_its_declared_size() {
        let zeros = vec![0; 1 << 20];
        let mut bytes = write([("z", &zeros[..])], Packing::Deflated).unwrap();
        assert!(bytes.len() < 2000);
        let central = bytes.windows(4).position(|w| w == CENTRAL.to_le_bytes()).unwrap();
        bytes[central + 24..central + 28].copy_from_slice(&10u32.to_le_bytes());
        let error = read(&bytes, &DataLimits { max_bytes: 4096, ..DataLimits::default() });
        assert!(error.unwrap_err().to_string().contains("another size"));
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let bytes = archive(Packing::Deflated);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], &DataLimits::default()).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let _ = read(&bytes, &DataLimits::default());
            }
        }
    }
}
