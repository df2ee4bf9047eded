//! Cases of `resize`.

use super::prelude::*;

fn op(mode: &str, coordinates: &str, rounding: &str, [height, width]: [i64; 2]) -> Resize {
    Resize {
        mode: mode.to_owned(),
        coordinates: coordinates.to_owned(),
        rounding: rounding.to_owned(),
        size: vec![Dim::Known(height), Dim::Known(width)],
        scales: [0.0; 2],
        tflite: false,
        cubic_a: -0.75,
        exclude_outside: false,
        was_u8: false,
    }
}

pub fn cases() -> Vec<AnyCase> {
    let nearest = |coordinates, rounding| op("nearest", coordinates, rounding, [8, 6]);
    let linear = |coordinates, size| op("linear", coordinates, "floor", size);
    let cubic = |size| op("cubic", "half_pixel", "floor", size);
    let x = || f32s(&[2, 4, 3, 2]);
    let q = || i8s(&[1, 3, 4, 3], 0.1, 4);
    let tflite = |op: Resize| Resize { tflite: true, ..op };
    let scaled = Resize { size: vec![], scales: [2.0, 0.5], ..linear("half_pixel", [0, 0]) };
    suite(
        rounded(1),
        reference,
        [
            case("nearest", nearest("asymmetric", "floor"), [f32s(&[3, 4, 3, 2]).open(0)]),
            case("nearest, up", nearest("asymmetric", "ceil"), [x()]),
            case("nearest, ties down", nearest("half_pixel", "round_prefer_floor"), [x()]),
            case("nearest, ties up", nearest("asymmetric", "round_prefer_ceil"), [x()]),
            case("nearest of TensorFlow", tflite(nearest("tf_half_pixel_for_nn", "floor")), [q()]),
            case(
                "nearest, halves",
                op("nearest", "asymmetric", "floor", [2, 2]),
                [f32s(&[1, 4, 4, 3])],
            ),
            case("linear", linear("half_pixel", [7, 5]), [x()]),
            case("linear, asymmetric", tflite(linear("asymmetric", [7, 5])), [x()]),
            case("linear, corners", linear("align_corners", [7, 5]), [x()]),
            case("linear, one pixel", linear("pytorch_half_pixel", [1, 5]), [x()]),
            case("linear, smaller", linear("half_pixel", [2, 2]), [x()]),
            case("scales", scaled, [f32s(&[1, 3, 4, 2])]),
            case("cubic", cubic([7, 5]), [x()]),
            case("cubic, smaller", cubic([3, 2]), [x()]),
            case("cubic, inside only", Resize { exclude_outside: true, ..cubic([7, 5]) }, [x()]),
            case("no images", linear("half_pixel", [2, 2]), [f32s(&[0, 3, 3, 1])]),
            // Weights of ten bits.
            case(
                "16 bits",
                tflite(linear("half_pixel", [6, 8])),
                [ints(DType::I16, &[1, 3, 4, 3], -2000, 2000).quant(Quant::per_tensor(0.1, 0))],
            )
            .within(Tolerance { units: 0.0, steps: 2.0, term: 0.0 }),
            case("quantized", tflite(linear("half_pixel", [7, 5])), [q()]).within(rounded(0)),
            case(
                "quantized, was u8",
                Resize { was_u8: true, ..tflite(linear("asymmetric", [6, 8])) },
                [q()],
            )
            .within(rounded(0)),
        ],
    )
}

/// Elements of an axis of `len` and their weights for position `at` of `out`.
fn taps(op: &Resize, axis: usize, at: usize, len: usize, out: usize) -> Vec<(usize, f64)> {
    let (x, n, m) = (at as f64, len as f64, out as f64);
    let scale = if op.size.is_empty() { f64::from(op.scales[axis]) } else { m / n };
    let place = match op.coordinates.as_str() {
        "half_pixel" => (x + 0.5) / scale - 0.5,
        "asymmetric" => x / scale,
        "tf_half_pixel_for_nn" => (x + 0.5) / scale,
        _ if out == 1 => 0.0,
        "align_corners" => x * (n - 1.0) / (m - 1.0),
        "pytorch_half_pixel" => (x + 0.5) / scale - 0.5,
        other => panic!("{other} has no reference"),
    };
    let inside = |i: f64| i.clamp(0.0, n - 1.0) as usize;
    let a = f64::from(op.cubic_a);
    match op.mode.as_str() {
        "nearest" => {
            let nearest = match op.rounding.as_str() {
                "floor" => place.floor(),
                "ceil" => place.ceil(),
                "round_prefer_floor" => (place - 0.5).ceil(),
                _ => (place + 0.5).floor(),
            };
            vec![(inside(nearest), 1.0)]
        }
        "linear" => {
            let (low, part) = (place.floor(), place - place.floor());
            vec![(inside(low), 1.0 - part), (inside(low + 1.0), part)]
        }
        // Keys: Cubic convolution interpolation for digital image processing, 1981.
        _ => {
            let weight = |d: f64| match d {
                d if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
                d if d < 2.0 => a * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0),
                _ => 0.0,
            };
            let near = (-1..3).map(|k| place.floor() + f64::from(k));
            let near = near.filter(|&i| !op.exclude_outside || (0.0..n).contains(&i));
            let taps: Vec<_> = near.map(|i| (inside(i), weight((place - i).abs()))).collect();
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(i, weight)| (i, weight / sum)).collect()
        }
    }
}

fn reference(op: &Resize, x: &[Array]) -> Array {
    let x = &x[0];
    let len = |axis: usize| match op.size.get(axis) {
        Some(size) => size.known().expect("a number") as usize,
        None => (x.dims[axis + 1] as f32 * op.scales[axis]) as usize,
    };
    let dims = [x.dims[0], len(0), len(1), x.dims[3]];
    let y = x.like(&dims, |at| {
        let across = taps(op, 1, at[2], x.dims[2], dims[2]);
        let mut sum = 0.0;
        for (iy, v) in taps(op, 0, at[1], x.dims[1], dims[1]) {
            for &(ix, u) in &across {
                sum += v * u * x.at(&[at[0], iy, ix, at[3]]);
            }
        }
        sum
    });
    y.summing(match op.mode.as_str() {
        "nearest" => 0,
        "linear" => 4,
        _ => 16,
    })
}
