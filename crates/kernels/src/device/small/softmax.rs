//! Softmax of 8-bit rows: each exponential is computed once and kept.

use embarca_num::fixed::{doubling_high_mul, round_shift, saturate_i8, scaled_reciprocal};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::{Byte, Bytes, Frame, frame::product};
use crate::Fault;
use crate::softmax::ParamsI8;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Softmax {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output; the same as the input's, or apart.
    pub y: u32,
    /// Offset of the scratch: 4 bytes for each element of a row.
    pub scratch: u32,
    /// Rows.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
    /// The scale.
    pub params: ParamsI8,
}

/// Runs or checks the step.
pub fn softmax(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Softmax = frame.params()?;
    step.params.check()?;
    let all = product(&[step.rows, step.width])?;
    let (x, y) = (frame.arena(step.x, all)?, frame.arena(step.y, all)?);
    let scratch = frame.arena(step.scratch, product(&[step.width, 4])?)?;
    if step.width == 0 {
        return Err(Fault::Record);
    }
    if frame.dry {
        return Ok(());
    }
    let exps = scratch.as_chunks::<4>().0;
    let (mut x, mut y) = (x, y);
    for _ in 0..step.rows {
        let width = step.width as usize;
        let (Some((now, x_rest)), Some((to, y_rest))) =
            (x.split_at_checked(width), y.split_at_checked(width))
        else {
            break;
        };
        row(step, now, to, exps);
        (x, y) = (x_rest, y_rest);
    }
    Ok(())
}

/// One row.
fn row(step: &Softmax, x: Bytes<'_>, y: Bytes<'_>, exps: &[[Byte; 4]]) {
    let max = x.iter().fold(-128, |max, x| i32::from(x.get() as i8).max(max));
    let mut sum = 0i32;
    for (x, to) in x.iter().zip(exps) {
        let diff = i32::from(x.get() as i8) - max;
        // No exponential is negative: that marks what counts as nothing.
        let exp = if step.params.diff_min <= diff { step.params.exp(diff) } else { -1 };
        if 0 <= exp {
            sum = sum.wrapping_add(round_shift(exp, 12));
        }
        for (to, byte) in to.iter().zip(exp.to_le_bytes()) {
            to.set(byte);
        }
    }
    let (scale, bits) = scaled_reciprocal(sum, 12);
    let shift = (bits + 31 - 8).clamp(0, 31) as u32;
    for (y, exp) in y.iter().zip(exps) {
        let [a, b, c, d] = exp;
        let exp = i32::from_le_bytes([a.get(), b.get(), c.get(), d.get()]);
        let value = match exp {
            0.. => saturate_i8(round_shift(doubling_high_mul(scale, exp), shift) - 128),
            _ => -128,
        };
        y.set(value as u8);
    }
}
