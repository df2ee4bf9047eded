//! Every `step`-th element along each axis, from a start; backwards for negative steps.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{self, MAX_RANK, Walk, check_size, moved_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of 1, 2, 4 or 8 bytes; record [`Params`].
pub const ANY: Kernel = Kernel::new("slice", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record. How many elements are taken, the output's dimensions tell. Entries from the rank on
/// are not read.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The first element along each axis; negative ones count from the end (-1 is the last).
    pub starts: [i32; MAX_RANK],
    /// From one element to the next; never zero.
    pub steps: [i32; MAX_RANK],
}

impl Params {
    fn first(&self, axis: usize, dim: u32) -> i64 {
        let start = i64::from(self.starts[axis]);
        if start < 0 { start + i64::from(dim) } else { start }
    }
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    check_size(x)?;
    let len = check_size(y)?;
    if x.dims.len() != y.dims.len() {
        return Err(Fault::Shape);
    }
    for (axis, (&from, &to)) in x.dims.iter().zip(y.dims).enumerate() {
        let step = i64::from(params.steps[axis]);
        if step == 0 {
            return Err(Fault::Record);
        }
        if to == 0 {
            continue;
        }
        let first = params.first(axis, from);
        let last = first + (i64::from(to) - 1) * step;
        let inside = 0..i64::from(from);
        if !inside.contains(&first) || !inside.contains(&last) {
            return Err(Fault::Shape);
        }
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    if y.ty.is_empty() {
        return Ok(());
    }
    let from = strides(x.ty.dims);
    let mut start = 0;
    for (axis, &dim) in x.ty.dims.iter().enumerate().take(MAX_RANK) {
        start += params.first(axis, dim) as isize * from[axis];
    }
    let loops = y.ty.dims.iter().enumerate();
    let loops = loops.map(|(i, &dim)| (dim as usize, [from[i] * params.steps[i] as isize]));
    walk::copy_bytes(&Walk::new(loops, [start]), units, &x, y)
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, check, run};

    fn params(starts: &[i32], steps: &[i32]) -> Params {
        let mut params = Params { starts: [0; 8], steps: [1; 8] };
        params.starts[..starts.len()].copy_from_slice(starts);
        params.steps[..steps.len()].copy_from_slice(steps);
        params
    }

    #[test]
    fn steps_go_both_ways() {
        let x: [i32; 24] = core::array::from_fn(|i| i as i32);
        let x = Tensor::i32(&[2, 3, 4], &x);
        let cases: [(Params, [u32; 3], &[i32]); 4] = [
            (params(&[0, 1, 1], &[1, 1, 2]), [2, 2, 2], &[5, 7, 9, 11, 17, 19, 21, 23]),
            (params(&[-1, -1, -1], &[-1, -2, -3]), [2, 2, 2], &[23, 20, 15, 12, 11, 8, 3, 0]),
            (params(&[1, 2, 3], &[-7, 9, 9]), [1, 1, 1], &[23]),
            (params(&[0, 0, 9], &[1, 1, 1]), [2, 3, 0], &[]),
        ];
        for (params, dims, want) in cases {
            let y = run(&ANY, &params, from_ref(&x), &[(DType::I32, &dims)]);
            assert_eq!(y[0].to_i32(), want, "{params:?}");
        }
        let outside = [params(&[2], &[1]), params(&[-3], &[1]), params(&[1], &[1])];
        for params in outside {
            let result = check(&ANY, &params, &[Some(&x)], &[(DType::I32, &[2, 3, 4])]);
            assert_eq!(result, Err(Fault::Shape));
        }
    }
}
