//! The sum of two 8-bit tensors of one shape.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Helium, Sum};
use crate::Fault;
use crate::device::Frame;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeliumAdd {
    /// Offset of the first input in the arena.
    pub a: u32,
    /// Offset of the second.
    pub b: u32,
    /// Offset of the output; the same as an input's, or apart.
    pub y: u32,
    /// Bytes of each.
    pub len: u32,
    /// As [`Sum::inputs`].
    pub inputs: [[i32; 4]; 2],
    /// As [`Sum::factor`].
    pub factor: [i32; 2],
    /// Zero point of the result.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub reserved: u8,
}

/// Runs or checks the step.
pub fn add<P: Helium>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &HeliumAdd = frame.params()?;
    let shifts = [step.inputs[0][3], step.inputs[1][3], step.factor[1]];
    if step.reserved != 0 || !shifts.iter().all(|shift| (-31..0).contains(shift)) {
        return Err(Fault::Record);
    }
    let [a, b, y] = [step.a, step.b, step.y];
    let [a, b, y] =
        [frame.arena(a, step.len)?, frame.arena(b, step.len)?, frame.arena(y, step.len)?];
    if frame.dry {
        return Ok(());
    }
    let (inputs, factor, zero, act) = (step.inputs, step.factor, step.zero, step.act);
    P::sum(&Sum { a, b, y, inputs, factor, zero, act });
    Ok(())
}
