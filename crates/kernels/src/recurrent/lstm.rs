//! Long short-term memory. Inputs: gates (input, output, forget, cell), r, h `[N, H]`, c `[N, H]`,
//! peepholes `[3, H]` (input, output, forget), lens; all but the first two are optional. Outputs: y
//! `[T, N, H]`, h, c.
//!
//! `i = f(gi + pi * c)`, `f = f(gf + pf * c)`, `c' = f * c + i * g(gc)`, `o = f(go + po * c')`,
//! `h' = o * h(c')`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Activation, Shape, accumulate, begin, check_bound, limit, parts};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsLstm {
    /// 1 when sequences are read from their end.
    pub reverse: u32,
    /// 1 when the forget gate is `1 - i`.
    pub coupled: u32,
    /// Bound of what goes into the gates' activations; infinity when there is none.
    pub clip: f32,
    /// Bound of the cell; infinity when there is none.
    pub cell_clip: f32,
    /// f, g, h.
    pub activations: [Activation; 3],
}

/// f32.
pub const LSTM: Kernel = Kernel::new("lstm_f32", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsLstm = sig.params()?;
    params.activations.iter().try_for_each(Activation::check)?;
    check_bound(params.clip)?;
    check_bound(params.cell_clip)?;
    if 1 < params.reverse || 1 < params.coupled {
        return Err(Fault::Record);
    }
    let shape = Shape::check(sig, 4, &[2, 3], 5)?;
    match sig.optional(4) {
        Some(p) if p.dtype != embarca_num::DType::F32 => return Err(Fault::Type),
        Some(p) if p.dims != [3, shape.hidden as u32] => return Err(Fault::Shape),
        _ => {}
    }
    Ok(Needs { units: 1, scratch: shape.scratch(4)? })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsLstm = call.params()?;
    let (gates, r) = (call.input(0)?, call.input(1)?);
    let (h0, c0) = (call.optional(2), call.optional(3));
    let p = call.optional(4).map(|p| p.elements::<f32>());
    let lens = call.optional(5).map(|lens| lens.elements::<i32>());
    let shape = Shape::new(gates.ty, r.ty, 4)?;
    let scratch = &mut *call.scratch;
    let [y, h, c] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (y, h, c) = (y.elements(), h.elements(), c.elements());
    begin(h, h0);
    begin(c, c0);
    run(&params, &shape, [gates.elements(), r.elements()], (p, lens), y, [h, c], scratch);
    Ok(())
}

/// All steps of all sequences; `states` are h and c before and after.
fn run(
    params: &ParamsLstm,
    shape: &Shape,
    [gates, r]: [&[f32]; 2],
    (p, lens): (Option<&[f32]>, Option<&[i32]>),
    y: &mut [f32],
    [h, c]: [&mut [f32]; 2],
    scratch: &mut [u8],
) {
    let size = shape.hidden;
    let Some([input, output, forget, cell]) = parts::<4>(scratch, size) else { return };
    let [f, g, out] = &params.activations;
    let peep = |gate: &mut [f32], which: usize, c: &[f32]| {
        let Some(p) = p else { return };
        for ((gate, p), c) in gate.iter_mut().zip(&p[which * size..]).zip(c) {
            *gate += p * c;
        }
    };
    shape.for_each_step(params.reverse == 1, lens, y, |n, row, y| {
        let (h, c) = (&mut h[n * size..][..size], &mut c[n * size..][..size]);
        let gates = &gates[row * 4 * size..][..4 * size];
        for (k, gate) in [&mut *input, output, forget, cell].into_iter().enumerate() {
            gate.copy_from_slice(&gates[k * size..][..size]);
            accumulate(gate, h, r, (k * size, 4 * size));
        }
        peep(input, 0, c);
        peep(forget, 2, c);
        for gate in [&mut *input, forget, cell] {
            limit(gate, params.clip);
        }
        f.apply(input);
        g.apply(cell);
        if params.coupled == 1 {
            forget.iter_mut().zip(input.iter()).for_each(|(forget, input)| *forget = 1.0 - input);
        } else {
            f.apply(forget);
        }
        for (((c, i), f), g) in c.iter_mut().zip(&*input).zip(&*forget).zip(&*cell) {
            *c = f * *c + i * g;
        }
        limit(c, params.cell_clip);
        peep(output, 1, c);
        limit(output, params.clip);
        f.apply(output);
        h.copy_from_slice(c);
        out.apply(h);
        h.iter_mut().zip(output.iter()).for_each(|(h, o)| *h *= o);
        y.copy_from_slice(h);
    });
}
