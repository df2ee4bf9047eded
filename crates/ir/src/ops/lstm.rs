//! Long short-term memory over one direction of a sequence, its products with the input already
//! formed.

use embarca_kernels::recurrent as kernel;
use kernel::Curve;

use super::prelude::*;
use super::recurrent::{self, Activation, Layer};

crate::payload! {
    /// Inputs: gates `[T, N, 4 * H]` (input, output, forget, cell), recurrent weights `[H, 4 * H]`,
    /// h `[N, H]`, c `[N, H]`, peepholes `[3, H]` (input, output, forget), lengths `[N]`; all but the
    /// first two are optional. Outputs: y `[T, N, H]`, h, c.
    pub struct Lstm {
        /// Whether sequences are read from their end.
        pub reverse: bool,
        /// Whether the forget gate is one less the input gate.
        pub coupled: bool,
        /// Bound of what goes into the gates' activations; infinity when there is none.
        pub clip: f32,
        /// Bound of the cell; infinity when there is none.
        pub cell_clip: f32,
        /// Of the gates, of what enters the cell, of what leaves it.
        pub activations: [Activation; 3],
    }
}

const LAYER: Layer = Layer {
    gates: 4,
    activations: &[Curve::Sigmoid, Curve::Tanh, Curve::Tanh],
    states: 2,
    bias_apart: None,
};

impl OpDef for Lstm {
    const NAME: &'static str = "lstm";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("LSTM", 7), Spelling::tflite("UNIDIRECTIONAL_SEQUENCE_LSTM")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::TfLite {
            return super::tflite_lstm::import(node, b);
        }
        let coupled = node.flag("input_forget", false)?;
        recurrent::import_onnx(node, b, LAYER, |b, direction| {
            let activations = direction.activations.try_into();
            let activations = activations.map_err(|_| ShapeError::new("three activations"))?;
            let (reverse, clip) = (direction.reverse, direction.clip);
            let op = Lstm { reverse, coupled, clip, cell_clip: f32::INFINITY, activations };
            let mut inputs = vec![Some(direction.gates), Some(direction.r)];
            inputs.extend(direction.states);
            inputs.extend([direction.peepholes, direction.lens]);
            b.node(op, &inputs)
        })
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        recurrent::infer(inputs, 4, 2)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::ParamsLstm {
            reverse: self.reverse.into(),
            coupled: self.coupled.into(),
            clip: self.clip,
            cell_clip: self.cell_clip,
            activations: self.activations.map(Activation::lowered),
        };
        recurrent::lower(io, &kernel::LSTM, &params)
    }
}
