//! A copy of a tensor with slices or elements replaced, at places given as data.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::concat::row_bytes;
use crate::gather::{Indices, check_indices, resolve};
use crate::walk::{check_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Inputs: data, tuples of indices, slices; record [`Params`].
pub const ND: Kernel = Kernel::new("scatter_nd", check_nd, call_nd);
/// Inputs: data, one index for each update, updates (ONNX ScatterElements); record
/// [`ElementsParams`].
pub const ELEMENTS: Kernel = Kernel::new("scatter_elements", check_elements, call_elements);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ND, ELEMENTS];

/// How an update meets what is there. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The update replaces it; of several at one place, the last.
    Replace = 0,
    /// The sum; f32, i32 and i64 only.
    Add = 1,
    /// The product; f32, i32 and i64 only.
    Mul = 2,
    /// The smaller; f32, i32 and i64 only.
    Min = 3,
    /// The greater; f32, i32 and i64 only.
    Max = 4,
}

impl Kind {
    /// The kind with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        let all = [Self::Replace, Self::Add, Self::Mul, Self::Min, Self::Max];
        all.get(code as usize).copied().ok_or(Fault::Record)
    }
}

/// The record of [`ND`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A [`Kind`].
    pub kind: u32,
}

/// The record of [`ELEMENTS`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ElementsParams {
    /// A [`Kind`].
    pub kind: u32,
    /// The axis that the indices count along.
    pub axis: u32,
}

fn check_common(sig: &Signature, kind: u32) -> Result<(), Fault> {
    let (x, indices, updates, y) = (sig.input(0)?, sig.input(1)?, sig.input(2)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let computes = matches!(y.dtype, DType::F32 | DType::I32 | DType::I64);
    let kind = Kind::from_code(kind)?;
    if x.dtype != y.dtype || updates.dtype != y.dtype || y.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    if kind != Kind::Replace && !computes {
        return Err(Fault::Type);
    }
    check_size(x)?;
    check_size(updates)?;
    check_indices(indices)?;
    if x.dims == y.dims { Ok(()) } else { Err(Fault::Shape) }
}

fn check_nd(sig: &Signature) -> Result<Needs, Fault> {
    check_common(sig, sig.params::<Params>()?.kind)?;
    let (x, indices, updates) = (sig.input(0)?, sig.input(1)?, sig.input(2)?);
    let Some((&tuple, outer)) = indices.dims.split_last() else { return Err(Fault::Shape) };
    let rest = x.dims.get(tuple as usize..).ok_or(Fault::Shape)?;
    if !outer.iter().chain(rest).eq(updates.dims) {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn check_elements(sig: &Signature) -> Result<Needs, Fault> {
    let ElementsParams { kind, axis } = sig.params()?;
    check_common(sig, kind)?;
    let (x, indices, updates) = (sig.input(0)?, sig.input(1)?, sig.input(2)?);
    if x.dims.len() <= axis as usize {
        return Err(Fault::Record);
    }
    let inside = |(i, (x, y)): (usize, (&u32, &u32))| i == axis as usize || y <= x;
    let fits = indices.dims == updates.dims
        && x.dims.len() == updates.dims.len()
        && x.dims.iter().zip(updates.dims).enumerate().all(inside);
    if fits { Ok(Needs::WHOLE) } else { Err(Fault::Shape) }
}

fn call_nd(call: &mut Call) -> Result<(), Fault> {
    let kind = Kind::from_code(call.params::<Params>()?.kind)?;
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let y = call.output(0)?;
    y.data.copy_from_slice(x.data);
    let tuple = indices.ty.dims.last().map_or(0, |&dim| dim as usize);
    let dims = &x.ty.dims[..tuple];
    let row = row_bytes(x.ty, tuple);
    if row == 0 {
        return Ok(());
    }
    let indices = Indices::new(&indices);
    for (i, update) in updates.data.chunks_exact(row).enumerate() {
        let mut at = 0;
        for (k, &dim) in dims.iter().enumerate() {
            at = at * dim as usize + resolve(indices.at(i * tuple + k), dim as usize)?;
        }
        meet(kind, x.ty.dtype, update, &mut y.data[at * row..(at + 1) * row]);
    }
    Ok(())
}

fn call_elements(call: &mut Call) -> Result<(), Fault> {
    let ElementsParams { kind, axis } = call.params()?;
    let (kind, axis) = (Kind::from_code(kind)?, axis as usize);
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let y = call.output(0)?;
    y.data.copy_from_slice(x.data);
    let size = x.ty.dtype.size();
    let to = strides(x.ty.dims);
    let dims = updates.ty.dims;
    let dim = x.ty.dims[axis] as usize;
    let indices = Indices::new(&indices);
    for (i, update) in updates.data.chunks_exact(size).enumerate() {
        let mut rest = i;
        let mut at = resolve(indices.at(i), dim)? * to[axis] as usize;
        for k in (0..dims.len()).rev() {
            let index = rest % dims[k] as usize;
            rest /= dims[k] as usize;
            if k != axis {
                at += index * to[k] as usize;
            }
        }
        meet(kind, x.ty.dtype, update, &mut y.data[at * size..(at + 1) * size]);
    }
    Ok(())
}

/// Brings the elements of `update` to those of `y`, which are as many.
fn meet(kind: Kind, dtype: DType, update: &[u8], y: &mut [u8]) {
    if kind == Kind::Replace {
        y.copy_from_slice(update);
        return;
    }
    for (update, y) in update.chunks_exact(dtype.size()).zip(y.chunks_exact_mut(dtype.size())) {
        match dtype {
            DType::F32 => {
                with(update, y, f32::from_le_bytes, f32::to_le_bytes, |a, b| match kind {
                    Kind::Add => a + b,
                    Kind::Mul => a * b,
                    Kind::Min => embarca_num::float::min(a, b),
                    _ => embarca_num::float::max(a, b),
                })
            }
            DType::I32 => {
                with(update, y, i32::from_le_bytes, i32::to_le_bytes, |a, b| match kind {
                    Kind::Add => a.wrapping_add(b),
                    Kind::Mul => a.wrapping_mul(b),
                    Kind::Min => a.min(b),
                    _ => a.max(b),
                })
            }
            _ => with(update, y, i64::from_le_bytes, i64::to_le_bytes, |a, b| match kind {
                Kind::Add => a.wrapping_add(b),
                Kind::Mul => a.wrapping_mul(b),
                Kind::Min => a.min(b),
                _ => a.max(b),
            }),
        }
    }
}

fn with<T, const N: usize>(
    update: &[u8],
    y: &mut [u8],
    read: impl Fn([u8; N]) -> T,
    write: impl Fn(T) -> [u8; N],
    f: impl Fn(T, T) -> T,
) {
    if let (Some(update), Some(y)) = (update.first_chunk(), y.first_chunk_mut()) {
        *y = write(f(read(*y), read(*update)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run, try_run};

    #[test]
    fn slices_and_elements_are_replaced() {
        let x = Tensor::i32(&[3, 2], &[1, 2, 3, 4, 5, 6]);
        let by = Tensor::i64(&[2, 1], &[2, 0]);
        let new = Tensor::i32(&[2, 2], &[70, 80, 90, 100]);
        let inputs = [x.clone(), by, new];
        let to = [(DType::I32, &[3, 2][..])];
        let y = run(&ND, &Params { kind: 0 }, &inputs, &to);
        assert_eq!(y[0].to_i32(), [90, 100, 3, 4, 70, 80]);
        let y = run(&ND, &Params { kind: Kind::Add as u32 }, &inputs, &to);
        assert_eq!(y[0].to_i32(), [91, 102, 3, 4, 75, 86]);

        let by = Tensor::i32(&[1, 2], &[1, -1]);
        let new = Tensor::i32(&[1, 2], &[10, 20]);
        let params = ElementsParams { kind: 0, axis: 0 };
        let y = run(&ELEMENTS, &params, &[x.clone(), by, new.clone()], &to);
        assert_eq!(y[0].to_i32(), [1, 2, 10, 4, 5, 20]);
        let by = Tensor::i32(&[1, 2], &[3, 0]);
        let inputs = [Some(&x), Some(&by), Some(&new)];
        assert_eq!(try_run(&ELEMENTS, &params, &inputs, &to), Err(Fault::Index));
    }
}
