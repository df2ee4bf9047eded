//! A plan: programs, what they have in common, and what is known about them.

use zerocopy::FromBytes;

use crate::container::{Container, FileKind, Section, SectionKind};
use crate::error::{At, OpenError, Problem, Table};
use crate::interface::Interface;
use crate::program::Program;
use crate::properties::Properties;
use crate::records::MemoryRecord;
use crate::vectors::Vectors;
use crate::{check, extents};

/// A plan that was checked. A copy costs as much as a few pointers.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    container: Container<'a>,
    interface: Interface<'a>,
    weights: &'a [u8],
    programs: u32,
}

const KNOWN: [SectionKind; 10] = [
    SectionKind::INTERFACE,
    SectionKind::TASK,
    SectionKind::PROGRAM,
    SectionKind::WEIGHTS,
    SectionKind::MEMORY,
    SectionKind::PROVENANCE,
    SectionKind::VECTORS,
    SectionKind::SEAL,
    SectionKind::FRONT,
    SectionKind::BACK,
];

impl<'a> Plan<'a> {
    /// Checks everything but the weights' content, once, in time linear in the file and without
    /// allocation. Nothing that a program with fixed sizes reads or writes lies out of bounds or
    /// overlaps what else is in use; a program with symbolic sizes gets that proof from
    /// [`Plan::check_sizes`].
    ///
    /// # Errors
    /// The buffer is not 16-byte aligned, or the file is damaged, inconsistent, or needs a newer
    /// reader; see [`OpenError::is_unsupported`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let plan = Self::cut(bytes)?;
        plan.check()?;
        Ok(plan)
    }

    /// Looks again at bytes that [`Plan::open`] accepted, without repeating its checks.
    ///
    /// Bytes that it did not accept cause no undefined behaviour, but accessors then return
    /// nonsense.
    ///
    /// # Errors
    /// Some of those of [`Plan::open`].
    pub fn reopen(bytes: &'a [u8]) -> Result<Self, OpenError> {
        Self::cut(bytes)
    }

    fn cut(bytes: &'a [u8]) -> Result<Self, OpenError> {
        if !bytes.as_ptr().addr().is_multiple_of(crate::UNIT as usize) {
            return Err(At::FILE.header(Problem::Misaligned));
        }
        let container = Container::open(bytes, FileKind::Plan)?;
        container.refuse_unknown(&KNOWN)?;
        let interface = require(&container, SectionKind::INTERFACE)?;
        let weights = require(&container, SectionKind::WEIGHTS)?;
        Ok(Self {
            container,
            interface: Interface::cut(interface.at(), interface.bytes)?,
            weights: weights.bytes,
            programs: container.sections().filter(|s| s.kind == SectionKind::PROGRAM).count()
                as u32,
        })
    }

    fn check(&self) -> Result<(), OpenError> {
        self.check_sections()?;
        let weights = self.weights.len() as u64;
        for section in self.container.sections() {
            let (at, bytes) = (section.at(), section.bytes);
            match section.kind {
                SectionKind::INTERFACE => self.interface.check(at)?,
                SectionKind::TASK | SectionKind::PROVENANCE => {
                    Properties::cut(at, bytes)?.check(at)?;
                }
                SectionKind::VECTORS => Vectors::cut(at, bytes)?.check(at, self.programs)?,
                SectionKind::PROGRAM => {
                    let program = Program::cut(at, bytes)?;
                    check::check(&program, at, weights)?;
                    if !program.is_dynamic() {
                        extents::check(&program, at, &[], weights)?;
                    }
                    self.interface.check_program(&program, at)?;
                }
                SectionKind::FRONT | SectionKind::BACK => {
                    let stage = Self::cut(bytes)?;
                    // Stages have none of their own, so that this does not go deeper.
                    if stage.front().is_some() || stage.back().is_some() {
                        return Err(at.header(Problem::Value(section.kind.0)));
                    }
                    stage.check()?;
                }
                _ => {}
            }
        }
        self.check_memory()
    }

    /// Alignments, checksums, and at most one section of each kind but programs.
    fn check_sections(&self) -> Result<(), OpenError> {
        let mut seen = 0u32;
        for section in self.container.sections() {
            let at = section.at();
            if KNOWN.contains(&section.kind) {
                let needed = if section.kind == SectionKind::SEAL { 2 } else { 4 };
                if section.align_log2 < needed {
                    return Err(at.header(Problem::Alignment(section.align_log2)));
                }
                let bit = 1 << section.kind.0;
                if seen & bit != 0 && section.kind != SectionKind::PROGRAM {
                    return Err(at.header(Problem::Twice));
                }
                seen |= bit;
            }
            if section.kind != SectionKind::WEIGHTS {
                section.verify()?;
            }
        }
        if self.programs == 0 {
            return Err(At::FILE.header(Problem::Missing(SectionKind::PROGRAM)));
        }
        Ok(())
    }

    fn check_memory(&self) -> Result<(), OpenError> {
        let Some(section) = self.container.find(SectionKind::MEMORY) else { return Ok(()) };
        let at = section.at();
        let records = memory_records(&section).ok_or(at.header(Problem::Length))?;
        if records.len() != self.programs as usize {
            return Err(at.header(Problem::Length));
        }
        for (index, (record, program)) in records.iter().zip(self.programs()).enumerate() {
            let stack = program.function(0).map_or(0, |f| f.stack_bytes());
            let scratch = program.functions().map(|f| f.scratch_bytes()).max().unwrap_or(0);
            let exact = record.arena == stack
                && record.state == program.state_bytes()
                && record.scratch == scratch
                && record.align == program.align()
                && record.lower_bound <= record.arena
                && record.weights <= self.weights.len() as u64;
            if !exact {
                return Err(at.err(Table::Memory, index, Problem::Value(index as u32)));
            }
        }
        Ok(())
    }

    /// The bytes of the plan that turns what a user has into the model's inputs.
    pub fn front(&self) -> Option<&'a [u8]> {
        self.container.find(SectionKind::FRONT).map(|section| section.bytes)
    }

    /// The bytes of the plan that turns the model's outputs into an answer.
    pub fn back(&self) -> Option<&'a [u8]> {
        self.container.find(SectionKind::BACK).map(|section| section.bytes)
    }

    /// Compares the weights with their checksum: at flash time, or whenever they may have decayed.
    ///
    /// # Errors
    /// [`Problem::Checksum`].
    pub fn verify(&self) -> Result<(), OpenError> {
        require(&self.container, SectionKind::WEIGHTS)?.verify()
    }

    /// The file's sections, those of unknown kinds included.
    pub fn container(&self) -> &Container<'a> {
        &self.container
    }

    /// Inputs and outputs as the author names them.
    pub fn interface(&self) -> &Interface<'a> {
        &self.interface
    }

    /// Constant data that programs point into.
    pub fn weights(&self) -> &'a [u8] {
        self.weights
    }

    /// Labels, roles, thresholds.
    pub fn task(&self) -> Option<Properties<'a>> {
        let section = self.container.find(SectionKind::TASK)?;
        Properties::cut(section.at(), section.bytes).ok()
    }

    /// Where the plan comes from.
    pub fn provenance(&self) -> Option<Properties<'a>> {
        let section = self.container.find(SectionKind::PROVENANCE)?;
        Properties::cut(section.at(), section.bytes).ok()
    }

    /// Known inputs with their outputs.
    pub fn vectors(&self) -> Option<Vectors<'a>> {
        let section = self.container.find(SectionKind::VECTORS)?;
        Vectors::cut(section.at(), section.bytes).ok()
    }

    /// What each program needs, when the plan says so.
    pub fn memory(&self) -> &'a [MemoryRecord] {
        let section = self.container.find(SectionKind::MEMORY);
        section.and_then(|section| memory_records(&section)).unwrap_or(&[])
    }

    /// Number of programs, at least one.
    pub fn program_count(&self) -> usize {
        self.programs as usize
    }

    /// The programs in file order.
    pub fn programs(&self) -> impl Iterator<Item = Program<'a>> + use<'a> {
        let sections = self.container.sections().filter(|s| s.kind == SectionKind::PROGRAM);
        sections.filter_map(|section| Program::cut(section.at(), section.bytes).ok())
    }

    /// The program with this number.
    pub fn program(&self, index: usize) -> Option<Program<'a>> {
        self.programs().nth(index)
    }

    /// Checks a program with symbolic sizes at these values of its expressions (see
    /// [`Program::evaluate`]): every tensor fits what holds it, pieces fill what they make up, and
    /// no step writes what it reads. A runtime asks it once per set of shapes.
    ///
    /// # Errors
    /// As [`Plan::open`]; the ordinal is the program's number here.
    pub fn check_sizes(&self, program: usize, values: &[i64]) -> Result<(), OpenError> {
        let at = At { section: Some(SectionKind::PROGRAM), ordinal: program as u32 };
        let program = self.program(program).ok_or(at.header(Problem::Range(at.ordinal)))?;
        extents::check(&program, at, values, self.weights.len() as u64)
    }
}

fn require<'a>(container: &Container<'a>, kind: SectionKind) -> Result<Section<'a>, OpenError> {
    container.find(kind).ok_or(At::FILE.header(Problem::Missing(kind)))
}

fn memory_records<'a>(section: &Section<'a>) -> Option<&'a [MemoryRecord]> {
    <[MemoryRecord]>::ref_from_bytes(section.bytes).ok()
}
