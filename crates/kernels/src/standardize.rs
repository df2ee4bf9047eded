//! Rows brought to mean 0 and variance 1: `(x - mean) / sqrt(mean((x - mean)^2) + epsilon)` along
//! the last axis; what layer, instance and group normalization have in common. Split into rows.

use embarca_num::{DType, float};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; sums run along the axis. The record is epsilon, an f32.
pub const F32: Kernel = Kernel::new("standardize_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let epsilon: f32 = sig.params()?;
    if epsilon.is_nan() || epsilon < 0.0 {
        return Err(Fault::Record);
    }
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
    let epsilon = call.params()?;
    let x = call.input(0)?;
    let width = x.ty.dims.last().map_or(1, |&dim| dim as usize).max(1);
    let units = call.units.clone();
    let rows = x.elements::<f32>().chunks_exact(width).skip(units.start).take(units.len());
    for (x, y) in rows.zip(call.output(0)?.elements().chunks_exact_mut(width)) {
        run(epsilon, x, y);
    }
    Ok(())
}

/// One row.
pub fn run(epsilon: f32, x: &[f32], y: &mut [f32]) {
    let count = x.len() as f32;
    let mean = x.iter().fold(0.0, |sum, x| sum + x) / count;
    let variance = x.iter().fold(0.0, |sum, x| sum + (x - mean) * (x - mean)) / count;
    let deviation = float::sqrt(variance + epsilon);
    for (y, x) in y.iter_mut().zip(x) {
        *y = (x - mean) / deviation;
    }
}
