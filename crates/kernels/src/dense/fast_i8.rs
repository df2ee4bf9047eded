//! Twins of the layers with i8 weights. They widen several rows of inputs to 16 bits and multiply
//! rows of such. Integer sums do not depend on their order, so the results are the same.

use core::ops::Range;

use zerocopy::FromBytes;

use super::{ParamsHybrid, Shape, hybrid, i8, onnx};
use crate::{
    Call, Fault, Kernel, Needs, Pack, Signature,
    finish::{Finish, FinishHybrid, FinishI8, FinishOnnx, SPAN},
    hybrid::{quantize_asymmetric, quantize_symmetric},
    packing::{ROWS_I16, rows_i16, rows_i16_len},
    products::dots,
    tail::TailI8,
};

/// The twin of `dense_i8`.
pub const I8: Kernel = Kernel {
    name: "dense_i8_rows",
    check: |sig| check(i8::check(sig)?, sig),
    run: call_i8,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len, pack: pack_i8 }),
};

/// The twin of `dense_onnx`.
pub const ONNX: Kernel = Kernel {
    name: "dense_onnx_rows",
    check: |sig| check(onnx::check(sig)?, sig),
    run: call_onnx,
    pack: Some(Pack { packing: ROWS_I16, input: 1, len, pack: pack_i8 }),
};

/// The twin of `dense_hybrid`.
pub const HYBRID: Kernel = Kernel {
    name: "dense_hybrid_rows",
    check: check_hybrid,
    run: call_hybrid,
    pack: Some(Pack {
        packing: ROWS_I16,
        input: 1,
        len,
        pack: |sig, w, packed| pack(sig, 0, w, packed),
    }),
};

/// Rows of inputs that share a row of weights.
const TILE: usize = 4;

/// The scratch holds a tile of widened rows.
fn check(needs: Needs, sig: &Signature) -> Result<Needs, Fault> {
    let row = rows_i16_len(1, Shape::of(sig)?.inputs)?;
    Ok(Needs { scratch: row.checked_mul(2 * TILE).ok_or(Fault::TooLarge)?, ..needs })
}

/// The scratch holds a widened row and then a quantized one.
fn check_hybrid(sig: &Signature) -> Result<Needs, Fault> {
    let needs = hybrid::check(sig)?;
    let row = rows_i16_len(1, Shape::of(sig)?.inputs)?;
    Ok(Needs { scratch: needs.scratch.checked_add(2 * row).ok_or(Fault::TooLarge)?, ..needs })
}

fn len(sig: &Signature) -> Result<usize, Fault> {
    let shape = Shape::of(sig)?;
    Ok(rows_i16_len(shape.outputs, shape.inputs)? * 2)
}

fn pack_i8(sig: &Signature, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let tail: TailI8 = sig.params()?;
    pack(sig, tail.w_zero as i16, w, packed)
}

fn pack(sig: &Signature, w_zero: i16, w: &[u8], packed: &mut [u8]) -> Result<(), Fault> {
    let (Ok(w), Ok(packed)) = (<[i8]>::ref_from_bytes(w), <[i16]>::mut_from_bytes(packed)) else {
        return Err(Fault::Shape);
    };
    rows_i16(Shape::of(sig)?.inputs, w_zero, w, packed);
    Ok(())
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let tail: TailI8 = call.params()?;
    let (bias, factors) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    call_with(call, &tail, FinishI8 { tail: &tail, bias, factors: factors.elements() })
}

fn call_onnx(call: &mut Call) -> Result<(), Fault> {
    let tail: TailI8 = call.params()?;
    let (bias, scales) = (call.optional(2), call.input(3)?);
    let bias = bias.as_ref().map(|bias| bias.elements());
    call_with(call, &tail, FinishOnnx { tail: &tail, bias, scales: scales.elements() })
}

fn call_with(call: &mut Call, tail: &TailI8, finish: impl Finish<Y = i8>) -> Result<(), Fault> {
    let (x, w, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let row = rows_i16_len(1, shape.inputs)?;
    let wide = call.scratch.get_mut(..2 * TILE * row).ok_or(Fault::TooLarge)?;
    let wide = <[i16]>::mut_from_bytes(wide).unwrap_or_default();
    let layer = Layer { shape: &shape, row, w: w.elements() };
    let x = x.elements::<i8>();
    for_each_part(&shape, units, y.elements(), |rows, columns, y| {
        let x = &x[rows.start * shape.inputs..rows.end * shape.inputs];
        let tiles = x.chunks((TILE * shape.inputs).max(1)).zip(y.chunks_mut(TILE * columns.len()));
        for (x, y) in tiles {
            layer.widen(x, tail.in_zero as i16, wide);
            if y.len() == columns.len() {
                layer.multiply::<1, _>(&finish, columns.clone(), wide, y);
            } else {
                layer.multiply::<TILE, _>(&finish, columns.clone(), wide, y);
            }
        }
        if shape.inputs == 0 {
            wide.fill(0);
            for y in y.chunks_exact_mut(columns.len()) {
                layer.multiply::<1, _>(&finish, columns.clone(), wide, y);
            }
        }
    });
    Ok(())
}

fn call_hybrid(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsHybrid = call.params()?;
    let (x, w, bias, scales) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    let shape = Shape::new(x.ty, w.ty, y.ty)?;
    let row = rows_i16_len(1, shape.inputs)?;
    let (wide, quantized) = call.scratch.split_at_mut_checked(2 * row).ok_or(Fault::TooLarge)?;
    let wide = <[i16]>::mut_from_bytes(wide).unwrap_or_default();
    let quantized = quantized.get_mut(..shape.inputs).ok_or(Fault::TooLarge)?;
    let quantized = <[i8]>::mut_from_bytes(quantized).unwrap_or_default();
    let layer = Layer { shape: &shape, row, w: w.elements() };
    let x = x.elements::<f32>();
    for_each_part(&shape, units, y.elements(), |rows, columns, y| {
        for (row, y) in rows.zip(y.chunks_exact_mut(columns.len())) {
            let x = &x[row * shape.inputs..][..shape.inputs];
            let (scale, zero) = match params.asymmetric {
                0 => (quantize_symmetric(x, quantized), 0),
                _ => quantize_asymmetric(x, quantized),
            };
            let finish = FinishHybrid {
                clamp: params.clamp,
                bias: bias.as_ref().map(|bias| bias.elements()),
                scales: scales.elements(),
                scale,
                joined: true,
            };
            layer.widen(quantized, zero, wide);
            layer.multiply::<1, _>(&finish, columns.clone(), wide, y);
        }
    });
    Ok(())
}

/// Calls `each` with rows, columns and elements of the parts of `units` that are rectangles: whole
/// rows together, the ends of the range by themselves.
fn for_each_part<Y>(
    shape: &Shape,
    units: Range<usize>,
    mut y: &mut [Y],
    mut each: impl FnMut(Range<usize>, Range<usize>, &mut [Y]),
) {
    let (mut start, outputs) = (units.start, shape.outputs);
    while start < units.end {
        let (row, column, left) = (start / outputs, start % outputs, units.end - start);
        let (rows, columns) = if column == 0 && outputs <= left {
            (left / outputs, 0..outputs)
        } else {
            (1, column..outputs.min(column + left))
        };
        let len = rows * columns.len();
        let (part, rest) = y.split_at_mut(len);
        each(row..row + rows, columns, part);
        (y, start) = (rest, start + len);
    }
}

struct Layer<'a> {
    shape: &'a Shape,
    /// Length of a row of weights and of a widened row of inputs.
    row: usize,
    /// [`ROWS_I16`]
    w: &'a [i16],
}

impl Layer<'_> {
    /// Widens rows of inputs less their zero point.
    fn widen(&self, x: &[i8], zero: i16, wide: &mut [i16]) {
        let rows = x.chunks_exact(self.shape.inputs.max(1));
        for (x, wide) in rows.zip(wide.chunks_exact_mut(self.row.max(1))) {
            let (wide, rest) = wide.split_at_mut(x.len());
            for (to, &x) in wide.iter_mut().zip(x) {
                *to = i16::from(x).wrapping_sub(zero);
            }
            rest.fill(0);
        }
    }

    /// Columns `columns` of up to `P` rows.
    fn multiply<const P: usize, F: Finish>(
        &self,
        finish: &F,
        columns: Range<usize>,
        wide: &[i16],
        y: &mut [F::Y],
    ) {
        let x: [&[i16]; P] = core::array::from_fn(|i| &wide[i * self.row..][..self.row]);
        for first in columns.clone().step_by(SPAN) {
            let count = (columns.end - first).min(SPAN);
            let span = finish.span(count, |lane| first + lane);
            let mut start = [0; SPAN];
            finish.start(first, &mut start[..count]);
            let mut sums = [start; P];
            for j in 0..count {
                let products = dots(x, &self.w[(first + j) * self.row..][..self.row]);
                for (sums, product) in sums.iter_mut().zip(products) {
                    sums[j] = sums[j].wrapping_add(product);
                }
            }
            for (y, sums) in y.chunks_exact_mut(columns.len()).zip(&mut sums) {
                let y = &mut y[first - columns.start..][..count];
                finish.store(&span, &mut sums[..count], y);
            }
        }
    }
}
