//! 8-bit depthwise 3x3 convolution with one output a channel, stride 1 or 2.
//!
//! Four channels at a time, a ring of three input lines each. A line runs along the width, or along
//! the height where that is longer. An output line is written after the input lines that it needs
//! are in the ring, so with stride 1 and no shift the output may lie where the input is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Bytes, Frame, Lines, Parts, Split, clamp, frame::product};
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Depthwise {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output; the same as the input's, or apart.
    pub y: u32,
    /// Offset of the scratch, a multiple of 4: [`Depthwise::scratch`] bytes.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`pack::fours`](super::pack::fours).
    pub weights: u32,
    /// Offset of the parameters: 16 bytes a channel.
    pub params: u32,
    /// Height, width, channels; these a multiple of 4.
    pub input: [u16; 3],
    /// Height, width.
    pub output: [u16; 2],
    /// Along both axes: 1 or 2.
    pub stride: u8,
    /// Above, to the left: 0 or 1.
    pub pad: [u8; 2],
    /// Zero point of the input.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// 1 when lines run along the height, 0 for the width.
    pub upright: u8,
    /// 1 as in [`Lines::rectified`], else 0.
    pub rectified: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Words of the weights of four channels in the scratch: pairs of three rows, twice over.
const WEIGHTS: u32 = 4 * 12 * 4;

impl Depthwise {
    /// Bytes of a slot of the ring: a line of inputs in words, with the padding before and what the
    /// last four outputs read behind it.
    fn pitch(&self) -> u32 {
        let line = u32::from(self.input[usize::from(self.upright == 0)]);
        let outputs = u32::from(self.output[usize::from(self.upright == 0)]);
        let read = (outputs.next_multiple_of(4) + 1) * u32::from(self.stride) + 2;
        read.max(line + 2).next_multiple_of(2) * 2
    }

    /// Bytes of scratch.
    pub fn scratch(&self) -> u32 {
        12 * self.pitch() + WEIGHTS
    }
}

/// Runs or checks the step.
pub fn depthwise<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Depthwise = frame.params()?;
    let [height, width, channels] = step.input.map(u32::from);
    let sizes = [
        step.scratch.is_multiple_of(4),
        channels % 4 == 0,
        matches!(step.stride, 1 | 2),
        step.pad[0] <= 1 && step.pad[1] <= 1,
        step.upright <= 1,
        step.rectified <= 1 && step.reserved == [0; 2],
        step.output.iter().zip(step.input).all(|(&out, x)| out <= x),
    ];
    if sizes != [true; 7] {
        return Err(Fault::Record);
    }
    let [out_h, out_w] = step.output.map(u32::from);
    let x = frame.arena(step.x, product(&[height, width, channels])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, channels])?)?;
    let scratch = frame.arena(step.scratch, step.scratch())?;
    let weights = frame.constants(step.weights, channels * 9)?;
    let params = frame.constants(step.params, channels * 16)?;
    if frame.dry {
        return Ok(());
    }
    let (ring, table) =
        scratch.split_at_checked(scratch.len() - WEIGHTS as usize).unwrap_or_default();
    fill(ring, step.zero);
    let blocks = weights.chunks_exact(36).zip(params.chunks_exact(64));
    for (block, (weights, params)) in blocks.enumerate() {
        P::spread(weights, table, step.upright == 1);
        let x = x.get(4 * block..).unwrap_or_default();
        let y = y.get(4 * block..).unwrap_or_default();
        four::<P>(step, x, y, ring, table, params);
    }
    clamp(y, step.act);
    Ok(())
}

/// Four channels.
fn four<P: Parts>(
    step: &Depthwise,
    x: Bytes<'_>,
    y: Bytes<'_>,
    ring: Bytes<'_>,
    table: Bytes<'_>,
    params: &[u8],
) {
    let pixel = u32::from(step.input[2]);
    // Axis along the lines, and across them.
    let (along, across) = if step.upright == 1 { (0, 1) } else { (1, 0) };
    let apart = |width: u16, axis: usize| if axis == 1 { pixel } else { pixel * u32::from(width) };
    let (x_step, x_line) = (apart(step.input[1], along), apart(step.input[1], across));
    let (y_step, y_line) = (apart(step.output[1], along), apart(step.output[1], across));
    let pitch = step.pitch();
    let pad = step.pad[along];
    // With stride 1 the input before the first output's centre stands in the high half of the first
    // word; with stride 2 it stands in the low half.
    let (skip, odd) = match (step.stride, pad) {
        (1, 0) | (2, 1) => (0, true),
        (1, _) => (4, false),
        _ => (0, false),
    };
    let lines = i32::from(step.input[across]);
    let mut next = 0;
    for line in 0..i32::from(step.output[across]) {
        let first = line * i32::from(step.stride) - i32::from(step.pad[across]);
        if line == 0 && first < 0 {
            slot(ring, pitch, 2, step.zero);
        }
        while next < first + 3 {
            let place = (next % 3) as u32;
            if next < lines {
                let to = (place * pitch + skip) as usize;
                P::split(&Split {
                    to: ring.get(to..).unwrap_or_default(),
                    pitch: 3 * pitch,
                    from: x.get((next as u32 * x_line) as usize..).unwrap_or_default(),
                    step: x_step,
                    count: u32::from(step.input[along]),
                    odd,
                });
            } else {
                slot(ring, pitch, place, step.zero);
            }
            next += 1;
        }
        // The kernel row of slot 0.
        let row = (3 - (first + 3) % 3) % 3;
        P::lines(&Lines {
            ring,
            weights: table.get(row as usize * 8..).unwrap_or_default(),
            params,
            y: y.get((line as u32 * y_line) as usize..).unwrap_or_default(),
            step: y_step,
            pitch,
            outputs: u32::from(step.output[along]),
            stride: u32::from(step.stride),
            rectified: step.rectified == 1,
        });
    }
}

/// Fills one slot of all four channels with the zero point.
fn slot(ring: Bytes<'_>, pitch: u32, place: u32, zero: i8) {
    let pitch = pitch as usize;
    for channel in 0..4 {
        let at = (channel * 3 + place as usize) * pitch;
        fill(ring.get(at..).and_then(|rest| rest.get(..pitch)).unwrap_or_default(), zero);
    }
}

fn fill(halves: Bytes<'_>, value: i8) {
    let [low, high] = i16::from(value).to_le_bytes();
    for half in halves.chunks_exact(2) {
        if let [first, second] = half {
            first.set(low);
            second.set(high);
        }
    }
}
