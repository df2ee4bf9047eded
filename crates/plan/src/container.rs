//! The container: a header and a table of typed, aligned, checksummed sections.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::crc::{crc32, crc32_extend};
use crate::error::{At, OpenError, Problem, Table};

/// The first eight bytes of every file. The last one stops text tools that would convert line
/// ends.
pub const MAGIC: [u8; 8] = *b"EMBARCA\x1a";

/// The format version that this crate reads and writes.
pub const FORMAT_VERSION: u16 = 1;

/// The meaning of numbers that this crate's users implement.
pub const SEMANTICS: u32 = 1;

/// Bytes of the file header, and of one entry of the section table.
pub const HEADER_LEN: usize = 32;

/// A file holds at most this many sections.
pub const MAX_SECTIONS: u32 = 4096;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum FileKind {
    /// A portable graph, `*.emb`.
    Graph = 1,
    /// A plan, `*.plan`.
    Plan = 2,
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SectionKind(pub u32);

impl SectionKind {
    /// Inputs and outputs as the author names them.
    pub const INTERFACE: Self = Self(1);
    /// Labels, roles, thresholds.
    pub const TASK: Self = Self(2);
    /// Steps for one target; there may be several.
    pub const PROGRAM: Self = Self(3);
    /// Constant data that programs and graphs point into.
    pub const WEIGHTS: Self = Self(4);
    /// What each program needs.
    pub const MEMORY: Self = Self(5);
    /// Where the file comes from.
    pub const PROVENANCE: Self = Self(6);
    /// Known inputs with their outputs.
    pub const VECTORS: Self = Self(7);
    /// Reserved for a signature.
    pub const SEAL: Self = Self(8);
    /// The stage in front of the model: a whole plan without stages of its own.
    pub const FRONT: Self = Self(9);
    /// The stage behind the model: a whole plan without stages of its own.
    pub const BACK: Self = Self(10);
    /// The program of a microcontroller.
    pub const DEVICE: Self = Self(11);
    /// The text of a portable graph.
    pub const GRAPH: Self = Self(16);
    /// What people and front ends need to know of a portable graph.
    pub const META: Self = Self(17);

    /// The name used in messages; `unknown` for kinds without one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::INTERFACE => "interface",
            Self::TASK => "task",
            Self::PROGRAM => "program",
            Self::WEIGHTS => "weights",
            Self::MEMORY => "memory",
            Self::PROVENANCE => "provenance",
            Self::VECTORS => "vectors",
            Self::SEAL => "seal",
            Self::FRONT => "front",
            Self::BACK => "back",
            Self::DEVICE => "device",
            Self::GRAPH => "graph",
            Self::META => "meta",
            _ => "unknown",
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "unknown" => write!(f, "kind {}", self.0),
            name => f.write_str(name),
        }
    }
}

/// The file header as stored.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeaderRecord {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// A [`FileKind`].
    pub kind: u16,
    /// [`FORMAT_VERSION`].
    pub version: u16,
    /// [`SEMANTICS`].
    pub semantics: u32,
    /// Bytes of the whole file.
    pub file_len: u64,
    /// Entries of the section table, which follows.
    pub sections: u32,
    /// CRC-32 of the 28 bytes before and of the section table.
    pub crc: u32,
}

/// An entry of the section table as stored.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SectionRecord {
    /// A [`SectionKind`].
    pub kind: u32,
    /// Bit 0: a reader that does not know the kind must refuse the file.
    pub flags: u16,
    /// The offset is a multiple of two to this power, 2 to 16.
    pub align_log2: u16,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Bytes, without the padding in front of the next section.
    pub len: u64,
    /// Zero.
    pub reserved: u32,
    /// CRC-32 of the content.
    pub crc: u32,
}

const REQUIRED: u16 = 1;

/// One section of an open container.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Place in the section table.
    pub ordinal: u32,
    /// What it holds.
    pub kind: SectionKind,
    /// Whether a reader that does not know the kind must refuse the file.
    pub required: bool,
    /// Its offset in the file is a multiple of two to this power.
    pub align_log2: u16,
    /// The content.
    pub bytes: &'a [u8],
    crc: u32,
}

impl<'a> Section<'a> {
    /// Compares the content with its checksum, which opening the container does not.
    pub fn verify(&self) -> Result<(), OpenError> {
        if crc32(self.bytes) == self.crc {
            return Ok(());
        }
        Err(self.at().header(Problem::Checksum))
    }

    pub(crate) fn at(&self) -> At {
        At { section: Some(self.kind), ordinal: self.ordinal }
    }
}

/// A file whose header, section table and padding are sound.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Container<'a> {
    /// Checks everything but the sections' content, in time linear in the section table.
    ///
    /// # Errors
    /// The header or table is damaged, of another kind or newer than this reader.
    pub fn open(bytes: &'a [u8], kind: FileKind) -> Result<Self, OpenError> {
        let at = At::FILE;
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] {
            return Err(at.header(Problem::Magic));
        }
        let (header, rest) =
            HeaderRecord::read_from_prefix(bytes).map_err(|_| at.header(Problem::Truncated))?;
        if header.version != FORMAT_VERSION {
            return Err(at.header(Problem::Version(header.version)));
        }
        if header.sections > MAX_SECTIONS {
            return Err(at.header(Problem::Value(header.sections)));
        }
        let count = header.sections as usize;
        let table = rest.get(..count * HEADER_LEN).ok_or(at.header(Problem::Truncated))?;
        let crc = crc32_extend(crc32(&bytes[..HEADER_LEN - 4]), table);
        if crc != header.crc {
            return Err(at.header(Problem::Checksum));
        }
        if header.kind != kind as u16 {
            return Err(at.header(Problem::FileKind(header.kind)));
        }
        if header.semantics != SEMANTICS {
            return Err(at.header(Problem::Semantics(header.semantics)));
        }
        if usize::try_from(header.file_len) != Ok(bytes.len()) {
            return Err(at.header(Problem::Length));
        }
        let container = Self { bytes, count };
        container.check_sections()?;
        Ok(container)
    }

    /// The kind that the header names, without any check of the rest.
    pub fn kind(bytes: &[u8]) -> Option<FileKind> {
        let (header, _) = HeaderRecord::read_from_prefix(bytes).ok()?;
        match header.kind {
            _ if header.magic != MAGIC => None,
            1 => Some(FileKind::Graph),
            2 => Some(FileKind::Plan),
            _ => None,
        }
    }

    /// The length that the header names, to cut a file out of a larger region of flash.
    pub fn file_len(bytes: &[u8]) -> Option<u64> {
        let (header, _) = HeaderRecord::read_from_prefix(bytes).ok()?;
        (header.magic == MAGIC).then_some(header.file_len)
    }

    fn check_sections(&self) -> Result<(), OpenError> {
        let at = At::FILE;
        let mut end = HEADER_LEN * (self.count + 1);
        for index in 0..self.count {
            let err = |problem| at.err(Table::Sections, index, problem);
            let record = self.record(index).ok_or(err(Problem::Truncated))?;
            if record.flags & !REQUIRED != 0 {
                return Err(err(Problem::Flags(u32::from(record.flags))));
            }
            if record.reserved != 0 {
                return Err(err(Problem::Padding));
            }
            if !(2..=16).contains(&record.align_log2) {
                return Err(err(Problem::Alignment(record.align_log2)));
            }
            let start = align_up(end as u64, record.align_log2);
            if start != Some(record.offset) {
                return Err(err(Problem::Place));
            }
            let start = record.offset as usize;
            let padding = self.bytes.get(end..start).ok_or(err(Problem::Truncated))?;
            if padding.iter().any(|&byte| byte != 0) {
                return Err(err(Problem::Padding));
            }
            end = usize::try_from(record.len)
                .ok()
                .and_then(|len| start.checked_add(len))
                .filter(|&end| end <= self.bytes.len())
                .ok_or(err(Problem::Truncated))?;
        }
        if end == self.bytes.len() { Ok(()) } else { Err(at.header(Problem::Length)) }
    }

    fn record(&self, index: usize) -> Option<SectionRecord> {
        let start = HEADER_LEN * (index + 1);
        SectionRecord::read_from_bytes(self.bytes.get(start..start + HEADER_LEN)?).ok()
    }

    /// All sections in file order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let container = *self;
        (0..self.count).filter_map(move |index| {
            let record = container.record(index)?;
            let start = record.offset as usize;
            Some(Section {
                ordinal: index as u32,
                kind: SectionKind(record.kind),
                required: record.flags & REQUIRED != 0,
                align_log2: record.align_log2,
                bytes: container.bytes.get(start..start.checked_add(record.len as usize)?)?,
                crc: record.crc,
            })
        })
    }

    /// The first section of this kind.
    pub fn find(&self, kind: SectionKind) -> Option<Section<'a>> {
        self.sections().find(|section| section.kind == kind)
    }

    /// Refuses required sections of kinds that are not in `known`.
    ///
    /// # Errors
    /// [`Problem::RequiredSection`] with the first such section.
    pub fn refuse_unknown(&self, known: &[SectionKind]) -> Result<(), OpenError> {
        match self.sections().find(|s| s.required && !known.contains(&s.kind)) {
            None => Ok(()),
            Some(section) => Err(At::FILE.err(
                Table::Sections,
                section.ordinal,
                Problem::RequiredSection(section.kind.0),
            )),
        }
    }

    /// Compares every section with its checksum.
    ///
    /// # Errors
    /// [`Problem::Checksum`] with the first damaged section.
    pub fn verify(&self) -> Result<(), OpenError> {
        self.sections().try_for_each(|section| section.verify())
    }
}

/// A section to be written.
#[derive(Clone, Copy, Debug)]
pub struct SectionSpec<'a> {
    /// What it holds.
    pub kind: SectionKind,
    /// Whether readers that do not know the kind must refuse the file.
    pub required: bool,
    /// Two to this power divides its offset: 2 to 16.
    pub align_log2: u16,
    /// The content.
    pub bytes: &'a [u8],
}

/// Why a container cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerError {
    /// More than [`MAX_SECTIONS`] sections, or lengths beyond what can be addressed.
    TooLarge,
    /// A section's alignment is not 2 to 16.
    Alignment(u16),
    /// The output has another length than the content needs.
    OutputLength,
    /// The keys of properties do not ascend.
    Keys,
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("too many or too large sections"),
            Self::Alignment(log2) => write!(f, "sections cannot be aligned to 2^{log2}"),
            Self::OutputLength => f.write_str("the output buffer has the wrong length"),
            Self::Keys => f.write_str("the keys of properties do not ascend"),
        }
    }
}

impl core::error::Error for ContainerError {}

/// Bytes of a container with these sections.
///
/// # Errors
/// See [`ContainerError`].
pub fn container_len(sections: &[SectionSpec]) -> Result<usize, ContainerError> {
    if sections.len() > MAX_SECTIONS as usize {
        return Err(ContainerError::TooLarge);
    }
    let mut end = HEADER_LEN * (sections.len() + 1);
    for section in sections {
        if !(2..=16).contains(&section.align_log2) {
            return Err(ContainerError::Alignment(section.align_log2));
        }
        end = align_up(end as u64, section.align_log2)
            .and_then(|start| usize::try_from(start).ok())
            .and_then(|start| start.checked_add(section.bytes.len()))
            .ok_or(ContainerError::TooLarge)?;
    }
    Ok(end)
}

/// Writes a container over the whole of `out`, whose length is [`container_len`].
///
/// # Errors
/// See [`ContainerError`].
pub fn write_container(
    kind: FileKind,
    sections: &[SectionSpec],
    out: &mut [u8],
) -> Result<(), ContainerError> {
    if container_len(sections)? != out.len() {
        return Err(ContainerError::OutputLength);
    }
    out.fill(0);
    let mut end = HEADER_LEN * (sections.len() + 1);
    for (index, section) in sections.iter().enumerate() {
        let start =
            align_up(end as u64, section.align_log2).ok_or(ContainerError::TooLarge)? as usize;
        end = start + section.bytes.len();
        out[start..end].copy_from_slice(section.bytes);
        let record = SectionRecord {
            kind: section.kind.0,
            flags: if section.required { REQUIRED } else { 0 },
            align_log2: section.align_log2,
            offset: start as u64,
            len: section.bytes.len() as u64,
            reserved: 0,
            crc: crc32(section.bytes),
        };
        let at = HEADER_LEN * (index + 1);
        out[at..at + HEADER_LEN].copy_from_slice(record.as_bytes());
    }
    let mut header = HeaderRecord {
        magic: MAGIC,
        kind: kind as u16,
        version: FORMAT_VERSION,
        semantics: SEMANTICS,
        file_len: out.len() as u64,
        sections: sections.len() as u32,
        crc: 0,
    };
    out[..HEADER_LEN].copy_from_slice(header.as_bytes());
    header.crc = header_crc(out).ok_or(ContainerError::OutputLength)?;
    out[..HEADER_LEN].copy_from_slice(header.as_bytes());
    Ok(())
}

/// The checksum that belongs into the header of `bytes`, of which it reads only the number of
/// sections; `None` when the section table is cut off.
pub fn header_crc(bytes: &[u8]) -> Option<u32> {
    let (header, rest) = HeaderRecord::read_from_prefix(bytes).ok()?;
    let table = rest.get(..(header.sections as usize).checked_mul(HEADER_LEN)?)?;
    Some(crc32_extend(crc32(&bytes[..HEADER_LEN - 4]), table))
}

/// The next multiple of `2^log2`.
pub(crate) fn align_up(at: u64, log2: u16) -> Option<u64> {
    let mask = 1u64.checked_shl(u32::from(log2))? - 1;
    Some(at.checked_add(mask)? & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ([u8; 224], usize) {
        let sections = [
            SectionSpec { kind: SectionKind::GRAPH, required: true, align_log2: 4, bytes: b"add" },
            SectionSpec {
                kind: SectionKind::WEIGHTS,
                required: true,
                align_log2: 6,
                bytes: &[7; 9],
            },
            SectionSpec { kind: SectionKind(999), required: false, align_log2: 2, bytes: b"" },
        ];
        let mut out = [0; 224];
        let len = container_len(&sections).unwrap();
        write_container(FileKind::Graph, &sections, &mut out[..len]).unwrap();
        (out, len)
    }

    #[test]
    fn round_trip() {
        let (out, len) = sample();
        let file = Container::open(&out[..len], FileKind::Graph).unwrap();
        file.verify().unwrap();
        assert_eq!(file.find(SectionKind::GRAPH).unwrap().bytes, b"add");
        assert_eq!(file.find(SectionKind::WEIGHTS).unwrap().bytes, [7; 9]);
        assert_eq!(file.sections().count(), 3);
        file.refuse_unknown(&[SectionKind::GRAPH, SectionKind::WEIGHTS]).unwrap();
        let error = file.refuse_unknown(&[SectionKind::GRAPH]).unwrap_err();
        assert_eq!(error.problem, Problem::RequiredSection(4));
        let error = Container::open(&out[..len], FileKind::Plan).unwrap_err();
        assert_eq!(error.problem, Problem::FileKind(1));
    }

    #[test]
    fn every_truncation_and_flip_is_noticed() {
        let (mut out, len) = sample();
        for cut in 0..len {
            assert!(Container::open(&out[..cut], FileKind::Graph).is_err(), "cut at {cut}");
        }
        for bit in 0..len * 8 {
            out[bit / 8] ^= 1 << (bit % 8);
            let read = Container::open(&out[..len], FileKind::Graph).and_then(|f| f.verify());
            assert!(read.is_err(), "bit {bit}");
            out[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
