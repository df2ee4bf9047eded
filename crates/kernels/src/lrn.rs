//! Local response normalization across the last axis:
//! `y[c] = x[c] / (bias + alpha * sum of x[k]^2 for k from c - before to c + after)^beta`, as far as
//! those exist. Split into rows.

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; sums run along the axis.
pub const F32: Kernel = Kernel::new("lrn_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Neighbours before and behind each channel.
    pub reach: [u32; 2],
    /// Factor of the sum of squares.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Added to the scaled sum.
    pub bias: f32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let _: Params = sig.params()?;
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != DType::F32 || y.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    let Some(&width) = x.dims.last() else { return Err(Fault::Shape) };
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(x.len()?.checked_div(width as usize).unwrap_or(0)))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params()?;
    let x = call.input(0)?;
    let width = x.ty.dims.last().map_or(1, |&dim| dim as usize).max(1);
    let units = call.units.clone();
    let rows = x.elements::<f32>().chunks_exact(width).skip(units.start).take(units.len());
    for (x, y) in rows.zip(call.output(0)?.elements().chunks_exact_mut(width)) {
        run(&params, x, y);
    }
    Ok(())
}

/// One row.
pub fn run(params: &Params, x: &[f32], y: &mut [f32]) {
    let [before, after] = params.reach.map(|reach| reach as usize);
    for (c, y) in y.iter_mut().enumerate() {
        let end = c.saturating_add(after).saturating_add(1).min(x.len());
        let near = &x[c.saturating_sub(before)..end];
        let sum = near.iter().fold(0.0, |sum, x| sum + x * x);
        *y = x[c] / float::pow(params.bias + params.alpha * sum, params.beta);
    }
}
