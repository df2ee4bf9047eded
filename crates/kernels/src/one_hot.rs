//! A vector per index: one value at the index's place, another everywhere else.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::gather::{Indices, check_indices};
use crate::walk::{check_size, moved_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Inputs: indices of i32 or i64, then the value elsewhere and the value at the place (one element
/// each of the output's type, of 1, 2, 4 or 8 bytes); record [`Params`].
pub const ANY: Kernel = Kernel::new("one_hot", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The output's axis that the vectors run along.
    pub axis: u32,
    /// 1 when negative indices count from the end (ONNX); 0 when nothing is at their place (TFLite).
    pub wraps: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { axis, wraps } = sig.params()?;
    let (indices, off, on, y) = (sig.input(0)?, sig.input(1)?, sig.input(2)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(y.dtype)?;
    if off.dtype != y.dtype || on.dtype != y.dtype || y.dtype == DType::Str {
        return Err(Fault::Type);
    }
    check_indices(indices)?;
    let len = check_size(y)?;
    let axis = axis as usize;
    if 1 < wraps || y.dims.len() <= axis {
        return Err(Fault::Record);
    }
    let others = y.dims[..axis].iter().chain(&y.dims[axis + 1..]);
    if off.len()? != 1 || on.len()? != 1 || !others.eq(indices.dims) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { axis, wraps } = call.params()?;
    let indices = Indices::new(&call.input(0)?);
    let (off, on) = (call.input(1)?.data, call.input(2)?.data);
    let units = call.units.clone();
    let y = call.output(0)?;
    let depth = y.ty.dims[axis as usize] as usize;
    let inner = y.ty.dims.iter().skip(axis as usize + 1).map(|&dim| dim as usize).product();
    let inner = core::cmp::max(1usize, inner);
    for (at, y) in units.zip(y.data.chunks_exact_mut(off.len().max(1))) {
        let (row, column) = (at / inner, at % inner);
        let index = indices.at(row / depth * inner + column);
        let index = if index < 0 && wraps == 1 { index + depth as i64 } else { index };
        y.copy_from_slice(if index == (row % depth) as i64 { on } else { off });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn ones_stand_at_the_indices() {
        let by = Tensor::i64(&[3], &[1, -1, 7]);
        let values = [Tensor::f32(&[1], &[0.0]), Tensor::f32(&[1], &[1.0])];
        let [off, on] = values;
        let inputs = [by, off, on];
        let y = run(&ANY, &Params { axis: 1, wraps: 1 }, &inputs, &[(DType::F32, &[3, 2])]);
        assert_eq!(y[0].to_f32(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        let y = run(&ANY, &Params { axis: 0, wraps: 0 }, &inputs, &[(DType::F32, &[2, 3])]);
        assert_eq!(y[0].to_f32(), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }
}
