//! Cases of `lstm`.

use super::prelude::*;
use super::sequence::{activate, curve, run};

const PLAIN: [&str; 3] = ["Sigmoid", "Tanh", "Tanh"];

pub fn cases() -> Vec<AnyCase> {
    let free = f32::INFINITY;
    let op = |reverse, coupled, [clip, cell_clip]: [f32; 2], names: [&str; 3]| Lstm {
        reverse,
        coupled,
        clip,
        cell_clip,
        activations: names.map(|name| curve(name, 0.3, 0.4)),
    };
    let inputs = |[t, n, h]: [usize; 3], rest: &[Input]| {
        let mut inputs = vec![f32s(&[t, n, 4 * h]), f32s(&[h, 4 * h])];
        inputs.extend_from_slice(rest);
        inputs
    };
    let all = |[t, n, h]: [usize; 3], lens: &[f64]| {
        let lens = values(DType::I32, &[n], lens);
        inputs([t, n, h], &[f32s(&[n, h]), f32s(&[n, h]), f32s(&[3, h]), lens])
    };
    let odd = ["HardSigmoid", "Softsign", "ScaledTanh"];
    let other = ["Affine", "Softplus", "Elu"];
    suite(
        rounded(16),
        reference,
        [
            case("all", op(false, false, [free; 2], PLAIN), all([4, 2, 3], &[4.0, 2.0])),
            case("backwards", op(true, false, [free; 2], PLAIN), all([5, 3, 2], &[0.0, 3.0, 5.0])),
            case(
                "other activations",
                op(false, false, [free; 2], odd),
                inputs([3, 2, 5], &[f32s(&[2, 5]), f32s(&[2, 5])]),
            ),
            case("yet others", op(true, false, [free; 2], other), inputs([3, 2, 2], &[])),
            case(
                "coupled, bounded",
                op(false, true, [0.4, 0.3], PLAIN),
                inputs([6, 1, 4], &[absent(), f32s(&[1, 4]), f32s(&[3, 4])]),
            ),
            case("no steps", op(false, false, [free; 2], PLAIN), inputs([0, 1, 2], &[])),
        ],
    )
}

fn reference(op: &Lstm, x: &[Array]) -> Vec<Array> {
    let bound = |x: f64, by: f32| x.clamp(-f64::from(by), f64::from(by));
    run(x, 2, 5, op.reverse, |step| {
        let peep = |k: usize, j: usize, c: f64| match x.get(4) {
            Some(p) if p.dims.len() == 2 => p.at(&[k, j]) * c,
            _ => 0.0,
        };
        let (h, cells) = (step.states[0].clone(), step.states[1].clone());
        for (j, c) in cells.into_iter().enumerate() {
            let gate = |k: usize, c: f64| bound(step.gate(&h, k, j) + c, op.clip);
            let [f, g, out] = &op.activations;
            let input = activate(f, gate(0, peep(0, j, c)));
            let forget = activate(f, gate(2, peep(2, j, c)));
            let forget = if op.coupled { 1.0 - input } else { forget };
            let c = bound(forget * c + input * activate(g, gate(3, 0.0)), op.cell_clip);
            let output = activate(f, gate(1, peep(1, j, c)));
            step.states[1][j] = c;
            step.states[0][j] = output * activate(out, c);
        }
    })
}
