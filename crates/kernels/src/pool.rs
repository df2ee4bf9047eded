//! Maximum and average over windows, channels last. Input `[N, H, W, C]`, output `[N, OH, OW, C]`,
//! split into its rows.
//!
//! Taps outside the input are left out of both; an average divides by the taps that remain or, with
//! `count_pad`, by those that also meet the stated padding. A window without any tap yields 0
//! (average) or the smallest number of the type (maximum), before the clamp.

use core::ops::Range;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    Call, Fault, Kernel, Needs, Signature, Ty,
    spatial::{Axis, Window, dims4},
    tail::ClampF32,
};

/// Largest of each window, f32; the record is a [`ParamsF32`].
pub const MAX_F32: Kernel = Kernel::new("max_pool_f32", check_f32, call_max_f32);

/// Largest of each window, i8; the record is a [`ParamsI8`].
pub const MAX_I8: Kernel = Kernel::new("max_pool_i8", check_i8, call_max_i8);

/// Mean of each window, f32; the sum runs over ky, kx. The record is a [`ParamsF32`].
pub const AVERAGE_F32: Kernel = Kernel::new("average_pool_f32", check_f32, call_average_f32);

/// Mean of each window, i8; the record is a [`ParamsI8`].
pub const AVERAGE_I8: Kernel = Kernel::new("average_pool_i8", check_i8, call_average_i8);

/// Largest of each window, i16; the record is a [`ParamsI16`].
pub const MAX_I16: Kernel = Kernel::new("max_pool_i16", check_i16, call_max_i16);

/// Mean of each window, i16; the record is a [`ParamsI16`].
pub const AVERAGE_I16: Kernel = Kernel::new("average_pool_i16", check_i16, call_average_i16);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[MAX_F32, MAX_I8, AVERAGE_F32, AVERAGE_I8, MAX_I16, AVERAGE_I16];

/// What the types have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Stride, dilation, padding before.
    pub window: Window,
    /// Height and width of the window; 0 is the whole input, without padding.
    pub size: [u32; 2],
    /// Padding after the last row and column; counts only with `count_pad`.
    pub pad_end: [u32; 2],
    /// 1 when an average divides by padding too, else 0.
    pub count_pad: u32,
}

/// The f32 record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsF32 {
    /// The window.
    pub pool: Params,
    /// Fused activation.
    pub clamp: ClampF32,
}

/// The i8 record. Input and output have one scale and zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI8 {
    /// The window.
    pub pool: Params,
    /// Lower bound of the quantized result, at least -128.
    pub act_min: i32,
    /// Upper bound of the quantized result, at most 127.
    pub act_max: i32,
    /// How an average rounds: 0 halves away from zero (TFLite's i8), 1 halves up (TFLite's u8,
    /// after 128 is subtracted).
    pub half_up: u32,
}

/// The i16 record. Input and output have one scale and no zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsI16 {
    /// The window.
    pub pool: Params,
    /// Lower bound of the quantized result, at least -32768.
    pub act_min: i32,
    /// Upper bound of the quantized result, at most 32767.
    pub act_max: i32,
}

/// Channels that are reduced at a time.
const LANES: usize = 16;

/// The sizes of one pooling step, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Input height, width; channels.
    input: [usize; 3],
    /// Batch; output height, width.
    output: [usize; 3],
    axes: [Axis; 2],
    /// `axes` over the padded input, for counting.
    padded: [Axis; 2],
}

impl Shape {
    /// From the dimensions of x and y.
    pub fn new(params: &Params, x: Ty, y: Ty) -> Result<Self, Fault> {
        let ([xn, xh, xw, xc], [yn, yh, yw, yc]) = (dims4(x)?, dims4(y)?);
        if xn != yn || xc != yc {
            return Err(Fault::Shape);
        }
        x.len()?;
        y.len()?;
        let window = &params.window;
        let whole = |size, input: u32| if size == 0 { input } else { size };
        let size = [whole(params.size[0], xh), whole(params.size[1], xw)];
        if 1 < params.count_pad || size[0].checked_mul(size[1]).is_none_or(|n| 1 << 23 <= n) {
            return Err(Fault::Record);
        }
        // Padding before moves into the input's length, so the same window counts it as input.
        let padded = |i: usize, input: u32| {
            let before = u32::try_from(window.pad[i]).unwrap_or(0);
            let length = input.checked_add(before).and_then(|n| n.checked_add(params.pad_end[i]));
            Ok((length.ok_or(Fault::TooLarge)?, window.pad[i] - before as i32))
        };
        let ((h, top), (w, left)) = (padded(0, xh)?, padded(1, xw)?);
        let whole = Window { pad: [top, left], ..*window };
        Ok(Self {
            input: [xh, xw, xc].map(|dim| dim as usize),
            output: [yn, yh, yw].map(|dim| dim as usize),
            axes: [window.axis(0, xh, size[0], yh)?, window.axis(1, xw, size[1], yw)?],
            padded: [whole.axis(0, h, size[0], yh)?, whole.axis(1, w, size[1], yw)?],
        })
    }

    /// Output rows of all images; 0 when a row is empty.
    pub fn units(&self) -> usize {
        let [n, h, w] = self.output;
        if w * self.input[2] == 0 { 0 } else { n * h }
    }

    /// Reduces every window in `units`: `add` folds the taps into `start` for up to [`LANES`]
    /// channels at a time, `finish` gets the number to divide by and the result.
    #[inline(always)]
    fn reduce<T: Copy, S: Copy>(
        &self,
        count_pad: bool,
        units: Range<usize>,
        (x, y): (&[T], &mut [T]),
        start: S,
        add: impl Fn(S, T) -> S,
        finish: impl Fn(S, usize) -> T,
    ) {
        let ([height, width, channels], [_, rows, row_len]) = (self.input, self.output);
        let counted = if count_pad { &self.padded } else { &self.axes };
        let mut pixels = y.chunks_exact_mut(channels.max(1));
        for unit in units {
            let (image, oy) = (unit / rows.max(1) * height, unit % rows.max(1));
            let down = self.axes[0].taps(oy);
            for (ox, pixel) in pixels.by_ref().take(row_len).enumerate() {
                let across = self.axes[1].taps(ox);
                let count = counted[0].taps(oy).count * counted[1].taps(ox).count;
                for (group, y) in pixel.chunks_mut(LANES).enumerate() {
                    let mut sums = [start; LANES];
                    for (_, iy) in down.iter() {
                        for (_, ix) in across.iter() {
                            let at = ((image + iy) * width + ix) * channels + group * LANES;
                            for (sum, &x) in sums.iter_mut().zip(&x[at..at + y.len()]) {
                                *sum = add(*sum, x);
                            }
                        }
                    }
                    for (y, sum) in y.iter_mut().zip(sums) {
                        *y = finish(sum, count);
                    }
                }
            }
        }
    }
}

fn check(sig: &Signature, params: &Params, dtype: DType) -> Result<Needs, Fault> {
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != dtype || y.dtype != dtype {
        return Err(Fault::Type);
    }
    Ok(Needs::split(Shape::new(params, x, y)?.units()))
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    check(sig, &params.pool, DType::F32)
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    if params.act_min < -128 || 127 < params.act_max || params.act_max < params.act_min {
        return Err(Fault::Record);
    }
    if 1 < params.half_up {
        return Err(Fault::Record);
    }
    check(sig, &params.pool, DType::I8)
}

fn check_i16(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI16 = sig.params()?;
    crate::wide::check_bounds(params.act_min, params.act_max)?;
    check(sig, &params.pool, DType::I16)
}

fn call_max_f32(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    max_f32(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_max_i8(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    max_i8(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_average_f32(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    average_f32(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_average_i8(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    average_i8(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_max_i16(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    max_i16(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_average_i16(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    average_i16(&params, &Shape::new(&params.pool, x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

/// Rows `units` of the output. A NaN in a window is its maximum.
pub fn max_f32(params: &ParamsF32, shape: &Shape, units: Range<usize>, x: &[f32], y: &mut [f32]) {
    let larger = |max: f32, x: f32| if max < x || x.is_nan() { x } else { max };
    let finish = |max, _| params.clamp.apply(max);
    shape.reduce(false, units, (x, y), f32::NEG_INFINITY, larger, finish);
}

/// Rows `units` of the output.
pub fn max_i8(params: &ParamsI8, shape: &Shape, units: Range<usize>, x: &[i8], y: &mut [i8]) {
    let finish = |max: i8, _| i32::from(max).max(params.act_min).min(params.act_max) as i8;
    shape.reduce(false, units, (x, y), i8::MIN, i8::max, finish);
}

/// Rows `units` of the output.
pub fn average_f32(
    params: &ParamsF32,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    y: &mut [f32],
) {
    let finish = |sum, count| params.clamp.apply(if count == 0 { 0.0 } else { sum / count as f32 });
    shape.reduce(params.pool.count_pad == 1, units, (x, y), 0.0, |sum, x| sum + x, finish);
}

/// Rows `units` of the output: TFLite's `reference_integer_ops::AveragePool` or, with `half_up`,
/// `reference_ops::AveragePool` of u8 less 128. Padding counts as values of 0, which is right when
/// the zero point is 0.
pub fn average_i8(params: &ParamsI8, shape: &Shape, units: Range<usize>, x: &[i8], y: &mut [i8]) {
    let finish = |sum: i32, count: usize| {
        let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
        let half = count / 2;
        let mean = if params.half_up == 1 {
            (sum + half).div_euclid(count)
        } else if 0 < sum {
            (sum + half) / count
        } else {
            (sum - half) / count
        };
        mean.max(params.act_min).min(params.act_max) as i8
    };
    let add = |sum: i32, x: i8| sum + i32::from(x);
    shape.reduce(params.pool.count_pad == 1, units, (x, y), 0, add, finish);
}

/// Rows `units` of the output.
pub fn max_i16(params: &ParamsI16, shape: &Shape, units: Range<usize>, x: &[i16], y: &mut [i16]) {
    let finish = |max: i16, _| i32::from(max).max(params.act_min).min(params.act_max) as i16;
    shape.reduce(false, units, (x, y), i16::MIN, i16::max, finish);
}

/// Rows `units` of the output: TFLite's `reference_integer_ops::AveragePool` of i16, halves away from
/// zero. Sums have 64 bits; the reference's 32 do not overflow where it is defined.
pub fn average_i16(
    params: &ParamsI16,
    shape: &Shape,
    units: Range<usize>,
    x: &[i16],
    y: &mut [i16],
) {
    let finish = |sum: i64, count: usize| {
        let (count, half) = (count.max(1) as i64, count as i64 / 2);
        let mean = if 0 < sum { (sum + half) / count } else { (sum - half) / count };
        mean.max(params.act_min.into()).min(params.act_max.into()) as i16
    };
    let add = |sum: i64, x: i16| sum + i64::from(x);
    shape.reduce(params.pool.count_pad == 1, units, (x, y), 0, add, finish);
}
