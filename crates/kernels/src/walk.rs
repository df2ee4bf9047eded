//! Loop nests over strided tensors: how element-wise and movement kernels visit memory.

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Dst, Fault, Src, Ty};

/// The greatest rank of a tensor.
pub const MAX_RANK: usize = 8;

/// The greatest depth of a nest: a dimension may be visited as two loops (tiles, blocks).
pub const MAX_LOOPS: usize = 2 * MAX_RANK;

/// What a buffer of bytes can be viewed as.
pub trait Element: Copy + FromBytes + IntoBytes + Immutable + KnownLayout {}

impl<T: Copy + FromBytes + IntoBytes + Immutable + KnownLayout> Element for T {}

/// Loops over the elements of an output, outermost first, with the position of each in `K` inputs.
///
/// Adjacent loops that step through memory as one are merged, so that the innermost is as long as
/// it can be.
#[derive(Clone, Debug)]
pub struct Walk<const K: usize> {
    depth: usize,
    dims: [usize; MAX_LOOPS],
    strides: [[isize; K]; MAX_LOOPS],
    start: [isize; K],
}

impl<const K: usize> Walk<K> {
    /// A nest of the given loops (`(length, stride in each input)`), the inputs read from `start`.
    /// At most [`MAX_LOOPS`] are taken.
    pub fn new(loops: impl IntoIterator<Item = (usize, [isize; K])>, start: [isize; K]) -> Self {
        let mut walk = Self { depth: 0, dims: [1; MAX_LOOPS], strides: [[0; K]; MAX_LOOPS], start };
        for (dim, strides) in loops {
            walk.push(dim, strides);
        }
        walk
    }

    /// Visits `inputs` of at most the output's rank broadcast to `output` as NumPy does.
    pub fn broadcast(output: &[u32], inputs: [&[u32]; K]) -> Self {
        let strides = inputs.map(|dims| broadcast_strides(dims, output.len()));
        let each = output.iter().enumerate();
        let loops = each.map(|(i, &dim)| (dim as usize, core::array::from_fn(|k| strides[k][i])));
        Self::new(loops, [0; K])
    }

    fn push(&mut self, dim: usize, strides: [isize; K]) {
        if dim == 1 {
            return;
        }
        if let Some(last) = self.depth.checked_sub(1) {
            let outer = &mut self.strides[last];
            let one = outer.iter().zip(&strides).all(|(&o, &i)| o == i * dim as isize);
            if one {
                *outer = strides;
                self.dims[last] *= dim;
                return;
            }
        }
        if self.depth < MAX_LOOPS {
            self.dims[self.depth] = dim;
            self.strides[self.depth] = strides;
            self.depth += 1;
        }
    }

    /// Length of the innermost loop and its stride in each input.
    pub fn inner(&self) -> (usize, [isize; K]) {
        match self.depth.checked_sub(1) {
            Some(last) => (self.dims[last], self.strides[last]),
            None => (1, [0; K]),
        }
    }

    /// Length of the loop around the innermost one and its stride in each input.
    fn second(&self) -> (usize, [isize; K]) {
        match self.depth.checked_sub(2) {
            Some(last) => (self.dims[last], self.strides[last]),
            None => (1, [0; K]),
        }
    }

    /// Calls `row` for each stretch of the innermost loop within the output elements `range`: with
    /// its place in the output, counted from `range.start`, and its first position in each input.
    pub fn rows(&self, range: Range<usize>, mut row: impl FnMut(Range<usize>, [usize; K])) {
        let (width, inner) = self.inner();
        if width == 0 || range.is_empty() {
            return;
        }
        let outer = self.depth.saturating_sub(1);
        let mut index = [0; MAX_LOOPS];
        let mut at = self.start;
        let mut rest = range.start / width;
        for i in (0..outer).rev() {
            index[i] = rest % self.dims[i].max(1);
            rest /= self.dims[i].max(1);
            for (at, stride) in at.iter_mut().zip(self.strides[i]) {
                *at += index[i] as isize * stride;
            }
        }
        let mut skip = range.start % width;
        let mut done = 0;
        while done < range.len() {
            let len = (width - skip).min(range.len() - done);
            let first = core::array::from_fn(|k| (at[k] + skip as isize * inner[k]) as usize);
            row(done..done + len, first);
            done += len;
            skip = 0;
            for i in (0..outer).rev() {
                index[i] += 1;
                let wrapped = index[i] == self.dims[i];
                let by = if wrapped { 1 - self.dims[i] as isize } else { 1 };
                for (at, stride) in at.iter_mut().zip(self.strides[i]) {
                    *at += by * stride;
                }
                if !wrapped {
                    break;
                }
                index[i] = 0;
            }
        }
    }
}

/// Edge of the square blocks in which a matrix is transposed: both sides stay in the L1 cache.
const BLOCK: usize = 16;

/// Copies the output elements `range` of the nest from `x` to `y`.
pub fn copy<T: Copy>(walk: &Walk<1>, range: Range<usize>, x: &[T], y: &mut [T]) {
    if range.is_empty() {
        return;
    }
    let (width, [stride]) = walk.inner();
    let (height, [outer]) = walk.second();
    if stride == 1 {
        walk.rows(range, |to, [from]| {
            let len = to.len();
            y[to].copy_from_slice(&x[from..from + len]);
        });
    } else if stride == 0 {
        walk.rows(range, |to, [from]| y[to].fill(x[from]));
    } else if outer == 1 && 1 < stride && 1 < height {
        copy_transposed(walk, range, x, y, (height, width, stride as usize));
    } else {
        walk.rows(range, |to, [from]| copy_strided(&mut y[to], x, from, stride));
    }
}

/// [`copy`] for a kernel whose input and output are of one type of 1, 2, 4 or 8 bytes.
///
/// # Errors
/// A `Type` fault when the type is of another size.
pub fn copy_bytes(walk: &Walk<1>, range: Range<usize>, x: &Src, y: &mut Dst) -> Result<(), Fault> {
    match moved_size(x.ty.dtype)? {
        1 => copy::<u8>(walk, range, x.data, y.data),
        2 => copy::<u16>(walk, range, x.elements(), y.elements()),
        4 => copy::<u32>(walk, range, x.elements(), y.elements()),
        _ => copy::<u64>(walk, range, x.elements(), y.elements()),
    }
    Ok(())
}

fn copy_strided<T: Copy>(y: &mut [T], x: &[T], from: usize, stride: isize) {
    let mut at = from as isize;
    for y in y {
        *y = x[at as usize];
        at += stride;
    }
}

/// The innermost two loops transpose matrices of `height` rows of `width` elements: whole rows are
/// moved block by block, what is left at both ends of the range one by one.
fn copy_transposed<T: Copy>(
    walk: &Walk<1>,
    range: Range<usize>,
    x: &[T],
    y: &mut [T],
    (height, width, stride): (usize, usize, usize),
) {
    let strided = |range: Range<usize>, y: &mut [T]| {
        walk.rows(range, |to, [from]| copy_strided(&mut y[to], x, from, stride as isize));
    };
    let head = range.start.next_multiple_of(width).min(range.end);
    let tail = (range.end - range.end % width).max(head);
    let (y_head, rest) = y.split_at_mut(head - range.start);
    let (y_rows, y_tail) = rest.split_at_mut(tail - head);
    strided(range.start..head, y_head);
    strided(tail..range.end, y_tail);

    let mut row = head / width;
    let mut y_rows = y_rows;
    while row < tail / width {
        let rows = (height - row % height).min(tail / width - row);
        let (panel, rest) = y_rows.split_at_mut(rows * width);
        y_rows = rest;
        let mut start = 0;
        walk.rows(row * width..row * width + 1, |_, [from]| start = from);
        transpose_panel(&x[start..], panel, rows, width, stride);
        row += rows;
    }
}

/// `y[r][c] = x[r + c * stride]`.
fn transpose_panel<T: Copy>(x: &[T], y: &mut [T], rows: usize, width: usize, stride: usize) {
    for r0 in (0..rows).step_by(BLOCK) {
        let r1 = (r0 + BLOCK).min(rows);
        for c0 in (0..width).step_by(BLOCK) {
            let c1 = (c0 + BLOCK).min(width);
            for r in r0..r1 {
                let to = &mut y[r * width + c0..r * width + c1];
                let from = x[r + c0 * stride..].iter().step_by(stride);
                for (y, x) in to.iter_mut().zip(from) {
                    *y = *x;
                }
            }
        }
    }
}

/// Elements between neighbours along each dimension of a row-major tensor.
pub fn strides(dims: &[u32]) -> [isize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut step = 1isize;
    for (stride, &dim) in strides[..dims.len().min(MAX_RANK)].iter_mut().zip(dims).rev() {
        *stride = step;
        step = step.wrapping_mul(dim as isize);
    }
    strides
}

/// [`strides`] aligned to the right of `rank` dimensions, 0 where `dims` repeats its only element.
fn broadcast_strides(dims: &[u32], rank: usize) -> [isize; MAX_RANK] {
    let own = strides(dims);
    let mut aligned = [0; MAX_RANK];
    for i in 0..dims.len().min(rank).min(MAX_RANK) {
        let from = dims.len() - 1 - i;
        if dims[from] != 1 {
            aligned[rank - 1 - i] = own[from];
        }
    }
    aligned
}

/// Refuses ranks above 8 and sizes that a kernel cannot index; the number of elements otherwise.
pub fn check_size(ty: Ty) -> Result<usize, Fault> {
    if ty.dims.len() <= MAX_RANK { ty.len() } else { Err(Fault::Shape) }
}

/// Refuses `inputs` that do not broadcast, as in NumPy, to exactly `output`; the number of elements
/// of the output otherwise.
pub fn check_broadcast(inputs: &[Ty], output: Ty) -> Result<usize, Fault> {
    let mut together = [1; MAX_RANK];
    let rank = output.dims.len();
    for input in inputs {
        check_size(*input)?;
        let missing = rank.checked_sub(input.dims.len()).ok_or(Fault::Shape)?;
        for (own, wanted) in input.dims.iter().zip(output.dims.get(missing..).unwrap_or(&[])) {
            if own != wanted && *own != 1 {
                return Err(Fault::Shape);
            }
        }
        for (shared, &own) in together.iter_mut().skip(missing).zip(input.dims) {
            if own != 1 {
                *shared = own;
            }
        }
    }
    let len = check_size(output)?;
    if together[..rank] != *output.dims {
        return Err(Fault::Shape);
    }
    Ok(len)
}

/// The bytes of an element that is only moved; `Type` when it is none of 1, 2, 4 and 8.
pub fn moved_size(dtype: DType) -> Result<usize, Fault> {
    match dtype.size() {
        size @ (1 | 2 | 4 | 8) => Ok(size),
        _ => Err(Fault::Type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_every_dimension_but_zeros() {
        let size = |dims: &[u32]| check_size(Ty { dtype: DType::F32, dims });
        assert_eq!(size(&[]), Ok(1));
        assert_eq!(size(&[3, 0, 5]), Ok(0));
        assert_eq!(size(&[i32::MAX as u32]), Ok(i32::MAX as usize));
        assert_eq!(size(&[1 << 16, 1 << 15]), Err(Fault::TooLarge));
        assert_eq!(size(&[0, u32::MAX, u32::MAX]), Err(Fault::TooLarge));
        assert_eq!(size(&[1; 9]), Err(Fault::Shape));
    }

    fn copied(walk: &Walk<1>, len: usize, pieces: usize) -> [u16; 256] {
        let x: [u16; 256] = core::array::from_fn(|i| i as u16);
        let mut y = [0; 256];
        for piece in 0..pieces {
            let range = len * piece / pieces..len * (piece + 1) / pieces;
            copy(walk, range.clone(), &x, &mut y[range]);
        }
        y
    }

    #[test]
    fn any_split_copies_the_same() {
        let transposed = [(3, [1]), (17, [3])];
        let batched = [(2, [60]), (5, [1]), (12, [5])];
        let reversed = [(4, [-8]), (8, [1])];
        let spread = [(6, [0]), (7, [1])];
        let strided = [(5, [20]), (6, [3])];
        let cases: [(&[(usize, [isize; 1])], isize); 5] =
            [(&transposed, 0), (&batched, 0), (&reversed, 24), (&spread, 3), (&strided, 1)];
        for (loops, start) in cases {
            let len = loops.iter().map(|(dim, _)| dim).product();
            let walk = Walk::new(loops.iter().copied(), [start]);
            let whole = copied(&walk, len, 1);
            for (i, &got) in whole.iter().enumerate().take(len) {
                let mut rest = i;
                let mut at = start;
                for &(dim, [stride]) in loops.iter().rev() {
                    at += (rest % dim) as isize * stride;
                    rest /= dim;
                }
                assert_eq!(got, at as u16, "{loops:?} at {i}");
            }
            for pieces in [2, 3, 7, len] {
                assert_eq!(copied(&walk, len, pieces), whole, "{loops:?} in {pieces}");
            }
        }
    }

    #[test]
    fn contiguous_loops_merge() {
        let walk = Walk::<2>::broadcast(&[2, 3, 4, 5], [&[2, 3, 4, 5], &[4, 5]]);
        assert_eq!(walk.inner(), (20, [1, 1]));
        assert_eq!(walk.second(), (6, [20, 0]));
        let walk = Walk::<2>::broadcast(&[2, 3, 4, 5], [&[2, 3, 4, 5], &[1]]);
        assert_eq!(walk.inner(), (120, [1, 0]));
    }

    #[test]
    fn broadcasts_are_checked() {
        let ty = |dims| Ty { dtype: DType::F32, dims };
        let check = |a, b, y| check_broadcast(&[ty(a), ty(b)], ty(y));
        assert_eq!(check(&[2, 1, 4], &[3, 1], &[2, 3, 4]), Ok(24));
        assert_eq!(check(&[], &[], &[]), Ok(1));
        assert_eq!(check(&[0, 3], &[1, 3], &[0, 3]), Ok(0));
        assert_eq!(check(&[1, 3], &[1, 3], &[2, 3]), Err(Fault::Shape));
        assert_eq!(check(&[2, 3], &[1, 2, 3], &[2, 3]), Err(Fault::Shape));
        assert_eq!(check(&[2, 3], &[4], &[2, 3]), Err(Fault::Shape));
        assert_eq!(check(&[1 << 16, 1 << 16], &[1], &[1 << 16, 1 << 16]), Err(Fault::TooLarge));
    }
}
