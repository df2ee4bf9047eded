//! Cases of `grid_sample`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |mode: &str, padding: &str, align_corners| GridSample {
        mode: mode.to_owned(),
        padding: padding.to_owned(),
        align_corners,
    };
    let inputs = || [f32s(&[2, 4, 5, 3]), reals(&[2, 3, 7, 2], -1.7, 1.7)];
    let mut cases = Vec::new();
    for align in [false, true] {
        for padding in ["zeros", "border", "reflection"] {
            cases.push(case("nearest", op("nearest", padding, align), inputs()));
            cases.push(case("linear", op("linear", padding, align), inputs()));
            cases.push(case("cubic", op("cubic", padding, align), inputs()));
        }
    }
    let one = [f32s(&[1, 1, 1, 2]), reals(&[1, 2, 2, 2], -3.0, 3.0)];
    cases.push(case("a single pixel", op("linear", "reflection", false), one));
    cases.push(case("any number", op("linear", "zeros", false), inputs().map(|x| x.open(0))));
    // Places lose bits before the fractions that weigh pixels are formed.
    suite(rounded(4096), reference, cases)
}

fn reference(op: &GridSample, x: &[Array]) -> Array {
    let (x, grid) = (&x[0], &x[1]);
    let size = [x.dims[2], x.dims[1]];
    let dims = [grid.dims[0], grid.dims[1], grid.dims[2], x.dims[3]];
    let bounds = |axis: usize| {
        let len = size[axis] as f64;
        if op.align_corners { (0.0, len - 1.0) } else { (-0.5, len - 0.5) }
    };
    let reflect = |axis: usize, mut at: f64| {
        let (low, high) = bounds(axis);
        while at < low || high < at {
            at = if at < low { 2.0 * low - at } else { 2.0 * high - at };
        }
        at
    };
    let weights = |axis: usize, place: f64| -> Vec<(Option<usize>, f64)> {
        let len = size[axis] as f64;
        let mut at = match op.align_corners {
            true => (place + 1.0) / 2.0 * (len - 1.0),
            false => ((place + 1.0) * len - 1.0) / 2.0,
        };
        if op.mode == "nearest" {
            at = at.round_ties_even();
        }
        let (low, high) = bounds(axis);
        if at < low || high < at {
            at = match op.padding.as_str() {
                "border" => at.clamp(0.0, len - 1.0),
                "reflection" => reflect(axis, at),
                _ => at,
            };
        }
        let pixel = |at: f64| {
            let at = match op.padding.as_str() {
                "border" => at.clamp(0.0, len - 1.0),
                "reflection" => reflect(axis, at).floor().max(0.0),
                _ => at,
            };
            (0.0 <= at && at < len).then_some(at as usize)
        };
        let (first, t) = (at.floor(), at - at.floor());
        match op.mode.as_str() {
            "nearest" => vec![(pixel(at), 1.0)],
            "linear" => vec![(pixel(first), 1.0 - t), (pixel(first + 1.0), t)],
            _ => {
                let weight = |d: f64| {
                    let (a, d) = (-0.75, d.abs());
                    if d <= 1.0 {
                        (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0
                    } else {
                        a * d.powi(3) - 5.0 * a * d.powi(2) + 8.0 * a * d - 4.0 * a
                    }
                };
                let near = (-1..3).map(f64::from);
                near.map(|i| (pixel(first + i), weight(t - i))).collect()
            }
        }
    };
    x.like(&dims, |at| {
        let place = |axis: usize| grid.at(&[at[0], at[1], at[2], axis]);
        let mut sum = 0.0;
        for (row, down) in weights(1, place(1)) {
            for (column, across) in weights(0, place(0)) {
                if let (Some(row), Some(column)) = (row, column) {
                    sum += down * across * x.at(&[at[0], row, column, at[3]]);
                }
            }
        }
        sum
    })
    .summing(16)
}
