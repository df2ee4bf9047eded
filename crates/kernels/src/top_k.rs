//! The greatest (or smallest) elements along an axis, in order, and their places.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{Element, check_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; outputs: values, places of i32 or i64; record [`Params`]. NaN is greater than every number.
pub const F32: Kernel = Kernel::new("top_k_f32", |s| check(s, DType::F32), call_f32);
/// i8, as [`F32`].
pub const I8: Kernel = Kernel::new("top_k_i8", |s| check(s, DType::I8), call::<i8>);
/// u8, as [`F32`].
pub const U8: Kernel = Kernel::new("top_k_u8", |s| check(s, DType::U8), call::<u8>);
/// i32, as [`F32`].
pub const I32: Kernel = Kernel::new("top_k_i32", |s| check(s, DType::I32), call::<i32>);
/// i64, as [`F32`].
pub const I64: Kernel = Kernel::new("top_k_i64", |s| check(s, DType::I64), call::<i64>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, U8, I32, I64];

/// The record. How many are taken, the outputs' dimensions tell. Of equals the first comes first.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The axis searched.
    pub axis: u32,
    /// 1 for the smallest, 0 for the greatest.
    pub smallest: u32,
}

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let Params { axis, smallest } = sig.params()?;
    let (x, values, places) = (sig.input(0)?, sig.output(0)?, sig.output(1)?);
    if sig.outputs.len() != 2 {
        return Err(Fault::Arity);
    }
    if x.dtype != dtype || values.dtype != dtype {
        return Err(Fault::Type);
    }
    if !matches!(places.dtype, DType::I32 | DType::I64) {
        return Err(Fault::Type);
    }
    let axis = axis as usize;
    if 1 < smallest || x.dims.len() <= axis {
        return Err(Fault::Record);
    }
    check_size(x)?;
    check_size(values)?;
    if values.dims != places.dims || values.dims.len() != x.dims.len() {
        return Err(Fault::Shape);
    }
    for (i, (&from, &to)) in x.dims.iter().zip(values.dims).enumerate() {
        if (i == axis && from < to) || (i != axis && from != to) {
            return Err(Fault::Shape);
        }
    }
    // The working copy of the places.
    Ok(Needs { units: 1, scratch: 4 * x.dims[axis] as usize })
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    // Bits ordered as the numbers they stand for, every NaN at the top, -0 like 0.
    select(call, |x: f32| {
        let bits = if x.is_nan() { 0x7fff_ffff } else { (x + 0.0).to_bits() as i32 };
        bits ^ ((bits >> 31) as u32 >> 1) as i32
    })
}

fn call<T: Element + Ord>(call: &mut Call) -> Result<(), Fault> {
    select(call, |x: T| x)
}

fn select<T: Element, K: Ord>(call: &mut Call, key: impl Fn(T) -> K) -> Result<(), Fault> {
    let Params { axis, smallest } = call.params()?;
    let x = call.input(0)?;
    let axis = axis as usize;
    let dim = x.ty.dims.get(axis).map_or(1, |&dim| dim as usize);
    let inner = x.ty.dims.iter().skip(axis + 1).map(|&dim| dim as usize).product::<usize>().max(1);
    let x = x.elements::<T>();
    let scratch = call.scratch.get_mut(..4 * dim).ok_or(Fault::TooLarge)?;
    let order = <[u32]>::mut_from_bytes(scratch).map_err(|_| Fault::TooLarge)?;
    let [values, places] = &mut *call.outputs else { return Err(Fault::Arity) };
    let k = values.ty.dims.get(axis).map_or(1, |&dim| dim as usize);
    if k == 0 {
        return Ok(());
    }
    let wide = places.ty.dtype == DType::I64;
    let rows = x.len() / dim.max(1);
    for row in 0..rows {
        let (outer, at) = (row / inner, row % inner);
        let element = |i: u32| x[(outer * dim + i as usize) * inner + at];
        for (i, place) in order.iter_mut().enumerate() {
            *place = i as u32;
        }
        // Places differ, so an unstable sort by value and then place is a stable one.
        let compare = |&a: &u32, &b: &u32| {
            let (ka, kb) = (key(element(a)), key(element(b)));
            let by_key = if smallest == 1 { ka.cmp(&kb) } else { kb.cmp(&ka) };
            by_key.then(a.cmp(&b))
        };
        if k < order.len() {
            order.select_nth_unstable_by(k - 1, compare);
        }
        order[..k].sort_unstable_by(compare);
        for (i, &place) in order[..k].iter().enumerate() {
            let to = (outer * k + i) * inner + at;
            values.elements::<T>()[to] = element(place);
            if wide {
                places.elements::<i64>()[to] = i64::from(place);
            } else {
                places.elements::<i32>()[to] = place as i32;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn greatest_first() {
        let x = Tensor::f32(&[2, 4], &[1.0, 9.0, 3.0, 9.0, -1.0, -5.0, f32::NAN, -5.0]);
        let params = Params { axis: 1, smallest: 0 };
        let to = [(DType::F32, &[2, 2][..]), (DType::I64, &[2, 2][..])];
        let y = run(&F32, &params, from_ref(&x), &to);
        assert_eq!(y[1].to_i64(), [1, 3, 2, 0]);
        assert_eq!(y[0].to_f32()[..2], [9.0, 9.0]);
        let params = Params { axis: 1, smallest: 1 };
        let y = run(&F32, &params, &[x], &to);
        assert_eq!(y[1].to_i64(), [0, 2, 1, 3]);
        let x = Tensor::i32(&[3, 2], &[1, 6, 5, 4, 3, 2]);
        let to = [(DType::I32, &[2, 2][..]), (DType::I32, &[2, 2][..])];
        let y = run(&I32, &Params { axis: 0, smallest: 0 }, &[x], &to);
        assert_eq!((y[0].to_i32(), y[1].to_i32()), (std::vec![5, 6, 3, 4], std::vec![1, 0, 2, 1]));
    }
}
