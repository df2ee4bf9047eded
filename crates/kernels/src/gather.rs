//! Slices of a tensor picked by indices read from another.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::concat::row_bytes;
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature, Src, Ty};

/// Any type of fixed size; indices of i32 or i64; record [`Params`].
pub const ANY: Kernel = Kernel::new("gather", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The input's axis that the indices count along. The output has the indices' dimensions there.
    pub axis: u32,
    /// Leading axes, at most `axis`, that input and indices share.
    pub batch_dims: u32,
}

/// An index from data; negative ones count from the end.
pub(crate) fn resolve(index: i64, dim: usize) -> Result<usize, Fault> {
    let index = if index < 0 { index + dim as i64 } else { index };
    if (0..dim as i64).contains(&index) { Ok(index as usize) } else { Err(Fault::Index) }
}

/// Reads element `i` of a tensor of i32 or i64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indices<'a> {
    narrow: &'a [i32],
    wide: &'a [i64],
}

impl<'a> Indices<'a> {
    pub fn new(src: &Src<'a>) -> Self {
        if src.ty.dtype == DType::I32 {
            Self { narrow: src.elements(), wide: &[] }
        } else {
            Self { narrow: &[], wide: src.elements() }
        }
    }

    /// Zero beyond the end.
    pub fn at(&self, i: usize) -> i64 {
        match self.narrow.get(i) {
            Some(&index) => i64::from(index),
            None => self.wide.get(i).copied().unwrap_or(0),
        }
    }
}

/// Refuses what is not i32 or i64.
pub(crate) fn check_indices(ty: Ty) -> Result<usize, Fault> {
    if !matches!(ty.dtype, DType::I32 | DType::I64) {
        return Err(Fault::Type);
    }
    check_size(ty)
}

fn count(dims: &[u32]) -> usize {
    dims.iter().map(|&dim| dim as usize).product()
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { axis, batch_dims } = sig.params()?;
    let (axis, batch) = (axis as usize, batch_dims as usize);
    let (x, indices, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != y.dtype || x.dtype == DType::Str {
        return Err(Fault::Type);
    }
    check_size(x)?;
    check_indices(indices)?;
    let len = check_size(y)?;
    if axis < batch || x.dims.len() <= axis || indices.dims.len() < batch {
        return Err(Fault::Record);
    }
    let shared = x.dims[..batch] == indices.dims[..batch];
    let middle = indices.dims[batch..].iter();
    let expected = x.dims[..axis].iter().chain(middle).chain(&x.dims[axis + 1..]);
    if !shared || !expected.eq(y.dims) {
        return Err(Fault::Shape);
    }
    let rows = count(&x.dims[..axis]) * count(&indices.dims[batch..]);
    Ok(Needs::split(if len == 0 { 0 } else { rows }))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { axis, batch_dims } = call.params()?;
    let (axis, batch) = (axis as usize, batch_dims as usize);
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let dim = x.ty.dims[axis] as usize;
    let row = row_bytes(x.ty, axis + 1);
    // Rows of the output: batch, the input's axes up to `axis`, indices of that batch.
    let each = count(&indices.ty.dims[batch..]).max(1);
    let between = count(&x.ty.dims[batch..axis]).max(1);
    let indices = Indices::new(&indices);
    for (unit, y) in units.zip(y.data.chunks_exact_mut(row.max(1))) {
        let (outer, pick) = (unit / each, unit % each);
        let index = resolve(indices.at(outer / between * each + pick), dim)?;
        let from = (outer * dim + index) * row;
        y.copy_from_slice(&x.data[from..from + row]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run, try_run};

    #[test]
    fn rows_and_columns() {
        let x = Tensor::i32(&[3, 2], &[1, 2, 3, 4, 5, 6]);
        let by = Tensor::i64(&[2, 2], &[2, 0, -1, 1]);
        let params = Params { axis: 0, batch_dims: 0 };
        let y = run(&ANY, &params, &[x.clone(), by], &[(DType::I32, &[2, 2, 2])]);
        assert_eq!(y[0].to_i32(), [5, 6, 1, 2, 5, 6, 3, 4]);
        let by = Tensor::i32(&[], &[1]);
        let params = Params { axis: 1, batch_dims: 0 };
        let y = run(&ANY, &params, &[x.clone(), by], &[(DType::I32, &[3])]);
        assert_eq!(y[0].to_i32(), [2, 4, 6]);
        let by = Tensor::i32(&[3, 1], &[1, 0, 1]);
        let params = Params { axis: 1, batch_dims: 1 };
        let y = run(&ANY, &params, &[x, by], &[(DType::I32, &[3, 1])]);
        assert_eq!(y[0].to_i32(), [2, 3, 6]);
    }

    #[test]
    fn an_index_outside_is_a_fault() {
        let x = Tensor::i32(&[3], &[1, 2, 3]);
        for index in [3, -4, i64::MIN, i64::MAX] {
            let by = Tensor::i64(&[1], &[index]);
            let params = Params { axis: 0, batch_dims: 0 };
            let result = try_run(&ANY, &params, &[Some(&x), Some(&by)], &[(DType::I32, &[1])]);
            assert_eq!(result, Err(Fault::Index));
        }
    }
}
