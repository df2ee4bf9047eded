//! Why bytes are not a plan that this reader can use.

use core::fmt;

use crate::SectionKind;

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenError {
    /// The section; `None` for the file's header and section table.
    pub section: Option<SectionKind>,
    /// The section's place in the section table.
    pub ordinal: u32,
    /// The table inside the section.
    pub table: Table,
    /// The entry of the table.
    pub index: u32,
    /// What is wrong with it.
    pub problem: Problem,
}

impl OpenError {
    /// Whether the file may be sound but asks for more than this reader offers.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.problem,
            Problem::Version(_)
                | Problem::Semantics(_)
                | Problem::RequiredSection(_)
                | Problem::Flags(_)
                | Problem::Opcode(_)
                | Problem::Layout(_)
                | Problem::TooLarge
                | Problem::Work
        )
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            None => f.write_str("file")?,
            Some(kind) => write!(f, "section {} ({kind})", self.ordinal)?,
        }
        if self.table != Table::Header {
            write!(f, ", {} {}", self.table.name(), self.index)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl core::error::Error for OpenError {}

/// The tables that files and sections hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Table {
    Header,
    Sections,
    Strings,
    Symbols,
    Exprs,
    Dims,
    Quants,
    Kernels,
    Functions,
    States,
    Tensors,
    Steps,
    Lists,
    Records,
    Ports,
    Axes,
    Profiles,
    Properties,
    Values,
    Vectors,
    Data,
    Memory,
}

impl Table {
    /// The name of one entry, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Sections => "section",
            Self::Strings => "string",
            Self::Symbols => "symbol",
            Self::Exprs => "expression",
            Self::Dims => "dimension",
            Self::Quants => "quantization",
            Self::Kernels => "kernel",
            Self::Functions => "function",
            Self::States => "state",
            Self::Tensors => "tensor",
            Self::Steps => "step",
            Self::Lists => "list entry",
            Self::Records => "record byte",
            Self::Ports => "port",
            Self::Axes => "axis name",
            Self::Profiles => "profile",
            Self::Properties => "property",
            Self::Values => "value",
            Self::Vectors => "vector",
            Self::Data => "data byte",
            Self::Memory => "memory record",
        }
    }
}

/// What can be wrong. Numbers are those found in the file unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The buffer does not start at a multiple of 16; copy it to an aligned one
    /// ([`crate::Unit::copy_from`]) or place it with [`crate::Aligned`].
    Misaligned,
    /// The bytes end before the structure does.
    Truncated,
    /// The first eight bytes are not Embarca's.
    Magic,
    /// The file is of another kind than the one asked for.
    FileKind(u16),
    /// A newer format version.
    Version(u16),
    /// A different meaning of numbers.
    Semantics(u32),
    /// The header's length is not the number of bytes given.
    Length,
    /// A checksum does not match.
    Checksum,
    /// A section's alignment is not one of 4 to 65536, or the kind needs more.
    Alignment(u16),
    /// A section or table is not at the place that the order and alignment give.
    Place,
    /// Padding or a reserved field is not zero.
    Padding,
    /// A required section of a kind that this reader does not know.
    RequiredSection(u32),
    /// A section that must be there exactly once is missing.
    Missing(SectionKind),
    /// A section that may be there once is there again.
    Twice,
    /// Flag bits without a meaning.
    Flags(u32),
    /// A string is not UTF-8 or its end lies before its start.
    Text,
    /// An index or range goes beyond its table; the value found.
    Range(u32),
    /// Entries are not in the order the format asks for.
    Order,
    /// A value outside the set or range that its field allows.
    Value(u32),
    /// No element type has this number, or it has no fixed size.
    DType(u8),
    /// A rank above 8, or one that does not fit its counterpart.
    Rank(u8),
    /// A physical layout that this reader does not know.
    Layout(u16),
    /// A tensor's storage does not fit the program, or a storage number without a meaning.
    Storage(u8),
    /// Symbolic dimensions where only fixed ones may be.
    Symbolic,
    /// 2^31 elements or more, or sizes beyond 64 bits.
    TooLarge,
    /// The tensor's bytes go beyond what holds them.
    Bounds,
    /// The tensor is used outside the positions between which it lives.
    Lifetime,
    /// The step reads this tensor before any step has written it.
    ReadBeforeWritten(u32),
    /// The step writes this tensor, which is not its to write or is written elsewhere.
    NotWritable(u32),
    /// A tensor names a writer that does not write it.
    NotWritten,
    /// The bytes overlap those of this tensor while both are in use.
    Overlap(u32),
    /// Joined pieces do not lie side by side in the joined tensor.
    NotJoined(u32),
    /// A reserved opcode that this reader does not know, or one missing from the kernel list.
    Opcode(u16),
    /// The number of inputs, outputs or record words does not fit the opcode.
    Arity,
    /// Texts are named so often that a reader's copies would be much larger than the file.
    Repeats,
    /// A called function does not exist or does not come after its caller.
    Callee(u32),
    /// An argument or result differs in type from its counterpart, the tensor named here.
    Mismatch(u32),
    /// The check would take more comparisons than [`crate::WORK_PER_BYTE`] allows.
    Work,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Misaligned => f.write_str(
                "the buffer must start at a multiple of 16 bytes; copy it to one that does",
            ),
            Self::Truncated => f.write_str("the bytes end too early"),
            Self::Magic => f.write_str("these are not the first bytes of an Embarca file"),
            Self::FileKind(kind) => write!(f, "the file is of kind {kind}, not the one asked for"),
            Self::Version(version) => write!(
                f,
                "format version {version} is newer than {}; use a newer Embarca or build again",
                crate::FORMAT_VERSION
            ),
            Self::Semantics(id) => {
                write!(f, "numbers mean {id} here, this reader knows {}", crate::SEMANTICS)
            }
            Self::Length => f.write_str("the length in the header is not the file's"),
            Self::Checksum => f.write_str("the checksum does not match: the bytes are damaged"),
            Self::Alignment(log2) => write!(f, "alignment 2^{log2} is not allowed here"),
            Self::Place => f.write_str("it is not where order and alignment put it"),
            Self::Padding => f.write_str("padding or a reserved field is not zero"),
            Self::RequiredSection(kind) => {
                write!(f, "kind {kind} is required and unknown; use a newer Embarca")
            }
            Self::Missing(kind) => write!(f, "there is no {kind} section"),
            Self::Twice => f.write_str("there is already a section of this kind"),
            Self::Flags(bits) => write!(f, "flags {bits:#x} have no meaning here"),
            Self::Text => f.write_str("not UTF-8 text"),
            Self::Range(value) => write!(f, "{value} goes beyond its table"),
            Self::Order => f.write_str("out of order"),
            Self::Value(value) => write!(f, "{value} is not allowed here"),
            Self::DType(code) => write!(f, "element type {code} cannot be stored"),
            Self::Rank(rank) => write!(f, "rank {rank} does not fit"),
            Self::Layout(layout) => write!(f, "physical layout {layout} is unknown"),
            Self::Storage(kind) => write!(f, "storage {kind} does not fit here"),
            Self::Symbolic => f.write_str("dimensions must be fixed here"),
            Self::TooLarge => f.write_str("too large: a tensor has at most 2^31 - 1 elements"),
            Self::Bounds => f.write_str("the bytes go beyond what holds them"),
            Self::Lifetime => f.write_str("used outside the positions between which it lives"),
            Self::ReadBeforeWritten(tensor) => write!(f, "tensor {tensor} is read before written"),
            Self::NotWritable(tensor) => write!(f, "tensor {tensor} may not be written here"),
            Self::NotWritten => f.write_str("the step named as its writer does not write it"),
            Self::Overlap(tensor) => write!(f, "overlaps tensor {tensor} while both are in use"),
            Self::NotJoined(tensor) => write!(f, "piece {tensor} is not in its place"),
            Self::Opcode(opcode) => {
                write!(f, "opcode {opcode:#06x} is unknown or not in the kernel list")
            }
            Self::Arity => f.write_str("the number of inputs, outputs or words is wrong"),
            Self::Repeats => f.write_str("the same texts are named too often"),
            Self::Callee(function) => write!(f, "function {function} cannot be called from here"),
            Self::Mismatch(tensor) => write!(f, "differs in type from tensor {tensor}"),
            Self::Work => f.write_str("the program is too entangled to check in linear time"),
        }
    }
}

/// A section under examination: makes errors that name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub section: Option<SectionKind>,
    pub ordinal: u32,
}

impl At {
    pub const FILE: Self = Self { section: None, ordinal: 0 };

    pub fn err(self, table: Table, index: impl TryInto<u32>, problem: Problem) -> OpenError {
        let index = index.try_into().unwrap_or(u32::MAX);
        OpenError { section: self.section, ordinal: self.ordinal, table, index, problem }
    }

    pub fn header(self, problem: Problem) -> OpenError {
        self.err(Table::Header, 0u32, problem)
    }
}
