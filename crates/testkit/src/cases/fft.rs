//! Cases of `fft`.

use std::f64::consts::TAU;

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let forward = Fft { inverse: false };
    suite(
        rounded(16),
        reference,
        [
            case("rows", forward.clone(), [f32s(&[3, 8, 2]).open(0)]),
            case("one", forward.clone(), [f32s(&[2, 1, 2])]),
            case("two first", forward.clone(), [f32s(&[2, 10, 2])]),
            case("odd", forward.clone(), [f32s(&[45, 2])]),
            case("prime", forward.clone(), [f32s(&[2, 2, 31, 2])]),
            case("inverse", Fft { inverse: true }, [f32s(&[2, 24, 2])]),
            case("nothing", forward, [f32s(&[0, 4, 2])]),
        ],
    )
}

fn reference(op: &Fft, x: &[Array]) -> Array {
    let dims = &x[0].dims;
    let n = dims[dims.len() - 2];
    let y = x[0].like(dims, |at| {
        let [outer @ .., k, part] = at else { return 0.0 };
        let term = |i: usize| {
            let turn = TAU * (i * k % n) as f64 / n as f64;
            let turn = if op.inverse { -turn } else { turn };
            let [a, b] = [0, 1].map(|part| x[0].at(&[outer, &[i, part]].concat()));
            if *part == 0 { a * turn.cos() + b * turn.sin() } else { b * turn.cos() - a * turn.sin() }
        };
        let sum: f64 = (0..n).map(term).sum();
        if op.inverse { sum / n as f64 } else { sum }
    });
    y.summing(2 * n)
}
