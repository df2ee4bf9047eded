//! 8-bit depthwise convolution with one output a channel, 16 channels at a time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::pack::COLUMN_PARAMS;
use super::{Columns, Helium, Line, Scale};
use crate::Fault;
use crate::device::{Frame, clamp, frame::product};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeliumDepthwise {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output; with equal sizes it may be the input's.
    pub y: u32,
    /// Offset of the scratch, a multiple of 16: [`HeliumDepthwise::scratch`] bytes.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`pack::columns`](super::pack::columns): taps run
    /// along the line, then across the lines.
    pub weights: u32,
    /// Offset of the parameters of 16 channels after the other,
    /// [`pack::params`](super::pack::params).
    pub params: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width.
    pub output: [u16; 2],
    /// Height, width.
    pub kernel: [u8; 2],
    /// Along height, width.
    pub stride: [u8; 2],
    /// Above, to the left.
    pub pad: [u8; 2],
    /// Zero point of the input.
    pub zero: i8,
    /// Zero point of the result.
    pub out_zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// As [`Scale::exact`].
    pub exact: u8,
    /// 1 when lines run along the height, 0 for the width.
    pub upright: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl HeliumDepthwise {
    /// First along the lines, then across them.
    fn axes(&self, [height, width]: [u32; 2]) -> [u32; 2] {
        if self.upright == 1 { [height, width] } else { [width, height] }
    }

    /// Bytes of scratch.
    ///
    /// # Errors
    /// A size is zero or too large.
    pub fn scratch(&self) -> Result<u32, Fault> {
        let output = self.axes(self.output.map(u32::from));
        let kernel = self.axes(self.kernel.map(u32::from));
        let stride = self.axes(self.stride.map(u32::from));
        let input = self.input.map(u32::from);
        if output.contains(&0) || kernel.contains(&0) || stride.contains(&0) || input.contains(&0) {
            return Err(Fault::Record);
        }
        let cells = product(&[(output[0] - 1) * stride[0] + kernel[0], kernel[1], 16])?;
        let lines = product(&[output[1] - 1, stride[1], 16])?;
        product(&[cells + lines])
    }
}

/// Runs or checks the step.
pub fn depthwise<P: Helium>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &HeliumDepthwise = frame.params()?;
    let len = step.scratch()?;
    if 1 < step.upright
        || 2 < step.exact
        || step.reserved != [0; 2]
        || !step.scratch.is_multiple_of(16)
    {
        return Err(Fault::Record);
    }
    let [height, width, channels] = step.input.map(u32::from);
    let [out_h, out_w] = step.output.map(u32::from);
    let [kernel_h, kernel_w] = step.kernel.map(u32::from);
    let blocks = channels.div_ceil(16);
    let taps = kernel_h * kernel_w;
    let x = frame.arena(step.x, product(&[height, width, channels])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, channels])?)?;
    let scratch = frame.arena(step.scratch, len)?;
    let weights = frame.constants(step.weights, product(&[blocks, taps, 16])?)?;
    let params = frame.constants(step.params, blocks * COLUMN_PARAMS as u32)?;
    if frame.dry {
        return Ok(());
    }
    let input = step.axes([height, width]);
    let output = step.axes([out_h, out_w]);
    let kernel = step.axes([kernel_h, kernel_w]);
    let stride = step.axes(step.stride.map(u32::from));
    let pad = step.axes(step.pad.map(u32::from));
    let x_step = step.axes([width * channels, channels]);
    let y_step = step.axes([out_w * channels, channels]);
    let all = (output[0] - 1) * stride[0] + kernel[0];
    let before = pad[0].min(all);
    let inside = input[0].min(all - before);
    for block in 0..blocks {
        let first = block * 16;
        let weights = weights.get((first * taps) as usize..).unwrap_or_default();
        let params = params.get(block as usize * COLUMN_PARAMS..).unwrap_or_default();
        let mut line = Line {
            to: scratch,
            cell: kernel[1] * 16,
            cells: [0; 3],
            from: x,
            step: x_step[0],
            channels: (channels - first).min(16),
            zero: step.zero,
        };
        let mut columns = Columns {
            x: scratch,
            x_step: stride[0] * kernel[1] * 16,
            windows: output[0],
            taps,
            weights,
            params,
            y,
            y_step: y_step[0],
            channels: line.channels,
            scale: Scale { zero: step.out_zero, act: [-128, 127], exact: step.exact },
        };
        let (mut next, mut top, mut to) = (0, 0, first);
        for _ in 0..output[1] {
            next = next.max(top);
            while next < top + kernel[1] {
                let row = next.wrapping_sub(pad[1]);
                line.cells = [all, 0, 0];
                if row < input[1] {
                    line.cells = [before, inside, all - before - inside];
                    line.from = x.get((row * x_step[1] + first) as usize..).unwrap_or_default();
                }
                line.to = scratch.get(next as usize * 16..).unwrap_or_default();
                P::line(&line);
                next += 1;
            }
            columns.x = scratch.get(top as usize * 16..).unwrap_or_default();
            columns.y = y.get(to as usize..).unwrap_or_default();
            P::columns(&columns);
            top += stride[1];
            to += y_step[1];
        }
    }
    clamp(y, step.act);
    Ok(())
}
