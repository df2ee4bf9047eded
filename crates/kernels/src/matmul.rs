//! Products of matrices in broadcast batches: A `[.., M, K]` (or `[.., K, M]`) times B `[.., K, N]`
//! (or `[.., N, K]`) is `[.., M, N]`, with a fused clamp; split into the rows of the output.

use core::ops::Range;

use embarca_num::{DType, fixed::{Requant, Requant16x8}};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    Call, Fault, Kernel, Needs, Signature, Ty,
    tail::{ClampF32, TailI8, check_types},
};

/// f32; the sum runs over k. The record is a [`ParamsF32`].
pub const F32: Kernel = Kernel::new("matmul_f32", check_f32, call_f32);

/// i8: TFLite's `reference_ops::BatchMatMul`. The record is a [`ParamsI8`].
pub const I8: Kernel = Kernel::new("matmul_i8", check_i8, call_i8);

/// i32 without quantization; sums wrap. The record is a [`ParamsI32`].
pub const I32: Kernel = Kernel::new("matmul_i32", |s| check_plain(s, DType::I32), call_i32);
/// f64; the record is a [`ParamsI32`].
pub const F64: Kernel = Kernel::new("matmul_f64", |s| check_plain(s, DType::F64), call_f64);

/// i16 by i16 with sums of 64 bits; the record is a [`ParamsI16`].
pub const I16: Kernel = Kernel::new("matmul_i16", check_i16, call_i16);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, I32, F64, I16];

/// The i16 record. Nothing has a zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI16 {
    /// As in [`ParamsF32`].
    pub transposed: [u32; 2],
    /// Lower bound of the stored result, at least -32768.
    pub act_min: i32,
    /// Upper bound of the stored result, at most 32767.
    pub act_max: i32,
    /// Rescaling of the sums.
    pub factor: Requant,
}

/// The f32 record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// 1 when the last two axes of A are exchanged, else 0; likewise of B.
    pub transposed: [u32; 2],
    /// Fused activation.
    pub clamp: ClampF32,
}

/// The i8 record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// As in [`ParamsF32`].
    pub transposed: [u32; 2],
    /// Zero points (B's is `w_zero`) and fused activation.
    pub tail: TailI8,
    /// Rescaling of the sums.
    pub factor: Requant,
}

/// The i32 record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI32 {
    /// As in [`ParamsF32`].
    pub transposed: [u32; 2],
}

/// The greatest number of batch axes.
const MAX_BATCH: usize = 6;

/// The sizes of one product, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    rows: usize,
    columns: usize,
    depth: usize,
    /// Steps of A along M and K, of B along K and N.
    a_steps: [usize; 2],
    b_steps: [usize; 2],
    /// Batch axes of the output, outermost first, with the steps of A and B.
    batch: [(usize, usize, usize); MAX_BATCH],
    batches: usize,
}

impl Shape {
    /// From the dimensions of A, B and the output.
    pub fn new(transposed: [u32; 2], a: Ty, b: Ty, y: Ty) -> Result<Self, Fault> {
        if transposed.iter().any(|&flag| 1 < flag) {
            return Err(Fault::Record);
        }
        let matrix = |ty: Ty<'_>| -> Result<(usize, [usize; 2]), Fault> {
            ty.len()?;
            let split = ty.dims.len().checked_sub(2).ok_or(Fault::Shape)?;
            Ok((split, [ty.dims[split] as usize, ty.dims[split + 1] as usize]))
        };
        let ((a_axes, [ar, ac]), (b_axes, [br, bc])) = (matrix(a)?, matrix(b)?);
        let (axes, [rows, columns]) = matrix(y)?;
        let (m, ak, a_steps) =
            if transposed[0] == 1 { (ac, ar, [1, ac]) } else { (ar, ac, [ac, 1]) };
        let (bk, n, b_steps) =
            if transposed[1] == 1 { (bc, br, [1, bc]) } else { (br, bc, [bc, 1]) };
        if m != rows || n != columns || ak != bk || MAX_BATCH < axes || axes != a_axes.max(b_axes) {
            return Err(Fault::Shape);
        }
        let mut batch = [(1, 0, 0); MAX_BATCH];
        let (mut a_step, mut b_step, mut batches) = (ar * ac, br * bc, 1usize);
        for i in 0..axes {
            // From the innermost axis outwards.
            let dim = |ty: Ty<'_>, of: usize| if i < of { ty.dims[of - 1 - i] as usize } else { 1 };
            let (da, db, dy) = (dim(a, a_axes), dim(b, b_axes), dim(y, axes));
            let broadcast = if da == 1 { db } else { da };
            if dy != broadcast || (db != 1 && db != dy) {
                return Err(Fault::Shape);
            }
            let step = |dim: usize, step: usize| if dim == 1 { 0 } else { step };
            batch[axes - 1 - i] = (dy, step(da, a_step), step(db, b_step));
            a_step = a_step.saturating_mul(da);
            b_step = b_step.saturating_mul(db);
            batches = batches.saturating_mul(dy);
        }
        Ok(Self { rows, columns, depth: ak, a_steps, b_steps, batch, batches })
    }

    fn units(&self) -> usize {
        if self.columns == 0 { 0 } else { self.batches * self.rows }
    }

    /// Where A's row and B's matrix begin for an output row.
    fn starts(&self, unit: usize) -> (usize, usize) {
        let (mut rest, row) = (unit / self.rows.max(1), unit % self.rows.max(1));
        let (mut a, mut b) = (row * self.a_steps[0], 0);
        for &(dim, a_step, b_step) in self.batch.iter().rev() {
            let at = rest % dim.max(1);
            rest /= dim.max(1);
            a += at * a_step;
            b += at * b_step;
        }
        (a, b)
    }
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    check_types(sig, [DType::F32; 3], 2)?;
    let shape = Shape::new(params.transposed, sig.input(0)?, sig.input(1)?, sig.output(0)?)?;
    Ok(Needs::split(shape.units()))
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    params.tail.check()?;
    if !params.factor.is_valid() {
        return Err(Fault::Record);
    }
    check_types(sig, [DType::I8; 3], 2)?;
    let shape = Shape::new(params.transposed, sig.input(0)?, sig.input(1)?, sig.output(0)?)?;
    Ok(Needs::split(shape.units()))
}

fn check_i16(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI16 = sig.params()?;
    crate::wide::check_bounds(params.act_min, params.act_max)?;
    if !params.factor.is_valid() {
        return Err(Fault::Record);
    }
    check_types(sig, [DType::I16; 3], 2)?;
    let shape = Shape::new(params.transposed, sig.input(0)?, sig.input(1)?, sig.output(0)?)?;
    Ok(Needs::split(shape.units()))
}

fn check_plain(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let params: ParamsI32 = sig.params()?;
    check_types(sig, [dtype; 3], 2)?;
    let shape = Shape::new(params.transposed, sig.input(0)?, sig.input(1)?, sig.output(0)?)?;
    Ok(Needs::split(shape.units()))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(params.transposed, a.ty, b.ty, y.ty)?;
    run_f32(params.clamp, &shape, units, a.elements(), b.elements(), y.elements());
    Ok(())
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(params.transposed, a.ty, b.ty, y.ty)?;
    run_i8(&params, &shape, units, a.elements(), b.elements(), y.elements());
    Ok(())
}

fn call_i16(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI16 = call.params()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(params.transposed, a.ty, b.ty, y.ty)?;
    run_i16(&params, &shape, units, a.elements(), b.elements(), y.elements());
    Ok(())
}

fn call_i32(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI32 = call.params()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(params.transposed, a.ty, b.ty, y.ty)?;
    let step = |sum: i32, a: i32, b| sum.wrapping_add(a.wrapping_mul(b));
    run_plain(&shape, units, (a.elements(), b.elements()), y.elements(), 0, step);
    Ok(())
}

fn call_f64(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI32 = call.params()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(params.transposed, a.ty, b.ty, y.ty)?;
    let step = |sum: f64, a: f64, b| sum + a * b;
    run_plain(&shape, units, (a.elements(), b.elements()), y.elements(), 0.0, step);
    Ok(())
}

/// Rows `units` of the output.
pub fn run_f32(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
) {
    let (k_step, [b_k, b_n]) = (shape.a_steps[1], shape.b_steps);
    for (unit, y) in units.zip(y.chunks_exact_mut(shape.columns.max(1))) {
        let (a_at, b_at) = shape.starts(unit);
        if b_n == 1 {
            // Row by row of B, so that neighbouring results are computed together.
            y.fill(0.0);
            for k in 0..shape.depth {
                let a = a[a_at + k * k_step];
                let b = &b[b_at + k * b_k..][..y.len()];
                for (y, &b) in y.iter_mut().zip(b) {
                    *y += a * b;
                }
            }
        } else {
            for (n, y) in y.iter_mut().enumerate() {
                let b = &b[b_at + n * b_n..][..shape.depth];
                *y = (0..).zip(b).fold(0.0, |sum, (k, b)| sum + a[a_at + k * k_step] * b);
            }
        }
        for y in y {
            *y = clamp.apply(*y);
        }
    }
}

/// Rows `units` of the output: each element begins with `zero` and takes up products by `step`.
fn run_plain<T: Copy>(
    shape: &Shape,
    units: Range<usize>,
    (a, b): (&[T], &[T]),
    y: &mut [T],
    zero: T,
    step: impl Fn(T, T, T) -> T,
) {
    let (k_step, [b_k, b_n]) = (shape.a_steps[1], shape.b_steps);
    for (unit, y) in units.zip(y.chunks_exact_mut(shape.columns.max(1))) {
        let (a_at, b_at) = shape.starts(unit);
        y.fill(zero);
        for k in 0..shape.depth {
            let a = a[a_at + k * k_step];
            let b = b[b_at + k * b_k..].iter().step_by(b_n);
            for (y, &b) in y.iter_mut().zip(b) {
                *y = step(*y, a, b);
            }
        }
    }
}

/// Rows `units` of the output.
pub fn run_i8(
    params: &ParamsI8,
    shape: &Shape,
    units: Range<usize>,
    a: &[i8],
    b: &[i8],
    y: &mut [i8],
) {
    let (k_step, [b_k, b_n]) = (shape.a_steps[1], shape.b_steps);
    for (unit, y) in units.zip(y.chunks_exact_mut(shape.columns.max(1))) {
        let (a_at, b_at) = shape.starts(unit);
        for (n, y) in y.iter_mut().enumerate() {
            let products = (0..shape.depth).map(|k| {
                let a = i32::from(a[a_at + k * k_step]) - params.tail.in_zero;
                let b = i32::from(b[b_at + k * b_k + n * b_n]) - params.tail.w_zero;
                a * b
            });
            *y = params.tail.apply(products.fold(0, i32::wrapping_add), params.factor);
        }
    }
}

/// Rows `units` of the output.
pub fn run_i16(
    params: &ParamsI16,
    shape: &Shape,
    units: Range<usize>,
    a: &[i16],
    b: &[i16],
    y: &mut [i16],
) {
    let (k_step, [b_k, b_n]) = (shape.a_steps[1], shape.b_steps);
    let factor = Requant16x8::new(params.factor).unwrap_or_default();
    for (unit, y) in units.zip(y.chunks_exact_mut(shape.columns.max(1))) {
        let (a_at, b_at) = shape.starts(unit);
        for (n, y) in y.iter_mut().enumerate() {
            let sum: i64 = (0..shape.depth)
                .map(|k| {
                    let (a, b) = (a[a_at + k * k_step], b[b_at + k * b_k + n * b_n]);
                    i64::from(i32::from(a) * i32::from(b))
                })
                .sum();
            *y = factor.apply(sum).max(params.act_min).min(params.act_max) as i16;
        }
    }
}
