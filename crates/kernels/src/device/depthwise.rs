//! 8-bit depthwise 3x3 convolution with one output a channel, stride 1 or 2.
//!
//! Four channels at a time are widened into planes with a border, which then yield their outputs. A
//! line runs along the width, or along the height where that is longer. Outputs are made in bands of
//! lines, all channels of a band before the next one. With one band, a channel's inputs are all read
//! before its outputs are written, so they may lie in the same place.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Bytes, Frame, Parts, Planes, Split, clamp, frame::product};
use crate::Fault;

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Depthwise {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
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
    /// Lines of outputs of a band, at least 1.
    pub band: u16,
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
    /// 1 as in [`Block::rectified`](super::Block::rectified), else 0.
    pub rectified: u8,
}

/// Bytes of the table of four channels: [`Parts::spread`].
const TABLE: u32 = 160;

impl Depthwise {
    /// The axes along a line and across.
    fn axes(&self) -> (usize, usize) {
        if self.upright == 1 { (0, 1) } else { (1, 0) }
    }

    /// Bytes of a line of a plane: the inputs in words, with the border before and what the last
    /// four outputs read behind.
    fn pitch(&self) -> u32 {
        let (along, _) = self.axes();
        let line = u32::from(self.input[along]);
        let outputs = u32::from(self.output[along]);
        let read = (outputs.next_multiple_of(4) + 1) * u32::from(self.stride) + 2;
        read.max(line + 2).next_multiple_of(2) * 2
    }

    /// Bytes of a plane: the lines that a band reads.
    fn plane(&self) -> u32 {
        let (_, across) = self.axes();
        let lines = u32::from(self.band).min(self.output[across].into()).max(1);
        ((lines - 1) * u32::from(self.stride) + 3).saturating_mul(self.pitch())
    }

    /// Bytes of scratch.
    pub fn scratch(&self) -> u32 {
        self.plane().saturating_mul(4).saturating_add(TABLE)
    }
}

/// Runs or checks the step.
pub fn depthwise<P: Parts>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &Depthwise = frame.params()?;
    let [height, width, channels] = step.input.map(u32::from);
    let sizes = [
        step.scratch.is_multiple_of(4),
        channels.is_multiple_of(4),
        matches!(step.stride, 1 | 2),
        step.pad[0] <= 1 && step.pad[1] <= 1,
        step.upright <= 1,
        step.rectified <= 1 && step.band != 0,
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
    let planes = scratch.len() - TABLE as usize;
    let (planes, table) = scratch.split_at_checked(planes).unwrap_or_default();
    fill(planes, step.zero);
    let (_, across) = step.axes();
    let mut first = 0;
    while first < step.output[across] {
        let lines = step.band.min(step.output[across] - first);
        band::<P>(&Band { step, x, y, planes, table, first, lines }, weights, params);
        first += lines;
    }
    clamp(y, step.act);
    Ok(())
}

/// Lines of outputs that are made together.
struct Band<'a> {
    step: &'a Depthwise,
    x: Bytes<'a>,
    y: Bytes<'a>,
    planes: Bytes<'a>,
    table: Bytes<'a>,
    first: u16,
    lines: u16,
}

fn band<P: Parts>(band: &Band<'_>, weights: &[u8], params: &[u8]) {
    let Band { step, x, y, planes, table, .. } = *band;
    let pixel = u32::from(step.input[2]);
    let (along, across) = step.axes();
    let apart = |width: u16, axis: usize| if axis == 1 { pixel } else { pixel * u32::from(width) };
    let (x_step, x_line) = (apart(step.input[1], along), apart(step.input[1], across));
    let (y_step, y_line) = (apart(step.output[1], along), apart(step.output[1], across));
    let (pitch, plane) = (step.pitch(), step.plane());
    // With stride 1 the input before the first output's centre stands in the high half of the first
    // word; with stride 2 it stands in the low half.
    let (skip, odd) = match (step.stride, step.pad[along]) {
        (1, 0) | (2, 1) => (0, true),
        (1, _) => (4, false),
        _ => (0, false),
    };
    // Lines of inputs that the band reads, and those of them inside the input.
    let stride = i32::from(step.stride);
    let start = i32::from(band.first) * stride - i32::from(step.pad[across]);
    let slots = (i32::from(band.lines) - 1) * stride + 3;
    let inside = start.max(0)..(start + slots).min(step.input[across].into());
    let (above, inner) = (inside.start - start, inside.end - inside.start);
    for line in (0..above).chain(above + inner..slots) {
        for channel in 0..4 {
            let at = (channel * plane + line as u32 * pitch) as usize;
            let line = planes.get(at..).and_then(|rest| rest.get(..pitch as usize));
            fill(line.unwrap_or_default(), step.zero);
        }
    }
    let to = (above as u32 * pitch + skip) as usize;
    let blocks = weights.chunks_exact(36).zip(params.chunks_exact(64));
    for (block, (weights, params)) in blocks.enumerate() {
        P::spread(weights, params, table, step.upright == 1);
        let from = inside.start as usize * x_line as usize + 4 * block;
        P::split(&Split {
            to: planes.get(to..).unwrap_or_default(),
            plane,
            pitch,
            from: x.get(from..).unwrap_or_default(),
            step: x_step,
            line: x_line,
            count: u32::from(step.input[along]),
            lines: inner as u32,
            odd,
        });
        let results = usize::from(band.first) * y_line as usize + 4 * block;
        P::planes(&Planes {
            planes,
            plane,
            pitch,
            table,
            y: y.get(results..).unwrap_or_default(),
            step: y_step,
            line: y_line,
            outputs: u32::from(step.output[along]),
            lines: band.lines.into(),
            stride: step.stride.into(),
            rectified: step.rectified == 1,
        });
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
