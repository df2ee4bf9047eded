//! Sums, means, extrema, norms along any set of axes.
//!
//! The output has the input's dimensions with the reduced ones 1 or left out.

mod double;
mod float;
mod int;
mod quant;

use core::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use float::run_f32;
pub use int::{run_bool, run_int};
pub use quant::{Level, ParamsI8, run};

use crate::walk::{MAX_RANK, Walk, check_size, strides};
use crate::{Fault, Kernel, Needs, Signature, Ty};

/// f32 to f32; record [`Params`].
pub const F32: Kernel = Kernel::new("reduce_f32", float::check, float::call);
/// i32 to i32; record [`Params`].
pub const I32: Kernel = Kernel::new("reduce_i32", int::check::<i32>, int::call::<i32>);
/// i64 to i64; record [`Params`].
pub const I64: Kernel = Kernel::new("reduce_i64", int::check::<i64>, int::call::<i64>);
/// i8 to i8 without quantization or (extrema) with one for both; record [`Params`].
pub const I8: Kernel = Kernel::new("reduce_i8", int::check::<i8>, int::call::<i8>);
/// u8 to u8 without quantization or (extrema) with one for both; record [`Params`].
pub const U8: Kernel = Kernel::new("reduce_u8", int::check::<u8>, int::call::<u8>);
/// bool to bool: [`Kind::Min`] is "all", [`Kind::Max`] is "any"; record [`Params`].
pub const BOOL: Kernel = Kernel::new("reduce_bool", int::check_bool, int::call_bool);
/// Quantized means and sums; record [`ParamsI8`].
pub const MEAN_I8: Kernel = Kernel::new("mean_i8", quant::check::<i8>, quant::call::<i8>);
/// f64 to f64; record [`Params`].
pub const F64: Kernel = Kernel::new("reduce_f64", double::check, double::call);
/// Quantized means and sums of 16 bits; record [`ParamsI8`].
pub const MEAN_I16: Kernel = Kernel::new("mean_i16", quant::check::<i16>, quant::call::<i16>);
/// i16 to i16 without quantization or (extrema) with one for both; record [`Params`].
pub const I16: Kernel = Kernel::new("reduce_i16", int::check::<i16>, int::call::<i16>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I32, I64, I8, U8, BOOL, MEAN_I8, F64, MEAN_I16, I16];

/// What is computed of the elements that fall together. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The sum; integers wrap.
    Sum = 0,
    /// The sum over the count, toward zero for integers; NaN (0) of no elements.
    Mean = 1,
    /// The greatest; NaN when one is.
    Max = 2,
    /// The smallest; NaN when one is.
    Min = 3,
    /// The product; integers wrap.
    Prod = 4,
    /// The sum of the magnitudes.
    L1 = 5,
    /// The square root of the sum of squares; floats only.
    L2 = 6,
    /// The sum of squares.
    SumSquare = 7,
    /// The logarithm of the sum; floats only.
    LogSum = 8,
    /// The logarithm of the sum of exponentials, without overflow; floats only.
    LogSumExp = 9,
}

impl Kind {
    /// The kind with this number; a `Record` fault when there is none.
    pub fn from_code(code: u32) -> Result<Self, Fault> {
        let all = [
            Self::Sum,
            Self::Mean,
            Self::Max,
            Self::Min,
            Self::Prod,
            Self::L1,
            Self::L2,
            Self::SumSquare,
            Self::LogSum,
            Self::LogSumExp,
        ];
        all.get(code as usize).copied().ok_or(Fault::Record)
    }
}

/// The record of the forms without quantization.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A [`Kind`].
    pub kind: u32,
    /// Bit `i` is set when axis `i` is reduced.
    pub axes: u32,
}

/// One input and one output of fitting dimensions; one unit per output element.
fn check_axes(sig: &Signature, axes: u32) -> Result<Needs, Fault> {
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    check_size(x)?;
    let len = check_size(y)?;
    if axes >> x.dims.len() != 0 {
        return Err(Fault::Record);
    }
    let reduced = |i: usize| axes >> i & 1 == 1;
    let each = x.dims.iter().enumerate();
    let fits = if x.dims.len() == y.dims.len() {
        each.zip(y.dims).all(|((i, &x), &y)| y == if reduced(i) { 1 } else { x })
    } else {
        each.filter(|(i, _)| !reduced(*i)).map(|(_, dim)| dim).eq(y.dims)
    };
    if fits { Ok(Needs::split(len)) } else { Err(Fault::Shape) }
}

/// The input split into what is kept (the output's elements) and what falls together.
#[derive(Clone, Debug)]
pub struct Plan {
    kept: Walk<1>,
    reduced: Walk<1>,
    count: usize,
}

impl Plan {
    /// The reduction of a tensor along the axes whose bits are set.
    pub fn new(x: Ty, axes: u32) -> Self {
        let strides = strides(x.dims);
        let all = || x.dims.iter().zip(strides).take(MAX_RANK).enumerate();
        let pick = |wanted: u32| {
            let some = all().filter(move |(i, _)| axes >> i & 1 == wanted);
            some.map(|(_, (&dim, stride))| (dim as usize, [stride]))
        };
        let count = pick(1).map(|(dim, _)| dim).product();
        Self { kept: Walk::new(pick(0), [0]), reduced: Walk::new(pick(1), [0]), count }
    }
}

/// Accumulators of neighbouring outputs that are filled together.
const LANES: usize = 16;

/// Folds the elements of each output in `range`: `start`, then `step` in row-major order (in
/// [`LANES`] interleaved sequences that `join` unites when the elements are contiguous), then
/// `finish` with their number.
fn fold<T: Copy, A: Copy, U: Copy>(
    plan: &Plan,
    range: Range<usize>,
    x: &[T],
    y: &mut [U],
    (start, step, join): (A, impl Fn(A, T) -> A, impl Fn(A, A) -> A),
    finish: impl Fn(A, usize) -> U,
) {
    let (_, [kept_stride]) = plan.kept.inner();
    let (_, [reduced_stride]) = plan.reduced.inner();
    let every = 0..plan.count;
    plan.kept.rows(range, |to, [base]| {
        let y = &mut y[to];
        if kept_stride != 1 || y.len() == 1 {
            for (i, y) in y.iter_mut().enumerate() {
                let base = (base as isize + i as isize * kept_stride) as usize;
                let mut sum = start;
                plan.reduced.rows(every.clone(), |part, [at]| {
                    if reduced_stride == 1 {
                        sum =
                            join(sum, fold_row(&x[base + at..][..part.len()], start, &step, &join));
                    } else {
                        let step_by = reduced_stride.unsigned_abs().max(1);
                        for &x in x[base + at..].iter().step_by(step_by).take(part.len()) {
                            sum = step(sum, x);
                        }
                    }
                });
                *y = finish(sum, plan.count);
            }
            return;
        }
        for (i, y) in y.chunks_mut(LANES).enumerate() {
            let base = base + i * LANES;
            let mut sums = [start; LANES];
            let sums = &mut sums[..y.len()];
            let step_by = reduced_stride.unsigned_abs();
            plan.reduced.rows(every.clone(), |part, [at]| {
                for i in 0..part.len() {
                    let x = &x[base + at + i * step_by..][..sums.len()];
                    for (sum, &x) in sums.iter_mut().zip(x) {
                        *sum = step(*sum, x);
                    }
                }
            });
            for (y, &mut sum) in y.iter_mut().zip(sums) {
                *y = finish(sum, plan.count);
            }
        }
    });
}

fn fold_row<T: Copy, A: Copy>(
    x: &[T],
    start: A,
    step: impl Fn(A, T) -> A,
    join: impl Fn(A, A) -> A,
) -> A {
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    let mut sum = start;
    if LANES <= x.len() {
        let mut sums = [start; LANES];
        for chunk in chunks {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum = step(*sum, x);
            }
        }
        for &lane in &sums {
            sum = join(sum, lane);
        }
    }
    for &x in rest {
        sum = step(sum, x);
    }
    sum
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use std::vec::Vec;

    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run};

    /// Every subset of the axes of a rank-4 tensor, against the definition.
    #[test]
    fn any_axes_in_any_order() {
        let dims = [2, 3, 5, 20];
        let x: Vec<f32> = (0..600).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
        let tensor = Tensor::f32(&dims, &x);
        for axes in 0..16 {
            let kept: Vec<usize> = (0..4).filter(|i| axes >> i & 1 == 0).collect();
            let to: Vec<u32> = kept.iter().map(|&i| dims[i]).collect();
            let keep: Vec<u32> =
                (0..4).map(|i| if axes >> i & 1 == 1 { 1 } else { dims[i] }).collect();
            let len = to.iter().product::<u32>() as usize;
            let (mut sum, mut max) = (Vec::new(), Vec::new());
            sum.resize(len, 0.0f64);
            max.resize(len, f32::MIN);
            for (i, &x) in x.iter().enumerate() {
                let index = [i / 300, i / 100 % 3, i / 20 % 5, i % 20];
                let at = kept.iter().fold(0, |at, &k| at * dims[k] as usize + index[k]);
                sum[at] += f64::from(x);
                max[at] = max[at].max(x);
            }
            let got = |kind: Kind, dims: &[u32]| {
                let params = Params { kind: kind as u32, axes };
                run(&F32, &params, from_ref(&tensor), &[(DType::F32, dims)])[0].to_f32()
            };
            assert_eq!(got(Kind::Max, &to), max, "axes {axes:#b}");
            assert_eq!(got(Kind::Max, &keep), max, "axes {axes:#b}");
            let count = (600 / len) as f64;
            for (got, want) in got(Kind::Mean, &to).iter().zip(sum) {
                assert!((f64::from(*got) - want / count).abs() < 1e-5, "axes {axes:#b}");
            }
        }
    }

    #[test]
    fn each_kind_means_what_it_says() {
        let x = Tensor::f32(&[4], &[3.0, -1.0, 2.0, 0.5]);
        let sum_exp = 3f32.exp() + (-1f32).exp() + 2f32.exp() + 0.5f32.exp();
        let cases = [
            (Kind::Sum, 4.5),
            (Kind::Mean, 1.125),
            (Kind::Max, 3.0),
            (Kind::Min, -1.0),
            (Kind::Prod, -3.0),
            (Kind::L1, 6.5),
            (Kind::L2, 14.25f32.sqrt()),
            (Kind::SumSquare, 14.25),
            (Kind::LogSum, 4.5f32.ln()),
            (Kind::LogSumExp, sum_exp.ln()),
        ];
        for (kind, want) in cases {
            let params = Params { kind: kind as u32, axes: 1 };
            let y = run(&F32, &params, from_ref(&x), &[(DType::F32, &[])])[0].to_f32()[0];
            assert!((y - want).abs() < 1e-6, "{kind:?}: {y} and {want}");
        }
        let big = Tensor::f32(&[3], &[1000.0, f32::NEG_INFINITY, 1000.0]);
        let params = Params { kind: Kind::LogSumExp as u32, axes: 1 };
        let y = run(&F32, &params, &[big], &[(DType::F32, &[])])[0].to_f32()[0];
        assert!((y - 1_000.693_1).abs() < 1e-3);
    }

    #[test]
    fn integers_and_logic() {
        let x = Tensor::i32(&[2, 3], &[5, -7, 3, i32::MAX, 1, 2]);
        let cases = [
            (Kind::Sum, [1, i32::MIN + 2]),
            (Kind::Mean, [0, 715_827_883]),
            (Kind::Max, [5, i32::MAX]),
            (Kind::Min, [-7, 1]),
            (Kind::L1, [15, i32::MIN + 2]),
        ];
        for (kind, want) in cases {
            let params = Params { kind: kind as u32, axes: 2 };
            let y = run(&I32, &params, from_ref(&x), &[(DType::I32, &[2])]);
            assert_eq!(y[0].to_i32(), want, "{kind:?}");
        }
        let x = Tensor::new(DType::Bool, &[2, 2], &[1u8, 0, 1, 1]);
        for (kind, want) in [(Kind::Min, [0, 1]), (Kind::Max, [1, 1])] {
            let params = Params { kind: kind as u32, axes: 2 };
            let y = run(&BOOL, &params, from_ref(&x), &[(DType::Bool, &[2])]);
            assert_eq!(y[0].bytes(), want, "{kind:?}");
        }
    }

    #[test]
    fn nothing_reduces_to_the_neutral_element() {
        let x = Tensor::f32(&[0, 2], &[]);
        for (kind, want) in [(Kind::Sum, 0.0), (Kind::Prod, 1.0), (Kind::Max, f32::NEG_INFINITY)] {
            let params = Params { kind: kind as u32, axes: 1 };
            let y = run(&F32, &params, from_ref(&x), &[(DType::F32, &[2])]);
            assert_eq!(y[0].to_f32(), [want; 2]);
        }
    }
}
