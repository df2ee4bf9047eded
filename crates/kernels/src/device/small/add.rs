//! The sum of two 8-bit tensors of one shape.
//!
//! The input with the greater scale has the factor 1/2, which the 20 bits that both are shifted up
//! make exact: it costs a shift. What is left of the general kernel's arithmetic are two rescalings
//! to the right.

use embarca_num::fixed::{doubling_high_mul, saturate_i8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::{Frame, clamp};
use super::views;
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Add {
    /// Offset of the first input in the arena.
    pub a: u32,
    /// Offset of the second.
    pub b: u32,
    /// Offset of the output; the same as an input's, or apart.
    pub y: u32,
    /// Bytes of each.
    pub len: u32,
    /// 1 when the second input is the one with the factor 1/2, else 0.
    pub second: u32,
    /// The zero point of the other input shifted up as its elements are.
    pub zero: i32,
    /// Bits by which the other input's elements are shifted up.
    pub left: u32,
    /// Multiplier and shift to the right, at least 1, of the other input.
    pub factor: [i32; 2],
    /// Added before that shift: one half.
    pub half: i32,
    /// Subtracted from the sum: the zero point of the input with the factor 1/2, shifted up.
    pub offset: i32,
    /// Multiplier and shift to the right, at least 1, of the sum.
    pub out: [i32; 2],
    /// Added before that shift: one half and the output's zero point.
    pub addend: i32,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub reserved: u16,
}

/// Runs or checks the step.
pub fn add(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Add = frame.params()?;
    if 1 < step.second || step.reserved != 0 {
        return Err(Fault::Record);
    }
    let [a, b, y] = views(frame, [step.a, step.b, step.y], step.len)?;
    if frame.dry {
        return Ok(());
    }
    let (whole, other) = if step.second == 1 { (b, a) } else { (a, b) };
    let [left, right, out_right] =
        [step.left, step.factor[1] as u32, step.out[1] as u32].map(|shift| shift & 31);
    for ((whole, other), y) in whole.iter().zip(other).zip(y) {
        let [whole, other] = [whole, other].map(|x| i32::from(x.get() as i8));
        let other = (other << left).wrapping_sub(step.zero);
        let other = shifted(doubling_high_mul(other, step.factor[0]), step.half, right);
        let sum = (whole << 19).wrapping_add(other).wrapping_sub(step.offset);
        let sum = shifted(doubling_high_mul(sum, step.out[0]), step.addend, out_right);
        y.set(saturate_i8(sum) as u8);
    }
    clamp(y, step.act);
    Ok(())
}

/// Ties away from zero when `addend` holds one half.
#[inline(always)]
fn shifted(x: i32, addend: i32, right: u32) -> i32 {
    x.wrapping_add(x >> 31).wrapping_add(addend) >> right
}
