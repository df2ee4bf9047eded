//! A twin of the f32 layer that computes panels of outputs for several rows at a time. Every sum
//! keeps the order of the definition, so the results are the same bits.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{Shape, f32};
use crate::{
    Call, Fault, Kernel, Pack, Signature,
    packing::{PANEL, PANELS_F32, panels_f32, panels_f32_len},
    products::add_panel,
    tail::ClampF32,
};

/// The twin of `dense_f32`.
pub const F32: Kernel = Kernel {
    name: "dense_f32_panels",
    check: f32::check,
    run: call,
    pack: Some(Pack { packing: PANELS_F32, input: 1, len, pack }),
};

/// Rows of a tile: with [`PANEL`] outputs their sums fill twelve vectors of four.
const TILE: usize = 3;

fn len(sig: &Signature) -> Result<usize, Fault> {
    let shape = Shape::of(sig)?;
    Ok(panels_f32_len(1, shape.outputs, shape.inputs)? * 4)
}

fn pack(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let shape = Shape::of(sig)?;
    let (Ok(w), Ok(packed)) = (<[f32]>::ref_from_bytes(w), <[f32]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    panels_f32(shape.outputs, shape.inputs, w, packed);
    Ok(())
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let clamp: ClampF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    run(clamp, &shape, units, x.elements(), w.elements(), bias, y.elements());
    Ok(())
}

/// Elements `units` of the output; `w` is [`PANELS_F32`].
fn run(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let layer = Layer { clamp, shape, w, bias };
    let mut start = units.start;
    let mut rest = y;
    while start < units.end {
        let (row, column) = (start / shape.outputs, start % shape.outputs);
        let left = units.end - start;
        // Whole rows together, the ends of the range by themselves.
        let (rows, columns) = if column == 0 && shape.outputs <= left {
            (left / shape.outputs, 0..shape.outputs)
        } else {
            (1, column..shape.outputs.min(column + left))
        };
        let (y, tail) = rest.split_at_mut(rows * columns.len());
        start += rows * columns.len();
        layer.rows(&x[row * shape.inputs..][..rows * shape.inputs], columns, y);
        rest = tail;
    }
}

struct Layer<'a> {
    clamp: ClampF32,
    shape: &'a Shape,
    w: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl Layer<'_> {
    /// Columns `columns` of the rows in `x`.
    fn rows(&self, x: &[f32], columns: Range<usize>, y: &mut [f32]) {
        let inputs = self.shape.inputs;
        let rows = y.len() / columns.len().max(1);
        let panels = columns.start / PANEL..columns.end.div_ceil(PANEL);
        for panel in panels {
            let w = &self.w[panel * PANEL * inputs..][..PANEL * inputs];
            let first = (panel * PANEL).max(columns.start);
            let end = ((panel + 1) * PANEL).min(columns.end);
            let lanes = first - panel * PANEL..end - panel * PANEL;
            let row = |row: usize| &x[row * inputs..][..inputs];
            let mut at = 0;
            while at < rows {
                let mut sums = [[0.0; PANEL]; TILE];
                let count = (rows - at).min(TILE);
                if count == TILE {
                    add_panel(&mut sums, [row(at), row(at + 1), row(at + 2)], w);
                } else {
                    for (i, sums) in sums.iter_mut().take(count).enumerate() {
                        let mut one = [[0.0; PANEL]];
                        add_panel(&mut one, [row(at + i)], w);
                        *sums = one[0];
                    }
                }
                for sums in &sums[..count] {
                    let y = &mut y[at * columns.len() + first - columns.start..];
                    for (o, (y, sum)) in (first..end).zip(y.iter_mut().zip(&sums[lanes.clone()])) {
                        *y = self.clamp.apply(sum + self.bias.map_or(0.0, |bias| bias[o]));
                    }
                    at += 1;
                }
            }
        }
    }
}
