//! Mean over windows, channels last.

use embarca_kernels::pool as kernel;

use super::pooling::{self, Pooling};
use super::prelude::*;
use super::spatial::Window;

crate::payload! {
    /// The mean of each window.
    pub struct AveragePool2d {
        /// Height, width; 0, 0 is the whole input.
        pub size: [usize; 2],
        /// Height, width.
        pub strides: [usize; 2],
        /// Height, width.
        pub dilations: [usize; 2],
        /// Top, left, bottom, right.
        pub pads: [i32; 4],
        /// Whether the number of outputs is rounded up.
        pub ceil: bool,
        /// Whether padding counts as zeros.
        pub count_pad: bool,
        /// Whether quantized means round halves up instead of away from zero.
        pub half_up: bool,
    }
}

impl AveragePool2d {
    fn pooling(&self) -> Pooling {
        let Self { size, strides, dilations, pads, ceil, count_pad, .. } = *self;
        Pooling { size, window: Window { strides, dilations, pads }, ceil, count_pad }
    }
}

impl OpDef for AveragePool2d {
    const NAME: &'static str = "average_pool2d";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("AveragePool", 1),
        Spelling::onnx("GlobalAveragePool", 1),
        Spelling::tflite("AVERAGE_POOL_2D"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("the mean moves with an offset; unsigned halves round up, which `half_up` keeps");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let half_up = node.was_u8;
        pooling::import(node, b, |b, x, pooling| {
            let Pooling { size, window, ceil, count_pad } = pooling;
            let Window { strides, dilations, pads } = window;
            b.op(Self { size, strides, dilations, pads, ceil, count_pad, half_up }, &[x])
        })
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        self.pooling().infer(inputs)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.check_unsigned(self.half_up)?;
        self.pooling().spell(s, true)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let pooling = self.pooling();
        let quantized = matches!(io.input(0)?.ty.dtype, DType::I8 | DType::I16);
        if pooling.count_pad && quantized && io.input_quant(0)?.1 != 0 {
            return Err(LowerError::no_kernel("padding counts as a zero that is not stored as 0"));
        }
        let kernels = [&kernel::AVERAGE_F32, &kernel::AVERAGE_I8, &kernel::AVERAGE_I16];
        pooling.lower(io, kernels, self.half_up)
    }
}
