//! Twins of the depthwise convolutions with i8 weights. They lay out the input of a few rows as f32
//! with its padding, eight channels at a time, so that every output pixel is computed alike. The
//! sums are integers that f32 holds exactly, so the results are the same.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsF32, ParamsI8, Shape, hybrid, i8, onnx};
use crate::{
    Call, Fault, Kernel, Needs, Pack, Signature,
    finish::{Finish, FinishHybrid, FinishI8, FinishOnnx, SPAN},
    hybrid::quantize_asymmetric,
    packing::{LANES, LANES_F32, lanes_f32, lanes_f32_len},
    spatial::Window,
};

/// The twin of `depthwise_conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "depthwise_conv2d_i8_lanes",
    check: |sig| {
        let params: ParamsI8 = sig.params()?;
        check(i8::check(sig)?, &params.window, sig)
    },
    run: call_i8,
    pack: Some(Pack { packing: LANES_F32, input: 1, len, pack: pack_i8 }),
};

/// The twin of `depthwise_conv2d_onnx`.
pub const ONNX: Kernel = Kernel {
    name: "depthwise_conv2d_onnx_lanes",
    check: |sig| {
        let params: ParamsI8 = sig.params()?;
        check(onnx::check(sig)?, &params.window, sig)
    },
    run: call_onnx,
    pack: Some(Pack { packing: LANES_F32, input: 1, len, pack: pack_i8 }),
};

/// The twin of `depthwise_conv2d_hybrid`. Its scratch holds the cells and then the quantized image.
pub const HYBRID: Kernel = Kernel {
    name: "depthwise_conv2d_hybrid_lanes",
    check: |sig| {
        let params: ParamsF32 = sig.params()?;
        let image = hybrid::check(sig)?;
        let needs = check(image, &params.window, sig)?;
        let scratch = needs.scratch.checked_add(image.scratch).ok_or(Fault::TooLarge)?;
        Ok(Needs { scratch, ..needs })
    },
    run: call_hybrid,
    pack: Some(Pack {
        packing: LANES_F32,
        input: 1,
        len,
        pack: |sig, w, packed| pack(sig, 0, w, packed),
    }),
};

/// Pixels of a tile: with [`LANES`] channels their sums fill eight vectors of four.
const TILE: usize = 4;

/// Pixels that are finished together.
const PIXELS: usize = SPAN / LANES;

/// Taps whose products, at most 255 * 255 each, add up to less than `2^22`.
const MAX_TAPS: usize = 64;

/// Cells that are laid out at a time when they suffice for one row: what fits the fastest cache.
const CELLS: usize = 1024;

/// Cells that are laid out at a time, at most.
const MAX_CELLS: usize = 1 << 15;

/// [`LANES`] channels of an input position less the zero point; zeros outside the input.
type Cell = [f32; LANES];

fn check(needs: Needs, window: &Window, sig: &Signature) -> Result<Needs, Fault> {
    let cells = Block::new(window, &Shape::of(window, sig)?).map_or(0, |block| block.cells());
    Ok(Needs { scratch: cells * size_of::<Cell>(), ..needs })
}

fn len(sig: &Signature) -> Result<usize, Fault> {
    let &[_, kh, kw, channels] = sig.input(1)?.dims else { return Err(Fault::Shape) };
    let taps = (kh as usize).checked_mul(kw as usize).ok_or(Fault::TooLarge)?;
    Ok(lanes_f32_len(taps, channels as usize)? * 4)
}

fn pack_i8(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    pack(sig, params.tail.w_zero as i16, w, packed)
}

fn pack(sig: &Signature, w_zero: i16, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let channels = sig.input(1)?.dims.last().copied().unwrap_or(0);
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[f32]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    lanes_f32(channels as usize, w_zero, w, packed);
    Ok(())
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (bias, factors) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    let finish = FinishI8 { tail: &params.tail, bias, factors: factors.elements() };
    call_with(call, &params, finish)
}

fn call_onnx(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (bias, scales) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    let finish = FinishOnnx { tail: &params.tail, bias, scales: scales.elements() };
    call_with(call, &params, finish)
}

fn call_with(call: &mut Call, params: &ParamsI8, finish: impl Finish<Y = i8>) -> Result<(), Fault> {
    let (x, w, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let outputs = Outputs {
        finish,
        zero: params.tail.in_zero as i16,
        shape: &shape,
        block: Block::new(&params.window, &shape),
        w: w.elements::<f32>().as_chunks().0,
    };
    outputs.run(units, x.elements(), cells(call.scratch), y.elements());
    Ok(())
}

fn call_hybrid(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, x.ty, w.ty, y.ty)?;
    let block = Block::new(&params.window, &shape);
    let bytes = block.map_or(0, |block| block.cells()) * size_of::<Cell>();
    let (scratch, quantized) = call.scratch.split_at_mut_checked(bytes).ok_or(Fault::TooLarge)?;
    let scratch = cells(scratch);
    let quantized = quantized.get_mut(..shape.image()).ok_or(Fault::TooLarge)?;
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    let (x, mut y, height) = (x.elements::<f32>(), y.elements::<f32>(), shape.output[0].max(1));
    let mut start = units.start;
    while start < units.end {
        let image = start / height;
        let end = units.end.min((image + 1) * height);
        let x = &x[image * shape.image()..][..shape.image()];
        let (scale, zero) = quantize_asymmetric(x, quantized);
        let finish = FinishHybrid {
            clamp: params.clamp,
            bias: bias.as_ref().map(|bias| bias.elements()),
            scales: scales.elements(),
            scale,
            joined: true,
        };
        let w = w.elements::<f32>().as_chunks().0;
        let outputs = Outputs { finish, zero, shape: &shape, block, w };
        let (part, rest) = y.split_at_mut((end - start) * shape.row());
        outputs.run(start - image * height..end - image * height, quantized, scratch, part);
        (y, start) = (rest, end);
    }
    Ok(())
}

fn cells(scratch: &mut [u8]) -> &mut [Cell] {
    let whole = scratch.len() / size_of::<Cell>() * size_of::<Cell>();
    <[Cell]>::mut_from_bytes(&mut scratch[..whole]).unwrap_or_default()
}

/// The output rows that are computed at a time, and the input that they meet.
#[derive(Clone, Copy)]
struct Block {
    /// Output rows, at least 1.
    rows: usize,
    /// Input columns, padding included.
    width: usize,
    /// Input rows that one output row meets.
    reach: usize,
    stride: [usize; 2],
    /// Input rows and columns between the taps.
    dilation: [usize; 2],
    /// Rows and columns of padding; negative ones are skipped input.
    pad: [isize; 2],
}

impl Block {
    /// `None` when there are no taps, too many, or when they lie too far apart.
    fn new(window: &Window, shape: &Shape) -> Option<Self> {
        let [stride, dilation] =
            [window.stride, window.dilation].map(|axes| axes.map(|n| n as usize));
        let reach = |axis: usize| {
            let taps = shape.axes[axis].len();
            (taps.checked_sub(1)?).checked_mul(dilation[axis])?.checked_add(1)
        };
        let (down, across) = (reach(0)?, reach(1)?);
        let [rows, columns, _] = shape.output;
        let width = columns.checked_sub(1)?.checked_mul(stride[1])?.checked_add(across)?;
        let few = shape.axes[0].len().checked_mul(shape.axes[1].len())? <= MAX_TAPS;
        let near = width.checked_mul(down)? <= MAX_CELLS;
        if !few || !near {
            return None;
        }
        let more = (CELLS / width).saturating_sub(down) / stride[0];
        let rows = (1 + more).min(rows.max(1));
        let pad = window.pad.map(|pad| pad as isize);
        Some(Self { rows, width, reach: down, stride, dilation, pad })
    }

    fn in_rows(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + self.reach
    }

    fn cells(&self) -> usize {
        self.in_rows(self.rows) * self.width
    }
}

struct Outputs<'a, F> {
    finish: F,
    /// Zero point of the input.
    zero: i16,
    shape: &'a Shape,
    block: Option<Block>,
    /// [`LANES_F32`]
    w: &'a [[f32; LANES]],
}

/// Up to [`LANES`] neighbouring output channels.
struct Group<'a, S> {
    first: usize,
    count: usize,
    w: &'a [[f32; LANES]],
    /// Where the sums begin.
    start: [i32; LANES],
    /// For [`PIXELS`] times these channels.
    constants: S,
}

impl<F: Finish> Outputs<'_, F> {
    /// Rows `units` of the output. `cells` is for the cells of a block.
    fn run(&self, units: Range<usize>, x: &[i8], cells: &mut [Cell], y: &mut [F::Y]) {
        let ([height, width, channels], image) = (self.shape.output, self.shape.image());
        let taps = self.shape.axes[0].len() * self.shape.axes[1].len();
        for (i, first) in (0..channels).step_by(LANES).enumerate() {
            let count = (channels - first).min(LANES);
            let mut start = [0; LANES];
            self.finish.start(first, &mut start[..count]);
            let constants = self.finish.span(SPAN, |lane| first + lane % LANES);
            let w = &self.w[i * taps..][..taps];
            let group = Group { first, count, w, start, constants };
            let mut unit = units.start;
            while unit < units.end {
                let (n, oy) = (unit / height, unit % height);
                let x = &x[n * image..][..image];
                let y = &mut y[(unit - units.start) * width * channels..];
                let most = (units.end - unit).min(height - oy);
                unit += match self.block {
                    Some(block) => {
                        let rows = most.min(block.rows);
                        self.lay_out(&block, oy, rows, &group, x, cells);
                        for (row, y) in y.chunks_mut(width * channels).take(rows).enumerate() {
                            self.row(
                                &block,
                                &group,
                                &cells[row * block.stride[0] * block.width..],
                                y,
                            );
                        }
                        rows
                    }
                    None => {
                        self.plain_row(&group, oy, x, y);
                        1
                    }
                };
            }
        }
    }

    /// Fills the cells that output rows `oy..oy + rows` meet.
    fn lay_out(
        &self,
        block: &Block,
        oy: usize,
        rows: usize,
        group: &Group<F::Span>,
        x: &[i8],
        cells: &mut [Cell],
    ) {
        let ([height, width, channels], zero) = (self.shape.input, f32::from(self.zero));
        let top = (oy * block.stride[0]) as isize - block.pad[0];
        // Columns of padding, then those that lie in the input.
        let before = block.pad[1].clamp(0, block.width as isize) as usize;
        let skip = (-block.pad[1]).max(0) as usize;
        let inside = width.saturating_sub(skip).min(block.width - before);
        let lines = cells.chunks_exact_mut(block.width).take(block.in_rows(rows));
        for (iy, cells) in (top..).zip(lines) {
            if iy < 0 || height as isize <= iy || inside == 0 {
                cells.fill([0.0; LANES]);
                continue;
            }
            cells[..before].fill([0.0; LANES]);
            cells[before + inside..].fill([0.0; LANES]);
            let x = &x[(iy as usize * width + skip) * channels..][..inside * channels];
            let pixels = x.chunks_exact(channels).zip(&mut cells[before..before + inside]);
            if self.shape.multiplier == 1 && group.count == LANES {
                for (x, cell) in pixels {
                    let Some(x) = x[group.first..].first_chunk::<LANES>() else { break };
                    for lane in 0..LANES {
                        cell[lane] = f32::from(x[lane]) - zero;
                    }
                }
            } else {
                for (x, cell) in pixels {
                    *cell = [0.0; LANES];
                    for (lane, to) in cell.iter_mut().enumerate().take(group.count) {
                        let x = x[(group.first + lane) / self.shape.multiplier];
                        *to = f32::from(x) - zero;
                    }
                }
            }
        }
    }

    /// The channels of one output row that begins at `cells`.
    fn row(&self, block: &Block, group: &Group<F::Span>, cells: &[Cell], y: &mut [F::Y]) {
        let channels = self.shape.output[2];
        let step = block.stride[1];
        for (i, y) in y.chunks_mut(PIXELS * channels).enumerate() {
            let cells = &cells[i * PIXELS * step..];
            let count = y.len() / channels;
            let mut sums = [[0.0; LANES]; PIXELS];
            if count < TILE {
                for at in 0..count {
                    let tile = self.tile::<1>(block, group.w, &cells[at * step..]);
                    sums[at] = tile[0];
                }
            } else {
                // The second tile may overlap the first.
                for at in [0, count - TILE] {
                    let tile = self.tile::<TILE>(block, group.w, &cells[at * step..]);
                    sums[at..at + TILE].copy_from_slice(&tile);
                }
            }
            let mut whole = [0; SPAN];
            for (whole, sums) in whole.chunks_exact_mut(LANES).zip(&sums) {
                for lane in 0..LANES {
                    whole[lane] = exact(sums[lane]).wrapping_add(group.start[lane]);
                }
            }
            let mut results = [F::Y::default(); SPAN];
            let len = count * LANES;
            self.finish.store(&group.constants, &mut whole[..len], &mut results[..len]);
            for (y, results) in y.chunks_exact_mut(channels).zip(results.as_chunks().0) {
                let y = &mut y[group.first..group.first + group.count];
                match y.as_mut_array::<LANES>() {
                    Some(y) => *y = *results,
                    None => y.copy_from_slice(&results[..y.len()]),
                }
            }
        }
    }

    /// The sums of `P` pixels.
    #[inline(always)]
    fn tile<const P: usize>(
        &self,
        block: &Block,
        w: &[[f32; LANES]],
        cells: &[Cell],
    ) -> [[f32; LANES]; P] {
        let mut sums = [[0.0; LANES]; P];
        let kw = self.shape.axes[1].len();
        for (ky, w) in w.chunks_exact(kw.max(1)).enumerate() {
            let line = &cells[ky * block.dilation[0] * block.width..];
            for (kx, w) in w.iter().enumerate() {
                let at = kx * block.dilation[1];
                for p in 0..P {
                    let x = &line[at + p * block.stride[1]];
                    for lane in 0..LANES {
                        sums[p][lane] += x[lane] * w[lane];
                    }
                }
            }
        }
        sums
    }

    /// The channels of one output row, where blocks do not serve.
    fn plain_row(&self, group: &Group<F::Span>, oy: usize, x: &[i8], y: &mut [F::Y]) {
        let ([_, width, channels], outputs) = (self.shape.input, self.shape.output[2]);
        let (down, axis) = (self.shape.axes[0].taps(oy), &self.shape.axes[1]);
        for (ox, y) in y.chunks_exact_mut(outputs).enumerate().take(self.shape.output[1]) {
            let mut sums = group.start;
            for (ky, iy) in down.iter() {
                for (kx, ix) in axis.taps(ox).iter() {
                    let x = &x[(iy * width + ix) * channels..][..channels];
                    let w = &group.w[ky * axis.len() + kx];
                    for lane in 0..group.count {
                        let x = i32::from(x[(group.first + lane) / self.shape.multiplier]);
                        let product = (x - i32::from(self.zero)).wrapping_mul(w[lane] as i32);
                        sums[lane] = sums[lane].wrapping_add(product);
                    }
                }
            }
            let y = &mut y[group.first..group.first + group.count];
            self.finish.store(&group.constants, &mut sums[..group.count], y);
        }
    }
}

/// An integer below `2^22` as such. The sum has the spacing 1, so its low bits are the integer.
#[inline(always)]
fn exact(x: f32) -> i32 {
    (x + 12_582_912.0).to_bits().wrapping_sub(0x4b40_0000) as i32
}
