//! Softmax along the last axis, TFLite's `SoftmaxInt16` (`kernels/internal/reference/softmax.h`).
//! Inputs: x, the table of `e^x` for x from -10 to 0, that of `1 / (1 + x)` for x from 0 to 1. The
//! output has 15 fraction bits. Split into rows.

use embarca_num::DType;
use embarca_num::fixed::{Requant, saturate_i16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::table::{check_table, look_up};
use super::TABLE_LEN;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// i16 to i16; record [`ParamsSoftmax`].
pub const SOFTMAX: Kernel = Kernel::new("softmax_i16", check, call);

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsSoftmax {
    /// Brings differences to the maximum to steps of 10/65535.
    pub factor: Requant,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    if !sig.params::<ParamsSoftmax>()?.factor.is_valid() {
        return Err(Fault::Record);
    }
    if sig.inputs.len() != 3 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    check_table(sig.input(1)?)?;
    check_table(sig.input(2)?)?;
    if x.dtype != DType::I16 || y.dtype != DType::I16 {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    let width = x.dims.last().map_or(1, |&dim| dim as usize);
    // The sum of a row has 31 bits.
    if 1 << 16 <= width {
        return Err(Fault::TooLarge);
    }
    Ok(Needs::split(x.len()?.checked_div(width).unwrap_or(0)))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsSoftmax>()?;
    let x = call.input(0)?;
    let tables = [call.input(1)?, call.input(2)?].map(|table| table.elements::<i16>());
    let [Some(exp), Some(inverse)] = tables.map(<[i16]>::first_chunk) else {
        return Err(Fault::Shape);
    };
    let width = x.ty.dims.last().map_or(1, |&dim| dim as usize).max(1);
    let units = call.units.clone();
    let rows = x.elements::<i16>().chunks_exact(width).skip(units.start).take(units.len());
    for (x, y) in rows.zip(call.output(0)?.elements().chunks_exact_mut(width)) {
        run(p.factor, [exp, inverse], x, y);
    }
    Ok(())
}

/// One row.
fn run(factor: Requant, [exp, inverse]: [&[i16; TABLE_LEN]; 2], x: &[i16], y: &mut [i16]) {
    let max = i32::from(x.iter().copied().max().unwrap_or(i16::MIN));
    let mut sum = 0i32;
    for (y, &x) in y.iter_mut().zip(x) {
        let scaled = factor.apply(i32::from(x) - max).saturating_add(32767);
        *y = look_up(exp, saturate_i16(scaled));
        sum = sum.wrapping_add((*y).into());
    }
    // The sum is at least `e^0`, so it has between 15 and 31 bits.
    let headroom = sum.leading_zeros().clamp(1, 30);
    let fraction = ((i64::from(sum) << (headroom - 1)) + (1 << 13)) >> 14;
    let centred = (fraction as i32).wrapping_sub((1 << 15) + (1 << 16));
    let scale = i64::from(look_up(inverse, saturate_i16(centred)));
    let shift = 31 - headroom;
    for y in y {
        let result = (i64::from(*y) * scale + (1 << (shift - 1))) >> shift;
        *y = (result as i32).clamp(0, 32767) as i16;
    }
}
