//! Tensors one after the other along an axis.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature, Ty};

/// Any type of fixed size; any number of inputs; record [`Params`].
pub const ANY: Kernel = Kernel::new("concat", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The axis along which the inputs follow each other.
    pub axis: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let axis = sig.params::<Params>()?.axis as usize;
    let y = sig.output(0)?;
    if sig.inputs.is_empty() || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    check_size(y)?;
    let parts = (0..sig.inputs.len()).map(|i| sig.input(i));
    let outer = check_parts(axis, y, parts)?;
    Ok(Needs::split(outer))
}

/// Whether `parts` make up `whole` along `axis`; the number of elements before the axis.
pub(crate) fn check_parts<'a>(
    axis: usize,
    whole: Ty,
    parts: impl Iterator<Item = Result<Ty<'a>, Fault>>,
) -> Result<usize, Fault> {
    let dim = *whole.dims.get(axis).ok_or(Fault::Record)?;
    let mut sum = 0u64;
    for part in parts {
        let part = part?;
        if part.dtype != whole.dtype || part.dtype == DType::Str {
            return Err(Fault::Type);
        }
        check_size(part)?;
        if part.dims.len() != whole.dims.len() {
            return Err(Fault::Shape);
        }
        for (i, (a, b)) in part.dims.iter().zip(whole.dims).enumerate() {
            if i != axis && a != b {
                return Err(Fault::Shape);
            }
        }
        sum += u64::from(part.dims[axis]);
    }
    if sum != u64::from(dim) {
        return Err(Fault::Shape);
    }
    if whole.is_empty() {
        return Ok(0);
    }
    Ok(whole.dims[..axis].iter().map(|&dim| dim as usize).product())
}

/// Bytes from the axis on, of one index before it.
pub(crate) fn row_bytes(ty: Ty, axis: usize) -> usize {
    ty.dims.iter().skip(axis).map(|&dim| dim as usize).product::<usize>() * ty.dtype.size()
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let axis = call.params::<Params>()?.axis as usize;
    let units = call.units.clone();
    let inputs = call.inputs;
    let y = call.output(0)?;
    let whole = row_bytes(y.ty, axis);
    let mut at = 0;
    for x in inputs.iter().flatten() {
        let row = row_bytes(x.ty, axis);
        if row == 0 {
            continue;
        }
        let rows = x.data.chunks_exact(row).skip(units.start).take(units.len());
        for (x, y) in rows.zip(y.data.chunks_exact_mut(whole)) {
            y[at..at + row].copy_from_slice(x);
        }
        at += row;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, check, run};

    #[test]
    fn inputs_follow_each_other() {
        let a = Tensor::i8(&[2, 1, 2], &[1, 2, 5, 6]);
        let b = Tensor::i8(&[2, 2, 2], &[10, 11, 12, 13, 20, 21, 22, 23]);
        let empty = Tensor::i8(&[2, 0, 2], &[]);
        let inputs = [a, empty, b];
        let y = run(&ANY, &Params { axis: 1 }, &inputs, &[(DType::I8, &[2, 3, 2])]);
        assert_eq!(y[0].to_i8(), [1, 2, 10, 11, 12, 13, 5, 6, 20, 21, 22, 23]);

        let inputs = inputs.each_ref().map(Some);
        for (axis, dims) in [(1, [2, 4, 2]), (0, [2, 3, 2]), (3, [2, 3, 2])] {
            let result = check(&ANY, &Params { axis }, &inputs, &[(DType::I8, &dims)]);
            assert!(result.is_err(), "axis {axis} into {dims:?}");
        }
    }
}
