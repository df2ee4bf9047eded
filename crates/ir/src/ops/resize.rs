//! Another height and width, channels last: nearest, bilinear, bicubic.

use embarca_kernels::resize as kernel;

use super::moves;
use super::prelude::*;
use super::resize_matrix;
use super::spatial;

crate::payload! {
    /// Either `size` or both `scales` say how large the result is.
    pub struct Resize {
        /// `nearest`, `linear` or `cubic`.
        pub mode: String,
        /// ONNX's `coordinate_transformation_mode`.
        pub coordinates: String,
        /// ONNX's `nearest_mode`; nearest only.
        pub rounding: String,
        /// Height and width of the result; empty with `scales`.
        pub size: Vec<Dim>,
        /// Positions of the result for each of the input: height, width; 0 with `size`.
        pub scales: [f32; 2],
        /// Whether coordinates are formed as TFLite does, else as ONNX Runtime does.
        pub tflite: bool,
        /// The parameter of the cubic.
        pub cubic_a: f32,
        /// Whether elements beyond the edges have no weight; cubic only.
        pub exclude_outside: bool,
        /// Whether the quantized model was unsigned, which rounds differently.
        pub was_u8: bool,
    }
}

const MODES: [&str; 3] = ["nearest", "linear", "cubic"];

const COORDINATES: [(&str, u32); 5] = [
    ("half_pixel", kernel::HALF_PIXEL),
    ("asymmetric", kernel::ASYMMETRIC),
    ("align_corners", kernel::ALIGN_CORNERS),
    ("pytorch_half_pixel", kernel::PYTORCH_HALF_PIXEL),
    ("tf_half_pixel_for_nn", kernel::TF_HALF_PIXEL_FOR_NN),
];

const ROUNDINGS: [(&str, u32); 4] = [
    ("floor", kernel::FLOOR),
    ("ceil", kernel::CEIL),
    ("round_prefer_floor", kernel::PREFER_FLOOR),
    ("round_prefer_ceil", kernel::PREFER_CEIL),
];

fn import_tflite(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let nearest = node.op == "RESIZE_NEAREST_NEIGHBOR";
    let (corners, half) =
        (node.flag("align_corners", false)?, node.flag("half_pixel_centers", false)?);
    let coordinates = match (corners, half, nearest) {
        (false, false, _) => "asymmetric",
        (true, false, _) => "align_corners",
        (false, true, false) => "half_pixel",
        (false, true, true) => "tf_half_pixel_for_nn",
        (true, true, _) => {
            let message = "contradicts align_corners";
            return Err(ImportError::malformed(message).attribute("half_pixel_centers"));
        }
    };
    let size = b.dims(node.input(1)?, "the size")?;
    if let Some(side) = size.iter().find(|side| side.known().is_some_and(|side| side < 1)) {
        return Err(ImportError::malformed(format!("a picture of size {side} results")));
    }
    let op = Resize {
        mode: if nearest { "nearest" } else { "linear" }.to_owned(),
        coordinates: coordinates.to_owned(),
        rounding: if corners { "round_prefer_ceil" } else { "floor" }.to_owned(),
        size,
        scales: [0.0; 2],
        tflite: true,
        cubic_a: 0.0,
        exclude_outside: false,
        was_u8: node.was_u8 && !nearest,
    };
    let x = moves::as_declared(node, b, x)?;
    one(b.op(op, &[x])?)
}

/// What an ONNX node asks for, by the input's axes.
enum Extent {
    Scales(Vec<f32>),
    Sizes(Vec<Dim>),
}

fn extent(node: &NodeView<'_>, b: &Builder<'_>) -> Result<Extent, ImportError> {
    let is_empty = |value: ValueId| b.ty(value).known_len() == Some(0);
    let optional = |index| node.optional(index).filter(|&value| !is_empty(value));
    if let Some(scales) = node.opt_floats("scales")? {
        return Ok(Extent::Scales(scales));
    }
    // Before opset 11 the scales are the second input; from then on the third, after a region.
    let old = node.op == "Upsample" || node.version < 11;
    let (scales, sizes) = if old { (optional(1), None) } else { (optional(2), optional(3)) };
    match (scales, sizes) {
        (None, Some(sizes)) => Ok(Extent::Sizes(b.dims(sizes, "the size")?)),
        (Some(scales), None) => Ok(Extent::Scales(b.floats(scales, "the scale")?)),
        _ => Err(ImportError::malformed("needs either scales or sizes")),
    }
}

fn import_onnx(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let rank = b.rank(x);
    let old = node.op == "Upsample" || node.version < 11;
    let mode = node.text("mode", "nearest")?;
    let mode = if mode == "bilinear" { "linear" } else { mode }.to_owned();
    if !MODES.contains(&mode.as_str()) {
        return Err(ImportError::unsupported(format!("{mode} is not known")).attribute("mode"));
    }
    let (coordinates, rounding) =
        if old { ("asymmetric", "floor") } else { ("half_pixel", "round_prefer_floor") };
    let coordinates = node.text("coordinate_transformation_mode", coordinates)?.to_owned();
    let rounding = node.text("nearest_mode", rounding)?.to_owned();
    let region_of = ["tf_crop_and_resize", "half_pixel_symmetric"];
    let beyond = region_of.contains(&coordinates.as_str());
    if !beyond && !COORDINATES.iter().any(|(name, _)| *name == coordinates) {
        return Err(ImportError::unsupported(format!("{coordinates} is not supported"))
            .attribute("coordinate_transformation_mode"));
    }
    if !ROUNDINGS.iter().any(|(name, _)| *name == rounding) {
        let message = format!("{rounding} is not known");
        return Err(ImportError::malformed(message).attribute("nearest_mode"));
    }
    let extrapolation = f64::from(node.float("extrapolation_value", 0.0)?);
    let antialias = node.flag("antialias", false)?;
    let policy = node.text("keep_aspect_ratio_policy", "stretch")?;
    if !matches!(policy, "stretch" | "not_larger" | "not_smaller") {
        let message = format!("{policy} is not known");
        return Err(ImportError::malformed(message).attribute("keep_aspect_ratio_policy"));
    }
    let cubic_a = node.float("cubic_coeff_a", -0.75)?;
    let exclude_outside = node.flag("exclude_outside", false)?;
    let axes = match node.opt_ints("axes")? {
        None => (0..rank).collect(),
        Some(axes) => {
            axes.iter().map(|&at| axis(at, rank)).collect::<Result<Vec<usize>, ShapeError>>()?
        }
    };
    let dims = b.ty(x).dims.clone();
    let mut scales = vec![1.0; rank];
    let mut sizes = dims.clone();
    let extent = extent(node, b)?;
    let given = match &extent {
        Extent::Scales(values) => values.len(),
        Extent::Sizes(values) => values.len(),
    };
    if given != axes.len() {
        let message = format!("{given} scales or sizes for {} axes", axes.len());
        return Err(ImportError::malformed(message));
    }
    let by_scale = match extent {
        Extent::Scales(values) => {
            axes.iter().zip(values).for_each(|(&axis, scale)| scales[axis] = scale);
            true
        }
        Extent::Sizes(values) => {
            axes.iter().zip(values).for_each(|(&axis, size)| sizes[axis] = size);
            false
        }
    };
    let plain = Plain { coordinates: &coordinates, antialias, policy };
    if let Some(along) = plain.beyond_kernels(node, b, &axes, (&scales, &sizes), by_scale)? {
        let cubic_a = cubic_a.into();
        let rule = resize_matrix::Rule {
            mode,
            coordinates,
            rounding,
            antialias,
            cubic_a,
            exclude_outside,
            extrapolation,
        };
        return one(resize_matrix::resize(b, x, &along, &rule)?);
    }
    let stays =
        |axis: usize| if by_scale { scales[axis] == 1.0 } else { sizes[axis] == dims[axis] };
    let changed: Vec<usize> = (0..rank).filter(|&axis| !stays(axis)).collect();
    let make = |at: [Option<usize>; 2]| {
        let size = |axis: Option<usize>| axis.map_or(Dim::Known(1), |axis| sizes[axis].clone());
        let scale = |axis: Option<usize>| axis.map_or(1.0, |axis| scales[axis]);
        Resize {
            mode,
            coordinates,
            rounding,
            size: if by_scale { Vec::new() } else { at.map(size).to_vec() },
            scales: if by_scale { at.map(scale) } else { [0.0; 2] },
            tflite: false,
            cubic_a,
            exclude_outside,
            was_u8: false,
        }
    };
    let within = |range: std::ops::Range<usize>| changed.iter().all(|axis| range.contains(axis));
    if changed.is_empty() {
        return one(x);
    }
    match rank {
        4 if within(2..4) => {
            let (x, axes) = spatial::enter(b, x)?;
            let y = b.op(make([Some(2), Some(3)]), &[x])?;
            one(spatial::leave(b, y, axes)?)
        }
        // Some exporters leave the channels last.
        4 if within(1..3) => one(b.op(make([Some(1), Some(2)]), &[x])?),
        3 if within(2..3) => {
            let (x, axes) = spatial::enter(b, x)?;
            let y = b.op(make([None, Some(2)]), &[x])?;
            one(spatial::leave(b, y, axes)?)
        }
        2 => {
            // A matrix is an image of one channel.
            let image = vec![Dim::Known(1), dims[0].clone(), dims[1].clone(), Dim::Known(1)];
            let x = b.reshape(x, image)?;
            let y = b.op(make([Some(0), Some(1)]), &[x])?;
            let dims = b.ty(y).dims[1..3].to_vec();
            one(b.reshape(y, dims)?)
        }
        _ => {
            let message = format!("axes {changed:?} of {rank} change; only two spatial axes can");
            Err(ImportError::unsupported(message))
        }
    }
}

/// What of a node decides whether kernels do it.
struct Plain<'a> {
    coordinates: &'a str,
    antialias: bool,
    policy: &'a str,
}

impl Plain<'_> {
    /// The axes that change, where no kernel computes what the node asks for; `None` where one does,
    /// or where a dimension is open.
    fn beyond_kernels(
        &self,
        node: &NodeView<'_>,
        b: &Builder<'_>,
        axes: &[usize],
        (scales, sizes): (&[f32], &[Dim]),
        by_scale: bool,
    ) -> Result<Option<Vec<resize_matrix::Along>>, ImportError> {
        let x = node.input(0)?;
        let region_used = self.coordinates == "tf_crop_and_resize";
        if !region_used && node.op == "Resize" {
            // The region has no effect under other coordinates (ONNX, Resize).
            node.ignore_inputs([1]);
        }
        let beyond = region_used || self.coordinates == "half_pixel_symmetric" || self.antialias;
        let Some(dims) = b.ty(x).known_dims() else {
            if beyond || self.policy != "stretch" {
                return Err(ImportError::unsupported("the input has open dimensions")
                    .hint("give the inputs' shapes with --shapes"));
            }
            return Ok(None);
        };
        let region = match node.optional(1).filter(|_| region_used && node.op == "Resize") {
            Some(region) => b.floats(region, "the region")?,
            None => Vec::new(),
        };
        let mut along = Vec::new();
        let mut fractional = false;
        for (i, &axis) in axes.iter().enumerate() {
            let input = dims[axis];
            let (output, scale) = if by_scale {
                let scale = f64::from(scales[axis]);
                ((input as f64 * scale).floor() as usize, scale)
            } else {
                let output = sizes[axis].known().and_then(|size| usize::try_from(size).ok());
                let Some(output) = output else { return Ok(None) };
                (output, output as f64 / input as f64)
            };
            fractional |= input as f64 * scale != output as f64;
            let pair = [region.get(i), region.get(axes.len() + i)];
            let region = match pair {
                [Some(&start), Some(&end)] => [start.into(), end.into()],
                _ => [0.0, 1.0],
            };
            along.push(resize_matrix::Along { axis, input, output, scale, region });
        }
        if self.policy != "stretch" && !by_scale {
            let each = along.iter().map(|along| along.scale);
            let scale = if self.policy == "not_larger" {
                each.fold(f64::INFINITY, f64::min)
            } else {
                each.fold(0.0, f64::max)
            };
            for along in &mut along {
                along.scale = scale;
                along.output = (scale * along.input as f64 + 0.5).floor() as usize;
            }
        }
        along.retain(|along| along.scale != 1.0 || along.region != [0.0, 1.0]);
        let rank = dims.len();
        let planar = |axes: &[usize]| match rank {
            4 => axes.iter().all(|a| (2..4).contains(a)) || axes.iter().all(|a| (1..3).contains(a)),
            3 => axes.iter().all(|&a| a == 2),
            rank => rank == 2,
        };
        let changed: Vec<usize> = along.iter().map(|along| along.axis).collect();
        let special = beyond
            || self.policy != "stretch" && !by_scale
            || self.coordinates == "align_corners" && by_scale && fractional
            || !planar(&changed);
        Ok(special.then_some(along))
    }
}

impl Resize {
    /// TFLite's operator that yields the same.
    fn tflite_name(&self, x: &TensorType, y: &TensorType) -> Result<&'static str, SpellError> {
        let sizes = |ty: &TensorType| {
            let each = ty.dims.get(1..3).into_iter().flatten();
            each.map(Dim::known).collect::<Option<Vec<i64>>>()
        };
        let pairs = sizes(x).zip(sizes(y));
        let all = |fits: fn(i64, i64) -> bool| {
            let pairs = pairs.iter();
            pairs.clone().count() == 1
                && pairs.flat_map(|(x, y)| x.iter().zip(y)).all(|(&x, &y)| fits(x, y))
        };
        // The factor is what TFLite computes from the two sizes.
        let steps = self.size.is_empty() && self.scales.iter().all(|scale| scale.fract() == 0.0);
        let whole = steps || all(|x, y| 0 < x && y % x == 0);
        let exact = self.size.len() == 2 || whole;
        let linear = match self.coordinates.as_str() {
            "asymmetric" | "align_corners" | "half_pixel" => true,
            "pytorch_half_pixel" => all(|_, y| 1 < y),
            _ => false,
        };
        let nearest = match (self.coordinates.as_str(), self.rounding.as_str()) {
            ("asymmetric", "floor") | ("align_corners", "round_prefer_ceil") => true,
            ("tf_half_pixel_for_nn", "floor") => self.tflite,
            ("half_pixel" | "pytorch_half_pixel", "round_prefer_floor" | "round_prefer_ceil") => {
                whole
            }
            _ => false,
        };
        match self.mode.as_str() {
            "linear" if linear && exact => Ok("RESIZE_BILINEAR"),
            "nearest" if nearest && exact => Ok("RESIZE_NEAREST_NEIGHBOR"),
            mode => {
                let (at, rounding) = (&self.coordinates, &self.rounding);
                let message = format!("TFLite has no {mode} resizing by {at} and {rounding}");
                Err(SpellError::none(message))
            }
        }
    }
}

/// `floor(input * scale)`, also where the input is open and the scale a simple fraction.
fn scaled(input: &Dim, scale: f32) -> Result<Dim, ShapeError> {
    if !(0.0..65536.0).contains(&scale) || scale == 0.0 {
        return Err(ShapeError::new(format!("{scale} is no scale")));
    }
    if let Some(input) = input.known() {
        return Ok(Dim::Known((input as f32 * scale).floor() as i64));
    }
    for divisor in [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 16.0, 32.0] {
        let factor = scale * divisor;
        if factor == factor.round() {
            let product = input.mul(&Dim::Known(factor as i64));
            return Ok(product.floor_div(&Dim::Known(divisor as i64)));
        }
    }
    Err(ShapeError::new(format!("an open dimension is scaled by {scale}")))
}

impl OpDef for Resize {
    const NAME: &'static str = "resize";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Resize", 10),
        Spelling::onnx("Upsample", 7),
        Spelling::tflite("RESIZE_BILINEAR"),
        Spelling::tflite("RESIZE_NEAREST_NEIGHBOR"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("weights sum to one; unsigned sums truncate after a half, which `was_u8` keeps");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::TfLite { import_tflite(node, b) } else { import_onnx(node, b) }
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let [height, width] = spatial::height_width(x)?;
        let [height, width] = match self.size.as_slice() {
            [height, width] => [height.clone(), width.clone()],
            [] => [scaled(height, self.scales[0])?, scaled(width, self.scales[1])?],
            size => return Err(ShapeError::new(format!("{} sizes for two axes", size.len()))),
        };
        Ok(vec![x.with_dims(vec![x.dims[0].clone(), height, width, x.dims[3].clone()])])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.check_unsigned(self.was_u8)?;
        let scaled = self.size.is_empty();
        let out = s.out(0)?;
        if s.is_tflite() {
            let name = self.tflite_name(s.ty(0)?, &out)?;
            let (corners, half) = match self.coordinates.as_str() {
                "align_corners" => (true, false),
                "asymmetric" => (false, false),
                // Whole steps: each position is repeated.
                _ if name == "RESIZE_NEAREST_NEIGHBOR" && !self.tflite => (false, false),
                _ => (false, true),
            };
            let x = s.input(0)?;
            let size = s.shape(&out.dims[1..3])?;
            let attrs = vec![flag("align_corners", corners), flag("half_pixel_centers", half)];
            return s.emit(name, &[Some(x), Some(size)], attrs);
        }
        s.channels_first();
        let x = s.input(0)?;
        let (coordinates, rounding) = match self.coordinates.as_str() {
            // floor((i + 1/2) * scale) is half a pixel's center rounded up.
            "tf_half_pixel_for_nn" => ("half_pixel", "round_prefer_ceil"),
            other => (other, self.rounding.as_str()),
        };
        let mut attrs = vec![
            text("mode", &self.mode),
            text("coordinate_transformation_mode", coordinates),
        ];
        // ONNX Runtime's optimizer loses the sizes of some axes where it moves transposes.
        let whole = match out.known_dims().as_deref() {
            Some(&[n, height, width, channels]) if !scaled && n != 0 && channels != 0 => {
                Some([n, channels, height, width])
            }
            _ => {
                attrs.push(ints("axes", [2, 3]));
                None
            }
        };
        match self.mode.as_str() {
            "nearest" => attrs.push(text("nearest_mode", rounding)),
            "cubic" => attrs.extend([
                float("cubic_coeff_a", self.cubic_a),
                flag("exclude_outside", self.exclude_outside),
            ]),
            _ => {}
        }
        let inputs = if scaled {
            let scales = s.constant(Const::from_f32(&[2], &self.scales));
            vec![Some(x), None, Some(scales)]
        } else {
            let sizes = match whole {
                Some(sizes) => s.shape(&sizes.map(|size| Dim::Known(size as i64)))?,
                None => s.shape(&self.size)?,
            };
            vec![Some(x), None, None, Some(sizes)]
        };
        s.emit("Resize", &inputs, attrs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let number = |table: &[(&str, u32)], name: &str| {
            let entry = table.iter().find(|(key, _)| *key == name);
            entry.map(|(_, number)| *number).ok_or_else(|| LowerError::Bug(name.to_owned()))
        };
        let params = kernel::Params {
            coordinates: number(&COORDINATES, &self.coordinates)?,
            rounding: number(&ROUNDINGS, &self.rounding)?,
            scale: self.scales,
            divide: (!self.tflite).into(),
            cubic_a: self.cubic_a,
            exclude_outside: self.exclude_outside.into(),
            was_u8: self.was_u8.into(),
        };
        let x = io.input(0)?.ty;
        if x.is_quantized() && io.input_quant(0)? != io.output_quant(0)? {
            return Err(LowerError::no_kernel("resizing into another quantization"));
        }
        let kernel = match (self.mode.as_str(), x.dtype) {
            ("nearest", _) => &kernel::NEAREST,
            ("linear", DType::F32) => &kernel::LINEAR_F32,
            ("linear", DType::I8) if self.tflite => &kernel::LINEAR_I8,
            ("linear", DType::I16) if self.tflite && !self.was_u8 => &kernel::LINEAR_I16,
            ("cubic", DType::F32) => &kernel::CUBIC_F32,
            (mode, dtype) => {
                return Err(LowerError::no_kernel(format!("{mode} resizing of {dtype}")));
            }
        };
        Ok(Lowered::plain(kernel, &params, 1))
    }
}
