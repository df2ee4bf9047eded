//! 8-bit convolution.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::pack::{BLOCK_PARAMS, MOST_STEP};
use super::{Helium, Line, Matrix, Scale};
use crate::Fault;
use crate::device::{Bytes, Frame, frame::product};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeliumConv {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the scratch: [`HeliumConv::scratch`] bytes.
    pub scratch: u32,
    /// Offset of the weights in the constants, [`pack::matrix`](super::pack::matrix): windows run
    /// along the line, then across the lines, then over the channels.
    pub weights: u32,
    /// Offset of the parameters, [`pack::params`](super::pack::params).
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
    /// Zero point of the result.
    pub out_zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// As [`Scale::exact`].
    pub exact: u8,
    /// 1 when lines run along the height, 0 for the width.
    pub upright: u8,
}

/// A record's sizes, first along the lines and then across them.
struct Sizes {
    input: [u32; 2],
    output: [u32; 2],
    kernel: [u32; 2],
    stride: [u32; 2],
    pad: [u32; 2],
    channels: u32,
    /// Bytes from one input to the next.
    x_step: [u32; 2],
    /// Bytes from one output to the next.
    y_step: [u32; 2],
    /// Groups of 16 bytes of a window.
    vectors: u32,
    /// Bytes that the last group reads behind a window.
    behind: u32,
    /// Whether windows are runs of bytes of the input itself.
    direct: bool,
    /// Bytes of scratch.
    scratch: u32,
}

impl HeliumConv {
    fn sizes(&self) -> Result<Sizes, Fault> {
        let axes = |[height, width]: [u32; 2]| {
            if self.upright == 1 { [height, width] } else { [width, height] }
        };
        let [height, width, channels] = self.input.map(u32::from);
        let [out_h, out_w, out_c] = self.output.map(u32::from);
        let (input, output) = (axes([height, width]), axes([out_h, out_w]));
        let (kernel, stride) = (axes(self.kernel.map(u32::from)), axes(self.stride.map(u32::from)));
        let pad = axes(self.pad.map(u32::from));
        let sizes = [input, output, kernel, stride, [channels, out_c]];
        if 1 < self.upright || 2 < self.exact || sizes.as_flattened().contains(&0) {
            return Err(Fault::Record);
        }
        let len = product(&[kernel[0], kernel[1], channels])?;
        let vectors = len.div_ceil(16);
        // What one output after the last would begin with, less the step to it: the end.
        let reach = |axis: usize| (output[axis] - 1) * stride[axis] + kernel[axis];
        let inside = |axis: usize| pad[axis] == 0 && reach(axis) <= input[axis];
        let direct = self.upright == 0 && kernel[1] == 1 && inside(0) && inside(1);
        let behind = vectors * 16 - len;
        let scratch = if direct {
            0
        } else {
            let cells = product(&[reach(0), kernel[1], channels])?;
            let lines = product(&[output[1] - 1, stride[1], channels])?;
            product(&[cells + lines + behind])?
        };
        let x_step = axes([product(&[width, channels])?, channels]);
        let y_step = axes([product(&[out_w, out_c])?, out_c]);
        if !direct && MOST_STEP < x_step[0] {
            return Err(Fault::Record);
        }
        Ok(Sizes {
            input,
            output,
            kernel,
            stride,
            pad,
            channels,
            x_step,
            y_step,
            vectors,
            behind,
            direct,
            scratch,
        })
    }

    /// Bytes of scratch, and bytes that the step reads behind the input.
    ///
    /// # Errors
    /// A size is zero or too large.
    pub fn scratch(&self) -> Result<[u32; 2], Fault> {
        let sizes = self.sizes()?;
        Ok([sizes.scratch, if sizes.direct { sizes.behind } else { 0 }])
    }
}

/// Runs or checks the step.
pub fn conv<P: Helium>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &HeliumConv = frame.params()?;
    let sizes = step.sizes()?;
    let [height, width, channels] = step.input.map(u32::from);
    let [out_h, out_w, out_c] = step.output.map(u32::from);
    let behind = if sizes.direct { sizes.behind } else { 0 };
    let x = frame.arena(step.x, product(&[product(&[height, width, channels])? + behind])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, out_c])?)?;
    let scratch = frame.arena(step.scratch, sizes.scratch)?;
    let blocks = out_c.div_ceil(4);
    let weights = frame.constants(step.weights, product(&[blocks, 64, sizes.vectors])?)?;
    let params = frame.constants(step.params, blocks * BLOCK_PARAMS as u32)?;
    if frame.dry {
        return Ok(());
    }
    let mut matrix = Matrix {
        x,
        x_step: sizes.stride[0] * sizes.x_step[0],
        windows: sizes.output[0],
        vectors: sizes.vectors,
        weights,
        params,
        y,
        y_step: sizes.y_step[0],
        channels: out_c,
        scale: Scale { zero: step.out_zero, act: step.act, exact: step.exact },
    };
    let mut at = [0, 0];
    if sizes.direct {
        for _ in 0..sizes.output[1] {
            matrix.x = x.get(at[0] as usize..).unwrap_or_default();
            matrix.y = y.get(at[1] as usize..).unwrap_or_default();
            P::matrix(&matrix);
            at[0] += sizes.stride[1] * sizes.x_step[1];
            at[1] += sizes.y_step[1];
        }
        return Ok(());
    }
    matrix.x_step = sizes.stride[0] * sizes.kernel[1] * channels;
    let mut next = 0;
    for _ in 0..sizes.output[1] {
        next = next.max(at[0]);
        while next < at[0] + sizes.kernel[1] {
            sizes.line::<P>(x, scratch, next, step.zero);
            next += 1;
        }
        matrix.x = scratch.get((at[0] * channels) as usize..).unwrap_or_default();
        matrix.y = y.get(at[1] as usize..).unwrap_or_default();
        P::matrix(&matrix);
        at[0] += sizes.stride[1];
        at[1] += sizes.y_step[1];
    }
    Ok(())
}

impl Sizes {
    /// Spreads line `line`, counted with those before the input, into the cells.
    fn line<P: Helium>(&self, x: Bytes<'_>, scratch: Bytes<'_>, line: u32, zero: i8) {
        let all = (self.output[0] - 1) * self.stride[0] + self.kernel[0];
        let row = line.wrapping_sub(self.pad[1]);
        let before = self.pad[0].min(all);
        let inside = if row < self.input[1] { self.input[0].min(all - before) } else { 0 };
        let from = if inside == 0 { 0 } else { row * self.x_step[1] };
        P::line(&Line {
            to: scratch.get((line * self.channels) as usize..).unwrap_or_default(),
            cell: self.kernel[1] * self.channels,
            cells: [before, inside, all - before - inside],
            from: x.get(from as usize..).unwrap_or_default(),
            step: self.x_step[0],
            channels: self.channels,
            zero,
        });
    }
}
