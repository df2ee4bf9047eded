//! Clip: `min(max(x, low), high)` with constant real bounds; ReLU and ReLU6 are clips.

use super::prelude::*;

crate::payload! {
    /// Limits to `min..=max`.
    pub struct Clip {
        /// The lower bound, possibly minus infinity.
        pub min: f32,
        /// The upper bound, possibly infinity.
        pub max: f32,
    }
}

impl OpDef for Clip {
    const NAME: &'static str = "clip";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }
}
