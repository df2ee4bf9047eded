//! From samples to the energies of a spectrum.

use embarca_num::DType;
use embarca_num::fixed::saturate_i16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::check_types;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Samples `[.., W]` times a window `[W]`, shifted down and saturated; record [`ParamsWindow`].
pub const WINDOW: Kernel = Kernel::new("signal_window", check_window, call_window);
/// Samples `[W]` shifted up as far as the largest allows, and by how many bits (i32 `[]`); no record.
pub const AUTO_SCALE: Kernel = Kernel::new("signal_auto_scale", check_scale, call_scale);
/// Squared magnitudes (u32 `[K]`) of complex numbers (i16 `[2 * K]`), zeros outside a range; record
/// [`ParamsEnergy`].
pub const ENERGY: Kernel = Kernel::new("signal_energy", check_energy, call_energy);

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsWindow {
    /// Bits that the product is shifted down by, at most 31.
    pub shift: u32,
}

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsEnergy {
    /// The first number that is computed.
    pub start: u32,
    /// The first number behind those.
    pub end: u32,
}

fn check_window(sig: &Signature) -> Result<Needs, Fault> {
    if 31 < sig.params::<ParamsWindow>()?.shift {
        return Err(Fault::Record);
    }
    check_types(sig, &[DType::I16; 2], &[DType::I16])?;
    let (x, window) = (sig.input(0)?, sig.input(1)?);
    if x.dims != sig.output(0)?.dims || x.dims.last().map(core::slice::from_ref) != Some(window.dims)
    {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call_window(call: &mut Call) -> Result<(), Fault> {
    let shift = call.params::<ParamsWindow>()?.shift;
    let (x, window) = (call.input(0)?.elements::<i16>(), call.input(1)?.elements::<i16>());
    let y = call.output(0)?.elements::<i16>();
    for ((y, &x), &w) in y.iter_mut().zip(x).zip(window.iter().cycle()) {
        *y = saturate_i16((i32::from(x) * i32::from(w)) >> shift);
    }
    Ok(())
}

fn check_scale(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    check_types(sig, &[DType::I16], &[DType::I16, DType::I32])?;
    let x = sig.input(0)?;
    if x.dims.len() != 1 || x.dims != sig.output(0)?.dims || !sig.output(1)?.dims.is_empty() {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call_scale(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?.elements::<i16>();
    // The magnitude of -32768 wraps, and what follows is compared with that.
    let max = x.iter().fold(0i16, |max, &x| {
        if max < x {
            x
        } else if i32::from(max) < -i32::from(x) {
            x.wrapping_neg()
        } else {
            max
        }
    });
    // Silence counts as full: it has no highest bit.
    let bits = if max <= 0 { 0 } else { max.leading_zeros() - 1 };
    let [y, count] = &mut *call.outputs else { return Err(Fault::Arity) };
    for (y, &x) in y.elements::<i16>().iter_mut().zip(x) {
        *y = x.wrapping_shl(bits);
    }
    count.elements::<i32>().fill(bits as i32);
    Ok(())
}

fn check_energy(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsEnergy = sig.params()?;
    check_types(sig, &[DType::I16], &[DType::U32])?;
    let (&[parts], &[count]) = (sig.input(0)?.dims, sig.output(0)?.dims) else {
        return Err(Fault::Shape);
    };
    if Some(parts) != count.checked_mul(2) || params.end < params.start || count < params.end {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call_energy(call: &mut Call) -> Result<(), Fault> {
    let range = call.params::<ParamsEnergy>()?;
    let range = range.start as usize..range.end as usize;
    let x = call.input(0)?.elements::<i16>();
    let y = call.output(0)?.elements::<u32>();
    for (k, (y, x)) in y.iter_mut().zip(x.chunks_exact(2)).enumerate() {
        let square = |part: i16| i32::from(part).pow(2) as u32;
        *y = if range.contains(&k) { square(x[0]) + square(x[1]) } else { 0 };
    }
    Ok(())
}
