//! Cases of `gru`.

use super::prelude::*;
use super::sequence::{activate, curve, run};

pub fn cases() -> Vec<AnyCase> {
    let op = |reverse, reset_after, clip, names: [&str; 2]| Gru {
        reverse,
        reset_after,
        clip,
        activations: names.map(|name| curve(name, 0.3, 0.4)),
    };
    let inputs = |[t, n, h]: [usize; 3], rest: &[Input]| {
        let mut inputs = vec![f32s(&[t, n, 3 * h]), f32s(&[h, 3 * h])];
        inputs.extend_from_slice(rest);
        inputs
    };
    let plain = ["Sigmoid", "Tanh"];
    let free = f32::INFINITY;
    let lens = values(DType::I32, &[3], &[2.0, 4.0, 0.0]);
    suite(
        rounded(16),
        reference,
        [
            case("plain", op(false, false, free, plain), inputs([4, 2, 3], &[f32s(&[2, 3])])),
            case(
                "reset after the product",
                op(true, true, free, plain),
                inputs([4, 3, 2], &[f32s(&[3, 2]), f32s(&[2]), lens.clone()]),
            ),
            case(
                "reset after, no bias",
                op(false, true, free, ["LeakyRelu", "Relu"]),
                inputs([4, 3, 4], &[absent(), absent(), lens]),
            ),
            case("bounded", op(true, false, 0.3, plain), inputs([3, 1, 4], &[])),
            case("no units", op(false, false, free, plain), inputs([3, 1, 0], &[])),
        ],
    )
}

fn reference(op: &Gru, x: &[Array]) -> Vec<Array> {
    let bound = |x: f64| x.clamp(-f64::from(op.clip), f64::from(op.clip));
    let [f, g] = &op.activations;
    run(x, 1, 4, op.reverse, |step| {
        let h = step.states[0].clone();
        let gate = |k: usize, j: usize| activate(f, bound(step.gate(&h, k, j)));
        let reset: Vec<f64> = (0..step.hidden).map(|j| gate(1, j)).collect();
        let kept: Vec<f64> = h.iter().zip(&reset).map(|(h, r)| h * r).collect();
        let bias = |j: usize| match x.get(3) {
            Some(b) if b.dims == [step.hidden] => b.at(&[j]),
            _ => 0.0,
        };
        let next: Vec<f64> = (0..step.hidden)
            .map(|j| {
                let product = if op.reset_after {
                    reset[j] * (step.state_part(&h, 2, j) + bias(j))
                } else {
                    step.state_part(&kept, 2, j)
                };
                let (z, n) = (gate(0, j), activate(g, bound(step.input_part(2, j) + product)));
                (1.0 - z) * n + z * h[j]
            })
            .collect();
        step.states[0] = next;
    })
}
