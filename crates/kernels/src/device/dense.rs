//! 8-bit matrix times vector: four output channels at a time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::frame::mul;
use super::{Frame, Parts, Vector, clamp};
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
    /// Offset of the parameters: for four channels 16 bytes, and 48 more unless one factor serves
    /// all; see [`Vector::params`].
    pub params: u32,
    /// Multiplier, addend and shift of all outputs; zeros when each has its own.
    pub factor: [i32; 3],
    /// Vectors.
    pub rows: u16,
    /// Elements of an input vector.
    pub inputs: u16,
    /// Elements of an output vector.
    pub outputs: u16,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// [`UNIFORM`], [`RECTIFIED`](super::RECTIFIED).
    pub flags: u32,
}

/// [`Dense::flags`]: one factor serves all outputs.
pub const UNIFORM: u32 = 2;

/// Runs or checks the step.
pub fn dense<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Dense = frame.params()?;
    let (rows, inputs) = (u32::from(step.rows), u32::from(step.inputs));
    let outputs = u32::from(step.outputs);
    if inputs == 0 || outputs == 0 || 3 < step.flags {
        return Err(Fault::Record);
    }
    let (groups, quads) = (inputs.div_ceil(4), outputs.div_ceil(4));
    let uniform = step.flags & UNIFORM != 0;
    // The last group may reach behind the input; its weights there are zero.
    let x = frame.arena(step.x, mul(rows, inputs)?.saturating_add(3))?;
    let y = frame.arena(step.y, mul(rows, outputs)?)?;
    let weights = frame.constants(step.weights, mul(groups * quads, 16)?)?;
    let params = frame.constants(step.params, quads * if uniform { 16 } else { 64 })?;
    if frame.dry {
        return Ok(());
    }
    let mut vector = Vector {
        x,
        weights,
        params,
        y,
        inputs,
        outputs,
        factor: uniform.then_some(&step.factor),
        rectified: step.flags & u32::from(super::RECTIFIED) != 0,
    };
    for _ in 0..rows {
        P::dense(&vector);
        vector.x = vector.x.get(inputs as usize..).unwrap_or_default();
        vector.y = vector.y.get(outputs as usize..).unwrap_or_default();
    }
    clamp(y, step.act);
    Ok(())
}
