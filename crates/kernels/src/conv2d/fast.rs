//! A twin of the f32 convolution that computes panels of outputs for several pixels at a time.
//! Every sum keeps the order of the definition, so the results are the same bits.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsF32, Shape, f32};
use crate::{
    Call, Fault, Kernel, Needs, Pack, Signature,
    packing::{PANEL, PANELS_F32, panels_f32, panels_f32_len},
    products::add_panel,
    spatial::Taps,
    tail::ClampF32,
};

/// The twin of `conv2d_f32`.
pub const F32: Kernel = Kernel {
    name: "conv2d_f32_panels",
    check,
    run: call,
    pack: Some(Pack { packing: PANELS_F32, input: 1, len, pack }),
};

/// Input values that a stretch of pixels may have, so that it stays in the fastest cache while all
/// panels pass over it.
const STRETCH: usize = 4096;

/// Input values that a stretch of rows may have, so that it stays in the second cache while all
/// panels pass over it, when the weights are more than this many.
const ROWS_STRETCH: usize = 1 << 16;

/// Windows without taps, of which there are no panels, are left to the definition.
fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    match Shape::of(&params.window, params.groups, sig)?.taps() {
        0 => Err(Fault::Shape),
        _ => f32::check(sig),
    }
}

fn len(sig: &Signature) -> Result<usize, Fault> {
    let params: ParamsF32 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    Ok(panels_f32_len(params.groups as usize, shape.group, shape.taps())? * 4)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsF32 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let (Ok(w), Ok(packed)) = (<[f32]>::ref_from_bytes(w), <[f32]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    panels_f32(shape.group, shape.taps(), w, packed);
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
        let taps = self.shape.taps() * PANEL;
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
    fn store<const P: usize, const L: usize>(
        &self,
        panel: &Panel,
        sums: &[[f32; L]; P],
        at: usize,
        y: &mut [f32],
    ) {
        for (p, sums) in sums.iter().enumerate() {
            let y = &mut y[(at + p) * self.shape.output[2] + panel.first..][..panel.count];
            if let Some(y) = y.as_mut_array::<L>() {
                for j in 0..L {
                    y[j] = self.clamp.apply(sums[j] + panel.bias[j]);
                }
            } else {
                for (y, (sum, bias)) in y.iter_mut().zip(sums.iter().zip(&panel.bias)) {
                    *y = self.clamp.apply(sum + bias);
                }
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
    let each = shape.axes[0].stride() * shape.input[1] * shape.input[2];
    let few = outputs.w.len() <= ROWS_STRETCH;
    let stretch = if few { 1 } else { (ROWS_STRETCH / each.max(1)).max(1) };
    for (i, y) in y.chunks_mut((stretch * shape.row()).max(1)).enumerate() {
        let start = units.start + i * stretch;
        let rows = Rows { outputs, units: start..units.end.min(start + stretch), x };
        for panel in outputs.panels() {
            // Narrow panels are computed for more pixels at a time: about as many sums.
            match panel.count {
                0..=4 => rows.run::<6, 4>(&panel, y),
                5..=8 => rows.run::<4, 8>(&panel, y),
                _ => rows.run::<3, PANEL>(&panel, y),
            }
        }
    }
}

/// Pixels `pixels` of all images; each reads the pixel at its own place.
fn run_pointwise(outputs: &Outputs, pixels: Range<usize>, x: &[f32], y: &mut [f32]) {
    let [channels, o] = [outputs.shape.input[2], outputs.shape.output[2]];
    let x = &x[pixels.start * channels..pixels.end * channels];
    let stretch = (STRETCH / channels.max(1)).clamp(12, 192) / 12 * 12;
    let stretches = x.chunks((stretch * channels).max(1)).zip(y.chunks_mut((stretch * o).max(1)));
    for (x, y) in stretches {
        for panel in outputs.panels() {
            match panel.count {
                0..=4 => run_pixels::<6, 4>(outputs, &panel, x, y),
                5..=8 => run_pixels::<4, 8>(outputs, &panel, x, y),
                _ => run_pixels::<3, PANEL>(outputs, &panel, x, y),
            }
        }
    }
}

/// A panel of pixels that read the pixel at their own place, `P` at a time.
fn run_pixels<const P: usize, const L: usize>(
    outputs: &Outputs,
    panel: &Panel,
    x: &[f32],
    y: &mut [f32],
) {
    let (channels, each) = (outputs.shape.input[2], outputs.shape.kernel[2]);
    let end = y.len() / outputs.shape.output[2];
    let row = |pixel: usize| &x[pixel * channels + panel.channel..][..each];
    let mut at = 0;
    while at + P <= end {
        let mut sums = [[0.0; L]; P];
        add_panel(&mut sums, core::array::from_fn(|p| row(at + p)), panel.w);
        outputs.store(panel, &sums, at, y);
        at += P;
    }
    for at in at..end {
        let mut sums = [[0.0; L]];
        add_panel(&mut sums, [row(at)], panel.w);
        outputs.store(panel, &sums, at, y);
    }
}

/// Rows of the output.
struct Rows<'a> {
    outputs: &'a Outputs<'a>,
    units: Range<usize>,
    /// All images.
    x: &'a [f32],
}

impl Rows<'_> {
    /// A panel of the rows, `P` pixels at a time.
    fn run<const P: usize, const L: usize>(&self, panel: &Panel, y: &mut [f32]) {
        let shape = self.outputs.shape;
        let image = shape.image();
        for (unit, y) in self.units.clone().zip(y.chunks_exact_mut(shape.row().max(1))) {
            let (n, oy) = (unit / shape.output[0].max(1), unit % shape.output[0].max(1));
            let x = &self.x[n * image..][..image];
            self.row::<P, L>(panel, shape.axes[0].taps(oy), x, y);
        }
    }

    fn row<const P: usize, const L: usize>(
        &self,
        panel: &Panel,
        down: Taps,
        x: &[f32],
        y: &mut [f32],
    ) {
        let shape = self.outputs.shape;
        let width = shape.output[1];
        let inside = shape.axes[1].inside(width);
        let step = shape.axes[1].stride() * shape.input[2];
        let mut at = 0;
        while at < width {
            let across = shape.axes[1].taps(at);
            if inside.contains(&at) && at + P <= inside.end {
                let mut sums = [[0.0; L]; P];
                let offsets = core::array::from_fn(|p| p * step);
                add_window(shape, panel, offsets, down, across, x, &mut sums);
                self.outputs.store(panel, &sums, at, y);
                at += P;
            } else {
                let mut sums = [[0.0; L]];
                add_window(shape, panel, [0], down, across, x, &mut sums);
                self.outputs.store(panel, &sums, at, y);
                at += 1;
            }
        }
    }
}

/// Adds the windows of `P` pixels that lie `offsets` values behind the first.
#[inline(always)]
fn add_window<const P: usize, const L: usize>(
    shape: &Shape,
    panel: &Panel,
    offsets: [usize; P],
    down: Taps,
    across: Taps,
    x: &[f32],
    sums: &mut [[f32; L]; P],
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
