//! Twins of the convolutions with i8 weights. They gather the windows of several pixels as 16-bit
//! numbers and multiply rows of such. Integer sums do not depend on their order, so the results are
//! the same.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsHybrid, ParamsI8, Shape, hybrid, i8, onnx};
use crate::{
    Call, Fault, Kernel, Needs, Pack, Signature,
    finish::{Finish, FinishHybrid, FinishI8, FinishOnnx, SPAN},
    hybrid::{quantize_asymmetric, quantize_symmetric},
    packing::{ROWS_I16, rows_i16, rows_i16_len},
    products::dots,
    spatial::Window,
};

/// The twin of `conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "conv2d_i8_rows",
    check: |sig| {
        let params: ParamsI8 = sig.params()?;
        check(i8::check(sig)?, &params.window, params.groups, sig)
    },
    run: call_i8,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len: len_i8, pack: pack_i8 }),
};

/// The twin of `conv2d_onnx`.
pub const ONNX: Kernel = Kernel {
    name: "conv2d_onnx_rows",
    check: |sig| {
        let params: ParamsI8 = sig.params()?;
        check(onnx::check(sig)?, &params.window, params.groups, sig)
    },
    run: call_onnx,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len: len_i8, pack: pack_i8 }),
};

/// The twin of `conv2d_hybrid`.
pub const HYBRID: Kernel = Kernel {
    name: "conv2d_hybrid_rows",
    check: check_hybrid,
    run: call_hybrid,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len: len_hybrid, pack: pack_hybrid }),
};

/// Pixels that share a row of weights.
const TILE: usize = 4;

/// Values of the windows that are gathered at a time, so that they stay near while all weights pass
/// over them.
const STRETCH: usize = 16_384;

/// Pixels whose windows are gathered at a time.
fn pixels(row: usize) -> usize {
    (STRETCH / row.max(1) / TILE).clamp(1, 16) * TILE
}

/// Bytes of the windows that are gathered at a time.
fn scratch(row: usize) -> Result<usize, Fault> {
    row.checked_mul(2 * pixels(row)).ok_or(Fault::TooLarge)
}

fn row(shape: &Shape) -> Result<usize, Fault> {
    rows_i16_len(1, shape.taps())
}

/// Windows without taps, which are no rows, are left to the definition.
fn check(needs: Needs, window: &Window, groups: u32, sig: &Signature) -> Result<Needs, Fault> {
    let shape = Shape::of(window, groups, sig)?;
    if shape.taps() == 0 {
        return Err(Fault::Shape);
    }
    Ok(Needs { scratch: scratch(row(&shape)?)?, ..needs })
}

/// The scratch holds the windows and then the quantized image.
fn check_hybrid(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsHybrid = sig.params()?;
    let image = hybrid::check(sig)?;
    let needs = check(image, &params.window, params.groups, sig)?;
    let scratch = needs.scratch.checked_add(image.scratch).ok_or(Fault::TooLarge)?;
    Ok(Needs { scratch, ..needs })
}

fn len_i8(sig: &Signature) -> Result<usize, Fault> {
    let params: ParamsI8 = sig.params()?;
    len(&Shape::of(&params.window, params.groups, sig)?)
}

fn len_hybrid(sig: &Signature) -> Result<usize, Fault> {
    let params: ParamsHybrid = sig.params()?;
    len(&Shape::of(&params.window, params.groups, sig)?)
}

fn len(shape: &Shape) -> Result<usize, Fault> {
    Ok(rows_i16_len(shape.output[2], shape.taps())? * 2)
}

fn pack_i8(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    pack(&shape, params.tail.w_zero as i16, w, packed)
}

fn pack_hybrid(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsHybrid = sig.params()?;
    pack(&Shape::of(&params.window, params.groups, sig)?, 0, w, packed)
}

fn pack(shape: &Shape, w_zero: i16, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    rows_i16(shape.taps(), w_zero, w, packed);
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
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let row = row(&shape)?;
    let windows = call.scratch.get_mut(..scratch(row)?).ok_or(Fault::TooLarge)?;
    let windows = <[i16]>::mut_from_bytes(windows).unwrap_or_default();
    let zero = params.tail.in_zero as i16;
    let outputs = Outputs { finish, zero, shape: &shape, row, w: w.elements() };
    outputs.run(units, x.elements(), windows, y.elements());
    Ok(())
}

fn call_hybrid(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsHybrid = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let row = row(&shape)?;
    let (windows, quantized) =
        call.scratch.split_at_mut_checked(scratch(row)?).ok_or(Fault::TooLarge)?;
    let windows = <[i16]>::mut_from_bytes(windows).unwrap_or_default();
    let quantized = quantized.get_mut(..shape.image()).ok_or(Fault::TooLarge)?;
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    let (x, mut y, height) = (x.elements::<f32>(), y.elements::<f32>(), shape.output[0].max(1));
    let mut start = units.start;
    while start < units.end {
        let image = start / height;
        let end = units.end.min((image + 1) * height);
        let x = &x[image * shape.image()..][..shape.image()];
        let (scale, zero) = match params.per_channel {
            0 => (quantize_symmetric(x, quantized), 0),
            _ => quantize_asymmetric(x, quantized),
        };
        let finish = FinishHybrid {
            clamp: params.clamp,
            bias: bias.as_ref().map(|bias| bias.elements()),
            scales: scales.elements(),
            scale,
            joined: params.per_channel == 0,
        };
        let outputs = Outputs { finish, zero, shape: &shape, row, w: w.elements() };
        let (part, rest) = y.split_at_mut((end - start) * shape.row());
        let local = start - image * height..end - image * height;
        outputs.run(local, quantized, windows, part);
        (y, start) = (rest, end);
    }
    Ok(())
}

struct Outputs<'a, F> {
    finish: F,
    /// Zero point of the input.
    zero: i16,
    shape: &'a Shape,
    /// Length of a row of weights and of a window.
    row: usize,
    /// [`ROWS_I16`]
    w: &'a [i16],
}

impl<F: Finish> Outputs<'_, F> {
    /// Rows `units` of the output. `windows` is for [`pixels`] windows.
    fn run(&self, units: Range<usize>, x: &[i8], windows: &mut [i16], y: &mut [F::Y]) {
        let [height, width, channels] = self.shape.output;
        let groups = channels.checked_div(self.shape.group).unwrap_or(0);
        let stretch = pixels(self.row);
        windows.fill(0);
        for (i, y) in y.chunks_mut((stretch * channels).max(1)).enumerate() {
            let first = units.start * width + i * stretch;
            let count = y.len() / channels;
            for group in 0..groups {
                let windows = &mut *windows;
                for (at, to) in windows.chunks_exact_mut(self.row.max(1)).take(count).enumerate() {
                    let (line, ox) = ((first + at) / width, (first + at) % width);
                    self.gather([line / height, line % height, ox], group, x, to);
                }
                self.multiply(group, windows, y);
            }
        }
    }

    /// The window of one pixel less the zero point, zeros outside the input.
    fn gather(&self, [n, oy, ox]: [usize; 3], group: usize, x: &[i8], window: &mut [i16]) {
        let ([height, width, channels], [_, kw, each]) = (self.shape.input, self.shape.kernel);
        let (down, across) = (self.shape.axes[0].taps(oy), self.shape.axes[1].taps(ox));
        if down.count * across.count * each != self.shape.taps() {
            window.fill(0);
        }
        // Neighbouring taps of all channels are one run.
        let joined = across.step == 1 && each == channels;
        let (runs, run) =
            if joined { (across.count.min(1), across.count * each) } else { (across.count, each) };
        for (ky, iy) in down.iter() {
            for i in 0..runs {
                let at = ((n * height + iy) * width + across.at + i * across.step) * channels;
                let x = &x[at + group * each..][..run];
                let to = &mut window[(ky * kw + across.first + i) * each..][..run];
                for (to, &x) in to.iter_mut().zip(x) {
                    *to = i16::from(x).wrapping_sub(self.zero);
                }
            }
        }
    }

    /// The group's outputs of all pixels in `y`.
    fn multiply(&self, group: usize, windows: &[i16], y: &mut [F::Y]) {
        let channels = self.shape.output[2];
        let end = (group + 1) * self.shape.group;
        for first in (group * self.shape.group..end).step_by(SPAN) {
            let count = (end - first).min(SPAN);
            let span = self.finish.span(count, |lane| first + lane);
            let mut bias = [0; SPAN];
            self.finish.start(first, &mut bias[..count]);
            let tiles = windows.chunks_exact((TILE * self.row).max(1));
            for (windows, y) in tiles.zip(y.chunks_mut(TILE * channels)) {
                let window = |i: usize| &windows[i * self.row..][..self.row];
                let x = [window(0), window(1), window(2), window(3)];
                let mut sums = [bias; TILE];
                for j in 0..count {
                    let products = dots(x, &self.w[(first + j) * self.row..][..self.row]);
                    for (sums, product) in sums.iter_mut().zip(products) {
                        sums[j] = sums[j].wrapping_add(product);
                    }
                }
                for (y, sums) in y.chunks_exact_mut(channels).zip(&mut sums) {
                    self.finish.store(&span, &mut sums[..count], &mut y[first..first + count]);
                }
            }
        }
    }
}
