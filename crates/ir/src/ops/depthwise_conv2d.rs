//! Depthwise convolution, channels last: every input channel feeds output channels of its own.

use embarca_kernels::depthwise_conv2d as kernel;

use super::prelude::*;
use super::rescale::{Rescale, onnx_scales};
use super::spatial::{self, ScaleProduct, Window};

crate::payload! {
    /// Inputs x `[N, H, W, C]`, w `[1, KH, KW, C * M]`, bias `[C * M]` (optional).
    pub struct DepthwiseConv2d {
        /// Height, width.
        pub strides: [usize; 2],
        /// Height, width.
        pub dilations: [usize; 2],
        /// Top, left, bottom, right.
        pub pads: [i32; 4],
        /// How sums of quantized products are stored.
        pub rescale: Rescale,
    }
}

impl DepthwiseConv2d {
    fn window(&self) -> Window {
        Window { strides: self.strides, dilations: self.dilations, pads: self.pads }
    }
}

impl OpDef for DepthwiseConv2d {
    const NAME: &'static str = "depthwise_conv2d";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("DEPTHWISE_CONV_2D")];
    const U8_AS_I8: Option<&'static str> =
        Some("sums products of differences to the zero points, so an offset cancels");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        // The multiplier follows from the weights; old converters leave it at 0.
        node.ignore(&["depth_multiplier"]);
        let (x, w) = (node.input(0)?, node.input(1)?);
        let [_, height, width, _] = spatial::weight_dims(b.ty(w))?;
        let Window { strides, dilations, pads } = Window::tflite(node, b.ty(x), [height, width])?;
        let op = Self { strides, dilations, pads, rescale: Rescale::tflite(node.was_u8) };
        let inputs: Vec<_> = [Some(x), Some(w), node.optional(2)].into_iter().flatten().collect();
        let y = b.op(op, &inputs)?;
        tflite_activation(node, b, y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, w) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let hw = spatial::height_width(x)?;
        let [one, height, width, outputs] = spatial::weight_dims(w)?;
        let outputs_dim = Dim::Known(outputs as i64);
        let multiple = outputs_dim.rem(&x.dims[3]);
        if one != 1 || multiple.known().is_some_and(|rest| rest != 0) {
            let message = format!("weights {w} do not fit {} channels", x.dims[3]);
            return Err(ShapeError::new(message));
        }
        spatial::check_bias(inputs, outputs)?;
        let [h, w] = self.window().output(hw, [height, width], false)?;
        Ok(vec![TensorType::new(x.dtype, [x.dims[0].clone(), h, w, outputs_dim])])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.check_unsigned(self.rescale == Rescale::TfliteU8)?;
        let [_, height, width, outputs] = spatial::known_weights(s.ty(1)?)?;
        let channels = s.ty(0)?.dims[3].known().and_then(|dim| usize::try_from(dim).ok());
        let channels = channels.filter(|&dim| 0 < dim);
        let channels = channels.ok_or_else(|| SpellError::none("the number of channels is open"))?;
        if s.is_tflite() {
            let multiplier = int("depth_multiplier", outputs / channels);
            return spatial::spell_tflite(s, "DEPTHWISE_CONV_2D", &self.window(), &[multiplier]);
        }
        let w = s.permuted(1, &[3, 0, 1, 2])?;
        spatial::spell_onnx(s, "Conv", w, (&self.window(), [height, width], channels), Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (x, w) = (io.input(0)?.ty, io.input(1)?.ty);
        let bug = |error: ShapeError| LowerError::Bug(error.0);
        let [_, _, _, channels] = spatial::weight_dims(w).map_err(bug)?;
        let window = self.window().lowered()?;
        let mut args = vec![Arg::Input(0), Arg::Input(1), spatial::optional_arg(io, 2)];
        let clamp = spatial::float_clamp(io);
        match (x.dtype, w.dtype) {
            (DType::F32, DType::F32) => {
                Ok(Lowered::new(&kernel::F32, &kernel::ParamsF32 { window, clamp }, args))
            }
            (DType::I8, DType::I8) => {
                let params = kernel::ParamsI8 { window, tail: spatial::int8_tail(io)? };
                let product = match self.rescale {
                    Rescale::Tflite => ScaleProduct::F64,
                    Rescale::TfliteU8 => ScaleProduct::F32,
                    Rescale::Onnx => {
                        args.push(onnx_scales(io, channels)?);
                        return Ok(Lowered::new(&kernel::ONNX, &params, args));
                    }
                };
                args.push(spatial::factors(io, channels, product)?);
                Ok(Lowered::new(&kernel::I8, &params, args))
            }
            (DType::I16, DType::I8) => {
                let params = kernel::ParamsI16 { window, tail: spatial::int16_tail(io)? };
                args.push(spatial::factors(io, channels, ScaleProduct::F64)?);
                Ok(Lowered::new(&kernel::I16, &params, args))
            }
            (DType::F32, DType::I8) => {
                args.push(spatial::hybrid_scales(io, channels)?.0);
                Ok(Lowered::new(&kernel::HYBRID, &kernel::ParamsF32 { window, clamp }, args))
            }
            (DType::I32, DType::I32) if io.tail.clamp.is_none() => {
                Ok(Lowered::new(&kernel::I32, &window, args))
            }
            (x, w) => {
                let message = format!("depthwise convolution of {x} with {w} weights");
                Err(LowerError::no_kernel(message))
            }
        }
    }
}
