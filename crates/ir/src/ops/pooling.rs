//! What maximum and average pooling have in common.

use embarca_kernels::pool as kernel;

use super::prelude::*;
use super::spatial::{self, Window};
use super::volume::{self, Span};

/// A window over an input, as foreign formats state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Height, width; 0 is the whole input.
    pub size: [usize; 2],
    /// Strides, dilations, padding.
    pub window: Window,
    /// Whether the number of outputs is rounded up.
    pub ceil: bool,
    /// Whether an average divides by padding too.
    pub count_pad: bool,
}

/// Every position of the input at once.
const WHOLE: Pooling = Pooling {
    size: [0, 0],
    window: Window { strides: [1, 1], dilations: [1, 1], pads: [0; 4] },
    ceil: false,
    count_pad: false,
};

/// Imports a pooling node of any format; `make` is given the channels-last input.
///
/// # Errors
/// When the node asks for what is not done.
pub fn import(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    make: impl Fn(&mut Builder<'_>, ValueId, Pooling) -> Result<ValueId, ShapeError>,
) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    match node.format {
        Format::TfLite => {
            let size = [node.int("filter_height", 0)?, node.int("filter_width", 0)?];
            let size = size.map(|size| usize::try_from(size).unwrap_or(0));
            if size.contains(&0) {
                return Err(ImportError::malformed("the window is empty"));
            }
            let window = Window::tflite(node, b.ty(x), size)?;
            let y = make(b, x, Pooling { size, window, ..WHOLE })?;
            tflite_activation(node, b, y)
        }
        Format::Onnx if b.rank(x) == 5 => {
            let x = b.channels_last(x)?;
            let global = node.op.starts_with("Global");
            let (span, ceil, count_pad) = onnx_volume(node, b.ty(x), global)?;
            let y = volume::pool(b, x, &span, (ceil, count_pad), make)?;
            one(b.channels_first(y)?)
        }
        Format::Onnx => {
            let global = node.op.starts_with("Global");
            if !global && (1 < node.n_outputs || b.rank(x) == 5) {
                return super::windows::import(node, b);
            }
            let (x, axes) = spatial::enter(b, x)?;
            let pooling =
                if node.op.starts_with("Global") { WHOLE } else { onnx(node, b.ty(x), axes)? };
            let y = make(b, x, pooling)?;
            one(spatial::leave(b, y, axes)?)
        }
        Format::Caffe => {
            let (x, axes) = spatial::enter(b, x)?;
            let pooling = caffe(node)?;
            pooling.check_caffe(b.ty(x))?;
            let y = make(b, x, pooling)?;
            one(spatial::leave(b, y, axes)?)
        }
    }
}

fn onnx(node: &NodeView<'_>, x: &TensorType, axes: usize) -> Result<Pooling, ImportError> {
    // It numbers the indices, an output that is refused where somebody reads it.
    node.ignore(&["storage_order"]);
    let shape = node.opt_ints("kernel_shape")?.unwrap_or_default();
    let size = spatial::plane(&shape, axes, 1).map_err(|error| error.attribute("kernel_shape"))?;
    if size.contains(&0) {
        return Err(ImportError::malformed("the window is empty").attribute("kernel_shape"));
    }
    Ok(Pooling {
        size,
        window: Window::onnx(node, x, size, axes)?,
        ceil: node.flag("ceil_mode", false)?,
        count_pad: node.flag("count_include_pad", false)?,
    })
}

/// A window over depth, height and width; size 0 is the whole volume.
fn onnx_volume(
    node: &NodeView<'_>,
    x: &TensorType,
    global: bool,
) -> Result<(Span, bool, bool), ImportError> {
    if global {
        let (strides, dilations) = ([1; 3], [1; 3]);
        return Ok((Span { size: [0; 3], strides, dilations, pads: [0; 6] }, false, false));
    }
    node.ignore(&["storage_order"]);
    let shape = node.opt_ints("kernel_shape")?.unwrap_or_default();
    let size = volume::triple(&shape).filter(|size| !size.contains(&0));
    let wrong = || ImportError::malformed(format!("{shape:?} is no window of 3 axes"));
    let size = size.ok_or_else(|| wrong().attribute("kernel_shape"))?;
    let span = Span::onnx(node, x, size)?;
    Ok((span, node.flag("ceil_mode", false)?, node.flag("count_include_pad", false)?))
}

fn caffe(node: &NodeView<'_>) -> Result<Pooling, ImportError> {
    node.ignore(&["pool", "engine"]);
    let window = Window::caffe(node)?;
    let size = spatial::caffe_pair(node, "kernel", 0)?;
    let round = node.text("round_mode", "CEIL")?;
    if round != "CEIL" && round != "FLOOR" {
        return Err(ImportError::malformed("is neither CEIL nor FLOOR").attribute("round_mode"));
    }
    let ceil = node.flag("ceil_mode", round == "CEIL")?;
    if node.flag("global_pooling", false)? {
        return Ok(WHOLE);
    }
    if size.contains(&0) {
        return Err(ImportError::malformed("the window is empty").attribute("kernel_size"));
    }
    Ok(Pooling { size, window, ceil, count_pad: true })
}

impl Pooling {
    /// Refuses windows that begin beyond the input: without padding Caffe keeps them, empty as they
    /// are, and yields the lowest number that there is, or no number.
    fn check_caffe(&self, x: &TensorType) -> Result<(), ImportError> {
        let hw = spatial::height_width(x)?;
        for (axis, len) in hw.into_iter().enumerate() {
            let (size, stride) = (self.size[axis], self.window.strides[axis]);
            if !self.ceil || stride <= size || self.window.pads.iter().any(|&pad| pad != 0) {
                continue;
            }
            let len = len.known().and_then(|len| usize::try_from(len).ok());
            let empty = len.is_none_or(|len| {
                len < size || len <= (len - size).div_ceil(stride.max(1)).saturating_mul(stride)
            });
            if empty {
                let message = "a window begins beyond the input";
                return Err(ImportError::unsupported(message).attribute("stride"));
            }
        }
        Ok(())
    }

    /// The output's type.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let hw = spatial::height_width(x)?;
        let [h, w] = match self.size {
            [0, 0] => [Dim::Known(1), Dim::Known(1)],
            size => self.window.output(hw, size, self.ceil)?,
        };
        let dims = [x.dims[0].clone(), h, w, x.dims[3].clone()];
        Ok(vec![TensorType::new(x.dtype, dims)])
    }

    /// The mean or the greatest number of each window in a foreign format.
    ///
    /// # Errors
    /// When the format has no such window.
    pub fn spell(&self, s: &mut Speller<'_, '_, '_>, average: bool) -> Result<(), SpellError> {
        if s.is_tflite() { self.spell_tflite(s, average) } else { self.spell_onnx(s, average) }
    }

    fn spell_onnx(&self, s: &mut Speller<'_, '_, '_>, average: bool) -> Result<(), SpellError> {
        s.channels_first();
        let x = s.input(0)?;
        if self.size == [0, 0] {
            let name = if average { "GlobalAveragePool" } else { "GlobalMaxPool" };
            return s.emit(name, &[Some(x)], Vec::new());
        }
        let mut attrs = vec![
            s.sizes("kernel_shape", &self.size),
            s.sizes("strides", &self.window.strides),
            ints("pads", self.window.pads.map(i64::from)),
            flag("ceil_mode", self.ceil),
        ];
        if self.window.dilations != [1, 1] {
            attrs.push(s.sizes("dilations", &self.window.dilations));
        }
        if !average {
            return s.emit("MaxPool", &[Some(x)], attrs);
        }
        attrs.push(flag("count_include_pad", self.count_pad));
        s.emit("AveragePool", &[Some(x)], attrs)
    }

    fn spell_tflite(&self, s: &mut Speller<'_, '_, '_>, average: bool) -> Result<(), SpellError> {
        let ty = s.ty(0)?.clone();
        let known = |axis: usize| ty.dims[axis].known().and_then(|dim| usize::try_from(dim).ok());
        let name = if average { "AVERAGE_POOL_2D" } else { "MAX_POOL_2D" };
        let mut pooling = *self;
        if self.size == [0, 0] {
            let (Some(height), Some(width)) = (known(1), known(2)) else {
                let x = s.input(0)?;
                let axes = s.list(&[1, 2])?;
                let name = if average { "MEAN" } else { "REDUCE_MAX" };
                return s.emit(name, &[Some(x), Some(axes)], vec![flag("keep_dims", true)]);
            };
            pooling = Self { size: [height, width], ..WHOLE };
        }
        let Window { strides, dilations, mut pads } = pooling.window;
        if dilations != [1, 1] {
            return Err(SpellError::none("TFLite's pooling has no dilation"));
        }
        // Rounding up is padding behind the last row and column.
        let out = s.out(0)?;
        if pooling.ceil {
            for i in 0..2 {
                let (Some(len), Some(count)) = (known(1 + i), out.dims[1 + i].known()) else {
                    return Err(SpellError::none("the size of the input is open"));
                };
                let reach = (count - 1) * strides[i] as i64 + pooling.size[i] as i64;
                let missing = reach - len as i64 - i64::from(pads[i]);
                pads[i + 2] = pads[i + 2].max(i32::try_from(missing).unwrap_or(i32::MAX));
            }
        }
        let [high, wide] = pooling.size;
        let attrs = |padding: &str| {
            let window = Window { strides, dilations, pads };
            let size = [int("filter_height", high), int("filter_width", wide)];
            let more = [text("padding", padding), no_activation()];
            let all = more.into_iter().chain(window.spell_strides()).chain(size);
            all.collect::<Vec<_>>()
        };
        let window = Window { strides, dilations, pads };
        let mut same = window;
        let hw = spatial::height_width(&ty).map_err(|error| SpellError::Bug(error.0))?;
        let is_same = same.pad_same(hw, pooling.size, false).is_ok() && same.pads == pads;
        if pads == [0; 4] || is_same && !(average && pooling.count_pad) {
            let x = s.input(0)?;
            let padding = if pads == [0; 4] { "VALID" } else { "SAME" };
            return s.emit(name, &[Some(x)], attrs(padding));
        }
        let x = s.input(0)?;
        let around = pads.map(i64::from);
        if !average {
            let x = spatial::pad_tflite(s, x, around, f32::MIN)?;
            return s.emit(name, &[Some(x)], attrs("VALID"));
        }
        let factors = pooling.shares(&ty, &out, pads)?;
        let x = spatial::pad_tflite(s, x, around, 0.0)?;
        if factors.iter().all(|&factor| factor == 1.0) {
            return s.emit(name, &[Some(x)], attrs("VALID"));
        }
        if ty.dtype != DType::F32 {
            return Err(SpellError::none(
                "TFLite's mean of integers leaves padding out as SAME does",
            ));
        }
        let means = s.step(name, &[x], attrs("VALID"), out.clone());
        let dims = [out.dims[1].known(), out.dims[2].known()];
        let dims = dims.map(|dim| dim.and_then(|dim| usize::try_from(dim).ok()).unwrap_or(0));
        let factors = s.constant(Const::from_f32(&[1, dims[0], dims[1], 1], &factors));
        s.emit("MUL", &[Some(means), Some(factors)], vec![no_activation()])
    }

    /// The size of a window over the number of elements that its mean is of, for each position of
    /// the result.
    fn shares(
        &self,
        x: &TensorType,
        y: &TensorType,
        pads: [i32; 4],
    ) -> Result<Vec<f32>, SpellError> {
        let along = |i: usize| {
            let (len, count) = (x.dims[1 + i].known()?, y.dims[1 + i].known()?);
            let before = i64::from(pads[i]);
            // What counts: the input, and the padding that is not there to round up.
            let (first, last) = match self.count_pad {
                true => (-before, len + i64::from(self.window.pads[i + 2])),
                false => (0, len),
            };
            let size = self.size[i] as i64;
            let inside = |at: i64| {
                let start = at * self.window.strides[i] as i64 - before;
                ((start + size).min(last) - start.max(first)).max(1)
            };
            Some((0..count).map(inside).map(|n| size as f32 / n as f32).collect::<Vec<f32>>())
        };
        let (Some(high), Some(wide)) = (along(0), along(1)) else {
            return Err(SpellError::none("the size of the input is open"));
        };
        Ok(high.iter().flat_map(|high| wide.iter().map(move |wide| high * wide)).collect())
    }

    /// The window of a kernel's record.
    ///
    /// # Errors
    /// When a number does not fit 32 bits.
    pub fn lowered(&self) -> Result<kernel::Params, LowerError> {
        let narrow = |value: usize| {
            u32::try_from(value).map_err(|_| LowerError::Bug(format!("{value} is too large")))
        };
        let after = |pad: i32| pad.max(0).cast_unsigned();
        Ok(kernel::Params {
            window: self.window.lowered()?,
            size: [narrow(self.size[0])?, narrow(self.size[1])?],
            pad_end: [after(self.window.pads[2]), after(self.window.pads[3])],
            count_pad: self.count_pad.into(),
        })
    }

    /// The step, by the kernels for f32, i8 and i16.
    ///
    /// # Errors
    /// When the types are others, or input and output are quantized differently.
    pub fn lower(
        &self,
        io: &Io<'_>,
        [float, int, wide]: [&embarca_kernels::Kernel; 3],
        half_up: bool,
    ) -> Result<Lowered, LowerError> {
        let pool = self.lowered()?;
        match io.input(0)?.ty.dtype {
            DType::F32 => {
                let params = kernel::ParamsF32 { pool, clamp: spatial::float_clamp(io) };
                Ok(Lowered::plain(float, &params, 1))
            }
            dtype @ (DType::I8 | DType::I16) => {
                let (x, y) = (io.input_quant(0)?, io.output_quant(0)?);
                if x != y {
                    let message = format!("pooling from scale and zero point {x:?} to {y:?}");
                    return Err(LowerError::no_kernel(message));
                }
                if dtype == DType::I16 {
                    let range = (-32768, 32767);
                    let (act_min, act_max) = quantized_bounds(io.tail.clamp, y, range);
                    let params = kernel::ParamsI16 { pool, act_min, act_max };
                    return Ok(Lowered::plain(wide, &params, 1));
                }
                let (act_min, act_max) = quantized_bounds(io.tail.clamp, y, (-128, 127));
                let half_up = half_up.into();
                let params = kernel::ParamsI8 { pool, act_min, act_max, half_up };
                Ok(Lowered::plain(int, &params, 1))
            }
            other => Err(LowerError::no_kernel(format!("pooling of {other}"))),
        }
    }
}
