//! Running sums along an axis.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{Element, check_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; record [`Params`].
pub const F32: Kernel = Kernel::new("cumsum_f32", |s| check(s, DType::F32), call_f32);
/// i32, wrapping; record [`Params`].
pub const I32: Kernel = Kernel::new("cumsum_i32", |s| check(s, DType::I32), call_i32);
/// i64, wrapping; record [`Params`].
pub const I64: Kernel = Kernel::new("cumsum_i64", |s| check(s, DType::I64), call_i64);
/// f64; record [`Params`].
pub const F64: Kernel = Kernel::new("cumsum_f64", |s| check(s, DType::F64), call_f64);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I32, I64, F64];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The axis along which is summed.
    pub axis: u32,
    /// 1 when an element's own value is left out of its sum.
    pub exclusive: u32,
    /// 1 when the sums run from the end.
    pub reverse: u32,
}

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let Params { axis, exclusive, reverse } = sig.params()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != dtype || y.dtype != dtype {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    if 1 < exclusive || 1 < reverse || x.dims.len() <= axis as usize {
        return Err(Fault::Record);
    }
    let len = check_size(x)?;
    let outer = x.dims[..axis as usize].iter().map(|&dim| dim as usize).product();
    Ok(Needs::split(if len == 0 { 0 } else { outer }))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    sums(call, 0.0f32, |a, b| a + b)
}

fn call_f64(call: &mut Call) -> Result<(), Fault> {
    sums(call, 0.0f64, |a, b| a + b)
}

fn call_i32(call: &mut Call) -> Result<(), Fault> {
    sums(call, 0, i32::wrapping_add)
}

fn call_i64(call: &mut Call) -> Result<(), Fault> {
    sums(call, 0, i64::wrapping_add)
}

fn sums<T: Element>(call: &mut Call, zero: T, add: impl Fn(T, T) -> T) -> Result<(), Fault> {
    let Params { axis, exclusive, reverse } = call.params()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let axis = axis as usize;
    let dim = x.ty.dims.get(axis).map_or(1, |&dim| dim as usize);
    let inner = x.ty.dims.iter().skip(axis + 1).map(|&dim| dim as usize).product::<usize>().max(1);
    let block = (dim * inner).max(1);
    let x = x.elements::<T>().chunks_exact(block).skip(units.start).take(units.len());
    for (x, y) in x.zip(call.output(0)?.elements::<T>().chunks_exact_mut(block)) {
        for i in 0..dim {
            let at = if reverse == 1 { dim - 1 - i } else { i };
            let before = if reverse == 1 { at + 1 } else { at.wrapping_sub(1) };
            for k in 0..inner {
                let sum = if i == 0 { zero } else { y[before * inner + k] };
                // An exclusive sum takes the neighbour's element, an inclusive one its own.
                y[at * inner + k] = match (exclusive, i) {
                    (1, 0) => zero,
                    (1, _) => add(sum, x[before * inner + k]),
                    _ => add(sum, x[at * inner + k]),
                };
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
    fn every_direction() {
        let x = Tensor::i32(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let cases = [
            ((1, 0, 0), [1, 3, 6, 4, 9, 15]),
            ((1, 1, 0), [0, 1, 3, 0, 4, 9]),
            ((1, 0, 1), [6, 5, 3, 15, 11, 6]),
            ((1, 1, 1), [5, 3, 0, 11, 6, 0]),
            ((0, 0, 0), [1, 2, 3, 5, 7, 9]),
        ];
        for ((axis, exclusive, reverse), want) in cases {
            let params = Params { axis, exclusive, reverse };
            let y = run(&I32, &params, from_ref(&x), &[(DType::I32, &[2, 3])]);
            assert_eq!(y[0].to_i32(), want, "{params:?}");
        }
    }
}
