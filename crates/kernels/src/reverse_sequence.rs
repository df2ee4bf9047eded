//! The first elements of each batch in reverse order, as many as an input says.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::concat::row_bytes;
use crate::gather::{Indices, check_indices};
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of fixed size; input 1 holds a length of i32 or i64 for each batch; record [`Params`].
pub const ANY: Kernel = Kernel::new("reverse_sequence", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The axis that is reversed.
    pub time: u32,
    /// The axis of the batches, another one.
    pub batch: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { time, batch } = sig.params()?;
    let (x, lens, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != y.dtype || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    let len = check_size(x)?;
    check_indices(lens)?;
    let (time, batch) = (time as usize, batch as usize);
    if time == batch || x.dims.len() <= time || x.dims.len() <= batch {
        return Err(Fault::Record);
    }
    if x.dims != y.dims || lens.dims != [x.dims[batch]] {
        return Err(Fault::Shape);
    }
    let rows = x.dims[..=time.max(batch)].iter().map(|&dim| dim as usize).product();
    Ok(Needs::split(if len == 0 { 0 } else { rows }))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { time, batch } = call.params()?;
    let (time, batch) = (time as usize, batch as usize);
    let (x, lens) = (call.input(0)?, call.input(1)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let last = time.max(batch);
    let row = row_bytes(x.ty, last + 1);
    let dims = &x.ty.dims[..=last];
    // Rows between neighbours along an axis.
    let step = |axis: usize| dims[axis + 1..].iter().map(|&dim| dim as usize).product::<usize>();
    let (time_step, batch_step) = (step(time), step(batch));
    let (time_dim, batch_dim) = (dims[time] as usize, dims[batch] as usize);
    let lens = Indices::new(&lens);
    for (unit, y) in units.zip(y.data.chunks_exact_mut(row.max(1))) {
        let at = unit / time_step % time_dim;
        let len = usize::try_from(lens.at(unit / batch_step % batch_dim));
        let len = len.ok().filter(|&len| len <= time_dim).ok_or(Fault::Index)?;
        let from = if at < len { unit - at * time_step + (len - 1 - at) * time_step } else { unit };
        y.copy_from_slice(&x.data[from * row..(from + 1) * row]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run, try_run};

    #[test]
    fn each_batch_has_its_length() {
        let x = Tensor::i32(&[2, 4], &[0, 1, 2, 3, 4, 5, 6, 7]);
        let lens = Tensor::i64(&[2], &[3, 1]);
        let to = [(DType::I32, &[2, 4][..])];
        let y = run(&ANY, &Params { time: 1, batch: 0 }, &[x.clone(), lens], &to);
        assert_eq!(y[0].to_i32(), [2, 1, 0, 3, 4, 5, 6, 7]);
        let lens = Tensor::i32(&[4], &[2, 2, 1, 0]);
        let y = run(&ANY, &Params { time: 0, batch: 1 }, &[x.clone(), lens], &to);
        assert_eq!(y[0].to_i32(), [4, 5, 2, 3, 0, 1, 6, 7]);
        let lens = Tensor::i32(&[2], &[5, 0]);
        let inputs = [Some(&x), Some(&lens)];
        let result = try_run(&ANY, &Params { time: 1, batch: 0 }, &inputs, &to);
        assert_eq!(result, Err(Fault::Index));
    }
}
