//! Any kernel on whole tensors, with the tensors described in the step's record.
//!
//! The record: [`GeneralHead`], the kernel's parameter record, then for each input and output a
//! [`TensorHead`] with its dimensions behind it.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Bytes, Frame, borrow};
use crate::{Call, Dst, Fault, Kernel, Needs, Signature, Src, Ty};

/// A step has at most this many inputs, and as many outputs.
pub const MOST_TENSORS: usize = 24;

/// [`TensorHead::place`]: the arena.
pub const ARENA: u8 = 0;
/// [`TensorHead::place`]: the constants.
pub const CONSTANTS: u8 = 1;
/// [`TensorHead::place`]: an optional input that is left out.
pub const ABSENT: u8 = 2;

/// The head of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GeneralHead {
    /// The kernel.
    pub opcode: u16,
    /// Number of inputs.
    pub inputs: u8,
    /// Number of outputs.
    pub outputs: u8,
    /// Words of the kernel's parameter record.
    pub words: u32,
    /// What the kernel says of these tensors: [`Needs::units`].
    pub units: u32,
    /// Offset of the scratch in the arena, a multiple of 16.
    pub scratch: u32,
    /// Bytes of it: [`Needs::scratch`].
    pub scratch_len: u32,
}

/// A tensor; its dimensions follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TensorHead {
    /// A [`DType`].
    pub dtype: u8,
    /// Number of dimensions.
    pub rank: u8,
    /// [`ARENA`], [`CONSTANTS`] or [`ABSENT`].
    pub place: u8,
    /// Zero.
    pub reserved: u8,
    /// First byte there; a multiple of the size of an element.
    pub at: u32,
}

const NO_TY: Ty<'static> = Ty { dtype: DType::I8, dims: &[] };

/// A tensor of the record.
#[derive(Clone, Copy)]
struct Tensor<'a> {
    ty: Ty<'a>,
    data: Data<'a>,
}

#[derive(Clone, Copy)]
enum Data<'a> {
    Arena(Bytes<'a>),
    Constants(&'a [u8]),
}

/// The tensors of a record, one after the other.
#[derive(Clone, Copy)]
struct Tensors<'a> {
    frame: Frame<'a>,
    words: &'a [u32],
}

impl<'a> Tensors<'a> {
    /// The next one; `None` for an input that is left out.
    #[inline(never)]
    fn take(&mut self) -> Result<Option<Tensor<'a>>, Fault> {
        let (head, rest) = take::<TensorHead>(self.words)?;
        let (dims, rest) = rest.split_at_checked(usize::from(head.rank)).ok_or(Fault::Record)?;
        self.words = rest;
        let dtype = DType::from_code(head.dtype).ok_or(Fault::Type)?;
        let ty = Ty { dtype, dims };
        let size = dtype.size();
        let len = size.checked_mul(ty.len()?).and_then(|len| u32::try_from(len).ok());
        let len = len.ok_or(Fault::TooLarge)?;
        if head.reserved != 0 || 8 < dims.len() || !(head.at as usize).is_multiple_of(size.max(1)) {
            return Err(Fault::Record);
        }
        let data = match head.place {
            ABSENT => return Ok(None),
            ARENA => Data::Arena(self.frame.arena(head.at, len)?),
            CONSTANTS => Data::Constants(self.frame.constants(head.at, len)?),
            _ => return Err(Fault::Record),
        };
        Ok(Some(Tensor { ty, data }))
    }

    /// The next one, which a step writes. Constants are bytes in flash: never written.
    fn take_output(&mut self) -> Result<(Ty<'a>, Bytes<'a>), Fault> {
        match self.take()? {
            Some(Tensor { ty, data: Data::Arena(bytes) }) => Ok((ty, bytes)),
            _ => Err(Fault::Record),
        }
    }

    /// The place of the next one in the arena; nothing for constants.
    fn take_place(&mut self) -> Result<Bytes<'a>, Fault> {
        match self.take()? {
            Some(Tensor { data: Data::Arena(bytes), .. }) => Ok(bytes),
            _ => Ok(&[]),
        }
    }
}

/// The parts of a record.
struct Parsed<'a> {
    head: &'a GeneralHead,
    record: &'a [u8],
    kernel: &'static Kernel,
    tensors: Tensors<'a>,
    scratch: Bytes<'a>,
}

/// Runs or checks the step with `find`, which knows the kernels of the firmware.
pub fn general(frame: &Frame<'_>, find: fn(u16) -> Option<&'static Kernel>) -> Result<(), Fault> {
    general_of::<MOST_TENSORS, MOST_TENSORS>(frame, find)
}

/// As [`general`], for steps of at most `I` inputs and `O` outputs: so much less stack.
pub fn general_of<const I: usize, const O: usize>(
    frame: &Frame<'_>,
    find: fn(u16) -> Option<&'static Kernel>,
) -> Result<(), Fault> {
    let (head, rest) = take::<GeneralHead>(frame.record)?;
    let kernel = find(head.opcode).ok_or(Fault::Record)?;
    if head.scratch % 16 != 0 {
        return Err(Fault::Record);
    }
    let (record, words) = rest.split_at_checked(head.words as usize).ok_or(Fault::Record)?;
    let scratch = frame.arena(head.scratch, head.scratch_len)?;
    let tensors = Tensors { frame: *frame, words };
    let parsed = Parsed { head, record: record.as_bytes(), kernel, tensors, scratch };
    if frame.dry { check::<I, O>(&parsed) } else { run::<I, O>(&parsed) }
}

#[inline(never)]
fn check<const I: usize, const O: usize>(parsed: &Parsed<'_>) -> Result<(), Fault> {
    let Parsed { head, record, kernel, mut tensors, scratch } = *parsed;
    let mut ins = [None; I];
    let ins = ins.get_mut(..usize::from(head.inputs)).ok_or(Fault::Arity)?;
    for slot in &mut *ins {
        *slot = tensors.take()?.map(|tensor| tensor.ty);
    }
    let mut outs = [NO_TY; O];
    let outs = outs.get_mut(..usize::from(head.outputs)).ok_or(Fault::Arity)?;
    for slot in &mut *outs {
        *slot = tensors.take_output()?.0;
    }
    if !tensors.words.is_empty() {
        return Err(Fault::Record);
    }
    let needs = Needs { units: head.units as usize, scratch: head.scratch_len as usize };
    if (kernel.check)(&Signature { record, inputs: ins, outputs: outs })? != needs {
        return Err(Fault::Record);
    }
    apart(parsed, scratch)
}

/// Outputs and scratch lie apart from each other and from the inputs.
#[inline(never)]
fn apart(parsed: &Parsed<'_>, scratch: Bytes<'_>) -> Result<(), Fault> {
    let (inputs, outputs) = (parsed.head.inputs, parsed.head.outputs);
    let (inputs, all) = (u16::from(inputs), u16::from(inputs) + u16::from(outputs));
    let mut first = parsed.tensors;
    for index in 0..all {
        let a = first.take_place()?;
        let mut second = first;
        for other in index + 1..all {
            // Inputs may lie where other inputs lie.
            if overlap(a, second.take_place()?) && inputs <= other {
                return Err(Fault::Shape);
            }
        }
        if overlap(a, scratch) {
            return Err(Fault::Shape);
        }
    }
    Ok(())
}

fn overlap(a: Bytes<'_>, b: Bytes<'_>) -> bool {
    let (a, b) = (a.as_ptr_range(), b.as_ptr_range());
    !a.is_empty() && !b.is_empty() && a.start < b.end && b.start < a.end
}

#[inline(never)]
fn run<const I: usize, const O: usize>(parsed: &Parsed<'_>) -> Result<(), Fault> {
    let Parsed { head, record, kernel, mut tensors, scratch } = *parsed;
    let mut sources = [None; I];
    let sources = sources.get_mut(..usize::from(head.inputs)).ok_or(Fault::Arity)?;
    for slot in &mut *sources {
        *slot = tensors.take()?.map(|Tensor { ty, data }| match data {
            Data::Arena(bytes) => Src { ty, data: borrow::shared(bytes) },
            Data::Constants(data) => Src { ty, data },
        });
    }
    let mut targets: [Dst<'_>; O] = core::array::from_fn(|_| Dst { ty: NO_TY, data: &mut [] });
    let targets = targets.get_mut(..usize::from(head.outputs)).ok_or(Fault::Arity)?;
    for slot in &mut *targets {
        let (ty, bytes) = tensors.take_output()?;
        *slot = Dst { ty, data: borrow::exclusive(bytes) };
    }
    (kernel.run)(&mut Call {
        record,
        inputs: sources,
        outputs: targets,
        scratch: borrow::exclusive(scratch),
        units: 0..head.units as usize,
    })
}

/// The next record of a list of words.
fn take<T: FromBytes + Immutable + KnownLayout>(words: &[u32]) -> Result<(&T, &[u32]), Fault> {
    let (head, rest) = words.split_at_checked(size_of::<T>() / 4).ok_or(Fault::Record)?;
    Ok((T::ref_from_bytes(head.as_bytes()).map_err(|_| Fault::Record)?, rest))
}
