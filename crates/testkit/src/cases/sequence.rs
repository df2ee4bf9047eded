//! What the references of recurrent layers have in common.

use embarca_ir::attr::{Attr, Field};
use embarca_ir::ops::Activation;

use super::array::Array;

/// An activation by its name in ONNX.
pub fn curve(name: &str, alpha: f32, beta: f32) -> Activation {
    let parts = vec![Attr::Word(name.to_owned()), Attr::Float(alpha), Attr::Float(beta)];
    Activation::read(&Attr::List(parts)).expect("a name that ONNX has")
}

/// What an activation computes of real numbers.
pub fn activate(activation: &Activation, x: f64) -> f64 {
    let Attr::List(parts) = activation.write() else { panic!("not a list") };
    let (alpha, beta) = (f64::from(activation.alpha), f64::from(activation.beta));
    match &parts[0] {
        Attr::Word(word) => match word.as_str() {
            "Sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "Tanh" => x.tanh(),
            "Relu" => x.max(0.0),
            "Affine" => alpha * x + beta,
            "LeakyRelu" => x.max(alpha * x),
            "ThresholdedRelu" => f64::from(u8::from(alpha <= x)) * x,
            "ScaledTanh" => alpha * (beta * x).tanh(),
            "HardSigmoid" => (alpha * x + beta).clamp(0.0, 1.0),
            "Elu" => x.max(0.0) + alpha * x.min(0.0).exp_m1(),
            "Softsign" => x / (1.0 + x.abs()),
            "Softplus" => x.exp().ln_1p(),
            other => panic!("{other} has no reference"),
        },
        other => panic!("{other:?} is no name"),
    }
}

/// One step of one sequence.
pub struct Step<'a> {
    /// Units of a state.
    pub hidden: usize,
    /// One row for each state, read and written.
    pub states: &'a mut [Vec<f64>],
    gates: &'a Array,
    r: &'a Array,
    at: [usize; 2],
}

impl Step<'_> {
    /// The part of gate `k` that comes from the input.
    pub fn input_part(&self, k: usize, j: usize) -> f64 {
        self.gates.at(&[self.at[0], self.at[1], k * self.hidden + j])
    }

    /// The part of gate `k` that comes from a state.
    pub fn state_part(&self, state: &[f64], k: usize, j: usize) -> f64 {
        (0..self.hidden).map(|i| state[i] * self.r.at(&[i, k * self.hidden + j])).sum()
    }

    /// Both.
    pub fn gate(&self, state: &[f64], k: usize, j: usize) -> f64 {
        self.input_part(k, j) + self.state_part(state, k, j)
    }
}

/// Runs `step` over every sequence of gates (input 0) with recurrent weights (input 1) and `count`
/// states (from input 2 on), lengths at input `lens`; yields y and the states.
pub fn run(
    x: &[Array],
    count: usize,
    lens: usize,
    reverse: bool,
    mut step: impl FnMut(&mut Step<'_>),
) -> Vec<Array> {
    let (gates, r) = (&x[0], &x[1]);
    let (steps, batch, hidden) = (gates.dims[0], gates.dims[1], r.dims[0]);
    let mut y = gates.like(&[steps, batch, hidden], |_| 0.0);
    let mut finals = vec![gates.like(&[batch, hidden], |_| 0.0); count];
    for n in 0..batch {
        let initial = |k: usize, j: usize| match x.get(2 + k) {
            Some(state) if state.dims.len() == 2 => state.at(&[n, j]),
            _ => 0.0,
        };
        let state = |k: usize| (0..hidden).map(|j| initial(k, j)).collect();
        let mut states: Vec<Vec<f64>> = (0..count).map(state).collect();
        let len = match x.get(lens) {
            Some(lens) if lens.dims == [batch] => lens.at(&[n]) as usize,
            _ => steps,
        };
        for i in 0..len {
            let t = if reverse { len - 1 - i } else { i };
            step(&mut Step { hidden, states: &mut states, gates, r, at: [t, n] });
            for (j, value) in states[0].iter().enumerate() {
                let at = y.place(&[t, n, j]);
                y.data[at] = *value;
            }
        }
        for (to, state) in finals.iter_mut().zip(&states) {
            for (j, value) in state.iter().enumerate() {
                let at = to.place(&[n, j]);
                to.data[at] = *value;
            }
        }
    }
    // A state passes through every step: its roundings add up like those of a sum.
    [y].into_iter().chain(finals).map(|array| array.summing(steps + hidden)).collect()
}
