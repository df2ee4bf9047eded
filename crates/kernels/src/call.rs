//! The contract between a runtime and a kernel.
//!
//! A runtime asks [`Kernel::check`] once per set of shapes and calls [`Kernel::run`] as often as it
//! likes, on one thread or on several. Buffers are 16-byte aligned; outputs never overlap inputs.

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Why a kernel refuses or fails. On a device it travels with the index of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The parameter record has another size or holds values that no writer produces.
    Record = 1,
    /// The number of inputs or outputs is not the kernel's.
    Arity = 2,
    /// An input or output has an element type that the kernel does not compute in.
    Type = 3,
    /// An input or output has a rank or dimensions that do not fit the others.
    Shape = 4,
    /// An index read from data lies outside its axis.
    Index = 5,
    /// An integer division by zero.
    DivideByZero = 6,
    /// The sizes involved exceed what the kernel can address.
    TooLarge = 7,
    /// A branch of the model is reached in which the shapes contradict each other.
    Refused = 8,
}

impl Fault {
    /// A sentence fragment for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Record => "the parameter record is malformed",
            Self::Arity => "the number of inputs or outputs is wrong",
            Self::Type => "an element type does not fit the kernel",
            Self::Shape => "the dimensions do not fit each other",
            Self::Index => "an index lies outside its axis",
            Self::DivideByZero => "an integer is divided by zero",
            Self::TooLarge => "the tensors are too large",
            Self::Refused => "this branch of the model cannot run at these shapes",
        }
    }
}

/// Type and dimensions of a tensor, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ty<'a> {
    /// The element type.
    pub dtype: DType,
    /// Rank 0 to 8.
    pub dims: &'a [u32],
}

impl Ty<'_> {
    /// [`element_count`] of the dimensions.
    pub fn len(&self) -> Result<usize, Fault> {
        element_count(self.dims)
    }

    /// Whether a dimension is zero.
    pub fn is_empty(&self) -> bool {
        self.dims.contains(&0)
    }
}

/// Product of `dims`; `TooLarge` when that of the dimensions other than zero does not fit 31 bits:
/// strides and row lengths multiply them also where a zero makes the tensor empty.
pub fn element_count(dims: &[u32]) -> Result<usize, Fault> {
    let len = dims.iter().fold(1u64, |len, &dim| len.saturating_mul(u64::from(dim.max(1))));
    if 1 << 31 <= len {
        return Err(Fault::TooLarge);
    }
    Ok(if dims.contains(&0) { 0 } else { len as usize })
}

/// What [`Kernel::check`] is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The step's parameter record.
    pub record: &'a [u8],
    /// `None` is an optional input that is left out.
    pub inputs: &'a [Option<Ty<'a>>],
    /// All outputs are present.
    pub outputs: &'a [Ty<'a>],
}

impl<'a> Signature<'a> {
    /// The record as `T`; a `Record` fault when its size is another.
    pub fn params<T: FromBytes>(&self) -> Result<T, Fault> {
        T::read_from_bytes(self.record).map_err(|_| Fault::Record)
    }

    /// Input `index`; an `Arity` fault when it is left out.
    pub fn input(&self, index: usize) -> Result<Ty<'a>, Fault> {
        self.inputs.get(index).copied().flatten().ok_or(Fault::Arity)
    }

    /// Output `index`.
    pub fn output(&self, index: usize) -> Result<Ty<'a>, Fault> {
        self.outputs.get(index).copied().ok_or(Fault::Arity)
    }

    /// Input `index` when it is present.
    pub fn optional(&self, index: usize) -> Option<Ty<'a>> {
        self.inputs.get(index).copied().flatten()
    }
}

/// What a step needs at given shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Output 0 consists of this many equal, contiguous parts that can be computed apart (rows,
    /// elements, ...). 1 when the kernel cannot be split or has several outputs; 0 when there is
    /// nothing to compute.
    pub units: usize,
    /// Scratch bytes for each thread that runs a share of the units.
    pub scratch: usize,
}

impl Needs {
    /// A step that runs as a whole without scratch.
    pub const WHOLE: Self = Self { units: 1, scratch: 0 };

    /// A step whose output falls into `units` parts, without scratch.
    pub const fn split(units: usize) -> Self {
        Self { units, scratch: 0 }
    }
}

/// A tensor that a kernel reads.
#[derive(Clone, Copy, Debug)]
pub struct Src<'a> {
    /// Type and dimensions.
    pub ty: Ty<'a>,
    /// Row-major little-endian elements (or the packing that the kernel asked for).
    pub data: &'a [u8],
}

impl<'a> Src<'a> {
    /// The elements. Empty when the buffer is not aligned for `T`, which a checked plan excludes.
    pub fn elements<T: FromBytes + Immutable>(&self) -> &'a [T] {
        <[T]>::ref_from_bytes(self.data).unwrap_or(&[])
    }
}

/// A tensor that a kernel writes.
#[derive(Debug)]
pub struct Dst<'a> {
    /// Type and dimensions of the whole tensor.
    pub ty: Ty<'a>,
    /// The bytes to write: for output 0 only those of the units in [`Call::units`].
    pub data: &'a mut [u8],
}

impl Dst<'_> {
    /// The elements. Empty when the buffer is not aligned for `T`, which a checked plan excludes.
    pub fn elements<T: FromBytes + IntoBytes + KnownLayout>(&mut self) -> &mut [T] {
        <[T]>::mut_from_bytes(self.data).unwrap_or_default()
    }
}

/// One execution of a step, or of a share of its units.
#[derive(Debug)]
pub struct Call<'c, 'a> {
    /// The step's parameter record.
    pub record: &'a [u8],
    /// As in [`Signature::inputs`].
    pub inputs: &'c [Option<Src<'a>>],
    /// As in [`Signature::outputs`].
    pub outputs: &'c mut [Dst<'a>],
    /// At least [`Needs::scratch`] bytes, 16-byte aligned, content unspecified.
    pub scratch: &'c mut [u8],
    /// The units to compute: `0..Needs::units` when the step is not split.
    pub units: Range<usize>,
}

impl<'a> Call<'_, 'a> {
    /// The record as `T`; a `Record` fault when its size is another.
    pub fn params<T: FromBytes>(&self) -> Result<T, Fault> {
        T::read_from_bytes(self.record).map_err(|_| Fault::Record)
    }

    /// Input `index`; an `Arity` fault when it is left out.
    pub fn input(&self, index: usize) -> Result<Src<'a>, Fault> {
        self.inputs.get(index).copied().flatten().ok_or(Fault::Arity)
    }

    /// Input `index` when it is present.
    pub fn optional(&self, index: usize) -> Option<Src<'a>> {
        self.inputs.get(index).copied().flatten()
    }

    /// Output `index`.
    pub fn output(&mut self, index: usize) -> Result<&mut Dst<'a>, Fault> {
        self.outputs.get_mut(index).ok_or(Fault::Arity)
    }
}

/// How a faster twin wants one constant input arranged.
#[derive(Clone, Copy, Debug)]
pub struct Pack {
    /// The number of the arrangement, see [`crate::packing`].
    pub packing: u16,
    /// The input it replaces.
    pub input: usize,
    /// Bytes of the arrangement.
    pub len: fn(&Signature) -> Result<usize, Fault>,
    /// From the canonical form into `len` bytes.
    pub pack: fn(&Signature, &[u8], &mut [u8]) -> Result<(), Fault>,
}

/// One kernel: an operator on one combination of types.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// `<operator>_<type>`, unique.
    pub name: &'static str,
    /// Proves that [`Kernel::run`] can neither read nor write out of bounds at these shapes.
    pub check: fn(&Signature) -> Result<Needs, Fault>,
    /// Computes [`Call::units`]. Only kernels that read indices or divide by data return faults.
    pub run: fn(&mut Call) -> Result<(), Fault>,
    /// Present when `run` reads a packed constant.
    pub pack: Option<Pack>,
}

impl Kernel {
    /// A kernel that reads every input in its canonical form.
    pub const fn new(
        name: &'static str,
        check: fn(&Signature) -> Result<Needs, Fault>,
        run: fn(&mut Call) -> Result<(), Fault>,
    ) -> Self {
        Self { name, check, run, pack: None }
    }
}
