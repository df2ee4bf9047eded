//! A twin of the f32 convolution that computes panels of outputs for several pixels at a time.
//! Every sum keeps the order of the definition, so the results are the same bits.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsF32, Shape, f32};
use crate::{
    Call, Fault, Kernel, Pack, Signature,
    packing::{PANEL, PANELS_F32, panels_f32, panels_f32_len},
    products::add_panel,
    spatial::Taps,
    tail::ClampF32,
};

/// The twin of `conv2d_f32`.
pub const F32: Kernel = Kernel {
    name: "conv2d_f32_panels",
    check: f32::check,
    run: call,
    pack: Some(Pack { packing: PANELS_F32, input: 1, len, pack }),
};

/// Pixels of a tile: with [`PANEL`] outputs their sums fill twelve vectors of four.
const TILE: usize = 3;

/// Input values that a stretch of pixels may have, so that it stays in the fastest cache while all
/// panels pass over it.
const STRETCH: usize = 4096;

fn len(sig: &Signature) -> Result<usize, Fault> {
    let params: ParamsF32 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let taps = shape.kernel.iter().product();
    Ok(panels_f32_len(params.groups as usize, shape.group, taps)? * 4)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsF32 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let (Ok(w), Ok(packed)) = (<[f32]>::ref_from_bytes(w), <[f32]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    panels_f32(shape.group, shape.kernel.iter().product(), w, packed);
    Ok(())
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let outputs = Outputs { clamp: params.clamp, shape: &shape, w: w.elements(), bias };
    run(&outputs, units, x.elements(), y.elements());
    Ok(())
}

/// What every tile needs.
struct Outputs<'a> {
    clamp: ClampF32,
    shape: &'a Shape,
    /// [`PANELS_F32`]
    w: &'a [f32],
    bias: Option<&'a [f32]>,
}

/// A panel of one group's outputs.
struct Panel<'a> {
    w: &'a [f32],
    bias: [f32; PANEL],
    /// The first output and their number, at most [`PANEL`].
    first: usize,
    count: usize,
    /// The group's first input channel.
    channel: usize,
}

impl Outputs<'_> {
    fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        let taps = self.shape.kernel.iter().product::<usize>() * PANEL;
        let each = self.shape.group.div_ceil(PANEL);
        self.w.chunks_exact(taps.max(1)).enumerate().map(move |(i, w)| {
            let (group, panel) = (i / each.max(1), i % each.max(1));
            let first = group * self.shape.group + panel * PANEL;
            let count = (self.shape.group - panel * PANEL).min(PANEL);
            let mut bias = [0.0; PANEL];
            if let Some(values) = self.bias {
                bias[..count].copy_from_slice(&values[first..first + count]);
            }
            Panel { w, bias, first, count, channel: group * self.shape.kernel[2] }
        })
    }

    /// Writes the sums of pixels `at..at + P` of `y`.
    #[inline(always)]
    fn store<const P: usize>(
        &self,
        panel: &Panel,
        sums: &[[f32; PANEL]; P],
        at: usize,
        y: &mut [f32],
    ) {
        for (p, sums) in sums.iter().enumerate() {
            let y = &mut y[(at + p) * self.shape.output[2] + panel.first..][..panel.count];
            let mut row = [0.0; PANEL];
            for j in 0..PANEL {
                row[j] = self.clamp.apply(sums[j] + panel.bias[j]);
            }
            match y.as_mut_array::<PANEL>() {
                Some(y) => *y = row,
                None => y.copy_from_slice(&row[..y.len()]),
            }
        }
    }
}

/// Rows `units` of the output.
fn run(outputs: &Outputs, units: Range<usize>, x: &[f32], y: &mut [f32]) {
    let shape = outputs.shape;
    let pointwise = shape.kernel[..2] == [1, 1]
        && shape.axes.iter().all(|axis| axis.stride() == 1)
        && shape.input[..2] == shape.output[..2]
        && shape.axes[0].taps(0).count == 1
        && shape.axes[0].taps(0).at == 0
        && shape.axes[1].taps(0).count == 1
        && shape.axes[1].taps(0).at == 0;
    if pointwise {
        let pixels = units.start * shape.output[1]..units.end * shape.output[1];
        return run_pointwise(outputs, pixels, x, y);
    }
    for (unit, y) in units.zip(y.chunks_exact_mut(shape.row().max(1))) {
        let (image, oy) = (unit / shape.output[0].max(1), unit % shape.output[0].max(1));
        let [height, width, channels] = shape.input;
        let x = &x[image * height * width * channels..][..height * width * channels];
        run_row(outputs, shape.axes[0].taps(oy), x, y);
    }
}

/// Pixels `pixels` of all images; each reads the pixel at its own place.
fn run_pointwise(outputs: &Outputs, pixels: Range<usize>, x: &[f32], y: &mut [f32]) {
    let (channels, each) = (outputs.shape.input[2], outputs.shape.kernel[2]);
    let x = &x[pixels.start * channels..pixels.end * channels];
    let stretch = (STRETCH / channels.max(1)).clamp(4 * TILE, 64 * TILE) / TILE * TILE;
    let mut start = 0;
    while start < pixels.len() {
        let end = pixels.len().min(start + stretch);
        for panel in outputs.panels() {
            let row = |pixel: usize| &x[pixel * channels + panel.channel..][..each];
            let mut at = start;
            while at + TILE <= end {
                let mut sums = [[0.0; PANEL]; TILE];
                add_panel(&mut sums, [row(at), row(at + 1), row(at + 2)], panel.w);
                outputs.store(&panel, &sums, at, y);
                at += TILE;
            }
            for at in at..end {
                let mut sums = [[0.0; PANEL]];
                add_panel(&mut sums, [row(at)], panel.w);
                outputs.store(&panel, &sums, at, y);
            }
        }
        start = end;
    }
}

/// One output row of one image.
fn run_row(outputs: &Outputs, down: Taps, x: &[f32], y: &mut [f32]) {
    let shape = outputs.shape;
    let width = shape.output[1];
    let inside = shape.axes[1].inside(width);
    let step = shape.axes[1].stride() * shape.input[2];
    for panel in outputs.panels() {
        let mut at = 0;
        while at < width {
            let across = shape.axes[1].taps(at);
            if inside.contains(&at) && at + TILE <= inside.end {
                let mut sums = [[0.0; PANEL]; TILE];
                add_window(shape, &panel, [0, step, 2 * step], down, across, x, &mut sums);
                outputs.store(&panel, &sums, at, y);
                at += TILE;
            } else {
                let mut sums = [[0.0; PANEL]];
                add_window(shape, &panel, [0], down, across, x, &mut sums);
                outputs.store(&panel, &sums, at, y);
                at += 1;
            }
        }
    }
}

/// Adds the windows of `P` pixels that lie `offsets` values behind the first.
#[inline(always)]
fn add_window<const P: usize>(
    shape: &Shape,
    panel: &Panel,
    offsets: [usize; P],
    down: Taps,
    across: Taps,
    x: &[f32],
    sums: &mut [[f32; PANEL]; P],
) {
    let ([_, width, channels], [_, kw, each]) = (shape.input, shape.kernel);
    // Neighbouring taps of all channels are one run.
    let (runs, run) = if across.step == 1 && each == channels {
        (across.count.min(1), across.count * each)
    } else {
        (across.count, each)
    };
    for (ky, iy) in down.iter() {
        for i in 0..runs {
            let at = (iy * width + across.at + i * across.step) * channels + panel.channel;
            let w = &panel.w[(ky * kw + across.first + i) * each * PANEL..][..run * PANEL];
            add_panel(sums, offsets.map(|offset| &x[at + offset..][..run]), w);
        }
    }
}
