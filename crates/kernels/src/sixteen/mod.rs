//! Element-wise operators and softmax on quantized 16-bit tensors, equal to TFLM's reference kernels.

mod binary;
mod map;
mod softmax;
mod table;

pub use binary::{MUL, ParamsMul, ParamsPrelu, ParamsSum, PRELU, SUM};
pub use map::{CURVE, ParamsCurve, ParamsScale, ParamsSqrt, RSQRT, SCALE, SQRT};
pub use softmax::{ParamsSoftmax, SOFTMAX};
pub use table::{TABLE, TABLE_LEN};

use crate::Kernel;

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[SUM, MUL, PRELU, SCALE, CURVE, TABLE, SOFTMAX, SQRT, RSQRT];
