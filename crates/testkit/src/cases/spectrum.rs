//! Cases of `spectrum`.

use std::f64::consts::PI;

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |length, power| Spectrum { length, power };
    suite(
        rounded(2),
        reference,
        [
            case("squares", op(16, 2), [f32s(&[3, 16]).open(0)]),
            case("magnitudes", op(32, 1), [f32s(&[2, 20])]),
            case("halves of an odd length", op(20, 2), [f32s(&[2, 2, 20])]),
            case("odd", op(15, 1), [f32s(&[15])]),
            case("one", op(1, 1), [f32s(&[2, 1])]),
            case("longer than the samples", op(64, 2), [f32s(&[5])]),
            case("nothing", op(8, 1), [f32s(&[0, 8])]),
        ],
    )
}

fn reference(op: &Spectrum, x: &[Array]) -> Array {
    let n = op.length;
    let samples = *x[0].dims.last().expect("an axis");
    let mut dims = x[0].dims.clone();
    *dims.last_mut().expect("an axis") = n / 2 + 1;
    let y = x[0].like(&dims, |at| {
        let (k, row) = at.split_last().expect("an axis");
        let part = |turn: fn(f64) -> f64| -> f64 {
            let term = |j: usize| x[0].at(&[row, &[j]].concat()) * turn(2.0 * PI * (j * k) as f64 / n as f64);
            (0..samples).map(term).sum()
        };
        let square = part(f64::cos).powi(2) + part(f64::sin).powi(2);
        if op.power == 2 { square } else { square.sqrt() }
    });
    y.summing(samples)
}
