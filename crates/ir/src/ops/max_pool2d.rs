//! Maximum over windows, channels last.

use embarca_kernels::pool as kernel;

use super::{Requantize, cast};
use super::pooling::{self, Pooling};
use super::prelude::*;
use super::spatial::Window;

crate::payload! {
    /// The largest number of each window; padding never counts.
    pub struct MaxPool2d {
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
    }
}

impl MaxPool2d {
    fn pooling(&self) -> Pooling {
        let Self { size, strides, dilations, pads, ceil } = *self;
        let window = Window { strides, dilations, pads };
        Pooling { size, window, ceil, count_pad: false }
    }
}

impl OpDef for MaxPool2d {
    const NAME: &'static str = "max_pool2d";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("GlobalMaxPool", 1),
        Spelling::onnx("MaxPool", 1),
        Spelling::tflite("MAX_POOL_2D"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("an offset does not change an order");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let is_onnx = node.format == Format::Onnx;
        pooling::import(node, b, |b, x, pooling| {
            let Pooling { size, window: Window { strides, dilations, pads }, ceil, .. } = pooling;
            let op = Self { size, strides, dilations, pads, ceil };
            let TensorType { dtype, quant: Some(quant), .. } = b.ty(x).clone() else {
                return b.op(op, &[x]);
            };
            if !is_onnx {
                return b.op(op, &[x]);
            }
            // Between ONNX's QLinear operators; the largest real number is stored as the largest
            // integer, so this is exact.
            let rescaled = |to| Requantize { to, rule: "onnx".to_owned() };
            let real = b.op(rescaled(DType::F32), &[x])?;
            let real = b.op(op, &[real])?;
            let y = b.op(rescaled(dtype), &[real])?;
            b.set_quant(y, Some(quant));
            Ok(y)
        })
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        self.pooling().infer(inputs)
    }

    /// Bytes that are not quantized, as in ONNX's models of QLinear operators: f32 holds them all.
    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let [Some(x)] = *inputs else { return None };
        let dtype = b.ty(x).dtype;
        if !matches!(dtype, DType::I8 | DType::U8) || b.ty(x).is_quantized() {
            return None;
        }
        Some(cast::to(b, x, DType::F32).and_then(|x| {
            let y = b.op(self.clone(), &[x])?;
            Ok(vec![cast::to(b, y, dtype)?])
        }))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        self.pooling().spell(s, false)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        self.pooling().lower(io, [&kernel::MAX_F32, &kernel::MAX_I8, &kernel::MAX_I16], false)
    }
}
