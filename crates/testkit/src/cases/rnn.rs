//! Cases of `rnn`.

use super::prelude::*;
use super::sequence::{activate, curve, run};

pub fn cases() -> Vec<AnyCase> {
    let op = |reverse, clip, name: &str| Rnn { reverse, clip, activation: curve(name, 0.3, 0.4) };
    let inputs = |[t, n, h]: [usize; 3], rest: &[Input]| {
        let mut inputs = vec![f32s(&[t, n, h]), f32s(&[h, h])];
        inputs.extend_from_slice(rest);
        inputs
    };
    let free = f32::INFINITY;
    let lens = values(DType::I32, &[2], &[1.0, 3.0]);
    suite(
        rounded(16),
        reference,
        [
            case("plain", op(false, free, "Tanh"), inputs([4, 2, 3], &[f32s(&[2, 3])])),
            case("backwards", op(true, free, "Relu"), inputs([3, 2, 2], &[f32s(&[2, 2]), lens])),
            case("bounded", op(false, 0.5, "ThresholdedRelu"), inputs([3, 1, 4], &[])),
        ],
    )
}

fn reference(op: &Rnn, x: &[Array]) -> Vec<Array> {
    let bound = |x: f64| x.clamp(-f64::from(op.clip), f64::from(op.clip));
    run(x, 1, 3, op.reverse, |step| {
        let h = step.states[0].clone();
        let unit = |j: usize| activate(&op.activation, bound(step.gate(&h, 0, j)));
        step.states[0] = (0..step.hidden).map(unit).collect();
    })
}
