//! The program of a microcontroller, and the lean way to it.
//!
//! A plan for a microcontroller has a device section instead of program sections. [`Device::open`]
//! is all that a board links to read it, and what a host asks too: both accept the same files.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::container::{FORMAT_VERSION, FileKind, MAGIC, SEMANTICS, SectionKind};
use crate::family::Family;
use crate::records::NONE;

/// The head of the device section. [`PortRecord`](DevicePort)s of inputs and outputs,
/// [`DeviceState`]s and the steps follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DeviceRecord {
    /// A [`Family`].
    pub family: u16,
    /// The arena starts at a multiple of two to this power, 2 to 4.
    pub align_log2: u16,
    /// Bytes of the arena: states, tensors, scratch.
    pub arena: u32,
    /// Inputs.
    pub inputs: u16,
    /// Outputs.
    pub outputs: u16,
    /// States.
    pub states: u32,
    /// Steps.
    pub steps: u32,
}

/// An input or output: where it lies in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DevicePort {
    /// A `DType`.
    pub dtype: u32,
    /// First byte in the arena, a multiple of the size of an element.
    pub at: u32,
    /// Bytes.
    pub len: u32,
}

/// A part of the arena that keeps its content from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DeviceState {
    /// First byte in the arena.
    pub at: u32,
    /// Bytes.
    pub len: u32,
    /// First byte of the initial content in the weights; [`NONE`] for zeros.
    pub initial: u32,
}

/// Why bytes are not a program for a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceFault {
    /// Not a plan, or cut off.
    File = 32,
    /// A newer format, or a section that this reader does not know and must.
    Version = 33,
    /// The header, the section table or the device section is damaged.
    Damaged = 34,
    /// No device section.
    NoProgram = 35,
    /// The device section contradicts itself.
    Program = 36,
    /// The plan does not start at a multiple of 16.
    Alignment = 37,
}

impl DeviceFault {
    /// A sentence fragment for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::File => "the file is no plan or is cut off",
            Self::Version => "the plan is newer than this reader",
            Self::Damaged => "the plan is damaged",
            Self::NoProgram => "the plan has no program for a microcontroller",
            Self::Program => "the program contradicts itself",
            Self::Alignment => "the plan does not lie at a multiple of 16 bytes",
        }
    }
}

/// A step: its number and record.
#[derive(Clone, Copy, Debug)]
pub struct DeviceStep<'a> {
    /// See `embarca_kernels::device::opcode`.
    pub opcode: u16,
    /// The parameter record.
    pub record: &'a [u32],
}

/// A device program, borrowed from a plan.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    record: &'a DeviceRecord,
    ports: &'a [DevicePort],
    states: &'a [DeviceState],
    steps: &'a [u32],
    weights: &'a [u8],
}

const WORDS: usize = 8;

impl<'a> Device<'a> {
    /// The program of a plan. The weights are not compared with their checksum.
    ///
    /// # Errors
    /// See [`DeviceFault`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, DeviceFault> {
        if !bytes.as_ptr().addr().is_multiple_of(16) {
            return Err(DeviceFault::Alignment);
        }
        let Some((head, entries)) = bytes.split_at_checked(32) else {
            return Err(DeviceFault::File);
        };
        let head = <[u32; WORDS]>::ref_from_bytes(head).map_err(|_| DeviceFault::File)?;
        let [magic0, magic1, kind, semantics, len, len_high, count, crc] = *head;
        let magic = u64::from(magic1) << 32 | u64::from(magic0);
        if magic != u64::from_le_bytes(MAGIC) || kind as u16 != FileKind::Plan as u16 {
            return Err(DeviceFault::File);
        }
        if kind >> 16 != u32::from(FORMAT_VERSION) || semantics != SEMANTICS {
            return Err(DeviceFault::Version);
        }
        if len_high != 0 || len as usize != bytes.len() {
            return Err(DeviceFault::File);
        }
        let table = (count as usize).checked_mul(32).and_then(|len| entries.get(..len));
        let table = table.ok_or(DeviceFault::File)?;
        let sum = bytes.get(..28).map_or(0, |head| small_crc(head, !0));
        if !small_crc(table, sum) != crc {
            return Err(DeviceFault::Damaged);
        }
        let mut end = 32 + table.len();
        let (mut program, mut weights) = (None, &bytes[..0]);
        for entry in table.chunks_exact(32) {
            let entry = <[u32; WORDS]>::ref_from_bytes(entry).map_err(|_| DeviceFault::File)?;
            let [kind, flags, at, at_high, len, len_high, reserved, crc] = *entry;
            let align = flags >> 16;
            let pad = (at as usize).wrapping_sub(end);
            let tidy = flags & 0xfffe == 0
                && (2..=16).contains(&align)
                && (at_high | len_high | reserved) == 0
                && at & ((1 << (align & 31)) - 1) == 0
                && pad < 1 << (align & 31);
            let gap = bytes.get(end..).and_then(|rest| rest.get(..pad)).filter(|_| tidy);
            let gap = gap.ok_or(DeviceFault::Damaged)?;
            let content = bytes.get(at as usize..).and_then(|rest| rest.get(..len as usize));
            let content = content.ok_or(DeviceFault::Damaged)?;
            if gap.iter().any(|&byte| byte != 0) {
                return Err(DeviceFault::Damaged);
            }
            end = at as usize + content.len();
            match SectionKind(kind) {
                SectionKind::DEVICE => {
                    if !small_crc(content, !0) != crc {
                        return Err(DeviceFault::Damaged);
                    }
                    program = Some(content);
                }
                SectionKind::WEIGHTS => weights = content,
                SectionKind::INTERFACE => {}
                _ if flags & 1 != 0 => return Err(DeviceFault::Version),
                _ => {}
            }
        }
        if end != bytes.len() {
            return Err(DeviceFault::Damaged);
        }
        Self::parse(program.ok_or(DeviceFault::NoProgram)?, weights).ok_or(DeviceFault::Program)
    }

    fn parse(section: &'a [u8], weights: &'a [u8]) -> Option<Self> {
        let (record, rest) = DeviceRecord::ref_from_prefix(section).ok()?;
        let ports = usize::from(record.inputs) + usize::from(record.outputs);
        let (ports, rest) = <[DevicePort]>::ref_from_prefix_with_elems(rest, ports).ok()?;
        let states = record.states as usize;
        let (states, rest) = <[DeviceState]>::ref_from_prefix_with_elems(rest, states).ok()?;
        let steps = <[u32]>::ref_from_bytes(rest).ok()?;
        let fits =
            |at: u32, len: u32, all: u32| all.checked_sub(at).is_some_and(|rest| len <= rest);
        let sound = 2 <= record.align_log2
            && record.align_log2 <= 4
            && ports.iter().all(|port| {
                let size = u8::try_from(port.dtype).ok().and_then(embarca_num::DType::from_code);
                size.is_some_and(|dtype| (port.at as usize).is_multiple_of(dtype.size().max(1)))
                    && fits(port.at, port.len, record.arena)
            })
            && states.iter().all(|state| {
                let whole = u32::try_from(weights.len()).unwrap_or(u32::MAX);
                fits(state.at, state.len, record.arena)
                    && (state.initial == NONE || fits(state.initial, state.len, whole))
            });
        let device = Self { record, ports, states, steps, weights };
        let mut at = device.steps();
        let counted = at.by_ref().count();
        (sound && counted == record.steps as usize && at.rest.is_empty()).then_some(device)
    }

    /// The kind of machine.
    pub fn family(&self) -> Family {
        Family(self.record.family)
    }

    /// Bytes of the arena.
    pub fn arena(&self) -> usize {
        self.record.arena as usize
    }

    /// What the start of the arena is a multiple of.
    pub fn align(&self) -> usize {
        1 << (self.record.align_log2 & 15)
    }

    /// The inputs.
    pub fn inputs(&self) -> &'a [DevicePort] {
        self.ports.get(..usize::from(self.record.inputs)).unwrap_or_default()
    }

    /// The outputs.
    pub fn outputs(&self) -> &'a [DevicePort] {
        self.ports.get(usize::from(self.record.inputs)..).unwrap_or_default()
    }

    /// What keeps its content from run to run.
    pub fn states(&self) -> &'a [DeviceState] {
        self.states
    }

    /// The initial content of a state; `None` for zeros.
    pub fn initial(&self, state: &DeviceState) -> Option<&'a [u8]> {
        self.weights.get(state.initial as usize..)?.get(..state.len as usize)
    }

    /// Weights and other constants.
    pub fn weights(&self) -> &'a [u8] {
        self.weights
    }

    /// The steps in the order of execution.
    pub fn steps(&self) -> DeviceSteps<'a> {
        DeviceSteps { rest: self.steps }
    }
}

/// The steps of a device program: for each one word, the number below and the words of the record
/// above, and the record.
#[derive(Clone, Debug)]
pub struct DeviceSteps<'a> {
    rest: &'a [u32],
}

impl<'a> Iterator for DeviceSteps<'a> {
    type Item = DeviceStep<'a>;

    #[inline]
    fn next(&mut self) -> Option<DeviceStep<'a>> {
        let (&head, rest) = self.rest.split_first()?;
        let (record, rest) = rest.split_at_checked((head >> 16) as usize)?;
        self.rest = rest;
        Some(DeviceStep { opcode: head as u16, record })
    }
}

/// CRC-32 as [`crate::crc32`], by halves of bytes: a table of 64 bytes instead of 1024. Takes and
/// yields the inverted sum.
fn small_crc(bytes: &[u8], crc: u32) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    bytes.iter().fold(crc, |crc, &byte| {
        let crc = crc ^ u32::from(byte);
        let crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        crc >> 4 ^ TABLE[(crc & 15) as usize]
    })
}
