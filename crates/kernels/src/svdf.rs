//! Singular value decomposition filter on integers, as TFLM defines it
//! (`micro/kernels/svdf_common.cc`): each filter appends one number to its memory and weighs it.
//!
//! Inputs: x `[N, I]` (i8), feature weights `[F, I]` (i8), time weights `[F, M]`, bias `[U]` (i32,
//! optional), state `[N, F * M]`, `F` being `U` times the rank. Outputs: y `[N, U]` (i8), state. State
//! and time weights have 8 or 16 bits.

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::conv2d::i8::dot;
use crate::reduce::Level;
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature, Ty};

/// A state of 8 bits.
pub const I8: Kernel = Kernel::new("svdf_i8", check::<i8>, call::<i8>);

/// A state of 16 bits.
pub const I16: Kernel = Kernel::new("svdf_i16", check::<i16>, call::<i16>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[I8, I16];

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Zero point of x.
    pub x_zero: i32,
    /// Zero point of the state.
    pub state_zero: i32,
    /// Zero point of y.
    pub y_zero: i32,
    /// Filters of an output.
    pub rank: u32,
    /// From products with the input to the state.
    pub feature: Requant,
    /// From products with the state to the output.
    pub time: Requant,
}

fn check<T: Level>(sig: &Signature) -> Result<Needs, Fault> {
    let params: Params = sig.params()?;
    let byte = |zero: i32| (-128..=127).contains(&zero);
    let [low, high] = T::BOUNDS;
    let zeros = byte(params.x_zero) && byte(params.y_zero);
    let state_zero = low <= params.state_zero && params.state_zero <= high;
    if !zeros || !state_zero || !params.feature.is_valid() || !params.time.is_valid() {
        return Err(Fault::Record);
    }
    if sig.inputs.len() != 5 || sig.outputs.len() != 2 {
        return Err(Fault::Arity);
    }
    let fits = |ty: Ty, dtype: DType, dims: &[u32]| {
        check_size(ty)?;
        match ty.dtype == dtype {
            true if ty.dims == dims => Ok(()),
            true => Err(Fault::Shape),
            false => Err(Fault::Type),
        }
    };
    let (x, time) = (sig.input(0)?, sig.input(2)?);
    let (&[batch, width], &[filters, memory]) = (x.dims, time.dims) else {
        return Err(Fault::Shape);
    };
    let units = filters.checked_div(params.rank).ok_or(Fault::Record)?;
    let state = filters.checked_mul(memory).ok_or(Fault::TooLarge)?;
    if units * params.rank != filters || memory == 0 {
        return Err(Fault::Shape);
    }
    fits(x, DType::I8, x.dims)?;
    fits(sig.input(1)?, DType::I8, &[filters, width])?;
    fits(time, T::DTYPE, time.dims)?;
    if let Some(bias) = sig.optional(3) {
        fits(bias, DType::I32, &[units])?;
    }
    fits(sig.input(4)?, T::DTYPE, &[batch, state])?;
    fits(sig.output(0)?, DType::I8, &[batch, units])?;
    fits(sig.output(1)?, T::DTYPE, &[batch, state])?;
    Ok(Needs::WHOLE)
}

fn call<T: Level>(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let (x, feature, time) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let bias = call.optional(3).map(|bias| bias.elements::<i32>());
    let before = call.input(4)?.elements::<T>();
    let (&[_, width], &[filters, memory]) = (x.ty.dims, time.ty.dims) else {
        return Err(Fault::Shape);
    };
    let [y, state] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (width, filters, memory) = (width as usize, filters as usize, memory as usize);
    let rank = params.rank as usize;
    if filters == 0 {
        return Ok(());
    }
    let (x, w, time) = (x.elements::<i8>(), feature.elements::<i8>(), time.elements::<T>());
    let [low, high] = T::BOUNDS;
    let rows = state.elements::<T>().chunks_exact_mut(filters * memory);
    let rows = rows.zip(before.chunks_exact(filters * memory));
    for (n, ((state, before), y)) in rows.zip(y.elements::<i8>().chunks_exact_mut(filters / rank)).enumerate() {
        let x = &x[n * width..][..width];
        let memories = state.chunks_exact_mut(memory).zip(before.chunks_exact(memory));
        for (f, (state, before)) in memories.enumerate() {
            let sum = dot(x, params.x_zero as i16, &w[f * width..][..width], 0);
            let new = params.feature.apply(sum).clamp(low, high);
            state[..memory - 1].copy_from_slice(&before[1..]);
            // The sum with the zero point wraps in the state's type.
            state[memory - 1] = T::wrap(new + params.state_zero);
        }
        for (u, y) in y.iter_mut().enumerate() {
            let mut sum = bias.and_then(|bias| bias.get(u)).copied().unwrap_or(0);
            let from = u * rank * memory..(u + 1) * rank * memory;
            for (&s, &t) in state[from.clone()].iter().zip(&time[from]) {
                let (s, t): (i32, i32) = (s.into(), t.into());
                sum = sum.wrapping_add(t.wrapping_mul(s - params.state_zero));
            }
            *y = saturate_i8(params.time.apply(sum).saturating_add(params.y_zero));
        }
    }
    Ok(())
}
