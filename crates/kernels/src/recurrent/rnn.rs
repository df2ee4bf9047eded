//! A plain recurrent layer, `h' = f(g + h R)`. Inputs: gates, r, h `[N, H]`, lens; the last two are
//! optional. Outputs: y `[T, N, H]`, h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Activation, Shape, accumulate, begin, check_bound, limit, parts};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsRnn {
    /// 1 when sequences are read from their end.
    pub reverse: u32,
    /// Bound of what goes into the activation; infinity when there is none.
    pub clip: f32,
    /// f.
    pub activation: Activation,
}

/// f32.
pub const RNN: Kernel = Kernel::new("rnn_f32", check, call);

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsRnn = sig.params()?;
    params.activation.check()?;
    check_bound(params.clip)?;
    if 1 < params.reverse {
        return Err(Fault::Record);
    }
    let shape = Shape::check(sig, 1, &[2], 3)?;
    Ok(Needs { units: 1, scratch: shape.scratch(1)? })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsRnn = call.params()?;
    let (gates, r, h0) = (call.input(0)?, call.input(1)?, call.optional(2));
    let lens = call.optional(3).map(|lens| lens.elements::<i32>());
    let shape = Shape::new(gates.ty, r.ty, 1)?;
    let scratch = &mut *call.scratch;
    let [y, h] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (y, h) = (y.elements(), h.elements());
    begin(h, h0);
    let size = shape.hidden;
    let (gates, r) = (gates.elements::<f32>(), r.elements::<f32>());
    let Some([sums]) = parts::<1>(scratch, size) else { return Err(Fault::Record) };
    shape.for_each_step(params.reverse == 1, lens, y, |n, row, y| {
        let h = &mut h[n * size..][..size];
        sums.copy_from_slice(&gates[row * size..][..size]);
        accumulate(sums, h, r, (0, size));
        limit(sums, params.clip);
        params.activation.apply(sums);
        h.copy_from_slice(sums);
        y.copy_from_slice(sums);
    });
    Ok(())
}
