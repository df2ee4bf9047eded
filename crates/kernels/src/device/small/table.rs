//! Any function of one byte: a table of 256.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::Frame;
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Table {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output; the same as the input's, or apart.
    pub y: u32,
    /// Bytes of each.
    pub len: u32,
    /// Offset of the table in the constants.
    pub table: u32,
}

/// Runs or checks the step.
pub fn table(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Table = frame.params()?;
    let (x, y) = (frame.arena(step.x, step.len)?, frame.arena(step.y, step.len)?);
    let table: &[u8; 256] = frame.constants(step.table, 256)?.first_chunk().ok_or(Fault::Shape)?;
    if frame.dry {
        return Ok(());
    }
    for (x, y) in x.iter().zip(y) {
        y.set(table[usize::from(x.get())]);
    }
    Ok(())
}
