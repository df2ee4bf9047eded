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
    /// 1 as in [`Tile::rectified`], else 0.
    pub rectified: u8,
    /// Zero.
    pub reserved: [u8; 2],
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
    if !conv.scratch.is_multiple_of(4)
        || conv.reserved != [0; 2]
        || 1 < conv.rectified
        || kernel_h * kernel_w * channels == 0
    {
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
    let rectified = conv.rectified == 1;
    let mut tile =
        Tile { inputs: scratch, weights, params, y, stride: out_c, channels: out_c, rectified };
    let mut at = 0;
    let mut place = Place::default();
    while at < positions {
        let left = positions - at;
        // The last positions again rather than fewer than four, or the same one four times.
        if left < 4 && 4 <= positions {
            place.back(4 - left, out_w);
            at = positions - 4;
        } else if left < 4 {
            tile.stride = 0;
        }
        let alone = tile.stride == 0;
        run.gather::<P>(&mut place, alone);
        tile.y = y.get(at * channels..).unwrap_or_default();
        P::tile(&tile);
        at += if alone { 1 } else { 4 };
    }
    clamp(y, conv.act);
    Ok(())
}

/// An output position.
#[derive(Clone, Copy, Default)]
struct Place {
    y: u32,
    x: u32,
}

impl Place {
    fn next(&mut self, width: u32) {
        self.x += 1;
        if self.x == width {
            (self.y, self.x) = (self.y + 1, 0);
        }
    }

    fn back(&mut self, count: usize, width: u32) {
        for _ in 0..count {
            if self.x == 0 {
                (self.y, self.x) = (self.y.wrapping_sub(1), width);
            }
            self.x -= 1;
        }
    }
}

impl Run<'_> {
    /// The windows of four positions from `place` on, or of one position four times.
    #[inline(always)]
    fn gather<P: Parts>(&self, place: &mut Place, alone: bool) {
        let conv = self.conv;
        let [height, width, channels] = conv.input.map(i32::from);
        let [kernel_h, kernel_w] = conv.kernel.map(i32::from);
        let [stride_h, stride_w] = conv.stride.map(i32::from);
        let out_w = u32::from(conv.output[1]);
        let [_, padded] = self.row;
        // The first input row and column of each window.
        let mut corners = [(0, 0); 4];
        let mut inside = true;
        for (index, corner) in corners.iter_mut().enumerate() {
            let y = place.y as i32 * stride_h - i32::from(conv.pad[0]);
            let x = place.x as i32 * stride_w - i32::from(conv.pad[1]);
            inside &= 0 <= (y | x) && y + kernel_h <= height && x + kernel_w <= width;
            *corner = (y, x);
            if index == 3 || !alone {
                place.next(out_w);
            }
        }
        if !inside {
            for (position, (y, x)) in corners.into_iter().enumerate() {
                self.window::<P>(position, y, x);
            }
            return;
        }
        let mut from = corners.map(|(y, x)| {
            let at = (y * width + x) * channels;
            self.x.get(at as usize..).unwrap_or_default()
        });
        let mut to = self.scratch;
        for row in 1..=kernel_h {
            P::widen(from, to, padded as u32 / 4);
            if row == kernel_h {
                break;
            }
            from = from.map(|from| from.get((width * channels) as usize..).unwrap_or_default());
            to = to.get(padded * 8..).unwrap_or_default();
        }
    }

    /// One window, some of which may lie outside the input.
    fn window<P: Parts>(&self, position: usize, y: i32, x: i32) {
        let conv = self.conv;
        let [height, width, channels] = conv.input.map(i32::from);
        let [kernel_h, kernel_w] = conv.kernel.map(i32::from);
        let [_, padded] = self.row;
        // Columns of the window before, in and behind the input.
        let before = (-x).clamp(0, kernel_w);
        let behind = (x + kernel_w - width).clamp(0, kernel_w - before);
        for ky in 0..kernel_h {
            let row = y + ky;
            let from = ((row * width + x + before) * channels) as usize;
            let to = self.scratch.get(ky as usize * padded * 8..).unwrap_or_default();
            let (before, behind) =
                if 0 <= row && row < height { (before, behind) } else { (kernel_w, 0) };
            let parts = [before, kernel_w - before - behind, behind].map(|part| part * channels);
            let from = self.x.get(from..).unwrap_or_default();
            if channels % 4 == 0 {
                let groups = parts.map(|part| part as u32 / 4);
                P::fill_one(conv.zero, to, position, groups[0]);
                let to = to.get(parts[0] as usize * 8..).unwrap_or_default();
                P::widen_one(from, to, position, groups[1]);
                let to = to.get(parts[1] as usize * 8..).unwrap_or_default();
                P::fill_one(conv.zero, to, position, groups[2]);
                continue;
            }
            for k in 0..padded {
                let inside = k.wrapping_sub(parts[0] as usize);
                let value = match from.get(inside) {
                    Some(x) if inside < parts[1] as usize => x.get() as i8,
                    _ => conv.zero,
                };
                if let Some([low, high, ..]) = to.get(lane(k, position) * 2..) {
                    low.set(value as u8);
                    high.set((value >> 7) as u8);
                }
            }
        }
    }
}
