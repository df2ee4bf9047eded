//! Two-dimensional convolution, channels last, in groups, with an optional bias.

use embarca_kernels::conv2d as kernel;

use super::prelude::*;
use super::rescale::{Rescale, onnx_scales};
use super::spatial::{self, ScaleProduct, Window};

crate::payload! {
    /// Inputs x `[N, H, W, C]`, w `[O, KH, KW, C / groups]`, bias `[O]` (optional).
    pub struct Conv2d {
        /// Height, width.
        pub strides: [usize; 2],
        /// Height, width.
        pub dilations: [usize; 2],
        /// Top, left, bottom, right.
        pub pads: [i32; 4],
        /// Divides the channels of input and output.
        pub groups: usize,
        /// How sums of quantized products are stored.
        pub rescale: Rescale,
    }
}

impl Conv2d {
    fn window(&self) -> Window {
        Window { strides: self.strides, dilations: self.dilations, pads: self.pads }
    }
}

/// A convolution of a channels-last `x` with canonical weights; a depthwise one where every group
/// has a single input channel.
pub(super) fn convolution(
    b: &mut Builder<'_>,
    [x, w]: [ValueId; 2],
    bias: Option<ValueId>,
    window: Window,
    groups: usize,
    rescale: Rescale,
) -> Result<ValueId, ShapeError> {
    let Window { strides, dilations, pads } = window;
    let [_, _, _, each] = spatial::weight_dims(b.ty(w))?;
    let inputs = |w| [Some(x), Some(w), bias];
    let inputs = |w| if bias.is_some() { inputs(w).to_vec() } else { inputs(w)[..2].to_vec() };
    let outputs = if each == 1 && 1 < groups {
        let w = b.transpose(w, &[3, 1, 2, 0])?;
        b.node(super::DepthwiseConv2d { strides, dilations, pads, rescale }, &inputs(w))?
    } else {
        b.node(Conv2d { strides, dilations, pads, groups, rescale }, &inputs(w))?
    };
    outputs.first().copied().ok_or_else(|| ShapeError::new("the operator has no output"))
}

fn import_tflite(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, w) = (node.input(0)?, node.input(1)?);
    let [outputs, height, width, each] = spatial::weight_dims(b.ty(w))?;
    let bias = spatial::wide_bias(node, b, x, outputs)?;
    let window = Window::tflite(node, b.ty(x), [height, width])?;
    let channels = b.ty(x).dims.get(3).and_then(Dim::known).unwrap_or(0);
    let groups = usize::try_from(channels).ok().and_then(|c| c.checked_div(each)).unwrap_or(0);
    let y = convolution(
        b,
        [x, w],
        bias,
        window,
        groups.max(1),
        Rescale::tflite(node.was_u8),
    )?;
    tflite_activation(node, b, y)
}

fn import_onnx(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    if b.rank(node.input(0)?) == 5 {
        return super::convolution3d::import_onnx(node, b);
    }
    let (x, axes) = spatial::enter(b, node.input(0)?)?;
    let w = node.input(1)?;
    let (w, size) = match axes {
        1 => {
            let [o, each, width] = spatial::weight_dims(b.ty(w))?;
            let w = b.transpose(w, &[0, 2, 1])?;
            let dims = [o, 1, width, each].map(|dim| Dim::Known(dim as i64));
            (b.reshape(w, dims.to_vec())?, [1, width])
        }
        _ => {
            let [_, _, height, width] = spatial::weight_dims(b.ty(w))?;
            (b.transpose(w, &[0, 2, 3, 1])?, [height, width])
        }
    };
    if let Some(shape) = node.opt_ints("kernel_shape")?
        && spatial::plane(&shape, axes, 1)? != size
    {
        let message = "differs from the shape of the weights";
        return Err(ImportError::malformed(message).attribute("kernel_shape"));
    }
    let window = Window::onnx(node, b.ty(x), size, axes)?;
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    let y = convolution(b, [x, w], node.optional(2), window, groups, Rescale::default())?;
    one(spatial::leave(b, y, axes)?)
}

fn import_caffe(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    node.ignore(&["engine", "force_nd_im2col"]);
    let (w, bias) = caffe_blobs(node)?;
    let (x, _) = spatial::enter(b, node.input(0)?)?;
    let [o, _, height, width] = spatial::weight_dims(b.ty(w))?;
    check_caffe(node, o, [height, width])?;
    let window = Window::caffe(node)?;
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    let w = b.transpose(w, &[0, 2, 3, 1])?;
    let bias = bias.map(|bias| spatial::flat(b, bias)).transpose()?;
    let y = convolution(b, [x, w], bias, window, groups, Rescale::default())?;
    one(spatial::leave(b, y, 2)?)
}

/// Weights and bias of a Caffe layer that has `bias_term`.
pub(super) fn caffe_blobs(node: &NodeView<'_>) -> Result<CaffeBlobs, ImportError> {
    let with_bias = node.flag("bias_term", true)?;
    let missing = || {
        ImportError::malformed("the layer has no learned weights")
            .hint("give the .caffemodel with --weights")
    };
    let weights = node.blob(0).ok_or_else(missing)?;
    let bias = match with_bias {
        false => None,
        true => Some(node.blob(1).ok_or_else(missing)?),
    };
    Ok((weights, bias))
}

/// Weights, bias.
type CaffeBlobs = (ValueId, Option<ValueId>);

/// That the layer's parameters agree with its weights of `outputs` channels and `size`.
pub(super) fn check_caffe(
    node: &NodeView<'_>,
    outputs: usize,
    size: [usize; 2],
) -> Result<(), ImportError> {
    if node.int("axis", 1)? != 1 {
        return Err(ImportError::unsupported("has to be 1").attribute("axis"));
    }
    if node.opt_int("num_output")?.is_some_and(|n| usize::try_from(n) != Ok(outputs)) {
        let message = format!("the weights have {outputs} outputs");
        return Err(ImportError::malformed(message).attribute("num_output"));
    }
    if spatial::caffe_pair(node, "kernel", 0)? != size {
        let message = format!("the weights are {} x {}", size[0], size[1]);
        return Err(ImportError::malformed(message).attribute("kernel_size"));
    }
    Ok(())
}

impl OpDef for Conv2d {
    const NAME: &'static str = "conv2d";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Conv", 1), Spelling::tflite("CONV_2D"), Spelling::caffe("Convolution")];
    const U8_AS_I8: Option<&'static str> =
        Some("sums products of differences to the zero points, so an offset cancels");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        match node.format {
            Format::Onnx => import_onnx(node, b),
            Format::TfLite => import_tflite(node, b),
            Format::Caffe => import_caffe(node, b),
        }
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, w) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let hw = spatial::height_width(x)?;
        let [o, height, width, each] = spatial::weight_dims(w)?;
        let channels = each.checked_mul(self.groups).map(|c| Dim::Known(c as i64));
        if !channels.is_some_and(|channels| channels.may_equal(&x.dims[3])) {
            let message = format!(
                "{} groups of {each} channels do not make {} channels",
                self.groups, x.dims[3]
            );
            return Err(ShapeError::new(message));
        }
        if self.groups == 0 || o % self.groups != 0 {
            let message = format!("{o} outputs do not fall into {} groups", self.groups);
            return Err(ShapeError::new(message));
        }
        spatial::check_bias(inputs, o)?;
        let [h, w] = self.window().output(hw, [height, width], false)?;
        Ok(vec![TensorType::new(x.dtype, [x.dims[0].clone(), h, w, Dim::Known(o as i64)])])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.check_unsigned(self.rescale == Rescale::TfliteU8)?;
        let Self { groups, .. } = *self;
        if s.is_tflite() {
            return spatial::spell_tflite(s, "CONV_2D", &self.window(), &[]);
        }
        let [_, height, width, _] = spatial::known_weights(s.ty(1)?)?;
        let w = s.permuted(1, &[0, 3, 1, 2])?;
        spatial::spell_onnx(s, "Conv", w, (&self.window(), [height, width], groups), Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (x, w) = (io.input(0)?.ty, io.input(1)?.ty);
        let bug = |error: ShapeError| LowerError::Bug(error.0);
        let [channels, ..] = spatial::weight_dims::<4>(w).map_err(bug)?;
        let window = self.window().lowered()?;
        let groups = u32::try_from(self.groups).unwrap_or(0);
        let mut args = vec![Arg::Input(0), Arg::Input(1), spatial::optional_arg(io, 2)];
        match (x.dtype, w.dtype) {
            (DType::F32, DType::F32) => {
                let params = kernel::ParamsF32 { window, groups, clamp: spatial::float_clamp(io) };
                Ok(Lowered::new(&kernel::F32, &params, args))
            }
            (DType::I8, DType::I8) => {
                let params = kernel::ParamsI8 { window, groups, tail: spatial::int8_tail(io)? };
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
                let params = kernel::ParamsI16 { window, groups, tail: spatial::int16_tail(io)? };
                args.push(spatial::factors(io, channels, ScaleProduct::F64)?);
                Ok(Lowered::new(&kernel::I16, &params, args))
            }
            (DType::F32, DType::I8) => {
                let (scales, per_channel) = spatial::hybrid_scales(io, channels)?;
                // The reference has the per-channel form alone for groups.
                let per_channel = u32::from(per_channel || 1 < groups);
                let clamp = spatial::float_clamp(io);
                args.push(scales);
                let params = kernel::ParamsHybrid { window, groups, per_channel, clamp };
                Ok(Lowered::new(&kernel::HYBRID, &params, args))
            }
            (DType::I32, DType::I32) if io.tail.clamp.is_none() => {
                Ok(Lowered::new(&kernel::I32, &kernel::ParamsI32 { window, groups }, args))
            }
            (x, w) => Err(LowerError::no_kernel(format!("convolution of {x} with {w} weights"))),
        }
    }
}
