//! Gated recurrent unit over one direction of a sequence, its products with the input already formed.

use embarca_kernels::recurrent as kernel;
use kernel::Curve;

use super::prelude::*;
use super::recurrent::{self, Activation, Layer};

crate::payload! {
    /// Inputs: gates `[T, N, 3 * H]` (update, reset, hidden), recurrent weights `[H, 3 * H]`, h
    /// `[N, H]`, bias of the hidden gate's recurrent product `[H]`, lengths `[N]`; all but the first
    /// two are optional. Outputs: y `[T, N, H]`, h.
    pub struct Gru {
        /// Whether sequences are read from their end.
        pub reverse: bool,
        /// Whether the reset gate comes after the recurrent product.
        pub reset_after: bool,
        /// Bound of what goes into the activations; infinity when there is none.
        pub clip: f32,
        /// Of the gates, of the new state.
        pub activations: [Activation; 2],
    }
}

impl OpDef for Gru {
    const NAME: &'static str = "gru";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("GRU", 7)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let reset_after = node.flag("linear_before_reset", false)?;
        let layer = Layer {
            gates: 3,
            activations: &[Curve::Sigmoid, Curve::Tanh],
            states: 1,
            bias_apart: reset_after.then_some(2),
        };
        recurrent::import_onnx(node, b, layer, |b, direction| {
            let activations = direction.activations.try_into();
            let activations = activations.map_err(|_| ShapeError::new("two activations"))?;
            let (reverse, clip) = (direction.reverse, direction.clip);
            let op = Gru { reverse, reset_after, clip, activations };
            let mut inputs = vec![Some(direction.gates), Some(direction.r)];
            inputs.extend(direction.states);
            inputs.extend([direction.recurrent_bias, direction.lens]);
            b.node(op, &inputs)
        })
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        recurrent::infer(inputs, 3, 1)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::ParamsGru {
            reverse: self.reverse.into(),
            reset_after: self.reset_after.into(),
            clip: self.clip,
            activations: self.activations.map(Activation::lowered),
        };
        recurrent::lower(io, &kernel::GRU, &params)
    }
}
