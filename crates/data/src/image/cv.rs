//! OpenCV's bilinear resize of 8-bit images in its own fixed point.
//!
//! Source of the formulas: `modules/imgproc/src/resize.cpp` of OpenCV (Apache-2.0).

use super::Image;

/// Fraction bits of a weight (`INTER_RESIZE_COEF_BITS`).
const COEF_BITS: u32 = 11;

/// Two neighbours and their weights, which sum to 2048.
struct Pair {
    near: usize,
    far: usize,
    weights: [i32; 2],
}

fn pairs(in_size: usize, out_size: usize) -> impl Iterator<Item = Pair> {
    let scale = 1.0 / (out_size as f64 / in_size as f64);
    let last = in_size - 1;
    (0..out_size).map(move |out| {
        let position = ((out as f64 + 0.5) * scale - 0.5) as f32;
        let floor = position.floor();
        let fraction = position - floor;
        let round = |x: f32| (x * (1 << COEF_BITS) as f32).round_ties_even() as i32;
        // A negative neighbour becomes zero in the cast.
        let (near, far) = ((floor as usize).min(last), ((floor + 1.0) as usize).min(last));
        Pair { near, far, weights: [round(1.0 - fraction), round(fraction)] }
    })
}

/// Four neighbours, or the mean of four pixels where both sides shrink to exactly half.
pub fn linear(image: &Image, width: usize, height: usize) -> Image {
    if (width, height) == (image.width, image.height) {
        return image.clone();
    }
    if image.width == 2 * width && image.height == 2 * height {
        return halve(image, width, height);
    }
    let channels = image.channels;
    // At the edges, columns weigh one pixel fully; rows mix a pixel with itself, which truncates.
    let whole = |pair: Pair| {
        if pair.near == pair.far { Pair { weights: [1 << COEF_BITS, 0], ..pair } } else { pair }
    };
    let columns: Vec<_> = pairs(image.width, width).map(whole).collect();
    let row_of = |y: usize| {
        let mut row = Vec::with_capacity(width * channels);
        for pair in &columns {
            let (near, far) = (image.pixel(pair.near, y), image.pixel(pair.far, y));
            let mix = |(&a, &b)| i32::from(a) * pair.weights[0] + i32::from(b) * pair.weights[1];
            row.extend(near.iter().zip(far).map(mix));
        }
        row
    };
    let mut pixels = Vec::with_capacity(width * height * channels);
    let mut rows: [(usize, Vec<i32>); 2] = [(usize::MAX, Vec::new()), (usize::MAX, Vec::new())];
    for pair in pairs(image.height, height) {
        for (row, y) in rows.iter_mut().zip([pair.near, pair.far]) {
            if row.0 != y {
                *row = (y, row_of(y));
            }
        }
        let [(_, near), (_, far)] = &rows;
        let [near_weight, far_weight] = pair.weights;
        // Three roundings: this is what the vector code computes, and the scalar code copies it.
        let mix = |(a, b): (&i32, &i32)| {
            let sum = ((near_weight * (a >> 4)) >> 16) + ((far_weight * (b >> 4)) >> 16);
            ((sum + 2) >> 2) as u8
        };
        pixels.extend(near.iter().zip(far).map(mix));
    }
    Image { width, height, pixels, ..*image }
}

fn halve(image: &Image, width: usize, height: usize) -> Image {
    let mut pixels = Vec::with_capacity(width * height * image.channels);
    for y in 0..height {
        for x in 0..width {
            let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
            let corners = corners.map(|(dx, dy)| image.pixel(2 * x + dx, 2 * y + dy));
            for channel in 0..image.channels {
                let sum: u32 =
                    corners.iter().filter_map(|c| c.get(channel)).map(|&c| u32::from(c)).sum();
                pixels.push(((sum + 2) >> 2) as u8);
            }
        }
    }
    Image { width, height, pixels, ..*image }
}
