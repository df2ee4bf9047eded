//! A twin of the i8 convolution that gathers the window of several pixels as i16 and multiplies
//! rows of 16-bit numbers. Integer sums do not depend on their order, so the results are the same.

use core::ops::Range;

use embarca_num::fixed::Requant;
use zerocopy::FromBytes;

use super::{ParamsI8, Shape, i8};
use crate::{
    Call, Fault, Kernel, Needs, Pack, Signature,
    packing::{ROWS_I16, rows_i16, rows_i16_len},
    products::dots,
    tail::{TailI8, factors},
};

/// The twin of `conv2d_i8`.
pub const I8: Kernel = Kernel {
    name: "conv2d_i8_rows",
    check,
    run: call,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len, pack }),
};

/// Pixels that share a row of weights.
const TILE: usize = 4;

/// Output channels that are rescaled together.
const LANES: usize = 64;

/// Values of the windows that are gathered at a time, so that they stay near while all weights pass
/// over them.
const STRETCH: usize = 16_384;

/// Pixels whose windows are gathered at a time.
fn pixels(row: usize) -> usize {
    (STRETCH / row.max(1) / TILE).clamp(1, 16) * TILE
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let needs = i8::check(sig)?;
    let params: ParamsI8 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let row = rows_i16_len(1, shape.kernel.iter().product())?;
    let scratch = row.checked_mul(2 * pixels(row)).ok_or(Fault::TooLarge)?;
    Ok(Needs { scratch, ..needs })
}

fn len(sig: &Signature) -> Result<usize, Fault> {
    let params: ParamsI8 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    Ok(rows_i16_len(shape.output[2], shape.kernel.iter().product())? * 2)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let params: ParamsI8 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    rows_i16(shape.kernel.iter().product(), params.tail.w_zero as i16, w, packed);
    Ok(())
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (x, w, bias, factors) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let row = rows_i16_len(1, shape.kernel.iter().product())?;
    let scratch = call.scratch.get_mut(..row * 2 * pixels(row)).ok_or(Fault::TooLarge)?;
    let rows = <[i16]>::mut_from_bytes(scratch).unwrap_or_default();
    let outputs = Outputs {
        tail: &params.tail,
        shape: &shape,
        row,
        w: w.elements(),
        bias: bias.as_ref().map(|bias| bias.elements()),
        factors: factors.elements(),
    };
    outputs.run(units, x.elements(), rows, y.elements());
    Ok(())
}

struct Outputs<'a> {
    tail: &'a TailI8,
    shape: &'a Shape,
    /// Length of a row of weights, a multiple of [`STEP`].
    row: usize,
    /// [`ROWS_I16`]
    w: &'a [i16],
    bias: Option<&'a [i32]>,
    factors: &'a [Requant],
}

impl Outputs<'_> {
    /// Rows `units` of the output. `rows` holds the windows of a tile.
    fn run(&self, units: Range<usize>, x: &[i8], rows: &mut [i16], y: &mut [i8]) {
        let [height, width, channels] = self.shape.output;
        let groups = channels.checked_div(self.shape.group).unwrap_or(0);
        let stretch = pixels(self.row);
        rows.fill(0);
        for (i, y) in y.chunks_mut((stretch * channels).max(1)).enumerate() {
            let first = units.start * width + i * stretch;
            let count = y.len() / channels;
            for group in 0..groups {
                for (at, row) in rows.chunks_exact_mut(self.row.max(1)).take(count).enumerate() {
                    let (line, ox) = ((first + at) / width, (first + at) % width);
                    self.gather([line / height, line % height, ox], group, x, row);
                }
                self.multiply(group, rows, y);
            }
        }
    }

    /// The window of one pixel less the zero point, zeros outside the input.
    fn gather(&self, [n, oy, ox]: [usize; 3], group: usize, x: &[i8], row: &mut [i16]) {
        let ([height, width, channels], [_, kw, each]) = (self.shape.input, self.shape.kernel);
        let (down, across) = (self.shape.axes[0].taps(oy), self.shape.axes[1].taps(ox));
        let zero = self.tail.in_zero as i16;
        let taps: usize = self.shape.kernel.iter().product();
        if down.count * across.count * each != taps {
            row.fill(0);
        }
        let joined = across.step == 1 && each == channels;
        let (runs, run) =
            if joined { (across.count.min(1), across.count * each) } else { (across.count, each) };
        for (ky, iy) in down.iter() {
            for i in 0..runs {
                let at = ((n * height + iy) * width + across.at + i * across.step) * channels;
                let x = &x[at + group * each..][..run];
                let row = &mut row[(ky * kw + across.first + i) * each..][..run];
                for (to, &x) in row.iter_mut().zip(x) {
                    *to = i16::from(x).wrapping_sub(zero);
                }
            }
        }
    }

    /// The group's outputs of all pixels in `y`.
    fn multiply(&self, group: usize, rows: &[i16], y: &mut [i8]) {
        let channels = self.shape.output[2];
        let end = (group + 1) * self.shape.group;
        for first in (group * self.shape.group..end).step_by(LANES) {
            let count = (end - first).min(LANES);
            let factors = factors::<LANES>(self.factors, first);
            let mut bias = [0; LANES];
            if let Some(values) = self.bias {
                bias[..count].copy_from_slice(&values[first..first + count]);
            }
            let tiles = rows.chunks_exact((TILE * self.row).max(1));
            for (rows, y) in tiles.zip(y.chunks_mut(TILE * channels)) {
                let row = |i: usize| &rows[i * self.row..][..self.row];
                let x = [row(0), row(1), row(2), row(3)];
                let mut sums = [bias; TILE];
                for j in 0..count {
                    let products = dots(x, &self.w[(first + j) * self.row..][..self.row]);
                    for (sums, product) in sums.iter_mut().zip(products) {
                        sums[j] = sums[j].wrapping_add(product);
                    }
                }
                for (y, sums) in y.chunks_exact_mut(channels).zip(&mut sums) {
                    let y = &mut y[first..first + count];
                    self.tail.store(&mut sums[..count], &factors, y);
                }
            }
        }
    }
}
