//! Changes how real numbers are stored: float to integer, integer to float, integer to integer.

use super::prelude::*;

crate::payload! {
    /// The same real numbers in another type or quantization; the quantization of the result is
    /// that of the output value.
    pub struct Requantize {
        /// The element type of the result.
        pub to: DType,
        /// How a real number becomes an integer: `tflite` (halves away from zero) or `onnx` (halves
        /// to even).
        pub rule: String,
    }
}

impl OpDef for Requantize {
    const NAME: &'static str = "requantize";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        Ok(vec![TensorType::new(self.to, x.dims.iter().cloned())])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }
}
