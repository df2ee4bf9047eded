//! Softmax along the last axis of a row-major matrix of any rank.
//!
//! f32: `exp(x - max) / sum(exp(x - max))`, both sums in the order of the axis.

use embarca_num::{DType, float};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to f32; no record.
pub const F32: Kernel = Kernel::new("softmax_f32", check_f32, call_f32);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != DType::F32 || y.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    let width = x.dims.last().map_or(1, |&dim| dim as usize);
    Ok(Needs::split(x.len()?.checked_div(width).unwrap_or(0)))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?;
    let width = x.ty.dims.last().map_or(1, |&dim| dim as usize);
    let units = call.units.clone();
    let x = x.elements::<f32>();
    let rows = x.chunks_exact(width.max(1)).skip(units.start).take(units.len());
    let y = call.output(0)?.elements::<f32>();
    for (x, y) in rows.zip(y.chunks_exact_mut(width.max(1))) {
        run_f32(x, y);
    }
    Ok(())
}

/// One row.
pub fn run_f32(x: &[f32], y: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = float::exp(x - max);
        sum += *y;
    }
    for y in y {
        *y /= sum;
    }
}
