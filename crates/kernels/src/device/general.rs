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

/// The parts of a record.
struct Parsed<'a> {
    head: &'a GeneralHead,
    record: &'a [u8],
    kernel: &'static Kernel,
    inputs: [Option<Tensor<'a>>; MOST_TENSORS],
    outputs: [Option<Tensor<'a>>; MOST_TENSORS],
    scratch: Bytes<'a>,
}

/// Runs or checks the step with `find`, which knows the kernels of the firmware.
pub fn general(frame: &Frame<'_>, find: fn(u16) -> Option<&'static Kernel>) -> Result<(), Fault> {
    let parsed = parse(frame, find)?;
    if frame.dry { check(&parsed) } else { run(&parsed) }
}

fn parse<'a>(
    frame: &Frame<'a>,
    find: fn(u16) -> Option<&'static Kernel>,
) -> Result<Parsed<'a>, Fault> {
    let (head, rest) = take::<GeneralHead>(frame.record)?;
    let kernel = find(head.opcode).ok_or(Fault::Record)?;
    if head.scratch % 16 != 0 {
        return Err(Fault::Record);
    }
    let (record, mut rest) = rest.split_at_checked(head.words as usize).ok_or(Fault::Record)?;
    let mut lists = [[None; MOST_TENSORS]; 2];
    for (list, count) in lists.iter_mut().zip([head.inputs, head.outputs]) {
        for slot in list.get_mut(..usize::from(count)).ok_or(Fault::Arity)? {
            (*slot, rest) = tensor(frame, rest)?;
        }
    }
    if !rest.is_empty() {
        return Err(Fault::Record);
    }
    let [inputs, outputs] = lists;
    let scratch = frame.arena(head.scratch, head.scratch_len)?;
    Ok(Parsed { head, record: record.as_bytes(), kernel, inputs, outputs, scratch })
}

fn tensor<'a>(
    frame: &Frame<'a>,
    words: &'a [u32],
) -> Result<(Option<Tensor<'a>>, &'a [u32]), Fault> {
    let (head, rest) = take::<TensorHead>(words)?;
    let (dims, rest) = rest.split_at_checked(usize::from(head.rank)).ok_or(Fault::Record)?;
    let dtype = DType::from_code(head.dtype).ok_or(Fault::Type)?;
    let ty = Ty { dtype, dims };
    let size = dtype.size();
    let len = size.checked_mul(ty.len()?).and_then(|len| u32::try_from(len).ok());
    let len = len.ok_or(Fault::TooLarge)?;
    if head.reserved != 0 || 8 < dims.len() || !(head.at as usize).is_multiple_of(size.max(1)) {
        return Err(Fault::Record);
    }
    let data = match head.place {
        ABSENT => return Ok((None, rest)),
        ARENA => Data::Arena(frame.arena(head.at, len)?),
        CONSTANTS => Data::Constants(frame.constants(head.at, len)?),
        _ => return Err(Fault::Record),
    };
    Ok((Some(Tensor { ty, data }), rest))
}

fn check(parsed: &Parsed<'_>) -> Result<(), Fault> {
    let Parsed { head, record, kernel, inputs, outputs, scratch } = parsed;
    let ins = inputs.map(|input| input.map(|input| input.ty));
    let outs = outputs.map(|output| output.map_or(NO_TY, |output| output.ty));
    let counts = [head.inputs, head.outputs].map(usize::from);
    let signature = Signature {
        record,
        inputs: ins.get(..counts[0]).unwrap_or_default(),
        outputs: outs.get(..counts[1]).unwrap_or_default(),
    };
    let needs = Needs { units: head.units as usize, scratch: head.scratch_len as usize };
    if (kernel.check)(&signature)? != needs {
        return Err(Fault::Record);
    }
    // Outputs and scratch lie apart from each other and from the inputs.
    let bytes = |tensor: &Option<Tensor<'_>>| match tensor {
        Some(Tensor { data: Data::Arena(bytes), .. }) => bytes.as_ptr_range(),
        _ => [].as_ptr_range(),
    };
    let written = || outputs.iter().map(bytes).chain([scratch.as_ptr_range()]);
    for (index, a) in written().enumerate() {
        let others = written().skip(index + 1).chain(inputs.iter().map(bytes));
        for b in others {
            let empty = a.is_empty() || b.is_empty();
            if !empty && a.start < b.end && b.start < a.end {
                return Err(Fault::Shape);
            }
        }
    }
    // Constants are bytes in flash: never written.
    for output in outputs.iter().take(counts[1]) {
        if !matches!(output, Some(Tensor { data: Data::Arena(_), .. })) {
            return Err(Fault::Record);
        }
    }
    Ok(())
}

fn run(parsed: &Parsed<'_>) -> Result<(), Fault> {
    let Parsed { head, record, kernel, inputs, outputs, scratch } = parsed;
    let sources = inputs.map(|input| {
        input.map(|Tensor { ty, data }| match data {
            Data::Arena(bytes) => Src { ty, data: borrow::shared(bytes) },
            Data::Constants(data) => Src { ty, data },
        })
    });
    let mut targets = outputs.map(|output| match output {
        Some(Tensor { ty, data: Data::Arena(bytes) }) => Dst { ty, data: borrow::exclusive(bytes) },
        _ => Dst { ty: NO_TY, data: &mut [] },
    });
    (kernel.run)(&mut Call {
        record,
        inputs: sources.get(..usize::from(head.inputs)).unwrap_or_default(),
        outputs: targets.get_mut(..usize::from(head.outputs)).unwrap_or_default(),
        scratch: borrow::exclusive(scratch),
        units: 0..head.units as usize,
    })
}

/// The next record of a list of words.
fn take<T: FromBytes + Immutable + KnownLayout>(words: &[u32]) -> Result<(&T, &[u32]), Fault> {
    let (head, rest) = words.split_at_checked(size_of::<T>() / 4).ok_or(Fault::Record)?;
    Ok((T::ref_from_bytes(head.as_bytes()).map_err(|_| Fault::Record)?, rest))
}
