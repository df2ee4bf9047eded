//! 8-bit convolution: blocks of output positions, two output channels at a time.
//!
//! The windows of a block are widened to 16 bits and laid out once, then every pair of channels
//! unpacks its weights once and passes over all positions of the block. The input's zero point is
//! part of the biases, so what lies outside the input counts as the zero point itself: inputs with a
//! border go through a ring of lines that have it. Each kernel row is a run of bytes of a line,
//! padded to a multiple of four; the weights there are zero.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::frame::product;
use super::parts::{Block, Widen};
use super::{Bytes, Frame, Parts, clamp, fill};
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Conv {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output. A block writes its results when it has read all its windows, so they may
    /// lie where inputs are that no later block reads.
    pub y: u32,
    /// Offset of the scratch, a multiple of 4.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`pack::pairs`](super::pack::pairs).
    pub weights: u32,
    /// Offset of the parameters: 32 bytes for two channels.
    pub params: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width, channels.
    pub output: [u16; 3],
    /// Positions of a block, a multiple of 4.
    pub block: u16,
    /// Height, width.
    pub kernel: [u8; 2],
    /// Along height, width.
    pub stride: [u8; 2],
    /// Above, to the left.
    pub pad: [u8; 2],
    /// Zero point of the input.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// [`RECTIFIED`], [`REVERSE`].
    pub flags: u8,
}

/// [`Conv::flags`]: as in [`Block::rectified`].
pub const RECTIFIED: u8 = 1;
/// [`Conv::flags`]: from the last block to the first; only for inputs without a border.
pub const REVERSE: u8 = 2;

/// Sizes that follow from a record.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Bytes of a kernel row in whole groups of 4.
    padded: u32,
    /// Elements of a window: all kernel rows.
    window: u32,
    /// Bytes of a slot of the ring; 0 when the input has no border.
    slot: u32,
    /// Bytes of the scratch: the windows, the weights of two channels, the ring.
    parts: [u32; 3],
}

impl Conv {
    fn sizes(&self) -> Result<Sizes, Fault> {
        let [height, width, channels] = self.input.map(u32::from);
        let [out_h, out_w, _] = self.output.map(u32::from);
        let [kernel_h, kernel_w] = self.kernel.map(u32::from);
        let [stride_h, stride_w] = self.stride.map(u32::from);
        if kernel_h * kernel_w * channels == 0 || out_h * out_w == 0 {
            return Err(Fault::Record);
        }
        let padded = (kernel_w * channels).next_multiple_of(4);
        let window = product(&[kernel_h, padded])?;
        let rows = (out_h - 1) * stride_h + kernel_h;
        let columns = (out_w - 1) * stride_w + kernel_w;
        let inside = self.pad == [0, 0] && rows <= height && columns <= width;
        let slot = if inside { 0 } else { product(&[columns, channels])?.next_multiple_of(4) + 4 };
        let parts = [
            product(&[self.block.into(), window, 2])?,
            product(&[window, 4])? + BIASES,
            product(&[kernel_h, slot])?,
        ];
        Ok(Sizes { padded, window, slot, parts })
    }

    /// Bytes of scratch.
    ///
    /// # Errors
    /// The sizes contradict each other or are too large.
    pub fn scratch(&self) -> Result<u32, Fault> {
        let parts = self.sizes()?.parts;
        parts.iter().try_fold(0u32, |sum, &part| sum.checked_add(part)).ok_or(Fault::TooLarge)
    }
}

/// Bytes before the weights of two channels: their biases, for four positions.
pub(super) const BIASES: u32 = 32;

/// What does not change from block to block.
struct Run<'a> {
    conv: &'a Conv,
    sizes: Sizes,
    x: Bytes<'a>,
    windows: Bytes<'a>,
    ring: Bytes<'a>,
    /// The next input line that the ring gets.
    next: i32,
}

/// Runs or checks the step.
pub fn conv<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let conv: &Conv = frame.params()?;
    let [height, width, channels] = conv.input.map(u32::from);
    let [out_h, out_w, out_c] = conv.output.map(u32::from);
    let sizes = conv.sizes()?;
    let sound = [
        conv.block != 0 && conv.block.is_multiple_of(4),
        conv.scratch.is_multiple_of(4),
        conv.flags <= 3 && (conv.flags & REVERSE == 0 || sizes.slot == 0),
    ];
    if sound != [true; 3] {
        return Err(Fault::Record);
    }
    let row = u32::from(conv.kernel[1]) * channels;
    // A padded row may reach behind the input; its weights there are zero.
    let x = frame.arena(conv.x, product(&[height, width, channels])? + (sizes.padded - row))?;
    let y = frame.arena(conv.y, product(&[out_h, out_w, out_c])?)?;
    let scratch = frame.arena(conv.scratch, conv.scratch()?)?;
    let pairs = out_c.div_ceil(2);
    let weights = frame.constants(conv.weights, product(&[pairs, 2, sizes.window])?)?;
    let params = frame.constants(conv.params, pairs * 32)?;
    if frame.dry {
        return Ok(());
    }
    let [windows, unpacked, _] = sizes.parts.map(|part| part as usize);
    let (windows, rest) = scratch.split_at_checked(windows).unwrap_or_default();
    let (unpacked, ring) = rest.split_at_checked(unpacked).unwrap_or_default();
    fill(ring, conv.zero);
    let mut run = Run { conv, sizes, x, windows, ring, next: 0 };
    let mut block = Block {
        inputs: windows,
        unpacked,
        weights,
        params,
        y,
        channels: out_c,
        positions: 0,
        groups: sizes.window / 4,
        rectified: conv.flags & RECTIFIED != 0,
    };
    let (positions, size) = (out_h * out_w, u32::from(conv.block));
    let blocks = positions.div_ceil(size.max(1));
    for index in 0..blocks {
        let index = if conv.flags & REVERSE == 0 { index } else { blocks - 1 - index };
        let at = index * size;
        let mut place = Place { y: at / out_w.max(1), x: at % out_w.max(1) };
        block.positions = size.min(positions - at);
        run.gather::<P>(&mut place, block.positions);
        block.y = y.get((at * out_c) as usize..).unwrap_or_default();
        P::block(&block);
    }
    clamp(y, conv.act);
    Ok(())
}

/// An output position.
struct Place {
    y: u32,
    x: u32,
}

impl Run<'_> {
    /// The windows of `count` positions from `place` on.
    fn gather<P: Parts>(&mut self, place: &mut Place, count: u32) {
        let out_w = u32::from(self.conv.output[1]);
        let mut at = 0;
        while at < count {
            let run = (out_w - place.x).min(count - at);
            self.lines::<P>(place.y);
            for ky in 0..u32::from(self.conv.kernel[0]) {
                self.kernel_row::<P>(place, ky, at, run);
            }
            at += run;
            place.x += run;
            if place.x == out_w {
                *place = Place { y: place.y + 1, x: 0 };
            }
        }
    }

    /// Fills the ring with the input lines of an output line.
    fn lines<P: Parts>(&mut self, line: u32) {
        let conv = self.conv;
        if self.sizes.slot == 0 {
            return;
        }
        let [height, width, channels] = conv.input.map(usize::from);
        let first = line as i32 * i32::from(conv.stride[0]) - i32::from(conv.pad[0]);
        let kernel = i32::from(conv.kernel[0]);
        self.next = self.next.max(first);
        while self.next < first + kernel {
            let slot = self.slot(self.next);
            let inner = slot.get(usize::from(conv.pad[1]) * channels..).unwrap_or_default();
            let at = self.next as usize;
            if 0 <= self.next && at < height {
                let from = self.x.get(at * width * channels..).unwrap_or_default();
                let len = inner.len().min(width * channels);
                P::copy(from, inner, len as u32);
            } else {
                fill(slot, conv.zero);
            }
            self.next += 1;
        }
    }

    /// The slot of an input line, which may lie outside the input.
    fn slot(&self, line: i32) -> Bytes<'_> {
        let at = self.slot_at(line) as usize;
        let slot = self.ring.get(at..).and_then(|rest| rest.get(..self.sizes.slot as usize));
        slot.unwrap_or_default()
    }

    fn slot_at(&self, line: i32) -> u32 {
        line.rem_euclid(i32::from(self.conv.kernel[0]).max(1)) as u32 * self.sizes.slot
    }

    /// Widens one kernel row of `run` positions of a line; the first is number `at` of the block.
    fn kernel_row<P: Parts>(&self, place: &Place, ky: u32, at: u32, run: u32) {
        let (conv, sizes) = (self.conv, &self.sizes);
        let [_, width, channels] = conv.input.map(u32::from);
        let [stride_h, stride_w] = conv.stride.map(u32::from);
        let line = place.y * stride_h + ky;
        let step = stride_w * channels;
        let (memory, start) = match sizes.slot {
            0 => (self.x, line * width * channels),
            _ => (self.ring, self.slot_at(line as i32 - i32::from(conv.pad[0]))),
        };
        let from = memory.get((start + place.x * step) as usize..).unwrap_or_default();
        let (tile, groups) = (sizes.window * 8, sizes.padded / 4);
        let mut done = 0;
        while done < run {
            let number = at + done;
            let from = from.get((done * step) as usize..).unwrap_or_default();
            let to = number / 4 * tile + ky * sizes.padded * 8 + number % 4 * 4;
            let to = self.windows.get(to as usize..).unwrap_or_default();
            let tiles = (run - done) / 4;
            if number.is_multiple_of(4) && tiles != 0 {
                P::widen(&Widen { from, step, to, groups, tiles, tile });
                done += tiles * 4;
            } else {
                P::widen_one(from, to, groups);
                done += 1;
            }
        }
    }
}
