//! Pillow's resampling in its own fixed point, so that results are equal bit for bit.
//!
//! Source of the formulas: `src/libImaging/Resample.c` and `Geometry.c` of Pillow (MIT-CMU).

use super::Image;

/// Fraction bits of a weight: 32, less 8 of a pixel, less sign and overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// A separable filter: how far it reaches, and its weight at a distance.
pub struct Kernel {
    support: f64,
    weight: fn(f64) -> f64,
}

/// A triangle.
pub const BILINEAR: Kernel =
    Kernel { support: 1.0, weight: |x| if x.abs() < 1.0 { 1.0 - x.abs() } else { 0.0 } };

/// Keys' cubic with a = -0.5.
pub const BICUBIC: Kernel = Kernel {
    support: 2.0,
    weight: |x| {
        const A: f64 = -0.5;
        let x = x.abs();
        if x < 1.0 {
            ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * A
        } else {
            0.0
        }
    },
};

/// What one output position sums: input positions from `start`, weighted.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

fn taps(in_size: usize, out_size: usize, kernel: &Kernel) -> Vec<Taps> {
    let scale = in_size as f64 / out_size as f64;
    let filter_scale = scale.max(1.0);
    let support = kernel.support * filter_scale;
    let inverse = 1.0 / filter_scale;
    (0..out_size)
        .map(|out| {
            let center = (out as f64 + 0.5) * scale;
            // Both casts truncate toward zero, and a negative start becomes zero.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(in_size);
            let weights: Vec<f64> = (start..end)
                .map(|x| (kernel.weight)((x as f64 - center + 0.5) * inverse))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: f64| {
                let weight = if sum == 0.0 { weight } else { weight / sum };
                let scaled = weight * f64::from(1 << PRECISION_BITS);
                (scaled + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
            };
            Taps { start, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

fn clip8(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Two passes, horizontal first, rounded to 8 bits in between; a pass that changes nothing is
/// left out.
pub fn resample(image: &Image, width: usize, height: usize, kernel: Kernel) -> Image {
    let wide = if width == image.width { None } else { Some(horizontal(image, width, &kernel)) };
    let image = wide.as_ref().unwrap_or(image);
    if height == image.height { image.clone() } else { vertical(image, height, &kernel) }
}

fn horizontal(image: &Image, width: usize, kernel: &Kernel) -> Image {
    let (taps, channels) = (taps(image.width, width, kernel), image.channels);
    let mut pixels = Vec::with_capacity(width * image.height * channels);
    for row in image.pixels.chunks_exact(image.width * channels) {
        for tap in &taps {
            let from = row.get(tap.start * channels..).unwrap_or(&[]);
            for channel in 0..channels {
                let column = from.iter().skip(channel).step_by(channels);
                let half = 1 << (PRECISION_BITS - 1);
                let sum =
                    column.zip(&tap.weights).fold(half, |sum, (&p, &w)| sum + i32::from(p) * w);
                pixels.push(clip8(sum));
            }
        }
    }
    Image { width, pixels, ..*image }
}

fn vertical(image: &Image, height: usize, kernel: &Kernel) -> Image {
    let row_len = image.width * image.channels;
    let mut pixels = Vec::with_capacity(row_len * height);
    let mut sums = vec![0; row_len];
    for tap in taps(image.height, height, kernel) {
        sums.fill(1 << (PRECISION_BITS - 1));
        let rows = image.pixels.chunks_exact(row_len).skip(tap.start);
        for (row, &weight) in rows.zip(&tap.weights) {
            for (sum, &p) in sums.iter_mut().zip(row) {
                *sum += i32::from(p) * weight;
            }
        }
        pixels.extend(sums.iter().map(|&sum| clip8(sum)));
    }
    Image { height, pixels, ..*image }
}

/// The nearest pixel. Positions are summed up, not multiplied: Pillow's rounding errors decide
/// which of two pixels is the nearest.
pub fn nearest(image: &Image, width: usize, height: usize) -> Image {
    let positions = |in_size: usize, out_size: usize| {
        let step = in_size as f64 / out_size as f64;
        let mut at = step * 0.5;
        (0..out_size)
            .map(|_| {
                let position = at as usize;
                at += step;
                position.min(in_size - 1)
            })
            .collect::<Vec<_>>()
    };
    let columns = positions(image.width, width);
    let mut pixels = Vec::with_capacity(width * height * image.channels);
    for y in positions(image.height, height) {
        for &x in &columns {
            pixels.extend_from_slice(image.pixel(x, y));
        }
    }
    Image { width, height, pixels, ..*image }
}
