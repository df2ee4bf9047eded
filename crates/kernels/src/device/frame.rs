//! What a step sees: its record and two memories.

use core::cell::Cell;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Fault;

/// A byte of the arena, which several views may share.
pub type Byte = Cell<u8>;

/// A view of the arena.
pub type Bytes<'a> = &'a [Byte];

/// The arena as cells.
pub fn bytes_of(arena: &mut [u8]) -> Bytes<'_> {
    Cell::from_mut(arena).as_slice_of_cells()
}

/// A step's surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// States, tensors and scratch.
    pub arena: Bytes<'a>,
    /// Weights and the like, aligned to 4.
    pub constants: &'a [u8],
    /// The step's record.
    pub record: &'a [u32],
    /// Whether the step is only checked.
    pub dry: bool,
}

impl<'a> Frame<'a> {
    /// The record as `T`; a `Record` fault when its size is another.
    pub fn params<T: FromBytes + Immutable + KnownLayout>(&self) -> Result<&'a T, Fault> {
        T::ref_from_bytes(self.record.as_bytes()).map_err(|_| Fault::Record)
    }

    /// `len` bytes of the arena from `at` on; a `Shape` fault when it ends before them.
    #[inline(never)]
    pub fn arena(&self, at: u32, len: u32) -> Result<Bytes<'a>, Fault> {
        let (at, len) = (at as usize, len as usize);
        let rest = self.arena.get(at..).ok_or(Fault::Shape)?;
        rest.get(..len).ok_or(Fault::Shape)
    }

    /// `len` bytes of the constants from `at` on; a `Shape` fault when they end before that or
    /// `at` is no multiple of 4.
    #[inline(never)]
    pub fn constants(&self, at: u32, len: u32) -> Result<&'a [u8], Fault> {
        if !at.is_multiple_of(4) {
            return Err(Fault::Shape);
        }
        let (at, len) = (at as usize, len as usize);
        let rest = self.constants.get(at..).ok_or(Fault::Shape)?;
        rest.get(..len).ok_or(Fault::Shape)
    }
}

/// The product of two sizes; a `TooLarge` fault beyond 31 bits.
#[inline(always)]
pub(super) fn mul(a: u32, b: u32) -> Result<u32, Fault> {
    match u64::from(a) * u64::from(b) {
        product if product < 1 << 31 => Ok(product as u32),
        _ => Err(Fault::TooLarge),
    }
}

/// The product of sizes; a `TooLarge` fault beyond 31 bits.
pub(super) fn product<const N: usize>(sizes: &[u32; N]) -> Result<u32, Fault> {
    let mut product = 1;
    for &size in sizes {
        product = mul(product, size)?;
    }
    Ok(product)
}
