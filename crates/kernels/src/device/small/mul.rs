//! The product of two 8-bit tensors of one shape.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::{Frame, clamp, rescale};
use super::views;
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mul {
    /// Offset of the first input in the arena.
    pub a: u32,
    /// Offset of the second.
    pub b: u32,
    /// Offset of the output; the same as an input's, or apart.
    pub y: u32,
    /// Bytes of each.
    pub len: u32,
    /// Zero points of the inputs.
    pub zeros: [i32; 2],
    /// Multiplier, addend and shift as [`rescale`] takes them.
    pub factor: [i32; 3],
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub reserved: u16,
}

/// Runs or checks the step.
pub fn mul(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Mul = frame.params()?;
    let zeros = step.zeros.iter().all(|zero| (-128..=127).contains(zero));
    if !zeros || step.reserved != 0 {
        return Err(Fault::Record);
    }
    let [a, b, y] = views(frame, [step.a, step.b, step.y], step.len)?;
    if frame.dry {
        return Ok(());
    }
    for ((a, b), y) in a.iter().zip(b).zip(y) {
        let [a, b] = [a, b].map(|x| i32::from(x.get() as i8));
        let product = a.wrapping_sub(step.zeros[0]).wrapping_mul(b.wrapping_sub(step.zeros[1]));
        y.set(rescale(product, step.factor) as u8);
    }
    clamp(y, step.act);
    Ok(())
}
