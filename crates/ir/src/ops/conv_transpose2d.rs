//! Transposed two-dimensional convolution, channels last, in groups, with an optional bias.

use embarca_kernels::{conv_transpose2d as kernel, conv2d};

use super::conv2d::{caffe_blobs, check_caffe};
use super::prelude::*;
use super::spatial::{self, ScaleProduct, Window};

crate::payload! {
    /// Inputs x `[N, H, W, C]`, w `[O, KH, KW, C / groups]`, bias `[O]` (optional). The result has
    /// `stride * (in - 1) + dilation * (kernel - 1) + 1 - padding + extra` positions.
    pub struct ConvTranspose2d {
        /// Height, width.
        pub strides: [usize; 2],
        /// Height, width.
        pub dilations: [usize; 2],
        /// Positions of the result that are left out: top, left, bottom, right.
        pub pads: [i32; 4],
        /// Positions added behind the last row and column.
        pub extra: [i32; 2],
        /// Divides the channels of input and output.
        pub groups: usize,
    }
}

/// Dilated length of the kernel plus the reach of the strides, along one axis.
fn full(input: &Dim, size: usize, stride: usize, dilation: usize) -> Dim {
    let reach = (size.max(1) - 1).saturating_mul(dilation).saturating_add(1);
    let steps = input.sub(&Dim::Known(1)).mul(&Dim::Known(stride as i64));
    steps.add(&Dim::Known(i64::try_from(reach).unwrap_or(i64::MAX)))
}

/// Padding and extra positions by which one axis of `full` positions becomes `output`.
fn fit(full: i64, output: i64, more_before: bool) -> Result<(i32, i32, i32), ShapeError> {
    let narrow = |value: i64| {
        i32::try_from(value).map_err(|_| ShapeError::new(format!("{value} is out of range")))
    };
    let total = full.saturating_sub(output);
    if total < 0 {
        return Ok((0, 0, narrow(total.saturating_neg())?));
    }
    let less = total / 2;
    let (before, after) = if more_before { (total - less, less) } else { (less, total - less) };
    Ok((narrow(before)?, narrow(after)?, 0))
}

fn import_tflite(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    node.ignore(&["quantized_bias_type"]);
    let (shape, w, x) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let declared = node.output_type(0).and_then(TensorType::known_dims);
    let shape = match (b.dims(shape, "the output's shape"), declared) {
        (Ok(shape), _) => shape,
        // A shape that is fed can only be the one that the file declares.
        (Err(_), Some(dims)) if dims.len() == 4 => {
            dims.iter().map(|&dim| Dim::Known(dim as i64)).collect()
        }
        (Err(error), _) => return Err(error),
    };
    let [_, height, width, _] = spatial::weight_dims(b.ty(w))?;
    // The result's shape is given; SAME and VALID only tell how the tool got it.
    node.ignore(&["padding"]);
    let strides = [node.int("stride_h", 0)?, node.int("stride_w", 0)?];
    let strides = spatial::plane(&strides, 2, 1)?;
    let hw = spatial::height_width(b.ty(x))?;
    let mut op =
        ConvTranspose2d { strides, dilations: [1, 1], pads: [0; 4], extra: [0; 2], groups: 1 };
    for i in 0..2 {
        let full = full(hw[i], [height, width][i], op.strides[i], 1);
        let total = shape.get(1 + i).and_then(|output| full.sub(output).known());
        let Some(total) = total else {
            return Err(ImportError::unsupported("the input's size is open"));
        };
        (op.pads[i], op.pads[i + 2], op.extra[i]) = fit(total, 0, false)?;
    }
    let inputs: Vec<_> = [Some(x), Some(w), node.optional(3)].into_iter().flatten().collect();
    let y = b.op(op, &inputs)?;
    tflite_activation(node, b, y)
}

fn import_onnx(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, axes) = spatial::enter(b, node.input(0)?)?;
    let mut w = node.input(1)?;
    if axes == 1 {
        let mut dims = b.ty(w).dims.clone();
        dims.insert(2.min(dims.len()), Dim::Known(1));
        w = b.reshape(w, dims)?;
    }
    let [_, _, height, width] = spatial::weight_dims(b.ty(w))?;
    let size = [height, width];
    if let Some(shape) = node.opt_ints("kernel_shape")?
        && spatial::plane(&shape, axes, 1)? != size
    {
        let message = "differs from the shape of the weights";
        return Err(ImportError::malformed(message).attribute("kernel_shape"));
    }
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    let pair = |name: &str, default: i64, lone: usize| -> Result<[usize; 2], ImportError> {
        let values = node.opt_ints(name)?.unwrap_or_else(|| vec![default; axes]);
        spatial::plane(&values, axes, lone).map_err(|error| error.attribute(name))
    };
    let (strides, dilations) = (pair("strides", 1, 1)?, pair("dilations", 1, 1)?);
    let extra = pair("output_padding", 0, 0)?.map(|extra| i32::try_from(extra).unwrap_or(i32::MAX));
    let mut op = ConvTranspose2d { strides, dilations, pads: [0; 4], extra, groups };
    let shape = node.opt_ints("output_shape")?;
    let auto = node.text("auto_pad", "NOTSET")?;
    let hw = spatial::height_width(b.ty(x))?.map(Clone::clone);
    let same = auto == "SAME_UPPER" || auto == "SAME_LOWER";
    let given = match &shape {
        // Some files state all axes, others the spatial ones.
        Some(shape) => {
            let tail = shape.get(shape.len().saturating_sub(axes)..).unwrap_or_default();
            Some(spatial::plane(tail, axes, 1)?.map(|size| Dim::Known(size as i64)))
        }
        None if same => {
            let strides = op.strides.map(|stride| Dim::Known(stride as i64));
            Some([hw[0].mul(&strides[0]), hw[1].mul(&strides[1])])
        }
        None => None,
    };
    if let Some(output) = given {
        node.ignore(&["pads"]);
        for i in 0..2 {
            let full = full(&hw[i], size[i], op.strides[i], op.dilations[i]);
            let Some(total) = full.sub(&output[i]).known() else {
                return Err(ImportError::unsupported("the padding depends on an open dimension"));
            };
            let total = total.saturating_add(i64::from(op.extra[i]));
            let (before, after, missing) = fit(total, 0, auto != "SAME_UPPER")?;
            (op.pads[i], op.pads[i + 2]) = (before, after);
            op.extra[i] = op.extra[i].saturating_add(missing);
        }
    } else {
        if auto != "NOTSET" && auto != "VALID" {
            let message = format!("{auto} is not known");
            return Err(ImportError::malformed(message).attribute("auto_pad"));
        }
        op.pads = Window::onnx(node, b.ty(x), size, axes)?.pads;
    }
    convolve(b, [x, w], node.optional(2), op, axes)
}

fn import_caffe(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    node.ignore(&["engine", "force_nd_im2col"]);
    let (w, bias) = caffe_blobs(node)?;
    let (x, axes) = spatial::enter(b, node.input(0)?)?;
    let [_, each, height, width] = spatial::weight_dims(b.ty(w))?;
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    check_caffe(node, each.saturating_mul(groups), [height, width])?;
    let Window { strides, dilations, pads } = Window::caffe(node)?;
    let op = ConvTranspose2d { strides, dilations, pads, extra: [0; 2], groups };
    let bias = bias.map(|bias| spatial::flat(b, bias)).transpose()?;
    convolve(b, [x, w], bias, op, axes)
}

/// With weights `[C, O / groups, KH, KW]`, as ONNX and Caffe keep them.
fn convolve(
    b: &mut Builder<'_>,
    [x, w]: [ValueId; 2],
    bias: Option<ValueId>,
    op: ConvTranspose2d,
    axes: usize,
) -> Result<Vec<ValueId>, ImportError> {
    let [channels, each, height, width] = spatial::weight_dims(b.ty(w))?;
    let groups = op.groups;
    if groups == 0 || channels % groups != 0 {
        let message = format!("{channels} channels do not fall into {groups} groups");
        return Err(ImportError::malformed(message).attribute("group"));
    }
    let known = |dims: &[usize]| dims.iter().map(|&dim| Dim::Known(dim as i64)).collect();
    let w = if groups == 1 {
        b.transpose(w, &[1, 2, 3, 0])?
    } else {
        let w = b.reshape(w, known(&[groups, channels / groups, each, height, width]))?;
        let w = b.transpose(w, &[0, 2, 3, 4, 1])?;
        b.reshape(w, known(&[groups * each, height, width, channels / groups]))?
    };
    let inputs: Vec<_> = [Some(x), Some(w), bias].into_iter().flatten().collect();
    let y = b.op(op, &inputs)?;
    one(spatial::leave(b, y, axes)?)
}

impl OpDef for ConvTranspose2d {
    const NAME: &'static str = "conv_transpose2d";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("ConvTranspose", 1),
        Spelling::tflite("TRANSPOSE_CONV"),
        Spelling::caffe("Deconvolution"),
    ];
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
            let message = format!("weights of {each} channels meet {}", x.dims[3]);
            return Err(ShapeError::new(message));
        }
        if self.groups == 0 || o % self.groups != 0 || self.strides.contains(&0) {
            return Err(ShapeError::new("groups and strides begin at 1 and divide the outputs"));
        }
        let steps = self.strides.iter().chain(&self.dilations).chain([&height, &width]);
        if steps.copied().any(|step| (1 << 30) < step) {
            return Err(ShapeError::new("a window is larger than 2^30"));
        }
        spatial::check_bias(inputs, o)?;
        let along = |i: usize, size: usize| {
            let full = full(hw[i], size, self.strides[i], self.dilations[i]);
            let padding = i64::from(self.pads[i]) + i64::from(self.pads[i + 2]);
            full.add(&Dim::Known(i64::from(self.extra[i]) - padding))
        };
        let [h, w] = [along(0, height), along(1, width)];
        if [&h, &w].iter().any(|dim| dim.known().is_some_and(|dim| dim < 0)) {
            return Err(ShapeError::new("the padding is larger than the result"));
        }
        Ok(vec![TensorType::new(x.dtype, [x.dims[0].clone(), h, w, Dim::Known(o as i64)])])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let Self { strides, dilations, pads, extra, groups } = *self;
        let [outputs, height, width, each] = spatial::known_weights(s.ty(1)?)?;
        if !s.is_tflite() {
            let window = Window { strides, dilations, pads };
            let more = vec![ints("output_padding", extra.map(i64::from))];
            let w = if groups == 1 {
                s.permuted(1, &[3, 0, 1, 2])?
            } else {
                // [groups, O, KH, KW, C] to [groups, C, O, KH, KW].
                let per_axis = s.ty(1)?.quant.as_ref().is_some_and(|quant| quant.axis.is_some());
                if per_axis {
                    return Err(SpellError::none("scales for each channel of several groups"));
                }
                let known = |dims: &[usize]| dims.iter().map(|&dim| Dim::Known(dim as i64)).collect();
                let w = s.plain(1)?;
                let own = outputs / groups.max(1);
                let w = s.reshaped(w, known(&[groups, own, height, width, each]))?;
                let w = s.transposed(w, &[0, 4, 1, 2, 3]);
                s.reshaped(w, known(&[groups * each, own, height, width]))?
            };
            return spatial::spell_onnx(s, "ConvTranspose", w, (&window, [height, width], groups), more);
        }
        if groups != 1 || dilations != [1, 1] {
            return Err(SpellError::none("TFLite's TRANSPOSE_CONV has neither groups nor dilation"));
        }
        let (x, w) = (s.input(0)?, s.input(1)?);
        let hw = spatial::height_width(s.ty(0)?).map_err(|error| SpellError::Bug(error.0))?;
        let mut same = true;
        let mut cut = s.out(0)?;
        let mut begin = vec![0i64; 4];
        for i in 0..2 {
            let full = full(hw[i], [height, width][i], strides[i], 1);
            let Some(less) = full.sub(&cut.dims[1 + i]).known() else {
                return Err(SpellError::none("the size of the input is open"));
            };
            let (before, after) = (i64::from(pads[i]), i64::from(pads[i + 2]) - i64::from(extra[i]));
            // TFLite leaves out the smaller half before.
            same &= before == less.max(0) / 2 && (0 < less || before == 0);
            if before < 0 || after < 0 {
                begin.clear();
            } else if !begin.is_empty() {
                begin[1 + i] = before;
                cut.dims[1 + i] = full;
            }
        }
        let bias = s.optional(2)?;
        let attrs = |padding: &str| {
            let strides = [int("stride_h", strides[0]), int("stride_w", strides[1])];
            let more = [text("padding", padding), no_activation()];
            more.into_iter().chain(strides).collect::<Vec<_>>()
        };
        let valid = pads == [0; 4] && extra == [0; 2];
        if same {
            let shape = s.shape(&s.out(0)?.dims)?;
            let inputs = [Some(shape), Some(w), Some(x), bias];
            let inputs = &inputs[..if bias.is_some() { 4 } else { 3 }];
            return s.emit("TRANSPOSE_CONV", inputs, attrs(if valid { "VALID" } else { "SAME" }));
        }
        if begin.is_empty() {
            return Err(SpellError::none("TFLite does not add positions to a TRANSPOSE_CONV's result"));
        }
        let shape = s.shape(&cut.dims)?;
        let inputs: Vec<_> = [shape, w, x].into_iter().chain(bias).collect();
        let whole = s.step("TRANSPOSE_CONV", &inputs, attrs("VALID"), cut);
        let (begin, size) = (s.list(&begin)?, s.shape(&s.out(0)?.dims)?);
        s.emit("SLICE", &[Some(whole), Some(begin), Some(size)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (x, w) = (io.input(0)?.ty, io.input(1)?.ty);
        let bug = |error: ShapeError| LowerError::Bug(error.0);
        let [channels, ..] = spatial::weight_dims::<4>(w).map_err(bug)?;
        let (strides, dilations, pads) = (self.strides, self.dilations, self.pads);
        let window = Window { strides, dilations, pads }.lowered()?;
        let groups = u32::try_from(self.groups).unwrap_or(0);
        let mut args = vec![Arg::Input(0), Arg::Input(1), spatial::optional_arg(io, 2)];
        match (x.dtype, w.dtype) {
            (DType::F32, DType::F32) => {
                let params = conv2d::ParamsF32 { window, groups, clamp: spatial::float_clamp(io) };
                Ok(Lowered::new(&kernel::F32, &params, args))
            }
            (DType::I8, DType::I8) => {
                let params = conv2d::ParamsI8 { window, groups, tail: spatial::int8_tail(io)? };
                args.push(spatial::factors(io, channels, ScaleProduct::F64)?);
                Ok(Lowered::new(&kernel::I8, &params, args))
            }
            (DType::I16, DType::I8) => {
                let params = conv2d::ParamsI16 { window, groups, tail: spatial::int16_tail(io)? };
                args.push(spatial::factors(io, channels, ScaleProduct::F64)?);
                Ok(Lowered::new(&kernel::I16, &params, args))
            }
            (x, w) => {
                let message = format!("transposed convolution of {x} with {w} weights");
                Err(LowerError::no_kernel(message))
            }
        }
    }
}
