//! The portable graph file, `*.emb`: one container with the graph's text, its weights and what
//! people need to know. `embarca_plan` defines the container.
//!
//! - Section `graph`: the text of [`crate::text`], UTF-8, without labels and the like.
//! - Section `meta`: what [`crate::text::print_meta`] writes; left out when there is nothing.
//! - Section `weights`: what `@n` stands for in the text. First the number of blobs, then offset (from
//!   the start of the section) and length of each, all `u64`, little-endian; then the blobs in this
//!   order, each at the next multiple of 64, with zeros between. The section itself begins at a
//!   multiple of 64.

use std::fmt;
use std::sync::Arc;

use embarca_plan::{Container, FileKind, OpenError, SectionKind, SectionSpec};
use embarca_plan::{container_len, write_container};

use crate::model::{Meta, Model};
use crate::text::{self, TextError};
use crate::verify::{VerifyError, verify};

const ALIGN_LOG2: u16 = 6;
const ALIGN: usize = 1 << ALIGN_LOG2;
const KNOWN: [SectionKind; 3] = [SectionKind::GRAPH, SectionKind::META, SectionKind::WEIGHTS];

/// Bounds on what a file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub file: usize,
    /// Bytes of the text sections together; reading takes a small multiple of it as memory.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file: 1 << 32, text: 1 << 26 }
    }
}

/// Why a file is no sound model, or a model cannot be written.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbError {
    /// The file is larger than allowed.
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The container is damaged, of another kind or newer than this program.
    Container(OpenError),
    /// A section is missing or is not what it should be.
    Section(SectionKind, &'static str),
    /// A text section cannot be parsed.
    Text(SectionKind, TextError),
    /// The model contradicts itself.
    Unsound(VerifyError),
}

impl fmt::Display for EmbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, bytes, limit } => {
                write!(f, "the {what} has {bytes} bytes, more than the limit of {limit}")
            }
            Self::Container(error) => write!(f, "{error}"),
            Self::Section(kind, message) => write!(f, "section {kind}: {message}"),
            Self::Text(kind, error) => write!(f, "section {kind}, {error}"),
            Self::Unsound(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for EmbError {}

impl From<OpenError> for EmbError {
    fn from(error: OpenError) -> Self {
        Self::Container(error)
    }
}

/// Whether bytes claim to be a portable graph.
pub fn is_emb(bytes: &[u8]) -> bool {
    Container::kind(bytes) == Some(FileKind::Graph)
}

/// The file of a model. The same model yields the same bytes on every machine.
///
/// # Errors
/// When the model is not sound: what is written can be read.
pub fn write(model: &Model) -> Result<Vec<u8>, EmbError> {
    verify(model).map_err(EmbError::Unsound)?;
    let printed = text::print_graphs(model);
    let meta = text::print_meta(&model.meta);
    let weights = join(&printed.blobs);
    let section = |kind, bytes| SectionSpec { kind, required: true, align_log2: ALIGN_LOG2, bytes };
    let mut sections = vec![section(SectionKind::GRAPH, printed.text.as_bytes())];
    if !meta.is_empty() {
        sections.push(section(SectionKind::META, meta.as_bytes()));
    }
    sections.push(section(SectionKind::WEIGHTS, &weights));
    let too_large =
        |_| EmbError::TooLarge { what: "model", bytes: weights.len(), limit: usize::MAX };
    let mut file = vec![0; container_len(&sections).map_err(too_large)?];
    write_container(FileKind::Graph, &sections, &mut file).map_err(too_large)?;
    Ok(file)
}

/// The model of a file, verified.
///
/// # Errors
/// When the file is damaged or hostile.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Model, EmbError> {
    let within = |what, bytes: usize, limit: usize| {
        if limit < bytes { Err(EmbError::TooLarge { what, bytes, limit }) } else { Ok(()) }
    };
    within("file", bytes.len(), limits.file)?;
    let file = Container::open(bytes, FileKind::Graph)?;
    file.refuse_unknown(&KNOWN)?;
    for kind in KNOWN {
        if 1 < file.sections().filter(|section| section.kind == kind).count() {
            return Err(EmbError::Section(kind, "there are several"));
        }
    }
    file.verify()?;
    let text_of = |kind| {
        let Some(section) = file.find(kind) else { return Ok(None) };
        let text = std::str::from_utf8(section.bytes);
        text.map(Some).map_err(|_| EmbError::Section(kind, "it is not UTF-8"))
    };
    let missing = |kind| move || EmbError::Section(kind, "it is missing");
    let graph = text_of(SectionKind::GRAPH)?.ok_or_else(missing(SectionKind::GRAPH))?;
    let meta = text_of(SectionKind::META)?.unwrap_or_default();
    within("text", graph.len().saturating_add(meta.len()), limits.text)?;
    let weights = file.find(SectionKind::WEIGHTS).ok_or_else(missing(SectionKind::WEIGHTS))?;
    let blobs = split(weights.bytes).map_err(|m| EmbError::Section(SectionKind::WEIGHTS, m))?;
    let mut model =
        text::parse(graph, &blobs).map_err(|error| EmbError::Text(SectionKind::GRAPH, error))?;
    if model.meta != Meta::default() {
        return Err(EmbError::Section(SectionKind::GRAPH, "it holds what belongs into meta"));
    }
    model.meta =
        text::parse_meta(meta).map_err(|error| EmbError::Text(SectionKind::META, error))?;
    verify(&model).map_err(EmbError::Unsound)?;
    Ok(model)
}

/// The weights section.
fn join(blobs: &[Arc<[u8]>]) -> Vec<u8> {
    let mut offsets = Vec::with_capacity(blobs.len());
    let mut end = 8 + 16 * blobs.len();
    for blob in blobs {
        let start = end.next_multiple_of(ALIGN);
        offsets.push(start);
        end = start + blob.len();
    }
    let mut section = Vec::with_capacity(end);
    section.extend((blobs.len() as u64).to_le_bytes());
    for (offset, blob) in offsets.iter().zip(blobs) {
        section.extend((*offset as u64).to_le_bytes());
        section.extend((blob.len() as u64).to_le_bytes());
    }
    for (offset, blob) in offsets.iter().zip(blobs) {
        section.resize(*offset, 0);
        section.extend_from_slice(blob);
    }
    section
}

/// The blobs of a weights section, which is exactly what [`join`] makes.
fn split(section: &[u8]) -> Result<Vec<Arc<[u8]>>, &'static str> {
    const CUT: &str = "it is cut off";
    let (count, rest) = section.split_first_chunk::<8>().ok_or(CUT)?;
    let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| CUT)?;
    let (entries, _) = rest.as_chunks::<16>();
    let entries = entries.get(..count).ok_or(CUT)?;
    let mut blobs = Vec::with_capacity(count);
    let mut end = 8 + 16 * count;
    for entry in entries {
        let (offset, len) = entry.split_at(8);
        let number = |bytes: &[u8]| {
            let bytes = bytes.first_chunk::<8>().ok_or(CUT)?;
            usize::try_from(u64::from_le_bytes(*bytes)).map_err(|_| CUT)
        };
        let (offset, len) = (number(offset)?, number(len)?);
        if end.next_multiple_of(ALIGN) != offset {
            return Err("a blob is not at its place");
        }
        let padding = section.get(end..offset).ok_or(CUT)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err("there is something between the blobs");
        }
        end = offset.checked_add(len).ok_or(CUT)?;
        blobs.push(section.get(offset..end).ok_or(CUT)?.into());
    }
    if end == section.len() { Ok(blobs) } else { Err("there is something behind the blobs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, Random};
    use embarca_plan::header_crc;

    fn debug(model: &Model) -> String {
        // Not `==`: two NaN are the same here.
        format!("{model:?}")
    }

    #[test]
    fn models_come_back() {
        let models = (0..100).map(|seed| samples::random(seed, 12));
        for model in models.chain([samples::by_hand()]) {
            let file = write(&model).unwrap();
            assert!(is_emb(&file));
            assert_eq!(debug(&read(&file, Limits::default()).unwrap()), debug(&model));
            assert_eq!(write(&model).unwrap(), file);
        }
    }

    #[test]
    fn blobs_are_aligned() {
        let file = write(&samples::by_hand()).unwrap();
        let weights = Container::open(&file, FileKind::Graph).unwrap();
        let weights = weights.find(SectionKind::WEIGHTS).unwrap().bytes;
        let start = weights.as_ptr() as usize - file.as_ptr() as usize;
        assert_eq!(start % ALIGN, 0);
        let offsets = weights[8..].as_chunks::<16>().0[..6].iter();
        let offsets: Vec<u8> = offsets.map(|entry| entry[0] % ALIGN as u8).collect();
        assert_eq!(offsets, [0; 6]);
        // Equal contents are stored once.
        assert_eq!(split(weights).unwrap().len(), 6);
    }

    #[test]
    fn unsound_models_are_not_written() {
        let error = write(&samples::with_cycle()).unwrap_err();
        assert!(matches!(error, EmbError::Unsound(_)), "{error}");
    }

    #[test]
    fn limits_hold() {
        let file = write(&samples::by_hand()).unwrap();
        for (limits, message) in [
            (Limits { file: 100, ..Limits::default() }, "the file has"),
            (Limits { text: 100, ..Limits::default() }, "the text has"),
        ] {
            let error = read(&file, limits).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let file = write(&samples::by_hand()).unwrap();
        for len in 0..file.len() {
            assert!(read(&file[..len], Limits::default()).is_err(), "{len} bytes");
        }
    }

    /// With all checksums made right again.
    fn repaired(file: &mut [u8]) {
        let Some(count) = file.get(24..28).and_then(|bytes| bytes.first_chunk::<4>()) else {
            return;
        };
        for index in 0..u32::from_le_bytes(*count).min(16) as usize {
            let at = 32 * (index + 1);
            let Some(record) = file.get(at..at + 32) else { return };
            let number = |at: usize| {
                u64::from_le_bytes(*record[at..].first_chunk::<8>().unwrap_or(&[0; 8])) as usize
            };
            let (offset, len) = (number(8), number(16));
            let Some(content) = offset.checked_add(len).and_then(|end| file.get(offset..end))
            else {
                return;
            };
            let crc = crc32(content);
            file[at + 28..at + 32].copy_from_slice(&crc.to_le_bytes());
        }
        if let Some(crc) = header_crc(file) {
            file[28..32].copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// CRC-32 (IEEE 802.3), bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    #[test]
    fn flipped_bits_never_panic() {
        let file = write(&samples::by_hand()).unwrap();
        let mut same = file.clone();
        repaired(&mut same);
        assert_eq!(same, file, "the repair knows the checksums");
        let mut random = Random(1);
        let mut refused = 0;
        for _ in 0..2000 {
            let mut broken = file.clone();
            broken[random.below(file.len())] ^= 1 << random.below(8);
            assert!(read(&broken, Limits::default()).is_err());
            repaired(&mut broken);
            match read(&broken, Limits::default()) {
                Ok(model) => assert!(write(&model).is_ok()),
                Err(_) => refused += 1,
            }
        }
        assert!(500 < refused, "{refused}");
    }
}
