//! Gated recurrent unit. Inputs: gates (update, reset, hidden), r, h `[N, H]`, the bias of the
//! recurrent product of the hidden gate `[H]`, lens; all but the first two are optional. Outputs: y
//! `[T, N, H]`, h.
//!
//! `z = f(gz)`, `r = f(gr)`, `n = g(gn + (r * h) R)`, or `n = g(gn + r * (h R + b))` when the reset
//! comes after the product; `h' = (1 - z) * n + z * h`. The bias counts in the second form only.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Activation, Shape, accumulate, begin, check_bound, limit, parts};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsGru {
    /// 1 when sequences are read from their end.
    pub reverse: u32,
    /// 1 when the reset gate comes after the recurrent product.
    pub reset_after: u32,
    /// Bound of what goes into the activations; infinity when there is none.
    pub clip: f32,
    /// f, g.
    pub activations: [Activation; 2],
}

/// f32.
pub const GRU: Kernel = Kernel::new("gru_f32", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsGru = sig.params()?;
    params.activations.iter().try_for_each(Activation::check)?;
    check_bound(params.clip)?;
    if 1 < params.reverse || 1 < params.reset_after {
        return Err(Fault::Record);
    }
    let shape = Shape::check(sig, 3, &[2], 4)?;
    match sig.optional(3) {
        Some(b) if b.dtype != DType::F32 => return Err(Fault::Type),
        Some(b) if b.dims != [shape.hidden as u32] => return Err(Fault::Shape),
        _ => {}
    }
    Ok(Needs { units: 1, scratch: shape.scratch(4)? })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsGru = call.params()?;
    let (gates, r, h0) = (call.input(0)?, call.input(1)?, call.optional(2));
    let b = call.optional(3).map(|b| b.elements::<f32>());
    let lens = call.optional(4).map(|lens| lens.elements::<i32>());
    let shape = Shape::new(gates.ty, r.ty, 3)?;
    let scratch = &mut *call.scratch;
    let [y, h] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (y, h) = (y.elements(), h.elements());
    begin(h, h0);
    run(&params, &shape, [gates.elements(), r.elements()], (b, lens), y, h, scratch);
    Ok(())
}

/// All steps of all sequences; `h` is the state before and after.
fn run(
    params: &ParamsGru,
    shape: &Shape,
    [gates, r]: [&[f32]; 2],
    (b, lens): (Option<&[f32]>, Option<&[i32]>),
    y: &mut [f32],
    h: &mut [f32],
    scratch: &mut [u8],
) {
    let size = shape.hidden;
    let Some([update, reset, new, product]) = parts::<4>(scratch, size) else { return };
    let [f, g] = &params.activations;
    shape.for_each_step(params.reverse == 1, lens, y, |n, row, y| {
        let h = &mut h[n * size..][..size];
        let gates = &gates[row * 3 * size..][..3 * size];
        for (k, gate) in [&mut *update, reset].into_iter().enumerate() {
            gate.copy_from_slice(&gates[k * size..][..size]);
            accumulate(gate, h, r, (k * size, 3 * size));
            limit(gate, params.clip);
            f.apply(gate);
        }
        new.copy_from_slice(&gates[2 * size..]);
        if params.reset_after == 1 {
            match b {
                Some(b) => product.copy_from_slice(b),
                None => product.fill(0.0),
            }
            accumulate(product, h, r, (2 * size, 3 * size));
            for ((new, p), r) in new.iter_mut().zip(&*product).zip(&*reset) {
                *new += r * p;
            }
        } else {
            for ((p, r), h) in product.iter_mut().zip(&*reset).zip(&*h) {
                *p = r * h;
            }
            accumulate(new, product, r, (2 * size, 3 * size));
        }
        limit(new, params.clip);
        g.apply(new);
        for ((h, n), z) in h.iter_mut().zip(&*new).zip(&*update) {
            *h = (1.0 - z) * n + z * *h;
        }
        y.copy_from_slice(h);
    });
}
