//! Cases of `resample`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis: usize, size: i64, filter: &str| Resample {
        axis,
        size: Dim::Known(size),
        filter: filter.to_owned(),
        fill: 7,
        fit: "stretch".to_owned(),
        short: 0,
        frame: [0; 2],
    };
    let placed = |axis: usize, fit: &str, short, frame: [usize; 2], filter: &str| Resample {
        fit: fit.to_owned(),
        short,
        frame,
        ..op(axis, frame[axis - 1] as i64, filter)
    };
    let pixels = |dims: &[usize]| ints(DType::U8, dims, 0, 255);
    let x = || pixels(&[2, 6, 9, 3]);
    let real = || reals(&[1, 6, 9, 2], 0.0, 255.0);
    let wide = || ints(DType::I32, &[1, 6, 9, 2], 0, 255 << 11);
    let row = || pixels(&[1, 1, 9, 1]);
    let pillow = "pillow-bilinear";
    suite(
        rounded(16),
        reference,
        [
            case("width, smaller", op(2, 4, pillow), [pixels(&[3, 6, 9, 3]).open(0), x()]),
            case("width, larger", op(2, 20, pillow), [x(), x()]),
            case("height, smaller", op(1, 4, pillow), [x(), x()]),
            case("height, larger", op(1, 11, pillow), [pixels(&[1, 6, 5, 1]), x()]),
            case("cubic", op(2, 4, "pillow-bicubic"), [x(), x()]),
            case("cubic, height", op(1, 10, "pillow-bicubic"), [x(), x()]),
            case("nearest", op(2, 4, "pillow-nearest"), [x(), x()]),
            case("nearest, height", op(1, 7, "pillow-nearest"), [x(), x()]),
            case("one pixel", op(2, 1, pillow), [row(), row()]),
            case("OpenCV", op(2, 5, "opencv-linear"), [x(), x()]),
            case("OpenCV, larger", op(2, 17, "opencv-linear"), [x(), x()]),
            case("OpenCV, height", op(1, 4, "opencv-linear"), [wide(), x()]),
            case("area", op(2, 4, "opencv-area"), [real(), x()]),
            case("area, height", op(1, 3, "opencv-area"), [real(), x()]),
            case("area, larger", op(2, 12, "opencv-area"), [real(), x()]),
            case("TensorFlow", op(2, 4, "tensorflow"), [real(), x()]),
            case("TensorFlow, height", op(1, 13, "tensorflow"), [real(), x()]),
            case("TensorFlow before 2", op(2, 20, "tensorflow-legacy"), [real(), x()]),
            case("TensorFlow's corners", op(1, 10, "tensorflow-corners"), [real(), x()]),
            case("letterbox", placed(1, "letterbox", 0, [6, 6], pillow), [x(), x()]),
            case("letterbox, width", placed(2, "letterbox", 0, [4, 9], pillow), [x(), x()]),
            case("corner", placed(1, "corner", 0, [8, 8], "pillow-nearest"), [x(), x()]),
            case("corner, real", placed(1, "corner", 0, [8, 8], "tensorflow"), [real(), x()]),
            case("crop", placed(2, "crop", 8, [6, 6], pillow), [x(), x()]),
            case("crop, nearest", placed(2, "crop", 8, [6, 6], "pillow-nearest"), [x(), x()]),
            case("crop, OpenCV", placed(2, "crop", 8, [6, 6], "opencv-linear"), [x(), x()]),
            case("no pictures", op(2, 4, pillow), [pixels(&[0, 6, 9, 3]), x()]),
        ],
    )
}

/// The side of a picture in its frame, and where that begins.
fn place(op: &Resample, picture: &[usize], out: usize) -> (usize, i64) {
    let axis = op.axis - 1;
    let (from, frame) = ([picture[1] as f64, picture[2] as f64], op.frame.map(|side| side as f64));
    let ratio = |i: usize| frame[i] / from[i];
    let to = match op.fit.as_str() {
        "stretch" => out as f64,
        "crop" => (from[axis] * op.short as f64 / from[0].min(from[1])).floor(),
        _ => (from[axis] * ratio(0).min(ratio(1))).round(),
    };
    let middle = matches!(op.fit.as_str(), "letterbox" | "crop");
    let offset = if middle { ((out as f64 - to) / 2.0).floor() } else { 0.0 };
    (to as usize, offset as i64)
}

/// Pixels and weights of position `at`.
fn taps(filter: &str, from: usize, to: usize, at: usize) -> Vec<(usize, f64)> {
    let (n, m, x) = (from as f64, to as f64, at as f64);
    let scale = n / m;
    let clamp = |x: f64| x.clamp(0.0, n - 1.0) as usize;
    let pair = |x: f64| {
        let share = x - x.floor();
        vec![(clamp(x.floor()), 1.0 - share), (clamp(x.floor() + 1.0), share)]
    };
    match filter {
        "pillow-nearest" => vec![(clamp(((x + 0.5) * scale).floor()), 1.0)],
        "pillow-bilinear" | "pillow-bicubic" => {
            let widened = scale.max(1.0);
            let weight = |d: f64| {
                let d = d.abs();
                match filter {
                    "pillow-bilinear" => (1.0 - d).max(0.0),
                    _ if d < 1.0 => 1.5 * d.powi(3) - 2.5 * d * d + 1.0,
                    _ if d < 2.0 => -0.5 * d.powi(3) + 2.5 * d * d - 4.0 * d + 2.0,
                    _ => 0.0,
                }
            };
            let center = (x + 0.5) * scale;
            let weights: Vec<f64> =
                (0..from).map(|i| weight((i as f64 + 0.5 - center) / widened)).collect();
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / sum).enumerate().collect()
        }
        "opencv-linear" => {
            let round = |(at, weight): (usize, f64)| (at, (weight * 2048.0).round_ties_even());
            pair((x + 0.5) * scale - 0.5).into_iter().map(round).collect()
        }
        "opencv-area" if 1.0 <= scale => {
            let (begin, end) = (x * scale, (x + 1.0) * scale);
            let covered = |i: usize| (end.min(i as f64 + 1.0) - begin.max(i as f64)).max(0.0);
            (0..from).map(|i| (i, covered(i) / scale)).collect()
        }
        "opencv-area" => {
            let near = (x * scale).floor();
            let share = (x + 1.0) - (near + 1.0) / scale;
            pair(near + (share - share.floor()) * f64::from(u8::from(0.0 < share)))
        }
        // TensorFlow forms coordinates in f32.
        "tensorflow" => pair(((x as f32 + 0.5) * (n as f32 / m as f32) - 0.5).into()),
        "tensorflow-legacy" => pair((x as f32 * (n as f32 / m as f32)).into()),
        _ => pair((x as f32 * ((n as f32 - 1.0) / (m as f32 - 1.0))).into()),
    }
}

fn reference(op: &Resample, x: &[Array]) -> Array {
    let (x, picture) = (&x[0], &x[1].dims);
    let mut dims = x.dims.clone();
    dims[op.axis] = op.size.known().expect("a number") as usize;
    let (to, offset) = place(op, picture, dims[op.axis]);
    let dtype = match (op.filter.as_str(), op.axis) {
        ("opencv-linear", 2) => DType::I32,
        ("opencv-linear", _) => DType::U8,
        _ => x.dtype,
    };
    Array::from_fn(dtype, &dims, |at| {
        let fill = f64::from(op.fill);
        let place = at[op.axis] as i64 - offset;
        let Some(place) = usize::try_from(place).ok().filter(|&place| place < to) else {
            return if dtype == DType::I32 { fill * 2048.0 } else { fill };
        };
        let value = |from: usize| {
            let mut at = at.to_vec();
            at[op.axis] = from;
            x.at(&at)
        };
        let taps = taps(&op.filter, picture[op.axis], to, place);
        match (op.filter.as_str(), dtype) {
            ("opencv-linear", DType::U8) => {
                let part = |&(from, weight): &(usize, f64)| {
                    ((value(from) / 16.0).floor() * weight / 65536.0).floor()
                };
                ((taps.iter().map(part).sum::<f64>() + 2.0) / 4.0).floor()
            }
            (_, DType::U8) => {
                let sum: f64 = taps.iter().map(|&(from, weight)| value(from) * weight).sum();
                // Weights of 22 bits do not sum to exactly one.
                (sum + 0.5 + 1e-9).floor().clamp(0.0, 255.0)
            }
            _ => taps.iter().map(|&(from, weight)| value(from) * weight).sum(),
        }
    })
}
