//! Buffers at the alignment that [`crate::Plan::open`] and kernels need.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Gives `T` the alignment of a plan.
///
/// `static PLAN: &Aligned<[u8]> = &Aligned(*include_bytes!("model.plan"));` puts a plan into flash
/// ready for use.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(
    /// The content.
    pub T,
);

/// Sixteen aligned bytes: what an owned plan or an arena is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct Unit([u8; 16]);

impl Unit {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0; 16]);

    /// Units that hold `len` bytes.
    pub const fn count(len: usize) -> usize {
        len.div_ceil(16)
    }

    /// The bytes of `units`.
    pub fn bytes(units: &[Self]) -> &[u8] {
        units.as_bytes()
    }

    /// The bytes of `units`, to be written.
    pub fn bytes_mut(units: &mut [Self]) -> &mut [u8] {
        units.as_mut_bytes()
    }

    /// Copies `bytes` to the front of `units` and returns them at their new, aligned place; `None`
    /// when there are fewer units than [`Unit::count`] asks for.
    pub fn copy_from<'u>(units: &'u mut [Self], bytes: &[u8]) -> Option<&'u [u8]> {
        let place = units.as_mut_bytes().get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        Some(place)
    }
}
