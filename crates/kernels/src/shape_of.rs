//! The dimensions of a tensor, as data.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type to i32 or i64; record [`Params`].
pub const ANY: Kernel = Kernel::new("shape_of", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record: `end - start` dimensions are written.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The first axis.
    pub start: u32,
    /// The axis after the last one.
    pub end: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { start, end } = sig.params()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if !matches!(y.dtype, DType::I32 | DType::I64) {
        return Err(Fault::Type);
    }
    if end < start || x.dims.len() < end as usize {
        return Err(Fault::Record);
    }
    if y.dims != [end - start] {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { start, end } = call.params()?;
    let dims = call.input(0)?.ty.dims;
    let dims = dims.get(start as usize..end as usize).ok_or(Fault::Record)?;
    let y = call.output(0)?;
    if y.ty.dtype == DType::I32 {
        for (y, &dim) in y.elements::<i32>().iter_mut().zip(dims) {
            *y = dim as i32;
        }
    } else {
        for (y, &dim) in y.elements::<i64>().iter_mut().zip(dims) {
            *y = i64::from(dim);
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
    fn dimensions_become_elements() {
        let x = Tensor::i8(&[3, 0, 2], &[]);
        let y = run(&ANY, &Params { start: 0, end: 3 }, from_ref(&x), &[(DType::I64, &[3])]);
        assert_eq!(y[0].to_i64(), [3, 0, 2]);
        let y = run(&ANY, &Params { start: 2, end: 3 }, &[x], &[(DType::I32, &[1])]);
        assert_eq!(y[0].to_i32(), [2]);
    }
}
