//! Maxima, averages and means over windows of 8-bit tensors.

use core::num::NonZeroU32;

use embarca_num::fixed::{Requant, saturate_i8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::{Byte, Bytes, Frame, clamp, frame::product};
use crate::Fault;

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PoolKind {
    /// The greatest.
    Max = 0,
    /// The sum over the count, halves away from zero.
    Average = 1,
    /// The sum over the count, halves up.
    AverageUp = 2,
    /// The sum less the zero points, rescaled; no window reaches over the border.
    Mean = 3,
}

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pool {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width.
    pub output: [u16; 2],
    /// Height, width of the window.
    pub size: [u16; 2],
    /// A [`PoolKind`].
    pub kind: u8,
    /// Zero.
    pub reserved: u8,
    /// Along height, width.
    pub stride: [u16; 2],
    /// Above, to the left: less than the window.
    pub pad: [u16; 2],
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub spare: u16,
    /// [`PoolKind::Mean`]: subtracted from the sum.
    pub offset: i32,
    /// [`PoolKind::Mean`]: from the difference to the result.
    pub factor: Requant,
    /// [`PoolKind::Mean`]: added to the result.
    pub out_zero: i32,
}

impl Pool {
    /// Whether the fields fit each other: every window has a tap within the input.
    pub fn is_sound(&self) -> bool {
        let fits = |axis: usize| {
            let [input, output, size] =
                [self.input[axis], self.output[axis], self.size[axis]].map(u32::from);
            let [stride, pad] = [self.stride[axis], self.pad[axis]].map(u32::from);
            pad < size && 0 < output && (output - 1) * stride < input + pad
        };
        let small = self.reserved == 0 && self.spare == 0 && self.kind <= PoolKind::Mean as u8;
        let taps = u32::from(self.size[0]).checked_mul(self.size[1].into());
        small && self.input[2] != 0 && fits(0) && fits(1) && taps.is_some_and(|taps| taps < 1 << 23)
    }
}

/// Channels at a time.
const LANES: usize = 8;

/// Runs or checks the step.
pub fn pool(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Pool = frame.params()?;
    let [height, width, channels] = step.input.map(u32::from);
    let [out_h, out_w] = step.output.map(u32::from);
    if !step.is_sound() {
        return Err(Fault::Record);
    }
    let x = frame.arena(step.x, product(&[height, width, channels])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, channels])?)?;
    if frame.dry {
        return Ok(());
    }
    let mut pixels = y.chunks_exact((channels as usize).max(1));
    for out_y in 0..step.output[0] {
        for out_x in 0..step.output[1] {
            let Some(y) = pixels.next() else { break };
            let window = Window::new(step, [out_y, out_x]);
            let (blocks, rest) = y.as_chunks::<LANES>();
            let mut channel = 0;
            for y in blocks {
                window.block::<LANES>(step, x, channel, y);
                channel += LANES;
            }
            for y in rest {
                window.block::<1>(step, x, channel, core::array::from_ref(y));
                channel += 1;
            }
        }
    }
    clamp(y, step.act);
    Ok(())
}

/// The taps of a window that lie within the input.
struct Window {
    /// Offset of the first.
    at: usize,
    /// Rows, columns.
    count: [usize; 2],
    /// Bytes from row to row.
    line: usize,
}

impl Window {
    fn new(step: &Pool, output: [u16; 2]) -> Self {
        let [_, width, channels] = step.input.map(usize::from);
        let span = |axis: usize| {
            let first = i32::from(output[axis]) * i32::from(step.stride[axis]);
            let first = first - i32::from(step.pad[axis]);
            let last = (first + i32::from(step.size[axis])).min(i32::from(step.input[axis]));
            let first = first.max(0);
            (first as usize, (last - first).max(0) as usize)
        };
        let ((y, height), (x, wide)) = (span(0), span(1));
        let at = y.wrapping_mul(width).wrapping_add(x).wrapping_mul(channels);
        Self { at, count: [height, wide], line: width.wrapping_mul(channels) }
    }

    /// `N` channels from `channel` on.
    #[inline(always)]
    fn block<const N: usize>(&self, step: &Pool, x: Bytes<'_>, channel: usize, y: &[Byte; N]) {
        let channels = usize::from(step.input[2]);
        let count = (self.count[0] * self.count[1]) as i32;
        if step.kind == PoolKind::Max as u8 {
            let mut most = [-128; N];
            self.each::<N>(x, channel, channels, |x| {
                for (most, x) in most.iter_mut().zip(x) {
                    *most = i32::from(x.get() as i8).max(*most);
                }
            });
            for (y, most) in y.iter().zip(most) {
                y.set(most as u8);
            }
            return;
        }
        let mut sums = [0i32; N];
        self.each::<N>(x, channel, channels, |x| {
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = sum.wrapping_add(i32::from(x.get() as i8));
            }
        });
        for (y, sum) in y.iter().zip(sums) {
            y.set(finish(step, sum, count) as u8);
        }
    }

    #[inline(always)]
    fn each<const N: usize>(
        &self,
        x: Bytes<'_>,
        channel: usize,
        channels: usize,
        mut tap: impl FnMut(&[Byte; N]),
    ) {
        let mut row = self.at.wrapping_add(channel);
        for _ in 0..self.count[0] {
            let mut rest = x.get(row..).unwrap_or_default();
            for _ in 0..self.count[1] {
                let Some(now) = rest.first_chunk::<N>() else { break };
                tap(now);
                rest = rest.get(channels..).unwrap_or_default();
            }
            row = row.wrapping_add(self.line);
        }
    }
}

/// From the sum of `count` taps to the result.
fn finish(step: &Pool, sum: i32, count: i32) -> i8 {
    if step.kind == PoolKind::Mean as u8 {
        let y = step.factor.apply(sum.wrapping_sub(step.offset));
        return saturate_i8(y.wrapping_add(step.out_zero));
    }
    let Some(count) = NonZeroU32::new(count as u32) else { return 0 };
    let half = count.get() / 2;
    let mean = if step.kind == PoolKind::AverageUp as u8 {
        // Moved up by 128, nothing is negative.
        let sum = sum.wrapping_add((count.get() << 7).cast_signed());
        ((sum.cast_unsigned().wrapping_add(half)) / count).cast_signed() - 128
    } else {
        let mean = (sum.unsigned_abs().wrapping_add(half) / count).cast_signed();
        if sum < 0 { -mean } else { mean }
    };
    mean as i8
}
