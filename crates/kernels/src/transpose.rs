//! The axes in another order.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{self, MAX_RANK, Walk, check_size, moved_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of 1, 2, 4 or 8 bytes; record [`Params`].
pub const ANY: Kernel = Kernel::new("transpose", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The input's axis that becomes each output axis. Entries from the rank on are not read.
    pub perm: [u32; MAX_RANK],
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { perm } = sig.params()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    let len = check_size(x)?;
    if x.dims.len() != y.dims.len() {
        return Err(Fault::Shape);
    }
    let mut seen = 0u32;
    for (&axis, &dim) in perm.iter().zip(y.dims) {
        let from = x.dims.get(axis as usize).ok_or(Fault::Record)?;
        if seen & 1 << axis != 0 {
            return Err(Fault::Record);
        }
        if *from != dim {
            return Err(Fault::Shape);
        }
        seen |= 1 << axis;
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { perm } = call.params()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let from = strides(x.ty.dims);
    let loops = y.ty.dims.iter().zip(perm);
    let loops = loops.map(|(&dim, axis)| (dim as usize, [from[axis as usize % MAX_RANK]]));
    walk::copy_bytes(&Walk::new(loops, [0]), units, &x, y)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, check, run};

    #[test]
    fn axes_move_at_every_element_size() {
        let perm = [0, 3, 1, 2, 9, 9, 9, 9];
        let (dims, to) = ([2, 3, 19, 5], [2, 5, 3, 19]);
        let at = |i: usize| {
            let (w, h, c, n) = (i % 19, i / 19 % 3, i / 57 % 5, i / 285);
            ((n * 3 + h) * 19 + w) * 5 + c
        };
        let bytes: Vec<u8> = (0..570).map(|i| i as u8).collect();
        let x = Tensor::new(DType::U8, &dims, &bytes);
        let y = run(&ANY, &Params { perm }, &[x], &[(DType::U8, &to)]);
        assert!(y[0].bytes().iter().enumerate().all(|(i, &y)| y == at(i) as u8));

        let x = Tensor::i32(&dims, &(0..570).collect::<Vec<i32>>());
        let y = run(&ANY, &Params { perm }, &[x], &[(DType::I32, &to)]);
        assert!(y[0].to_i32().iter().enumerate().all(|(i, &y)| y == at(i) as i32));

        let x = Tensor::i64(&dims, &(0..570).collect::<Vec<i64>>());
        let y = run(&ANY, &Params { perm }, &[x], &[(DType::I64, &to)]);
        assert!(y[0].to_i64().iter().enumerate().all(|(i, &y)| y == at(i) as i64));
    }

    #[test]
    fn a_perm_names_every_axis_once() {
        let x = Tensor::i32(&[2, 2], &[1, 2, 3, 4]);
        for perm in [[0, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0]] {
            let result = check(&ANY, &Params { perm }, &[Some(&x)], &[(DType::I32, &[2, 2])]);
            assert_eq!(result, Err(Fault::Record));
        }
    }
}
