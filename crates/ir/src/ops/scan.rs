//! ONNX's Scan: a graph that runs once for each index of an axis.

use super::if_else::stated;
use super::prelude::*;
use super::while_loop::carried;
use crate::ids::GraphId;

crate::payload! {
    /// `variables..., sequences..., captures... -> variables..., collected...`.
    ///
    /// The body, `variables..., elements..., captures... -> variables..., items...`, sees one index
    /// of each sequence and yields one of each collected tensor.
    pub struct Scan {
        /// What runs.
        pub body: GraphId,
        /// The number of variables; types and sizes stay from one run to the next.
        pub vars: usize,
        /// The axis of each sequence.
        pub axes: Vec<usize>,
        /// Whether a sequence is walked from its end.
        pub backward: Vec<bool>,
        /// The axis of each collected tensor.
        pub out_axes: Vec<usize>,
        /// Whether a collected tensor is filled from its end.
        pub out_backward: Vec<bool>,
        /// The element types of what is collected.
        pub dtypes: Vec<DType>,
        /// The dimensions of what is collected.
        pub dims: Vec<Vec<Dim>>,
    }
}

impl OpDef for Scan {
    const NAME: &'static str = "scan";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("Scan", 8)];

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let collected = stated(&self.dtypes, &self.dims)?;
        let (sequences, items) = (self.axes.len(), collected.len());
        if self.backward.len() != sequences
            || (self.out_axes.len(), self.out_backward.len()) != (items, items)
        {
            return Err(ShapeError::new("a sequence or a result has no axis or no direction"));
        }
        let mut length: Option<Dim> = None;
        let mut same = |dims: &[Dim], axis: usize| {
            let dim = dims.get(axis).ok_or_else(|| {
                ShapeError::new(format!("axis {axis} does not exist in rank {}", dims.len()))
            })?;
            match &length {
                Some(length) if !length.may_equal(dim) => {
                    Err(ShapeError::new(format!("one sequence has {length} indices, one {dim}")))
                }
                _ => {
                    length.get_or_insert_with(|| dim.clone());
                    Ok(())
                }
            }
        };
        let mut types = Vec::with_capacity(self.vars.min(inputs.len()) + items);
        for (index, &axis) in self.axes.iter().enumerate() {
            same(&inputs.get(self.vars.saturating_add(index))?.ty.dims, axis)?;
        }
        for (ty, &axis) in collected.iter().zip(&self.out_axes) {
            same(&ty.dims, axis)?;
        }
        for index in 0..self.vars {
            types.push(carried(inputs, index)?);
        }
        types.extend(collected);
        if sequences == 0 {
            return Err(ShapeError::new("there is no sequence to walk"));
        }
        Ok(types)
    }
}
