//! What convolutions and pooling have in common: windows over height and width.

use embarca_kernels::spatial as kernel;

use super::prelude::*;
use crate::spell::Wire;
use crate::spell::speller::Attribute;

/// How a window moves over height and width, with the padding on all four sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Positions of the input between two of the output: height, width.
    pub strides: [usize; 2],
    /// Positions of the input between two taps: height, width.
    pub dilations: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [i32; 4],
}

/// What cannot be done is refused beyond this size, so that no arithmetic on it overflows.
const LARGE: i64 = 1 << 30;

impl Window {
    /// The window of a kernel's record.
    pub fn lowered(&self) -> Result<kernel::Window, LowerError> {
        let narrow = |value: usize| {
            u32::try_from(value).map_err(|_| LowerError::Bug(format!("{value} is too large")))
        };
        Ok(kernel::Window {
            stride: [narrow(self.strides[0])?, narrow(self.strides[1])?],
            dilation: [narrow(self.dilations[0])?, narrow(self.dilations[1])?],
            pad: [self.pads[0], self.pads[1]],
        })
    }

    /// Height and width of the output for an input and a kernel of these.
    ///
    /// # Errors
    /// When a stride or dilation is 0, or the kernel is larger than the padded input.
    pub fn output(
        &self,
        input: [&Dim; 2],
        size: [usize; 2],
        ceil: bool,
    ) -> Result<[Dim; 2], ShapeError> {
        let one = |i: usize| self.output_along(i, input[i], size[i] as i64, ceil);
        Ok([one(0)?, one(1)?])
    }

    fn output_along(
        &self,
        i: usize,
        input: &Dim,
        size: i64,
        ceil: bool,
    ) -> Result<Dim, ShapeError> {
        let (stride, dilation) = (self.strides[i] as i64, self.dilations[i] as i64);
        let (before, after) = (i64::from(self.pads[i]), i64::from(self.pads[i + 2]));
        if stride < 1 || dilation < 1 || size < 1 {
            return Err(ShapeError::new("strides, dilations and kernel sizes begin at 1"));
        }
        if LARGE < stride || LARGE < dilation || LARGE < size || LARGE / size < dilation {
            return Err(ShapeError::new("a window is larger than 2^30"));
        }
        let reach = (size - 1) * dilation + 1;
        let room = input.add(&Dim::Known(before + after - reach));
        if room.known().is_some_and(|room| room < 0) {
            let message = format!("a window of {reach} does not fit {input} positions");
            return Err(ShapeError::new(message));
        }
        let stride = Dim::Known(stride);
        if !ceil {
            return Ok(room.floor_div(&stride).add(&Dim::Known(1)));
        }
        let output = room.ceil_div(&stride).add(&Dim::Known(1));
        // The last window has to begin within the input or the padding before it.
        if after - reach + self.strides[i] as i64 <= 0 {
            return Ok(output);
        }
        Ok(output.smaller(&input.add(&Dim::Known(before)).ceil_div(&stride)))
    }

    /// Pads so that the output has `ceil(input / stride)` positions: `SAME` of TFLite and ONNX.
    /// `more_before` puts an odd position before the input instead of behind it.
    ///
    /// # Errors
    /// When the padding depends on a size that is not a number.
    pub fn pad_same(
        &mut self,
        input: [&Dim; 2],
        size: [usize; 2],
        more_before: bool,
    ) -> Result<(), ImportError> {
        for i in 0..2 {
            let stride = self.strides[i].clamp(1, LARGE as usize) as i64;
            let dilation = self.dilations[i].clamp(1, LARGE as usize) as i64;
            let reach = (size[i].clamp(1, LARGE as usize) as i64 - 1).saturating_mul(dilation) + 1;
            let total = match input[i].known() {
                Some(input) => ((input - 1) / stride * stride + reach - input).max(0),
                None if stride == 1 => reach - 1,
                None => {
                    let message = "SAME padding with a stride depends on an open dimension";
                    let hint = "fix the size of the input with --shapes";
                    return Err(ImportError::unsupported(message).hint(hint));
                }
            };
            let total = i32::try_from(total).map_err(|_| ShapeError::new("too much padding"))?;
            let less = total / 2;
            let (before, after) =
                if more_before { (total - less, less) } else { (less, total - less) };
            (self.pads[i], self.pads[i + 2]) = (before, after);
        }
        Ok(())
    }

    /// From the attributes of a TFLite node.
    ///
    /// # Errors
    /// When an attribute is missing or unknown.
    pub fn tflite(
        node: &NodeView<'_>,
        input: &TensorType,
        size: [usize; 2],
    ) -> Result<Self, ImportError> {
        let at_least_1 = |name: &str, default: i64| {
            let value = node.int(name, default)?;
            usize::try_from(value)
                .ok()
                .filter(|&value| 0 < value)
                .ok_or_else(|| ImportError::malformed("has to be at least 1").attribute(name))
        };
        let mut window = Self {
            strides: [at_least_1("stride_h", 0)?, at_least_1("stride_w", 0)?],
            dilations: [at_least_1("dilation_h_factor", 1)?, at_least_1("dilation_w_factor", 1)?],
            pads: [0; 4],
        };
        match node.text("padding", "SAME")? {
            "VALID" => {}
            "SAME" => window.pad_same(height_width(input)?, size, false)?,
            other => {
                return Err(ImportError::malformed(format!("{other} is no padding")));
            }
        }
        Ok(window)
    }

    /// From the attributes of an ONNX node of one or two spatial axes; one axis becomes the width.
    /// `input` is channels-last of rank 4.
    ///
    /// # Errors
    /// When the attributes are not those of that many axes.
    pub fn onnx(
        node: &NodeView<'_>,
        input: &TensorType,
        size: [usize; 2],
        axes: usize,
    ) -> Result<Self, ImportError> {
        let pair = |name: &str| -> Result<[usize; 2], ImportError> {
            let values = node.opt_ints(name)?.unwrap_or_else(|| vec![1; axes]);
            plane(&values, axes, 1).map_err(|error| error.attribute(name))
        };
        let mut window =
            Self { strides: pair("strides")?, dilations: pair("dilations")?, pads: [0; 4] };
        let pads = node.opt_ints("pads")?;
        let auto_pad = node.text("auto_pad", "NOTSET")?;
        let given = pads.iter().flatten().any(|&pad| pad != 0);
        if auto_pad != "NOTSET" && given {
            let message = format!("is given beside auto_pad={auto_pad}");
            return Err(ImportError::malformed(message).attribute("pads"));
        }
        match auto_pad {
            "NOTSET" => {
                let pads = pads.unwrap_or_else(|| vec![0; 2 * axes]);
                if pads.len() != 2 * axes {
                    let message = format!("has {} values for {axes} axes", pads.len());
                    return Err(ImportError::malformed(message).attribute("pads"));
                }
                for (i, pad) in pads.into_iter().enumerate() {
                    let at = 2 * (i / axes) + 2 - axes + i % axes;
                    window.pads[at] = narrow_pad(pad)?;
                }
            }
            "VALID" => {}
            "SAME_UPPER" => window.pad_same(height_width(input)?, size, false)?,
            "SAME_LOWER" => window.pad_same(height_width(input)?, size, true)?,
            other => {
                let message = format!("{other} is not known");
                return Err(ImportError::malformed(message).attribute("auto_pad"));
            }
        }
        Ok(window)
    }

    /// From the parameters of a Caffe layer.
    ///
    /// # Errors
    /// When a parameter is out of range or given twice.
    pub fn caffe(node: &NodeView<'_>) -> Result<Self, ImportError> {
        let [top, left] = caffe_pair(node, "pad", 0)?;
        let pads = [top, left, top, left];
        let mut window = Self {
            strides: caffe_pair(node, "stride", 1)?,
            dilations: caffe_pair(node, "dilation", 1)?,
            pads: [0; 4],
        };
        for (to, pad) in window.pads.iter_mut().zip(pads) {
            *to = narrow_pad(pad as i64)?;
        }
        Ok(window)
    }
}

fn narrow_pad(pad: i64) -> Result<i32, ImportError> {
    let small = i32::try_from(pad).ok().filter(|pad| i64::from(pad.unsigned_abs()) < LARGE);
    small.ok_or_else(|| ImportError::malformed(format!("{pad} is out of range")).attribute("pads"))
}

/// Height and width of a channels-last tensor of rank 4.
///
/// # Errors
/// When the rank is another.
pub fn height_width(ty: &TensorType) -> Result<[&Dim; 2], ShapeError> {
    match ty.dims.as_slice() {
        [_, height, width, _] => Ok([height, width]),
        dims => Err(ShapeError::new(format!("expected 4 axes, got {}", dims.len()))),
    }
}

/// One or two numbers that are not negative as height and width; `lone` stands for the height of
/// one axis.
///
/// # Errors
/// When their number is not `axes`.
pub fn plane(values: &[i64], axes: usize, lone: usize) -> Result<[usize; 2], ImportError> {
    let sizes: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
    match (sizes.as_deref(), axes) {
        (Some(&[height, width]), 2) => Ok([height, width]),
        (Some(&[width]), 1) => Ok([lone, width]),
        _ => Err(ImportError::malformed(format!("{values:?} does not fit {axes} spatial axes"))),
    }
}

/// Caffe's `name` (one or two values), `name_h` and `name_w`.
///
/// # Errors
/// When a value is negative or given in both ways.
pub fn caffe_pair(
    node: &NodeView<'_>,
    name: &str,
    default: usize,
) -> Result<[usize; 2], ImportError> {
    let base = if name == "kernel" { "kernel_size" } else { name };
    let list = node.opt_ints(base)?.unwrap_or_default();
    let (high, wide) = (node.opt_int(&format!("{name}_h"))?, node.opt_int(&format!("{name}_w"))?);
    let values = match (list.as_slice(), high, wide) {
        ([], None, None) => return Ok([default; 2]),
        ([], high, wide) => [high.unwrap_or(default as i64), wide.unwrap_or(default as i64)],
        ([both], None, None) => [*both; 2],
        ([high, wide], None, None) => [*high, *wide],
        _ => {
            let message = "is given in two ways or for more than two axes";
            return Err(ImportError::malformed(message).attribute(base));
        }
    };
    plane(&values, 2, 1).map_err(|error| error.attribute(base))
}

/// Channels-last and of rank 4, from N,C,W or N,C,H,W; the number of spatial axes.
///
/// # Errors
/// For another rank.
pub fn enter(b: &mut Builder<'_>, x: ValueId) -> Result<(ValueId, usize), ImportError> {
    let axes = match b.rank(x) {
        rank @ (3 | 4) => rank - 2,
        rank => {
            let message = format!("{rank} axes are not supported here; three or four are");
            return Err(ImportError::unsupported(message));
        }
    };
    let x = b.channels_last(x)?;
    if axes == 2 {
        return Ok((x, axes));
    }
    let mut dims = b.ty(x).dims.clone();
    dims.insert(1, Dim::Known(1));
    Ok((b.reshape(x, dims)?, axes))
}

/// Back from what [`enter`] yields.
///
/// # Errors
/// Never for a value of rank 4.
pub fn leave(b: &mut Builder<'_>, y: ValueId, axes: usize) -> Result<ValueId, ImportError> {
    if axes == 2 {
        return Ok(b.channels_first(y)?);
    }
    let mut dims = b.ty(y).dims.clone();
    dims.remove(1);
    let y = b.reshape(y, dims)?;
    Ok(b.channels_first(y)?)
}

/// A list of one number for each channel, whatever unit axes it has.
///
/// # Errors
/// When a dimension is open.
pub fn flat(b: &mut Builder<'_>, value: ValueId) -> Result<ValueId, ImportError> {
    let len = dim::product(&b.ty(value).dims);
    Ok(b.reshape(value, vec![len])?)
}

/// The known dimensions of weights.
///
/// # Errors
/// When they are open or of another rank.
pub fn weight_dims<const N: usize>(ty: &TensorType) -> Result<[usize; N], ShapeError> {
    let dims = ty.known_dims().and_then(|dims| dims.try_into().ok());
    dims.ok_or_else(|| ShapeError::new(format!("weights have to have {N} known dimensions")))
}

/// The known dimensions of weights that are spelled.
///
/// # Errors
/// When they are open, or plain integers, which the formats' convolutions do not multiply.
pub fn known_weights<const N: usize>(ty: &TensorType) -> Result<[usize; N], SpellError> {
    if !ty.dtype.is_float() && !ty.is_quantized() {
        let message = format!("no format convolves plain {}; ConvInteger is not written", ty.dtype);
        return Err(SpellError::none(message));
    }
    weight_dims(ty).map_err(|error| SpellError::none(error.0))
}

/// A convolution in ONNX, of weights that lie as it takes them: window, kernel size, groups.
///
/// # Errors
/// Only through a defect.
pub fn spell_onnx(
    s: &mut Speller<'_, '_, '_>,
    op: &str,
    w: Wire,
    (window, size, groups): (&Window, [usize; 2], usize),
    more: Vec<Attribute>,
) -> Result<(), SpellError> {
    s.channels_first();
    let x = s.input(0)?;
    let bias = match s.optional(2)? {
        Some(_) => Some(onnx_bias(s)?),
        None => None,
    };
    let mut attrs = vec![
        s.sizes("kernel_shape", &size),
        s.sizes("strides", &window.strides),
        s.sizes("dilations", &window.dilations),
        ints("pads", window.pads.map(i64::from)),
        int("group", groups),
    ];
    attrs.extend(more);
    let inputs: Vec<_> = [Some(x), Some(w), bias].into_iter().collect();
    let inputs = if bias.is_some() { &inputs[..] } else { &inputs[..2] };
    s.emit(op, inputs, attrs)
}

/// The bias in steps of the product of the scales of input and weights, where it has no scale.
fn product_quant(s: &Speller<'_, '_, '_>, bias: &TensorType) -> Result<Option<Quant>, SpellError> {
    let (x, w) = (s.ty(0)?, s.ty(1)?);
    if bias.quant.is_some() || !bias.dtype.is_int() {
        return Ok(None);
    }
    let (Some((x, _)), Some(w)) = (x.quant.as_ref().and_then(Quant::single), &w.quant) else {
        return Ok(None);
    };
    let scales: Vec<f32> = w.scales.iter().map(|w| x * w).collect();
    let axis = w.axis.filter(|_| scales.len() != 1).map(|_| 0);
    Ok(Some(Quant { zero_points: vec![0; scales.len()], scales, axis }))
}

fn onnx_bias(s: &mut Speller<'_, '_, '_>) -> Result<Wire, SpellError> {
    let Some(quant) = product_quant(s, s.ty(2)?)? else { return s.plain(2) };
    s.real_constant(2, &quant)
}

/// Input 2 of a TFLite node whose bias has a scale of its own.
///
/// # Errors
/// Only through a defect.
pub fn tflite_bias(s: &mut Speller<'_, '_, '_>) -> Result<Option<Wire>, SpellError> {
    if !s.has(2) {
        return Ok(None);
    }
    match product_quant(s, s.ty(2)?)? {
        Some(quant) => s.requantified(2, quant).map(Some),
        None => s.input(2).map(Some),
    }
}

/// Input 1 of a TFLite node that multiplies by weights: beside signed integers they have a zero point
/// of 0, to which they are shifted where they stay integers of 8 bits.
///
/// # Errors
/// When they do not, or are no constant.
pub fn tflite_weights(s: &mut Speller<'_, '_, '_>) -> Result<Wire, SpellError> {
    let ty = s.ty(1)?;
    let Some(quant) = ty.quant.as_ref().filter(|q| q.zero_points.iter().any(|&zero| zero != 0))
    else {
        // What is stored as its unsigned twin has a zero point of 128.
        return s.input(1);
    };
    if s.is_unsigned(1)? && quant.single().is_some() {
        return s.input(1);
    }
    let refused = || {
        SpellError::none("TFLite's kernels take weights with a zero point of 0, which these lack")
    };
    let data = s.operand(1)?.data.ok_or_else(refused)?;
    let numbers = data.to_i64().ok_or_else(refused)?;
    let inner: usize = match quant.axis {
        Some(axis) => data.dims.iter().skip(axis + 1).product(),
        None => numbers.len(),
    };
    let zeros = quant.zero_points.len();
    let shifted = numbers.iter().enumerate().map(|(at, number)| {
        let zero = quant.zero_points[at / inner.max(1) % zeros];
        i8::try_from(number - i64::from(zero)).map(i8::cast_unsigned).ok()
    });
    let bytes: Vec<u8> = shifted.collect::<Option<_>>().ok_or_else(refused)?;
    let data = Const::new(DType::I8, data.dims.clone(), bytes).ok_or_else(refused)?;
    let quant = Quant { zero_points: vec![0; zeros], ..quant.clone() };
    Ok(s.quantized(data, quant))
}

/// A bias of zeros.
fn zero_bias(s: &mut Speller<'_, '_, '_>) -> Result<Wire, SpellError> {
    let outputs = s.out(0)?.dims.last().and_then(Dim::known).unwrap_or(0);
    let outputs = usize::try_from(outputs).unwrap_or(0);
    let dtype = match s.ty(0)?.dtype {
        DType::I8 => DType::I32,
        DType::I16 => DType::I64,
        other => other,
    };
    let zeros = super::draft::numbers(dtype, &[outputs], &vec![0.0; outputs]);
    let zeros = zeros.map_err(|error| SpellError::none(error.0))?;
    Ok(match product_quant(s, &zeros.ty())? {
        Some(quant) => s.quantized(zeros, quant),
        None => s.constant(zeros),
    })
}

/// A convolution in TFLite. Padding that is neither SAME nor VALID is a node of its own.
///
/// # Errors
/// When padding is negative.
pub fn spell_tflite(
    s: &mut Speller<'_, '_, '_>,
    op: &str,
    window: &Window,
    more: &[Attribute],
) -> Result<(), SpellError> {
    let [_, height, width, _] = known_weights(s.ty(1)?)?;
    let (x, padding) = window.spell_padding(s, [height, width], 0.0)?;
    let w = tflite_weights(s)?;
    let bias = match tflite_bias(s)? {
        Some(bias) => Some(bias),
        // Some of LiteRT's kernels insist on one.
        None => Some(zero_bias(s)?),
    };
    let mut attrs = vec![text("padding", padding), no_activation()];
    attrs.extend(window.spell_strides());
    let [high, wide] = window.dilations;
    attrs.extend([int("dilation_h_factor", high), int("dilation_w_factor", wide)]);
    attrs.extend_from_slice(more);
    let narrow =
        s.ty(0)?.dtype == DType::I16 && s.has(2) && s.ty(2)?.dtype == DType::I32 && op == "CONV_2D";
    if narrow {
        attrs.push(text("quantized_bias_type", "INT32"));
    }
    s.emit(op, &[Some(x), Some(w), bias], attrs)
}

impl Window {
    /// Strides as TFLite names them.
    pub fn spell_strides(&self) -> [Attribute; 2] {
        [int("stride_h", self.strides[0]), int("stride_w", self.strides[1])]
    }

    /// Input 0 of a TFLite node with such a window of `size`, padded with `value` where TFLite's two
    /// ways of padding do not yield this one, and the way.
    ///
    /// # Errors
    /// When padding is negative.
    pub fn spell_padding(
        &self,
        s: &mut Speller<'_, '_, '_>,
        size: [usize; 2],
        value: f32,
    ) -> Result<(Wire, &'static str), SpellError> {
        let x = s.input(0)?;
        if self.pads == [0; 4] {
            return Ok((x, "VALID"));
        }
        let ty = s.type_of(x).clone();
        let hw = height_width(&ty).map_err(|error| SpellError::Bug(error.0))?;
        let mut same = *self;
        if same.pad_same(hw, size, false).is_ok() && same.pads == self.pads {
            return Ok((x, "SAME"));
        }
        let padded = pad_tflite(s, x, self.pads.map(i64::from), value)?;
        Ok((padded, "VALID"))
    }
}

/// A channels-last picture with `value` around it: top, left, bottom, right.
///
/// # Errors
/// When padding is negative.
pub fn pad_tflite(
    s: &mut Speller<'_, '_, '_>,
    x: Wire,
    [top, left, bottom, right]: [i64; 4],
    value: f32,
) -> Result<Wire, SpellError> {
    if [top, left, bottom, right].iter().any(|&pad| pad < 0) {
        return Err(SpellError::none("TFLite does not pad by less than nothing"));
    }
    let mut ty = s.type_of(x).clone();
    ty.dims[1] = ty.dims[1].add(&Dim::Known(top + bottom));
    ty.dims[2] = ty.dims[2].add(&Dim::Known(left + right));
    let pads = s.pairs(&[0, 0, top, bottom, left, right, 0, 0])?;
    if value == 0.0 {
        return Ok(s.step("PAD", &[x, pads], Vec::new(), ty));
    }
    let value = match &ty.quant {
        // The least integer.
        Some(quant) => {
            let least = if ty.dtype == DType::I8 { -128.0 } else { -32768.0 };
            let least = super::draft::numbers(ty.dtype, &[], &[least]);
            let least = least.map_err(|error| SpellError::none(error.0))?;
            s.quantized(least, quant.clone())
        }
        None => s.number(value),
    };
    Ok(s.step("PADV2", &[x, pads, value], Vec::new(), ty))
}

/// Stored bounds of f32 results.
pub fn float_clamp(io: &Io<'_>) -> embarca_kernels::tail::ClampF32 {
    let (act_min, act_max) = io.tail.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
    embarca_kernels::tail::ClampF32 { act_min, act_max }
}

/// Zero points and bounds of a kernel that multiplies input 0 by input 1 in i8.
///
/// # Errors
/// When the tensors are not quantized in the way the kernels ask for.
pub fn int8_tail(io: &Io<'_>) -> Result<embarca_kernels::tail::TailI8, LowerError> {
    let (_, in_zero) = io.input_quant(0)?;
    let (scale, out_zero) = io.output_quant(0)?;
    let weights = io.input(1)?.ty.quant.as_ref();
    let zeros = weights.map_or(&[][..], |quant| &quant.zero_points);
    let w_zero = zeros.first().copied().unwrap_or(0);
    if zeros.iter().any(|&zero| zero != w_zero) {
        return Err(LowerError::no_kernel("the weights have several zero points"));
    }
    let (act_min, act_max) = quantized_bounds(io.tail.clamp, (scale, out_zero), (-128, 127));
    Ok(embarca_kernels::tail::TailI8 { in_zero, w_zero, out_zero, act_min, act_max })
}

/// Width of the sums and bounds of a kernel that multiplies input 0 (i16) by input 1 (i8).
///
/// # Errors
/// When something has a zero point, or the bias is neither i32 nor i64.
pub fn int16_tail(io: &Io<'_>) -> Result<embarca_kernels::wide::TailI16, LowerError> {
    let (_, in_zero) = io.input_quant(0)?;
    let (scale, out_zero) = io.output_quant(0)?;
    let weights = io.input(1)?.ty.quant.as_ref();
    let zeros = weights.map_or(&[][..], |quant| &quant.zero_points);
    if zeros.iter().chain([&in_zero, &out_zero]).any(|&zero| zero != 0) {
        return Err(LowerError::no_kernel("16-bit activations with zero points"));
    }
    let narrow = match io.inputs.optional(2).map(|bias| bias.ty.dtype) {
        None | Some(DType::I64) => 0,
        Some(DType::I32) => 1,
        Some(other) => return Err(LowerError::no_kernel(format!("a bias of {other}"))),
    };
    let (act_min, act_max) = quantized_bounds(io.tail.clamp, (scale, 0), (-32768, 32767));
    Ok(embarca_kernels::wide::TailI16 { narrow, act_min, act_max })
}

/// The bias of a TFLite node with 16-bit activations: where there is none, but sums of 32 bits are
/// asked for, zeros.
///
/// # Errors
/// When the number of outputs is open.
pub fn wide_bias(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
    outputs: usize,
) -> Result<Option<ValueId>, ImportError> {
    let narrow = node.text("quantized_bias_type", "FLOAT32")? == "INT32";
    let bias = node.optional(2);
    if bias.is_some() || !narrow || b.ty(x).dtype != DType::I16 {
        return Ok(bias);
    }
    Ok(Some(b.constant(Const::from_i32(&[outputs], &vec![0; outputs]), None)))
}

/// How the scale of a product is formed from those of its factors before it is divided by that of
/// the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleProduct {
    /// In f64: TFLite's convolutions of i8 models, and every per-channel kernel.
    F64,
    /// In f32: TFLite's kernels with one scale for all weights in models that were unsigned, and its
    /// fully connected kernels.
    F32,
}

/// The i32 pairs (multiplier, shift) for each of `channels` output channels.
///
/// # Errors
/// When scales are missing or a factor has no fixed-point form.
pub fn factors(io: &Io<'_>, channels: usize, product: ScaleProduct) -> Result<Arg, LowerError> {
    let (x, _) = io.input_quant(0)?;
    let (y, _) = io.output_quant(0)?;
    let weights = io.input(1)?.ty.quant.as_ref();
    let scales = weights.map_or(&[][..], |quant| &quant.scales);
    if scales.len() != 1 && scales.len() != channels {
        let message = format!("the weights have {} scales for {channels} channels", scales.len());
        return Err(LowerError::no_kernel(message));
    }
    let single = scales.len() == 1 && product == ScaleProduct::F32;
    let mut pairs = Vec::with_capacity(2 * channels);
    for channel in 0..channels {
        let w = scales[if scales.len() == 1 { 0 } else { channel }];
        let both = if single { f64::from(x * w) } else { f64::from(x) * f64::from(w) };
        let factor = embarca_num::build::requant(both / f64::from(y)).ok_or_else(|| {
            LowerError::no_kernel(format!("the scales {x}, {w} and {y} have no fixed-point ratio"))
        })?;
        if io.input(0)?.ty.dtype == DType::I16 && 7 < factor.shift() {
            return Err(LowerError::no_kernel(format!(
                "16-bit sums times {}",
                both / f64::from(y)
            )));
        }
        pairs.extend([factor.multiplier(), factor.shift()]);
    }
    Ok(Arg::Const(Const::from_i32(&[channels, 2], &pairs)))
}

/// One scale for each of `channels` output channels of i8 weights that meet f32 activations.
///
/// # Errors
/// When scales are missing or the weights have a zero point.
pub fn hybrid_scales(io: &Io<'_>, channels: usize) -> Result<(Arg, bool), LowerError> {
    let weights = io.input(1)?.ty.quant.as_ref();
    let quant = weights.ok_or_else(|| LowerError::no_kernel("i8 weights without a scale"))?;
    if quant.zero_points.iter().any(|&zero| zero != 0) {
        return Err(LowerError::no_kernel("i8 weights with a zero point under f32 activations"));
    }
    let per_channel = quant.scales.len() != 1;
    if per_channel && quant.scales.len() != channels {
        let message = format!("{} scales for {channels} channels", quant.scales.len());
        return Err(LowerError::no_kernel(message));
    }
    let one = |channel: usize| quant.scales[if per_channel { channel } else { 0 }];
    let scales: Vec<f32> = (0..channels).map(one).collect();
    Ok((Arg::Const(Const::from_f32(&[channels], &scales)), per_channel))
}

/// Input `index` as a kernel's argument.
pub fn optional_arg(io: &Io<'_>, index: usize) -> Arg {
    if io.inputs.optional(index).is_some() { Arg::Input(index) } else { Arg::Absent }
}

/// That input 2, if there is one, holds one number for each of `channels` channels.
///
/// # Errors
/// When it does not.
pub fn check_bias(inputs: Operands<'_, '_>, channels: usize) -> Result<(), ShapeError> {
    let Some(bias) = inputs.optional(2) else { return Ok(()) };
    match bias.ty.dims.as_slice() {
        [len] if len.may_equal(&Dim::Known(channels as i64)) => Ok(()),
        _ => Err(ShapeError::new(format!("the bias is not one number for each of {channels}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn window(stride: usize, dilation: usize, pads: [i32; 2]) -> Window {
        Window { strides: [1, stride], dilations: [1, dilation], pads: [0, pads[0], 0, pads[1]] }
    }

    #[test]
    fn widths_of_results() {
        // input, size, stride, dilation, padding, width rounded down, rounded up
        let table = [
            (10, 3, 1, 1, [0, 0], 8, 8),
            (10, 3, 2, 1, [0, 0], 4, 5),
            (10, 3, 2, 1, [1, 1], 5, 6),
            (10, 3, 2, 3, [0, 0], 2, 3),
            (4, 1, 3, 1, [0, 0], 2, 2),
            // Rounded up, the last window would begin behind the input.
            (4, 2, 3, 1, [0, 1], 2, 2),
            (3, 1, 4, 1, [0, 2], 2, 1),
            (1, 3, 1, 1, [1, 1], 1, 1),
        ];
        for (input, size, stride, dilation, pads, floor, ceil) in table {
            for (expected, up) in [(floor, false), (ceil, true)] {
                let window = window(stride, dilation, pads);
                let known = Dim::Known(input);
                let result = window.output([&Dim::Known(1), &known], [1, size], up).unwrap();
                assert_eq!(
                    result[1],
                    Dim::Known(expected),
                    "{input} {size} {stride} {pads:?} {up}"
                );
                let symbol = Dim::symbol(crate::SymbolId(0));
                let open = window.output([&Dim::Known(1), &symbol], [1, size], up).unwrap();
                assert_eq!(open[1].eval(&|_| Some(input)), Some(expected), "open, {input} {up}");
            }
        }
    }

    #[test]
    fn windows_that_do_not_fit() {
        let one = Dim::Known(1);
        let output = |window: Window, input: i64, size: usize| {
            window.output([&one, &Dim::Known(input)], [1, size], false)
        };
        assert!(output(window(1, 1, [0, 0]), 2, 3).is_err());
        assert!(output(window(0, 1, [0, 0]), 2, 1).is_err());
        assert!(output(window(1, 1, [0, 0]), 2, 0).is_err());
        assert!(output(window(1, 1 << 20, [0, 0]), 1 << 40, 1 << 20).is_err());
    }

    #[test]
    fn padding_that_keeps_the_width() {
        // input, size, stride, dilation, padding with the odd position behind
        let table = [
            (10, 3, 1, 1, [1, 1]),
            (10, 3, 2, 1, [0, 1]),
            (224, 3, 2, 1, [0, 1]),
            (225, 3, 2, 1, [1, 1]),
            (7, 5, 1, 2, [4, 4]),
            (8, 1, 4, 1, [0, 0]),
            (10, 4, 1, 1, [1, 2]),
        ];
        for (input, size, stride, dilation, [before, after]) in table {
            let mut window = window(stride, dilation, [9, 9]);
            let dims = [Dim::Known(1), Dim::Known(input)];
            window.pad_same([&dims[0], &dims[1]], [1, size], false).unwrap();
            assert_eq!(window.pads, [0, before, 0, after], "{input} {size} {stride}");
            window.pad_same([&dims[0], &dims[1]], [1, size], true).unwrap();
            assert_eq!(window.pads, [0, after, 0, before], "{input} {size} {stride}");
            let width = window.output([&dims[0], &dims[1]], [1, size], false).unwrap();
            assert_eq!(width[1], Dim::Known(input).ceil_div(&Dim::Known(stride as i64)));
        }
        let open = Dim::symbol(crate::SymbolId(0));
        let same = |stride| {
            let mut window = window(stride, 1, [0, 0]);
            window.pad_same([&open, &open], [3, 3], false).map(|()| window.pads)
        };
        assert_eq!(same(1).unwrap(), [1, 1, 1, 1]);
        assert!(same(2).unwrap_err().hint.is_some());
    }
}
