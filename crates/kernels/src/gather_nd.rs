//! Slices or elements picked by tuples of indices, or by one index per element.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::concat::row_bytes;
use crate::gather::{Indices, check_indices, resolve};
use crate::walk::{MAX_RANK, check_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// The last axis of the indices holds tuples that pick slices; record [`Params`].
pub const ND: Kernel = Kernel::new("gather_nd", check_nd, call_nd);
/// `y[..i..] = x[..indices[..i..]..]` along one axis (ONNX GatherElements); record
/// [`ElementsParams`].
pub const ELEMENTS: Kernel = Kernel::new("gather_elements", check_elements, call_elements);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ND, ELEMENTS];

/// The record of [`ND`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Leading axes that input and indices share.
    pub batch_dims: u32,
}

/// The record of [`ELEMENTS`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ElementsParams {
    /// The axis that the indices count along.
    pub axis: u32,
}

fn count(dims: &[u32]) -> usize {
    dims.iter().map(|&dim| dim as usize).product()
}

fn check_nd(sig: &Signature) -> Result<Needs, Fault> {
    let batch = sig.params::<Params>()?.batch_dims as usize;
    let (x, indices, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != y.dtype || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    check_size(x)?;
    check_indices(indices)?;
    let len = check_size(y)?;
    let Some((&tuple, outer)) = indices.dims.split_last() else { return Err(Fault::Shape) };
    let tuple = tuple as usize;
    if outer.len() < batch || x.dims.len() < batch.saturating_add(tuple) {
        return Err(Fault::Shape);
    }
    let shared = x.dims[..batch] == outer[..batch];
    if !shared || !outer.iter().chain(&x.dims[batch + tuple..]).eq(y.dims) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(if len == 0 { 0 } else { count(outer) }))
}

fn call_nd(call: &mut Call) -> Result<(), Fault> {
    let batch = call.params::<Params>()?.batch_dims as usize;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let tuple = indices.ty.dims.last().map_or(0, |&dim| dim as usize);
    let row = row_bytes(x.ty, batch + tuple);
    let dims = &x.ty.dims[batch..batch + tuple];
    let each = count(dims);
    let per_batch = count(&indices.ty.dims[batch..indices.ty.dims.len() - 1]).max(1);
    let indices = Indices::new(&indices);
    for (unit, y) in units.zip(y.data.chunks_exact_mut(row.max(1))) {
        let mut at = 0;
        for (i, &dim) in dims.iter().enumerate() {
            at = at * dim as usize + resolve(indices.at(unit * tuple + i), dim as usize)?;
        }
        let from = (unit / per_batch * each + at) * row;
        y.copy_from_slice(&x.data[from..from + row]);
    }
    Ok(())
}

fn check_elements(sig: &Signature) -> Result<Needs, Fault> {
    let axis = sig.params::<ElementsParams>()?.axis as usize;
    let (x, indices, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != y.dtype || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    check_size(x)?;
    let len = check_indices(indices)?;
    if x.dims.len() <= axis {
        return Err(Fault::Record);
    }
    if indices.dims != y.dims || x.dims.len() != y.dims.len() {
        return Err(Fault::Shape);
    }
    let inside = |(i, (x, y)): (usize, (&u32, &u32))| i == axis || y <= x;
    if !x.dims.iter().zip(y.dims).enumerate().all(inside) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call_elements(call: &mut Call) -> Result<(), Fault> {
    let axis = call.params::<ElementsParams>()?.axis as usize;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let size = x.ty.dtype.size();
    let from = strides(x.ty.dims);
    let dims = y.ty.dims;
    let dim = x.ty.dims[axis] as usize;
    let indices = Indices::new(&indices);
    for (unit, y) in units.zip(y.data.chunks_exact_mut(size)) {
        let mut rest = unit;
        let mut at = resolve(indices.at(unit), dim)? * from[axis] as usize;
        for i in (0..dims.len().min(MAX_RANK)).rev() {
            let index = rest % dims[i] as usize;
            rest /= dims[i] as usize;
            if i != axis {
                at += index * from[i] as usize;
            }
        }
        y.copy_from_slice(&x.data[at * size..(at + 1) * size]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run, try_run};

    #[test]
    fn tuples_pick_slices_and_elements() {
        let x = Tensor::i32(&[2, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7]);
        let by = Tensor::i64(&[2, 2], &[0, 1, -1, 0]);
        let y = run(&ND, &Params { batch_dims: 0 }, &[x.clone(), by], &[(DType::I32, &[2, 2])]);
        assert_eq!(y[0].to_i32(), [2, 3, 4, 5]);
        let by = Tensor::i64(&[2, 1], &[1, 0]);
        let y = run(&ND, &Params { batch_dims: 1 }, &[x.clone(), by], &[(DType::I32, &[2, 2])]);
        assert_eq!(y[0].to_i32(), [2, 3, 4, 5]);
        let by = Tensor::i64(&[1, 3], &[1, 1, 2]);
        let inputs = [Some(&x), Some(&by)];
        let result = try_run(&ND, &Params { batch_dims: 0 }, &inputs, &[(DType::I32, &[1])]);
        assert_eq!(result, Err(Fault::Index));
    }

    #[test]
    fn an_index_for_each_element() {
        let x = Tensor::i32(&[3, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let by = Tensor::i64(&[2, 3], &[1, 2, 0, 2, 0, 0]);
        let inputs = [x, by];
        let to = [(DType::I32, &[2, 3][..])];
        let y = run(&ELEMENTS, &ElementsParams { axis: 0 }, &inputs, &to);
        assert_eq!(y[0].to_i32(), [4, 8, 3, 7, 2, 3]);
        let y = run(&ELEMENTS, &ElementsParams { axis: 1 }, &inputs, &to);
        assert_eq!(y[0].to_i32(), [2, 3, 1, 6, 4, 4]);
    }
}
