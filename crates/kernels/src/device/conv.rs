//! 8-bit convolution: four positions and two output channels at a time.
//!
//! The input's zero point is part of the biases, so what lies outside the input counts as the zero
//! point itself. Each kernel row is a run of bytes of the input, padded to a multiple of four.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::parts::lane;
use super::{Bytes, Frame, Parts, Tile, clamp, frame::product};
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Conv {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the scratch, a multiple of 4: 8 bytes for each element of a window, padded.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`pack::pairs`](super::pack::pairs).
    pub weights: u32,
    /// Offset of the parameters: 32 bytes for two channels.
    pub params: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width, channels.
    pub output: [u16; 3],
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
    /// Zero.
    pub reserved: [u8; 3],
}

/// What does not change from tile to tile.
struct Run<'a> {
    conv: &'a Conv,
    x: Bytes<'a>,
    scratch: Bytes<'a>,
    /// Bytes of a kernel row, and padded to whole groups of 4.
    row: [usize; 2],
}

/// Runs or checks the step.
pub fn conv<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let conv: &Conv = frame.params()?;
    let [height, width, channels] = conv.input.map(u32::from);
    let [out_h, out_w, out_c] = conv.output.map(u32::from);
    let [kernel_h, kernel_w] = conv.kernel.map(u32::from);
    if conv.scratch % 4 != 0 || conv.reserved != [0; 3] || kernel_h * kernel_w * channels == 0 {
        return Err(Fault::Record);
    }
    let row = kernel_w * channels;
    let padded = row.next_multiple_of(4);
    let len = product(&[kernel_h, padded])?;
    let pairs = out_c.div_ceil(2);
    // A padded row may reach behind the input; its weights there are zero.
    let x = frame.arena(conv.x, product(&[height, width, channels])? + (padded - row))?;
    let y = frame.arena(conv.y, product(&[out_h, out_w, out_c])?)?;
    let scratch = frame.arena(conv.scratch, product(&[len, 8])?)?;
    let weights = frame.constants(conv.weights, product(&[pairs, 2, len])?)?;
    let params = frame.constants(conv.params, pairs * 32)?;
    if frame.dry {
        return Ok(());
    }
    let run = Run { conv, x, scratch, row: [row as usize, padded as usize] };
    let positions = (out_h * out_w) as usize;
    let channels = out_c as usize;
    let mut tile = Tile { inputs: scratch, weights, params, y, stride: out_c, channels: out_c };
    let mut at = 0;
    while at < positions {
        let left = positions - at;
        // The last positions again rather than fewer than four, or the same one four times.
        if left < 4 && 4 <= positions {
            at = positions - 4;
        } else if left < 4 {
            tile.stride = 0;
        }
        let step = usize::from(tile.stride != 0);
        run.gather::<P>([0, 1, 2, 3].map(|i| at + i * step));
        tile.y = y.get(at * channels..).unwrap_or_default();
        P::tile(&tile);
        at += if step == 0 { 1 } else { 4 };
    }
    clamp(y, conv.act);
    Ok(())
}

impl Run<'_> {
    /// The windows of four positions.
    fn gather<P: Parts>(&self, positions: [usize; 4]) {
        let conv = self.conv;
        let [height, width, channels] = conv.input.map(usize::from);
        let out_w = usize::from(conv.output[1]).max(1);
        let [kernel_h, kernel_w] = conv.kernel.map(usize::from);
        // The first input row and column of each window, and whether the whole window is inside.
        let mut inside = true;
        let corners = positions.map(|position| {
            let corner = |axis: usize, output: usize| {
                output as isize * isize::from(conv.stride[axis]) - isize::from(conv.pad[axis])
            };
            let (y, x) = (corner(0, position / out_w), corner(1, position % out_w));
            let fits = 0 <= y
                && 0 <= x
                && y + kernel_h as isize <= height as isize
                && x + kernel_w as isize <= width as isize;
            inside &= fits;
            (y, x, fits)
        });
        let [_, padded] = self.row;
        if inside {
            let mut starts =
                corners.map(|(y, x, _)| (y as usize * width + x as usize) * channels);
            let mut to = self.scratch;
            for _ in 0..kernel_h {
                P::widen(starts.map(|at| self.x.get(at..).unwrap_or_default()), to, padded as u32 / 4);
                starts = starts.map(|at| at + width * channels);
                to = to.get(padded * 8..).unwrap_or_default();
            }
            return;
        }
        for (position, &(y, x, _)) in corners.iter().enumerate() {
            self.window(position, y, x);
        }
    }

    /// One window, some of which may lie outside the input.
    fn window(&self, position: usize, y: isize, x: isize) {
        let conv = self.conv;
        let [height, width, channels] = conv.input.map(usize::from);
        let [kernel_h, kernel_w] = conv.kernel.map(usize::from);
        let [_, padded] = self.row;
        for ky in 0..kernel_h {
            let row = y + ky as isize;
            let in_rows = 0 <= row && row < height as isize;
            let mut k = ky * padded;
            for kx in 0..kernel_w {
                let column = x + kx as isize;
                let pixel = (in_rows && 0 <= column && column < width as isize)
                    .then(|| (row as usize * width + column as usize) * channels);
                for channel in 0..channels {
                    let value = match pixel {
                        Some(at) => self.x.get(at + channel).map_or(0, |x| x.get() as i8),
                        None => conv.zero,
                    };
                    self.set(k, position, value);
                    k += 1;
                }
            }
        }
    }

    fn set(&self, k: usize, position: usize, value: i8) {
        if let Some([low, high, ..]) = self.scratch.get(lane(k, position) * 2..) {
            low.set(value as u8);
            high.set((value >> 7) as u8);
        }
    }
}
