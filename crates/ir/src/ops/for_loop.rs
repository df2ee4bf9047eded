//! ONNX's Loop: a graph that runs a number of times, or until it says that it is done.

use super::if_else::{one_element, stated, truth};
use super::prelude::*;
use super::while_loop::carried;
use crate::ids::GraphId;

crate::payload! {
    /// `trips?, condition?, variables..., captures... -> variables..., collected...`.
    ///
    /// The body, `trip: i64, condition, variables..., captures... -> condition, variables...,
    /// items...`, runs while the condition is true and fewer than `trips` runs are done. Each item
    /// becomes one index of the first axis of its collected tensor; as many runs as that axis has
    /// indices must be done.
    pub struct ForLoop {
        /// What runs.
        pub body: GraphId,
        /// The number of variables; types and sizes stay from one run to the next.
        pub vars: usize,
        /// The element types of what is collected.
        pub dtypes: Vec<DType>,
        /// The dimensions of what is collected; the first is the number of runs.
        pub dims: Vec<Vec<Dim>>,
    }
}

impl OpDef for ForLoop {
    const NAME: &'static str = "for_loop";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Loop", 1)];

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if let Some(trips) = inputs.optional(0) {
            one_element(trips, DType::I64, "the number of trips")?;
        }
        if let Some(condition) = inputs.optional(1) {
            truth(condition, "the condition")?;
        }
        let mut types = Vec::with_capacity(self.vars.min(inputs.len()) + self.dims.len());
        for index in 0..self.vars {
            types.push(carried(inputs, index.saturating_add(2))?);
        }
        types.extend(stated(&self.dtypes, &self.dims)?);
        Ok(types)
    }
}
