//! Recurrent layers over one direction of a sequence, f32.
//!
//! The products with the input do not depend on the state, so a dense layer forms them for the whole
//! sequence first; these kernels take them as `gates` `[T, N, G * H]` (biases included) and add what
//! comes from the state: `r` `[H, G * H]`, the recurrent weights with the gates of one state element
//! side by side. `G` is 4 (LSTM), 3 (GRU) or 1. Sums run over the state's elements in order, starting
//! at the gate.
//!
//! `lens` (i32 `[N]`) is the number of steps of each sequence; states stop there and results behind it
//! are 0. In reverse each sequence is read from its own last step. Formulas: the ONNX specification,
//! operators LSTM, GRU and RNN.

mod gru;
mod lstm;
mod rnn;

pub use gru::{GRU, ParamsGru};
pub use lstm::{LSTM, ParamsLstm};
pub use rnn::{ParamsRnn, RNN};

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Fault, Kernel, Signature, Src, Ty};

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[LSTM, GRU, RNN];

/// A function between layers, by ONNX's names. The numbers are stored in plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Curve {
    /// `1 / (1 + e^-x)`
    Sigmoid = 0,
    /// `tanh x`
    Tanh = 1,
    /// `max(x, 0)`
    Relu = 2,
    /// `alpha * x + beta`
    Affine = 3,
    /// `x`, or `alpha * x` when negative
    LeakyRelu = 4,
    /// `x` when at least `alpha`, else 0
    ThresholdedRelu = 5,
    /// `alpha * tanh(beta * x)`
    ScaledTanh = 6,
    /// `clamp(alpha * x + beta, 0, 1)`
    HardSigmoid = 7,
    /// `x`, or `alpha * (e^x - 1)` when negative
    Elu = 8,
    /// `x / (1 + |x|)`
    Softsign = 9,
    /// `ln(1 + e^x)`
    Softplus = 10,
}

impl Curve {
    const ALL: [Self; 11] = [
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu,
        Self::Affine,
        Self::LeakyRelu,
        Self::ThresholdedRelu,
        Self::ScaledTanh,
        Self::HardSigmoid,
        Self::Elu,
        Self::Softsign,
        Self::Softplus,
    ];
}

/// A [`Curve`] and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Activation {
    /// A [`Curve`].
    pub curve: u32,
    /// Its first parameter.
    pub alpha: f32,
    /// Its second parameter.
    pub beta: f32,
}

impl Activation {
    fn check(&self) -> Result<(), Fault> {
        if (self.curve as usize) < Curve::ALL.len() { Ok(()) } else { Err(Fault::Record) }
    }

    /// Applied to each of `values`.
    fn apply(&self, values: &mut [f32]) {
        let Self { alpha, beta, .. } = *self;
        let Some(curve) = Curve::ALL.get(self.curve as usize) else { return };
        let mut each = |f: &dyn Fn(f32) -> f32| values.iter_mut().for_each(|x| *x = f(*x));
        match curve {
            Curve::Sigmoid => values.iter_mut().for_each(|x| *x = float::sigmoid(*x)),
            Curve::Tanh => values.iter_mut().for_each(|x| *x = float::tanh(*x)),
            Curve::Relu => each(&|x| if x < 0.0 { 0.0 } else { x }),
            Curve::Affine => each(&|x| alpha * x + beta),
            Curve::LeakyRelu => each(&|x| if x < 0.0 { alpha * x } else { x }),
            Curve::ThresholdedRelu => each(&|x| if x < alpha { 0.0 } else { x }),
            Curve::ScaledTanh => each(&|x| alpha * float::tanh(beta * x)),
            Curve::HardSigmoid => each(&|x| float::clamp(alpha * x + beta, 0.0, 1.0)),
            Curve::Elu => each(&|x| if x < 0.0 { alpha * float::expm1(x) } else { x }),
            Curve::Softsign => each(&|x| x / (1.0 + x.abs())),
            Curve::Softplus => each(&|x| float::softplus(x)),
        }
    }
}

/// The sizes of a layer, checked against each other.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Steps of the longest sequence.
    steps: usize,
    /// Sequences.
    batch: usize,
    /// Elements of a state.
    hidden: usize,
}

impl Shape {
    /// From gates `[T, N, G * H]` and recurrent weights `[H, G * H]`.
    fn new(gates: Ty, r: Ty, count: u32) -> Result<Self, Fault> {
        let (&[steps, batch, wide], &[hidden, r_wide]) = (gates.dims, r.dims) else {
            return Err(Fault::Shape);
        };
        if Some(wide) != hidden.checked_mul(count) || r_wide != wide {
            return Err(Fault::Shape);
        }
        Ok(Self { steps: steps as usize, batch: batch as usize, hidden: hidden as usize })
    }

    /// Checks inputs 0 and 1, the states (`[N, H]`) at `states`, the lengths at input `lens` and all
    /// outputs: `[T, N, H]`, then `[N, H]` for each state.
    fn check(sig: &Signature, count: u32, states: &[usize], lens: usize) -> Result<Self, Fault> {
        let (gates, r) = (sig.input(0)?, sig.input(1)?);
        let shape = Self::new(gates, r, count)?;
        let &[steps, batch, _] = gates.dims else { return Err(Fault::Shape) };
        let hidden = shape.hidden as u32;
        let float = |ty: Ty, dims: &[u32]| {
            check_size(ty)?;
            match ty.dtype {
                DType::F32 if ty.dims == dims => Ok(()),
                DType::F32 => Err(Fault::Shape),
                _ => Err(Fault::Type),
            }
        };
        float(gates, gates.dims)?;
        float(r, r.dims)?;
        for &state in states {
            if let Some(ty) = sig.optional(state) {
                float(ty, &[batch, hidden])?;
            }
        }
        match sig.optional(lens) {
            Some(ty) if ty.dtype != DType::I32 => return Err(Fault::Type),
            Some(ty) if ty.dims != [batch] => return Err(Fault::Shape),
            _ => {}
        }
        if lens + 1 < sig.inputs.len() || sig.outputs.len() != 1 + states.len() {
            return Err(Fault::Arity);
        }
        float(sig.output(0)?, &[steps, batch, hidden])?;
        for state in 1..=states.len() {
            float(sig.output(state)?, &[batch, hidden])?;
        }
        Ok(shape)
    }

    /// Scratch bytes for `count` vectors of one state's size.
    fn scratch(&self, count: usize) -> Result<usize, Fault> {
        self.hidden.checked_mul(4 * count).ok_or(Fault::TooLarge)
    }

    /// Calls `step` for each step of each sequence with the sequence, where its gates are and where
    /// its result; results behind a sequence's end are set to 0.
    fn for_each_step(
        &self,
        reverse: bool,
        lens: Option<&[i32]>,
        y: &mut [f32],
        mut step: impl FnMut(usize, usize, &mut [f32]),
    ) {
        for n in 0..self.batch {
            let len = lens.and_then(|lens| lens.get(n)).map_or(self.steps, |&len| {
                usize::try_from(len).unwrap_or(0).min(self.steps)
            });
            for i in 0..self.steps {
                let t = if reverse && i < len { len - 1 - i } else { i };
                let row = t * self.batch + n;
                let y = &mut y[row * self.hidden..(row + 1) * self.hidden];
                if i < len { step(n, row, y) } else { y.fill(0.0) }
            }
        }
    }
}

/// `sums += state * r`, `r` starting at column `column` of rows that are `wide` long.
fn accumulate(sums: &mut [f32], state: &[f32], r: &[f32], (column, wide): (usize, usize)) {
    for (&s, row) in state.iter().zip(r.chunks_exact(wide.max(1))) {
        for (sum, w) in sums.iter_mut().zip(&row[column..]) {
            *sum += s * w;
        }
    }
}

/// The initial state, or zeros.
fn begin(state: &mut [f32], initial: Option<Src>) {
    match initial {
        Some(initial) => state.copy_from_slice(initial.elements()),
        None => state.fill(0.0),
    }
}

/// `x` within `-bound..=bound`.
fn limit(values: &mut [f32], bound: f32) {
    if bound < f32::INFINITY {
        values.iter_mut().for_each(|x| *x = float::clamp(*x, -bound, bound));
    }
}

/// Whether a bound can be one.
fn check_bound(bound: f32) -> Result<(), Fault> {
    if 0.0 <= bound { Ok(()) } else { Err(Fault::Record) }
}

/// Scratch as numbers, in parts of `hidden` elements.
fn parts<const N: usize>(scratch: &mut [u8], hidden: usize) -> Option<[&mut [f32]; N]> {
    let bytes = scratch.get_mut(..4 * N * hidden)?;
    let mut rest = <[f32]>::mut_from_bytes(bytes).ok()?;
    Some(core::array::from_fn(|_| {
        let (first, others) = core::mem::take(&mut rest).split_at_mut(hidden);
        rest = others;
        first
    }))
}
