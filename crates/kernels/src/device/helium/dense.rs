//! 8-bit matrix times vector.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::pack::BLOCK_PARAMS;
use super::{Helium, Scale, Vector};
use crate::Fault;
use crate::device::Frame;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeliumDense {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the weights in the constants: those of one output after the other.
    pub weights: u32,
    /// Offset of the parameters, [`pack::params`](super::pack::params).
    pub params: u32,
    /// Vectors.
    pub rows: u16,
    /// Elements of an input vector.
    pub inputs: u16,
    /// Elements of an output vector.
    pub outputs: u16,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero point of the result.
    pub out_zero: i8,
    /// As [`Scale::exact`].
    pub exact: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Runs or checks the step.
pub fn dense<P: Helium>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &HeliumDense = frame.params()?;
    let (rows, inputs, outputs) =
        (u32::from(step.rows), u32::from(step.inputs), u32::from(step.outputs));
    if inputs == 0 || outputs == 0 || 2 < step.exact || step.reserved != [0; 2] {
        return Err(Fault::Record);
    }
    if !(step.weights | step.params).is_multiple_of(4) {
        return Err(Fault::Shape);
    }
    // Products of two 16-bit sizes.
    let mut x = view(frame.arena, step.x, rows * inputs)?;
    let mut y = view(frame.arena, step.y, rows * outputs)?;
    let weights = view(frame.constants, step.weights, inputs * outputs)?;
    let blocks = outputs.div_ceil(4) * BLOCK_PARAMS as u32;
    let params = view(frame.constants, step.params, blocks)?;
    if frame.dry {
        return Ok(());
    }
    let scale = Scale { zero: step.out_zero, act: step.act, exact: step.exact };
    while let (Some((first, xs)), Some((result, ys))) =
        (x.split_at_checked(inputs as usize), y.split_at_checked(outputs as usize))
    {
        P::vector(&Vector { x: first, weights, params, y: result, scale });
        (x, y) = (xs, ys);
    }
    Ok(())
}

/// `len` elements from `at` on; small models spend most of their time between steps.
#[inline(always)]
fn view<T>(memory: &[T], at: u32, len: u32) -> Result<&[T], Fault> {
    let rest = memory.get(at as usize..).ok_or(Fault::Shape)?;
    rest.get(..len as usize).ok_or(Fault::Shape)
}
