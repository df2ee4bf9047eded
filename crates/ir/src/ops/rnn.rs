//! A plain recurrent layer over one direction of a sequence, its products with the input already
//! formed.

use embarca_kernels::recurrent as kernel;
use kernel::Curve;

use super::prelude::*;
use super::recurrent::{self, Activation, Layer};

crate::payload! {
    /// Inputs: gates `[T, N, H]`, recurrent weights `[H, H]`, h `[N, H]`, lengths `[N]`; the last two
    /// are optional. Outputs: y `[T, N, H]`, h.
    pub struct Rnn {
        /// Whether sequences are read from their end.
        pub reverse: bool,
        /// Bound of what goes into the activation; infinity when there is none.
        pub clip: f32,
        /// Of the new state.
        pub activation: Activation,
    }
}

const LAYER: Layer = Layer { gates: 1, activations: &[Curve::Tanh], states: 1, bias_apart: None };

impl OpDef for Rnn {
    const NAME: &'static str = "rnn";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("RNN", 7),
        Spelling::tflite("RNN"),
        Spelling::tflite("UNIDIRECTIONAL_SEQUENCE_RNN"),
    ];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::TfLite {
            return super::tflite_lstm::import_rnn(node, b);
        }
        recurrent::import_onnx(node, b, LAYER, |b, direction| {
            let [activation] = *direction.activations.as_slice() else {
                return Err(ShapeError::new("one activation"));
            };
            let op = Rnn { reverse: direction.reverse, clip: direction.clip, activation };
            let mut inputs = vec![Some(direction.gates), Some(direction.r)];
            inputs.extend(direction.states);
            inputs.push(direction.lens);
            b.node(op, &inputs)
        })
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        recurrent::infer(inputs, 1, 1)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::ParamsRnn {
            reverse: self.reverse.into(),
            clip: self.clip,
            activation: self.activation.lowered(),
        };
        recurrent::lower(io, &kernel::RNN, &params)
    }
}
