//! Which pixels of an axis make up one pixel of the result, and how much each counts.

use super::place::Place;

/// Pillow's `NEAREST`.
pub const PILLOW_NEAREST: u32 = 0;
/// Pillow's `BILINEAR`: a triangle that widens when the picture shrinks.
pub const PILLOW_BILINEAR: u32 = 1;
/// Pillow's `BICUBIC`: as before, a cubic with a = -0.5.
pub const PILLOW_BICUBIC: u32 = 2;
/// OpenCV's `INTER_LINEAR`: two neighbours.
pub const OPENCV_LINEAR: u32 = 3;
/// OpenCV's `INTER_AREA`: the mean of what a pixel covers; two neighbours where the picture grows.
pub const OPENCV_AREA: u32 = 4;
/// TensorFlow's bilinear with centres at half pixels.
pub const TENSORFLOW: u32 = 5;
/// TensorFlow's bilinear before version 2: corners of pixels.
pub const TENSORFLOW_LEGACY: u32 = 6;
/// TensorFlow's bilinear with `align_corners`.
pub const TENSORFLOW_CORNERS: u32 = 7;

/// Fraction bits of a weight: 32, less 8 of a pixel, less sign and overshoot.
pub const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Fraction bits of a weight of OpenCV's (`INTER_RESIZE_COEF_BITS`).
pub const COEF_BITS: u32 = 11;

/// The largest whole number that is not larger.
pub fn floor(x: f64) -> i64 {
    let whole = x as i64;
    whole - i64::from(x < whole as f64)
}

fn ceil(x: f64) -> i64 {
    -floor(-x)
}

fn absolute(x: f64) -> f64 {
    if x < 0.0 { -x } else { x }
}

fn triangle(x: f64) -> f64 {
    let x = absolute(x);
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = absolute(x);
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Pillow's filters: `src/libImaging/Resample.c`.
#[derive(Clone, Copy, Debug)]
pub struct Pillow {
    scale: f64,
    widened: f64,
    support: f64,
    weight: fn(f64) -> f64,
    last: usize,
}

impl Pillow {
    /// A filter along an axis.
    pub fn new(filter: u32, place: &Place) -> Self {
        let (reach, weight): (f64, fn(f64) -> f64) =
            if filter == PILLOW_BICUBIC { (2.0, cubic) } else { (1.0, triangle) };
        let scale = place.from as f64 / place.to as f64;
        let widened = if scale < 1.0 { 1.0 } else { scale };
        Self { scale, widened, support: reach * widened, weight, last: place.from }
    }

    /// The most pixels that one is made of.
    pub fn most(&self) -> usize {
        (ceil(self.support) as usize).saturating_mul(2).saturating_add(1)
    }

    /// Writes the weights of position `at`; yields the first pixel and how many there are.
    pub fn taps(&self, at: usize, weights: &mut [i32]) -> (usize, usize) {
        let center = (at as f64 + 0.5) * self.scale;
        // Both casts truncate toward zero, and a negative start becomes zero.
        let start = (center - self.support + 0.5) as usize;
        let end = ((center + self.support + 0.5) as usize).min(self.last);
        let count = end.saturating_sub(start).min(weights.len());
        let inverse = 1.0 / self.widened;
        let weight = |i: usize| (self.weight)(((start + i) as f64 - center + 0.5) * inverse);
        let mut sum = 0.0;
        for i in 0..count {
            sum += weight(i);
        }
        for (i, fixed) in weights.iter_mut().take(count).enumerate() {
            let weight = if sum == 0.0 { weight(i) } else { weight(i) / sum };
            let scaled = weight * f64::from(1 << PRECISION_BITS);
            *fixed = (scaled + if weight < 0.0 { -0.5 } else { 0.5 }) as i32;
        }
        (start, count)
    }
}

/// Pillow's nearest pixels in order. Positions are summed up, not multiplied: its rounding errors
/// decide which of two pixels is the nearest (`src/libImaging/Geometry.c`).
pub fn nearest(place: &Place) -> impl Iterator<Item = usize> {
    let step = place.from as f64 / place.to as f64;
    let last = place.from - 1;
    let mut at = step * 0.5;
    (0..place.to).map(move |_| {
        let position = at as usize;
        at += step;
        position.min(last)
    })
}

/// OpenCV's two neighbours and their weights, which sum to 2048 (`modules/imgproc/src/resize.cpp`).
pub fn pair(place: &Place, at: usize) -> (usize, usize, [i32; 2]) {
    let scale = 1.0 / (place.to as f64 / place.from as f64);
    let last = place.from - 1;
    let position = ((at as f64 + 0.5) * scale - 0.5) as f32;
    let floor = floor(position.into()) as f32;
    let fraction = position - floor;
    let round = |x: f32| embarca_num::float::round_half_even(x * (1 << COEF_BITS) as f32) as i32;
    // A negative neighbour becomes zero in the cast.
    let (near, far) = ((floor as usize).min(last), ((floor + 1.0) as usize).min(last));
    (near, far, [round(1.0 - fraction), round(fraction)])
}

/// Two neighbours and the share of the second, as TensorFlow computes them
/// (`core/kernels/image/resize_bilinear_op.cc`).
pub fn lerp(filter: u32, place: &Place, at: usize) -> (usize, usize, f32) {
    let (n, m) = (place.from as f32, place.to as f32);
    let corners = filter == TENSORFLOW_CORNERS && 1 < place.to;
    let scale = if corners { (n - 1.0) / (m - 1.0) } else { n / m };
    let x = match filter {
        TENSORFLOW => (at as f32 + 0.5) * scale - 0.5,
        _ => at as f32 * scale,
    };
    let last = place.from as i64 - 1;
    let low = floor(x.into());
    let near = low.clamp(0, last) as usize;
    let far = ceil(x.into()).clamp(0, last) as usize;
    (near, far, x - low as f32)
}

/// Calls `tap` with each pixel that OpenCV's area filter covers at `at`, and its weight.
pub fn area(place: &Place, at: usize, mut tap: impl FnMut(usize, f32)) {
    let scale = place.from as f64 / place.to as f64;
    let last = place.from - 1;
    if scale < 1.0 {
        let near = floor(at as f64 * scale) as usize;
        let x = ((at + 1) as f64 - (near + 1) as f64 / scale) as f32;
        let share = if x <= 0.0 { 0.0 } else { x - floor(x.into()) as f32 };
        tap(near.min(last), 1.0 - share);
        return tap((near + 1).min(last), share);
    }
    let (from, to) = (at as f64 * scale, at as f64 * scale + scale);
    let rest = place.from as f64 - from;
    let width = if scale < rest { scale } else { rest };
    let second = (floor(to).max(0) as usize).min(last);
    let first = (ceil(from).max(0) as usize).min(second);
    // A sliver below a thousandth of a pixel does not count.
    if 1e-3 < first as f64 - from {
        tap(first.saturating_sub(1), ((first as f64 - from) / width) as f32);
    }
    for at in first..second {
        tap(at, (1.0 / width) as f32);
    }
    if 1e-3 < to - second as f64 {
        let part = to - second as f64;
        let part = if part < 1.0 { part } else { 1.0 };
        let part = if part < width { part } else { width };
        tap(second, (part / width) as f32);
    }
}
