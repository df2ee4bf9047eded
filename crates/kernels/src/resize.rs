//! Another height and width, channels last: nearest, bilinear, bicubic. Input `[N, H, W, C]`, output
//! `[N, OH, OW, C]`, split into its rows.
//!
//! A position of the output becomes a coordinate of the input ([`Params::coordinates`]); nearest
//! takes the element there, the others mix the elements around it. Beyond the edges the outermost
//! elements repeat.

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::reduce::Level;
use crate::{Call, Fault, Kernel, Needs, Signature, Ty, spatial::dims4};

/// The element nearest to each coordinate; any type of whole bytes.
pub const NEAREST: Kernel = Kernel::new("resize_nearest", check_nearest, call_nearest);

/// Bilinear, f32: `a*(1-v)*(1-u) + b*v*(1-u) + c*(1-v)*u + d*v*u`, in this order.
pub const LINEAR_F32: Kernel = Kernel::new("resize_linear_f32", check_f32, call_linear_f32);

/// Bilinear, i8 with one scale and zero point on both sides, as TFLite computes it.
pub const LINEAR_I8: Kernel = Kernel::new("resize_linear_i8", check_linear_i8, call_linear_i8);

/// Bicubic, f32: along the width, then along the height.
pub const CUBIC_F32: Kernel = Kernel::new("resize_cubic_f32", check_f32, call_cubic_f32);

/// Bilinear, i16 with one scale on both sides, as TFLite computes it.
pub const LINEAR_I16: Kernel =
    Kernel::new("resize_linear_i16", check_linear_i16, call_linear_i16);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[NEAREST, LINEAR_F32, LINEAR_I8, CUBIC_F32, LINEAR_I16];

/// `(x + 0.5) / scale - 0.5`
pub const HALF_PIXEL: u32 = 0;
/// `x / scale`
pub const ASYMMETRIC: u32 = 1;
/// `x * (in - 1) / (out - 1)`; 0 for a single output.
pub const ALIGN_CORNERS: u32 = 2;
/// As [`HALF_PIXEL`]; 0 for a single output.
pub const PYTORCH_HALF_PIXEL: u32 = 3;
/// `(x + 0.5) / scale`
pub const TF_HALF_PIXEL_FOR_NN: u32 = 4;

/// Nearest takes the element at or before the coordinate.
pub const FLOOR: u32 = 0;
/// Nearest takes the element at or behind the coordinate.
pub const CEIL: u32 = 1;
/// Nearest takes the closest element, the first of two.
pub const PREFER_FLOOR: u32 = 2;
/// Nearest takes the closest element, the last of two.
pub const PREFER_CEIL: u32 = 3;

/// The record of all kernels.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// From positions to coordinates: [`HALF_PIXEL`] to [`TF_HALF_PIXEL_FOR_NN`].
    pub coordinates: u32,
    /// [`FLOOR`] to [`PREFER_CEIL`]; nearest only.
    pub rounding: u32,
    /// Output positions for each input position, height and width; 0 takes it from the dimensions.
    pub scale: [f32; 2],
    /// 0: `f32(in) / f32(out)` is formed and multiplied by, as TFLite does; `scale` is 0.
    /// 1: divided by the scale, as ONNX Runtime does.
    pub divide: u32,
    /// The parameter of the cubic, often -0.75 or -0.5.
    pub cubic_a: f32,
    /// 1: elements beyond the edges get no weight and the others share it; cubic only.
    pub exclude_outside: u32,
    /// i8 only. 0: ten fractional bits, halves away from zero (TFLite's i8). 1: f32 on values plus
    /// 128, then truncation of the sum plus a half (TFLite's u8, for models that were unsigned).
    pub was_u8: u32,
}

impl Params {
    fn check(&self) -> Result<(), Fault> {
        let flags = [self.divide, self.exclude_outside, self.was_u8];
        let legal = self.coordinates <= TF_HALF_PIXEL_FOR_NN
            && self.rounding <= PREFER_CEIL
            && flags.iter().all(|&flag| flag <= 1)
            && self.scale.iter().all(|&scale| 0.0 <= scale && scale.is_finite())
            && self.cubic_a.is_finite();
        if legal { Ok(()) } else { Err(Fault::Record) }
    }

    /// The coordinate of output position `at` along axis `axis`.
    fn coordinate(&self, axis: usize, at: usize, input: usize, output: usize) -> f32 {
        let (x, n, m) = (at as f32, input as f32, output as f32);
        let aligned = self.coordinates == ALIGN_CORNERS;
        if output <= 1 && (aligned || self.coordinates == PYTORCH_HALF_PIXEL) {
            return 0.0;
        }
        let center =
            if matches!(self.coordinates, ASYMMETRIC | ALIGN_CORNERS) { x } else { x + 0.5 };
        let y = match (self.divide, aligned) {
            (0, true) => center * ((n - 1.0) / (m - 1.0)),
            (0, false) => center * (n / m),
            (_, true) => center * (n - 1.0) / (m - 1.0),
            (_, false) => {
                let scale = self.scale[axis];
                center / if scale == 0.0 { m / n } else { scale }
            }
        };
        let shifted = matches!(self.coordinates, HALF_PIXEL | PYTORCH_HALF_PIXEL);
        if shifted { y - 0.5 } else { y }
    }

    /// The element that nearest takes.
    fn nearest(&self, axis: usize, at: usize, input: usize, output: usize) -> usize {
        let x = self.coordinate(axis, at, input, output);
        let y = match self.rounding {
            FLOOR => float::floor(x),
            CEIL => float::ceil(x),
            PREFER_FLOOR => float::ceil(x - 0.5),
            _ => float::round_half_away(x),
        };
        (y.max(0.0) as usize).min(input.saturating_sub(1))
    }

    /// The elements on both sides of a coordinate and the distance to the first.
    fn around(&self, axis: usize, at: usize, input: usize, output: usize) -> (usize, usize, f32) {
        let x = self.coordinate(axis, at, input, output);
        let last = input.saturating_sub(1);
        let low = (float::floor(x).max(0.0) as usize).min(last);
        let high = (float::ceil(x).max(0.0) as usize).min(last);
        (low, high, x - low as f32)
    }

    /// Four elements and their weights.
    fn cubic(&self, axis: usize, at: usize, input: usize, output: usize) -> [(usize, f32); 4] {
        let x = self.coordinate(axis, at, input, output);
        let floor = float::floor(x);
        let (s, a) = (x - floor, self.cubic_a);
        let far = |t: f32| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
        let near = |t: f32| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
        let mut weights = [far(s + 1.0), near(s), near(1.0 - s), far(2.0 - s)];
        let first = (floor as i64).saturating_sub(1);
        let last = input.saturating_sub(1) as i64;
        if self.exclude_outside == 1 {
            let mut sum = 0.0;
            for (k, weight) in (0..).zip(&mut weights) {
                if !(0..=last).contains(&first.saturating_add(k)) {
                    *weight = 0.0;
                }
                sum += *weight;
            }
            weights = weights.map(|weight| weight / sum);
        }
        core::array::from_fn(|k| {
            let at = first.saturating_add(k as i64).clamp(0, last);
            (at as usize, weights[k])
        })
    }
}

/// The sizes of one step.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    input: [usize; 2],
    /// Batch, height, width.
    output: [usize; 3],
    channels: usize,
}

impl Shape {
    /// From the dimensions of x and y.
    pub fn new(x: Ty, y: Ty) -> Result<Self, Fault> {
        let ([xn, xh, xw, xc], [yn, yh, yw, yc]) = (dims4(x)?, dims4(y)?);
        if xn != yn || xc != yc || (y.len()? != 0 && x.len()? == 0) {
            return Err(Fault::Shape);
        }
        Ok(Self {
            input: [xh as usize, xw as usize],
            output: [yn, yh, yw].map(|dim| dim as usize),
            channels: xc as usize,
        })
    }

    fn units(&self) -> usize {
        let [n, h, w] = self.output;
        if w * self.channels == 0 { 0 } else { n * h }
    }

    /// Calls `row` with the image, the output row's number and the row for all `units`.
    fn for_each_row<T>(
        &self,
        units: core::ops::Range<usize>,
        y: &mut [T],
        mut row: impl FnMut(usize, usize, core::slice::ChunksExactMut<'_, T>),
    ) {
        let [_, height, width] = self.output;
        for (unit, y) in units.zip(y.chunks_exact_mut((width * self.channels).max(1))) {
            let pixels = y.chunks_exact_mut(self.channels.max(1));
            row(unit / height.max(1), unit % height.max(1), pixels);
        }
    }

    /// The channels of one input pixel.
    fn pixel<'a, T>(&self, x: &'a [T], image: usize, y_at: usize, x_at: usize) -> &'a [T] {
        let at = ((image * self.input[0] + y_at) * self.input[1] + x_at) * self.channels;
        &x[at..at + self.channels]
    }
}

fn check(sig: &Signature, dtype: Option<DType>) -> Result<Needs, Fault> {
    sig.params::<Params>()?.check()?;
    if sig.inputs.len() != 1 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if x.dtype != y.dtype || dtype.is_some_and(|dtype| dtype != x.dtype) || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    if (1 << 31) <= x.len()? as u64 * x.dtype.size() as u64 {
        return Err(Fault::TooLarge);
    }
    Ok(Needs::split(Shape::new(x, y)?.units()))
}

fn check_nearest(sig: &Signature) -> Result<Needs, Fault> {
    check(sig, None)
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    check(sig, Some(DType::F32))
}

fn check_linear_i8(sig: &Signature) -> Result<Needs, Fault> {
    check_linear(sig, DType::I8)
}

fn check_linear_i16(sig: &Signature) -> Result<Needs, Fault> {
    if sig.params::<Params>()?.was_u8 != 0 {
        return Err(Fault::Record);
    }
    check_linear(sig, DType::I16)
}

fn check_linear(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    let params: Params = sig.params()?;
    // The reference knows no other coordinates and takes the scale from the dimensions.
    if params.divide != 0 || ALIGN_CORNERS < params.coordinates {
        return Err(Fault::Record);
    }
    check(sig, Some(dtype))
}

fn call_nearest(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units): (Params, _, _) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    let mut shape = Shape::new(x.ty, y.ty)?;
    shape.channels *= x.ty.dtype.size();
    nearest(&params, &shape, units, x.data, y.data);
    Ok(())
}

fn call_linear_f32(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units): (Params, _, _) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    linear_f32(&params, &Shape::new(x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

fn call_linear_i8(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units): (Params, _, _) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, y.ty)?;
    if params.was_u8 == 1 {
        linear_u8(&params, &shape, units, x.elements(), y.elements());
    } else {
        linear_int::<i8>(&params, &shape, units, x.elements(), y.elements());
    }
    Ok(())
}

fn call_linear_i16(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units): (Params, _, _) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    let shape = Shape::new(x.ty, y.ty)?;
    linear_int::<i16>(&params, &shape, units, x.elements(), y.elements());
    Ok(())
}

fn call_cubic_f32(call: &mut Call) -> Result<(), Fault> {
    let (params, x, units): (Params, _, _) = (call.params()?, call.input(0)?, call.units.clone());
    let y = call.output(0)?;
    cubic_f32(&params, &Shape::new(x.ty, y.ty)?, units, x.elements(), y.elements());
    Ok(())
}

/// Rows `units` of the output; channels are bytes.
fn nearest(params: &Params, shape: &Shape, units: core::ops::Range<usize>, x: &[u8], y: &mut [u8]) {
    let [height, width] = shape.input;
    shape.for_each_row(units, y, |image, oy, pixels| {
        let iy = params.nearest(0, oy, height, shape.output[1]);
        for (ox, y) in pixels.enumerate() {
            let ix = params.nearest(1, ox, width, shape.output[2]);
            y.copy_from_slice(shape.pixel(x, image, iy, ix));
        }
    });
}

/// The mix of four elements: `corners` are (y, x) = 00, 10, 01, 11.
#[inline(always)]
fn mix(corners: [f32; 4], v: f32, u: f32) -> f32 {
    let [a, b, c, d] = corners;
    a * (1.0 - v) * (1.0 - u) + b * v * (1.0 - u) + c * (1.0 - v) * u + d * v * u
}

/// Rows `units` of the output.
fn linear_f32(
    params: &Params,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[f32],
    y: &mut [f32],
) {
    let [height, width] = shape.input;
    shape.for_each_row(units, y, |image, oy, pixels| {
        let (y0, y1, v) = params.around(0, oy, height, shape.output[1]);
        for (ox, y) in pixels.enumerate() {
            let (x0, x1, u) = params.around(1, ox, width, shape.output[2]);
            let corner = |y_at, x_at| shape.pixel(x, image, y_at, x_at);
            let (a, b, c, d) = (corner(y0, x0), corner(y1, x0), corner(y0, x1), corner(y1, x1));
            for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *y = mix([a, b, c, d], v, u);
            }
        }
    });
}

/// Rows `units` of the output: TFLite's `ResizeBilinear` of u8 less 128.
fn linear_u8(
    params: &Params,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[i8],
    y: &mut [i8],
) {
    let [height, width] = shape.input;
    let unsigned = |x: i8| f32::from(i16::from(x) + 128);
    shape.for_each_row(units, y, |image, oy, pixels| {
        let (y0, y1, v) = params.around(0, oy, height, shape.output[1]);
        for (ox, y) in pixels.enumerate() {
            let (x0, x1, u) = params.around(1, ox, width, shape.output[2]);
            let corner = |y_at, x_at| shape.pixel(x, image, y_at, x_at);
            let (a, b, c, d) = (corner(y0, x0), corner(y1, x0), corner(y0, x1), corner(y1, x1));
            for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let mixed = mix([a, b, c, d].map(unsigned), v, u) + 0.5;
                *y = (mixed as i32 - 128).clamp(-128, 127) as i8;
            }
        }
    });
}

/// The elements on both sides of an output position and the distance to the first in 1024ths:
/// TFLite's `ComputeInterpolationValuesInteger`.
fn around_integer(params: &Params, at: usize, input: usize, output: usize) -> (usize, usize, i64) {
    let (at, input, output) = (at as i64, input as i64, output as i64);
    let scale = if params.coordinates == ALIGN_CORNERS && 1 < output {
        (1024 * (input - 1) + (output - 1) / 2) / (output - 1)
    } else {
        (1024 * input + output / 2) / output.max(1)
    };
    let half = params.coordinates == HALF_PIXEL;
    let scaled = at * scale + if half { scale / 2 - 512 } else { 0 };
    let last = (input - 1).max(0);
    let low = (scaled / 1024).clamp(0, last);
    let high = ((scaled + 1023) / 1024).clamp(0, last);
    (low as usize, high as usize, scaled - 1024 * low)
}

/// Rows `units` of the output: TFLite's `ResizeBilinearInteger`.
fn linear_int<T: Level>(
    params: &Params,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[T],
    y: &mut [T],
) {
    let [height, width] = shape.input;
    shape.for_each_row(units, y, |image, oy, pixels| {
        let (y0, y1, v) = around_integer(params, oy, height, shape.output[1]);
        for (ox, y) in pixels.enumerate() {
            let (x0, x1, u) = around_integer(params, ox, width, shape.output[2]);
            let corner = |y_at, x_at| shape.pixel(x, image, y_at, x_at);
            let (a, b, c, d) = (corner(y0, x0), corner(y1, x0), corner(y0, x1), corner(y1, x1));
            let weights = [(1024 - v) * (1024 - u), v * (1024 - u), (1024 - v) * u, v * u];
            for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let corners = [a, b, c, d].map(|x| i64::from(x.into()));
                let sum: i64 = corners.iter().zip(weights).map(|(x, weight)| x * weight).sum();
                let half = if 0 < sum { 1 << 19 } else { -(1 << 19) };
                *y = T::wrap(((sum + half) / (1 << 20)) as i32);
            }
        }
    });
}

/// Rows `units` of the output.
fn cubic_f32(
    params: &Params,
    shape: &Shape,
    units: core::ops::Range<usize>,
    x: &[f32],
    y: &mut [f32],
) {
    let [height, width] = shape.input;
    shape.for_each_row(units, y, |image, oy, pixels| {
        let down = params.cubic(0, oy, height, shape.output[1]);
        for (ox, y) in pixels.enumerate() {
            let across = params.cubic(1, ox, width, shape.output[2]);
            for (channel, y) in y.iter_mut().enumerate() {
                *y = 0.0;
                for (iy, v) in down {
                    let mut row = 0.0;
                    for (ix, u) in across {
                        row += shape.pixel(x, image, iy, ix)[channel] * u;
                    }
                    *y += row * v;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn scales_that_leave_every_number_behind_do_not_overflow() {
        for exclude_outside in [0, 1] {
            for scale in [1e-45, 1e-38, f32::MAX] {
                let params = Params {
                    coordinates: ASYMMETRIC,
                    rounding: FLOOR,
                    scale: [scale; 2],
                    divide: 1,
                    cubic_a: -0.75,
                    exclude_outside,
                    was_u8: 0,
                };
                let x = Tensor::f32(&[1, 2, 2, 1], &[1.0, 2.0, 3.0, 4.0]);
                let y = run(&CUBIC_F32, &params, &[x], &[(DType::F32, &[1, 4, 4, 1])]);
                assert_eq!(y[0].to_f32().len(), 16);
            }
        }
    }
}
