//! The place of the greatest or smallest element along an axis.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{Element, check_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to i32 or i64; record [`Params`]. NaN counts as greater than every number.
pub const F32: Kernel = Kernel::new("arg_f32", |s| check(s, DType::F32), call_f32);
/// i8 to i32 or i64; record [`Params`].
pub const I8: Kernel = Kernel::new("arg_i8", |s| check(s, DType::I8), call::<i8>);
/// u8 to i32 or i64; record [`Params`].
pub const U8: Kernel = Kernel::new("arg_u8", |s| check(s, DType::U8), call::<u8>);
/// i32 to i32 or i64; record [`Params`].
pub const I32: Kernel = Kernel::new("arg_i32", |s| check(s, DType::I32), call::<i32>);
/// i64 to i32 or i64; record [`Params`].
pub const I64: Kernel = Kernel::new("arg_i64", |s| check(s, DType::I64), call::<i64>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, U8, I32, I64];

/// The record. The output's dimensions are the input's with the axis 1 or left out.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The axis searched.
    pub axis: u32,
    /// 1 for the smallest, 0 for the greatest.
    pub smallest: u32,
    /// 1 for the last among equals, 0 for the first.
    pub last: u32,
}

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != dtype || !matches!(y.dtype, DType::I32 | DType::I64) {
        return Err(Fault::Type);
    }
    let axis = params.axis as usize;
    if 1 < params.smallest || 1 < params.last || x.dims.len() <= axis {
        return Err(Fault::Record);
    }
    check_size(x)?;
    let len = check_size(y)?;
    let (front, back) = (&x.dims[..axis], &x.dims[axis + 1..]);
    let dropped = front.iter().chain(back).eq(y.dims);
    let kept = front.iter().chain(&[1]).chain(back).eq(y.dims);
    if !dropped && !kept || (len != 0 && x.dims[axis] == 0) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    // Bits ordered as the numbers they stand for, every NaN at the top, -0 like 0.
    search(call, |x: f32| {
        let bits = if x.is_nan() { 0x7fff_ffff } else { (x + 0.0).to_bits() as i32 };
        bits ^ ((bits >> 31) as u32 >> 1) as i32
    })
}

fn call<T: Element + Ord>(call: &mut Call) -> Result<(), Fault> {
    search(call, |x: T| x)
}

fn search<T: Element, K: Ord>(call: &mut Call, key: impl Fn(T) -> K) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let axis = params.axis as usize;
    let dim = x.ty.dims.get(axis).map_or(1, |&dim| dim as usize);
    let inner = x.ty.dims.iter().skip(axis + 1).map(|&dim| dim as usize).product::<usize>().max(1);
    let x = x.elements::<T>();
    let find = |unit: usize| {
        let from = unit / inner * dim * inner + unit % inner;
        let mut best = 0;
        let mut best_key = key(x[from]);
        for (i, &x) in x[from..].iter().step_by(inner).take(dim).enumerate().skip(1) {
            let key = key(x);
            let order = if params.smallest == 1 { best_key.cmp(&key) } else { key.cmp(&best_key) };
            if order.is_gt() || (params.last == 1 && order.is_eq()) {
                (best, best_key) = (i, key);
            }
        }
        best
    };
    if y.ty.dtype == DType::I32 {
        for (unit, y) in units.zip(y.elements::<i32>()) {
            *y = find(unit) as i32;
        }
    } else {
        for (unit, y) in units.zip(y.elements::<i64>()) {
            *y = find(unit) as i64;
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
    fn first_and_last_of_equals() {
        let x = Tensor::f32(&[2, 3], &[1.0, 5.0, 5.0, -0.0, -7.0, 0.0]);
        let cases = [((1, 0, 0), [1, 0]), ((1, 0, 1), [2, 2]), ((1, 1, 0), [0, 1])];
        for ((axis, smallest, last), want) in cases {
            let params = Params { axis, smallest, last };
            let y = run(&F32, &params, from_ref(&x), &[(DType::I64, &[2, 1])]);
            assert_eq!(y[0].to_i64(), want, "{params:?}");
        }
        let params = Params { axis: 0, smallest: 1, last: 0 };
        let y = run(&F32, &params, &[x], &[(DType::I32, &[3])]);
        assert_eq!(y[0].to_i32(), [1, 1, 1]);
        let x = Tensor::i8(&[4], &[-3, 9, -128, 9]);
        let y = run(&I8, &Params { axis: 0, smallest: 0, last: 1 }, &[x], &[(DType::I32, &[])]);
        assert_eq!(y[0].to_i32(), [3]);
    }

    #[test]
    fn not_a_number_is_the_greatest() {
        let x = Tensor::f32(&[3], &[1.0, f32::NAN, f32::INFINITY]);
        let y = run(&F32, &Params { axis: 0, smallest: 0, last: 0 }, &[x], &[(DType::I32, &[])]);
        assert_eq!(y[0].to_i32(), [1]);
    }
}
