//! Elements added before and after each axis, or (negative padding) removed.

use core::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::{Element, MAX_RANK, check_size, moved_size, strides};
use crate::{Call, Dst, Fault, Kernel, Needs, Signature, Src};

/// Any type of 1, 2, 4 or 8 bytes; record [`Params`]; input 1, when present, is the one element to
/// pad with.
pub const ANY: Kernel = Kernel::new("pad", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

/// What stands outside the input. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// One value.
    Constant = 0,
    /// The input mirrored at its border elements, which are not repeated.
    Reflect = 1,
    /// The border elements.
    Edge = 2,
    /// The input mirrored at its borders, border elements included.
    Symmetric = 3,
    /// The input again.
    Wrap = 4,
}

impl Mode {
    /// The mode with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        let all = [Self::Constant, Self::Reflect, Self::Edge, Self::Symmetric, Self::Wrap];
        all.get(code as usize).copied().ok_or(Fault::Record)
    }

    /// The input's index for the output's, `at` being relative to the input's first; `None` where
    /// the constant stands. `dim` is not zero.
    fn source(self, at: i64, dim: i64) -> Option<usize> {
        let from = match self {
            _ if (0..dim).contains(&at) => at,
            Self::Constant => return None,
            Self::Edge => at.clamp(0, dim - 1),
            Self::Reflect => {
                let period = (2 * (dim - 1)).max(1);
                let at = at.rem_euclid(period);
                if at < dim { at } else { period - at }
            }
            Self::Symmetric => {
                let at = at.rem_euclid(2 * dim);
                if at < dim { at } else { 2 * dim - 1 - at }
            }
            Self::Wrap => at.rem_euclid(dim),
        };
        Some(from as usize)
    }
}

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A [`Mode`].
    pub mode: u32,
    /// Elements before each axis; how many stand after it, the output's dimensions tell. Entries
    /// from the rank on are 0.
    pub before: [i32; MAX_RANK],
    /// The constant, as the bytes of one element in little-endian order, then zeros.
    pub value: [u32; 2],
}

impl Params {
    /// The record's `value` for an element of at most 8 bytes.
    pub fn value_of(element: &[u8]) -> [u32; 2] {
        let mut bytes = [0; 8];
        for (to, &from) in bytes.iter_mut().zip(element) {
            *to = from;
        }
        let [a, b, c, d, e, f, g, h] = bytes;
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    }
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    let mode = Mode::from_code(params.mode)?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 || 2 < sig.inputs.len() {
        return Err(Fault::Arity);
    }
    moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    if let Some(value) = sig.optional(1) {
        if value.dtype != x.dtype {
            return Err(Fault::Type);
        }
        if value.len()? != 1 {
            return Err(Fault::Shape);
        }
    }
    if x.dims.len() != y.dims.len() {
        return Err(Fault::Shape);
    }
    let len = check_size(y)?;
    if check_size(x)? == 0 && len != 0 && mode != Mode::Constant {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let units = call.units.clone();
    let x = call.input(0)?;
    let given = call.optional(1);
    let y = call.output(0)?;
    let value = given.map_or(params.value.as_bytes(), |value| value.data);
    match x.ty.dtype.size() {
        1 => call_sized::<u8>(&params, units, &x, value, y),
        2 => call_sized::<u16>(&params, units, &x, value, y),
        4 => call_sized::<u32>(&params, units, &x, value, y),
        _ => call_sized::<u64>(&params, units, &x, value, y),
    }
}

fn call_sized<T: Element>(
    params: &Params,
    units: Range<usize>,
    x: &Src,
    value: &[u8],
    y: &mut Dst,
) -> Result<(), Fault> {
    let (value, _) = T::read_from_prefix(value).map_err(|_| Fault::Record)?;
    let to = y.ty.dims;
    run(params, (x.ty.dims, to), units, x.elements::<T>(), value, y.elements())
}

/// The elements `range` of an output of dimensions `dims.1` from an input of dimensions `dims.0`.
///
/// # Errors
/// A `Record` fault when the mode is unknown.
pub fn run<T: Copy>(
    params: &Params,
    dims: (&[u32], &[u32]),
    range: Range<usize>,
    x: &[T],
    value: T,
    y: &mut [T],
) -> Result<(), Fault> {
    let mode = Mode::from_code(params.mode)?;
    let rank = dims.0.len().min(dims.1.len()).min(MAX_RANK);
    // The innermost loop covers the last padded axis and all after it: one block per element.
    let moved = |i: &usize| params.before[*i] != 0 || dims.0[*i] != dims.1[*i];
    let last = (0..rank).rev().find(moved).unwrap_or(0);
    let block: usize = dims.0.iter().skip(last + 1).map(|&dim| dim as usize).product();
    let count = |dims: &[u32]| dims.get(last).map_or(1, |&dim| dim as usize);
    let (in_count, out_count) = (count(dims.0), count(dims.1));
    let width = out_count * block;
    if width == 0 {
        return Ok(());
    }
    let from = strides(dims.0);
    let mut done = 0;
    while done < y.len() {
        let at = range.start + done;
        let (mut row, skip) = (at / width, at % width);
        let len = (width - skip).min(y.len() - done);
        let mut start = Some(0);
        for i in (0..last).rev() {
            let dim = dims.1[i] as usize;
            let index = (row % dim) as i64 - i64::from(params.before[i]);
            row /= dim;
            let index = mode.source(index, i64::from(dims.0[i]));
            start = start.zip(index).map(|(start, index)| start + index * from[i] as usize);
        }
        let y = &mut y[done..done + len];
        done += len;
        let Some(start) = start.filter(|_| in_count != 0) else {
            y.fill(value);
            continue;
        };
        let x = &x[start..start + in_count * block];
        let before = params.before[last];
        if mode == Mode::Constant {
            pad_row(x, y, skip as i64 - i64::from(before) * block as i64, value);
            continue;
        }
        for (i, y) in y.iter_mut().enumerate() {
            let at = skip + i;
            let index = (at / block) as i64 - i64::from(before);
            let index = mode.source(index, in_count as i64).unwrap_or(0);
            *y = x[index * block + at % block];
        }
    }
    Ok(())
}

/// `y` is a window on `x` that begins at `from`, perhaps before or beyond it; outside stands
/// `value`.
fn pad_row<T: Copy>(x: &[T], y: &mut [T], from: i64, value: T) {
    let len = y.len();
    let head = from.saturating_neg().clamp(0, len as i64) as usize;
    let end = (x.len() as i64).saturating_sub(from).clamp(head as i64, len as i64) as usize;
    y[..head].fill(value);
    y[end..].fill(value);
    let start = (from + head as i64) as usize;
    if head < end {
        y[head..end].copy_from_slice(&x[start..start + (end - head)]);
    }
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run, try_run};

    fn padded(mode: Mode, before: i32, x: &[i32], len: u32) -> std::vec::Vec<i32> {
        let mut params = Params { mode: mode as u32, before: [0; 8], value: [9, 0] };
        params.before[0] = before;
        let x = Tensor::i32(&[x.len() as u32], x);
        run(&ANY, &params, &[x], &[(DType::I32, &[len])])[0].to_i32()
    }

    #[test]
    fn every_mode_continues_the_input() {
        let x = [1, 2, 3];
        assert_eq!(padded(Mode::Constant, 2, &x, 7), [9, 9, 1, 2, 3, 9, 9]);
        assert_eq!(padded(Mode::Reflect, 2, &x, 8), [3, 2, 1, 2, 3, 2, 1, 2]);
        assert_eq!(padded(Mode::Edge, 2, &x, 7), [1, 1, 1, 2, 3, 3, 3]);
        assert_eq!(padded(Mode::Symmetric, 2, &x, 8), [2, 1, 1, 2, 3, 3, 2, 1]);
        assert_eq!(padded(Mode::Wrap, 2, &x, 7), [2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(padded(Mode::Constant, -1, &x, 3), [2, 3, 9]);
        assert_eq!(padded(Mode::Constant, -5, &x, 2), [9, 9]);
        assert_eq!(padded(Mode::Constant, 5, &x, 2), [9, 9]);
        assert_eq!(padded(Mode::Reflect, 1, &[7], 3), [7, 7, 7]);
    }

    #[test]
    fn inner_axes_stay_together() {
        let params = Params { mode: 0, before: [0, 1, 0, 0, 0, 0, 0, 0], value: [0xfd, 0] };
        let x = Tensor::i8(&[1, 1, 2, 2], &[1, 2, 3, 4]);
        let to = [(DType::I8, &[1, 2, 3, 2][..])];
        let y = run(&ANY, &params, from_ref(&x), &to);
        assert_eq!(y[0].to_i8(), [-3, -3, -3, -3, -3, -3, 1, 2, 3, 4, -3, -3]);
        let value = Tensor::i8(&[], &[5]);
        let y = run(&ANY, &params, &[x.clone(), value], &to);
        assert_eq!(y[0].to_i8(), [5, 5, 5, 5, 5, 5, 1, 2, 3, 4, 5, 5]);
        let edge = Params { mode: Mode::Edge as u32, ..params };
        let y = run(&ANY, &edge, &[x], &to);
        assert_eq!(y[0].to_i8(), [1, 2, 3, 4, 3, 4, 1, 2, 3, 4, 3, 4]);
    }

    #[test]
    fn nothing_can_only_be_padded_with_a_constant() {
        let x = Tensor::i32(&[0], &[]);
        let params = Params { mode: 0, before: [0; 8], value: [4, 0] };
        let y = run(&ANY, &params, from_ref(&x), &[(DType::I32, &[2])]);
        assert_eq!(y[0].to_i32(), [4, 4]);
        let edge = Params { mode: Mode::Edge as u32, ..params };
        let result = try_run(&ANY, &edge, &[Some(&x)], &[(DType::I32, &[2])]);
        assert_eq!(result, Err(Fault::Shape));
    }
}
