//! 8-bit matrix times vector: four output channels at a time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Frame, Parts, clamp, frame::product};
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Dense {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the weights in the constants, [`pack::quads`](super::pack::quads).
    pub weights: u32,
    /// Offset of the parameters: 64 bytes for four channels.
    pub params: u32,
    /// Vectors.
    pub rows: u16,
    /// Elements of an input vector.
    pub inputs: u16,
    /// Elements of an output vector.
    pub outputs: u16,
    /// Bounds of the result.
    pub act: [i8; 2],
}

/// Runs or checks the step.
pub fn dense<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Dense = frame.params()?;
    let [rows, inputs, outputs] = [step.rows, step.inputs, step.outputs].map(u32::from);
    if inputs == 0 || outputs == 0 {
        return Err(Fault::Record);
    }
    let (groups, quads) = (inputs.div_ceil(4), outputs.div_ceil(4));
    // The last group may reach behind the input; its weights there are zero.
    let x = frame.arena(step.x, product(&[rows, inputs])? + (groups * 4 - inputs))?;
    let y = frame.arena(step.y, product(&[rows, outputs])?)?;
    let weights = frame.constants(step.weights, product(&[groups, quads, 16])?)?;
    let params = frame.constants(step.params, quads * 64)?;
    if frame.dry {
        return Ok(());
    }
    for row in 0..rows {
        let x = x.get((row * inputs) as usize..).unwrap_or_default();
        let y = y.get((row * outputs) as usize..).unwrap_or_default();
        let x = x.get(..inputs as usize).unwrap_or_default();
        P::dense(x, weights, params, y.get(..outputs as usize).unwrap_or_default());
    }
    clamp(y, step.act);
    Ok(())
}
