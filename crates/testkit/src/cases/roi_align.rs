//! Cases of `roi_align`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mean =
        RoiAlign { max: false, size: [3, 2], samples: 0, scale: 0.5, half_pixel: true };
    #[rustfmt::skip]
    let regions = values(DType::F32, &[4, 4], &[
        1.0, 2.0, 13.0, 15.0, 0.0, 0.0, 7.0, 3.5, -4.0, -2.0, 5.0, 9.0, 6.0, 6.0, 6.5, 6.25,
    ]);
    let pictures = values(DType::I64, &[4], &[0.0, 1.0, 1.0, 0.0]);
    let inputs = || [f32s(&[2, 8, 7, 3]), regions.clone(), pictures.clone()];
    let few = RoiAlign { samples: 2, ..mean.clone() };
    suite(
        rounded(8),
        reference,
        [
            case("as many samples as pixels", mean.clone(), inputs()),
            case("two samples", few.clone(), inputs()),
            case("centers", RoiAlign { half_pixel: false, ..mean.clone() }, inputs()),
            case("greatest", RoiAlign { max: true, ..few }, inputs()),
            case("pixels", RoiAlign { scale: 1.0, half_pixel: false, ..mean }, inputs()),
        ],
    )
}

fn reference(op: &RoiAlign, x: &[Array]) -> Array {
    let (x, regions, pictures) = (&x[0], &x[1], &x[2]);
    let offset = if op.half_pixel { 0.5 } else { 0.0 };
    let dims = [regions.dims[0], op.size[0], op.size[1], x.dims[3]];
    x.like(&dims, |at| {
        let n = pictures.at(&[at[0]]) as usize;
        // Where the samples of a bin lie along an axis: 0 down, 1 across.
        let places = |axis: usize| -> Vec<f64> {
            let end = |k: usize| {
                regions.at(&[at[0], k * 2 + 1 - axis]) * f64::from(op.scale) - offset
            };
            let mut size = end(1) - end(0);
            if !op.half_pixel {
                size = size.max(1.0);
            }
            let bin = size / op.size[axis] as f64;
            let count = if op.samples == 0 { bin.ceil() as usize } else { op.samples };
            let start = end(0) + at[1 + axis] as f64 * bin;
            (0..count).map(|i| start + (i as f64 + 0.5) * bin / count as f64).collect()
        };
        let taps = |axis: usize, place: f64| -> [(usize, f64); 2] {
            let len = x.dims[1 + axis];
            if place < -1.0 || len as f64 <= place - 1e-9 {
                return [(0, 0.0); 2];
            }
            let place = place.max(0.0);
            let low = place as usize;
            match len - 1 <= low {
                true => [(len - 1, 1.0), (len - 1, 0.0)],
                false => [(low, 1.0 - place.fract()), (low + 1, place.fract())],
            }
        };
        let mut parts = Vec::new();
        let (rows, columns) = (places(0), places(1));
        for &row in &rows {
            for &column in &columns {
                for (y, down) in taps(0, row) {
                    for (z, across) in taps(1, column) {
                        parts.push(down * across * x.at(&[n, y, z, at[3]]));
                    }
                }
            }
        }
        match op.max {
            true => parts.into_iter().fold(f64::NEG_INFINITY, f64::max),
            false => parts.iter().sum::<f64>() / (rows.len() * columns.len()).max(1) as f64,
        }
    })
    .summing(64)
}
