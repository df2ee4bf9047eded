//! RoiAlign: regions of pictures brought to one size, channels last.

use embarca_kernels::roi_align as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Inputs: pictures, regions (left, top, right, bottom), the picture of each.
    pub struct RoiAlign {
        /// Whether bins hold the greatest weighted pixel of their samples, else their mean.
        pub max: bool,
        /// Height and width of the result.
        pub size: [usize; 2],
        /// Samples along each axis of a bin; 0 for as many as a bin has pixels.
        pub samples: usize,
        /// From the regions' coordinates to pixels.
        pub scale: f32,
        /// Whether coordinates are those of the pixels' edges, else of their centers.
        pub half_pixel: bool,
    }
}

impl OpDef for RoiAlign {
    const NAME: &'static str = "roi_align";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("RoiAlign", 10)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let max = match node.text("mode", "avg")? {
            "avg" => false,
            "max" => true,
            other => {
                let message = format!("{other} is not known");
                return Err(ImportError::unsupported(message).attribute("mode"));
            }
        };
        let default = if node.version < 16 { "output_half_pixel" } else { "half_pixel" };
        let half_pixel = match node.text("coordinate_transformation_mode", default)? {
            "half_pixel" => true,
            "output_half_pixel" => false,
            other => {
                let message = format!("{other} is not known");
                return Err(ImportError::unsupported(message)
                    .attribute("coordinate_transformation_mode"));
            }
        };
        let count = |name: &str, default: i64| -> Result<usize, ImportError> {
            let value = node.int(name, default)?;
            let wrong = || ImportError::malformed(format!("{value} is out of range"));
            let small = u32::try_from(value).map(|value| value as usize);
            small.map_err(|_| wrong().attribute(name))
        };
        let op = Self {
            max,
            size: [count("output_height", 1)?, count("output_width", 1)?],
            samples: count("sampling_ratio", 0)?,
            scale: node.float("spatial_scale", 1.0)?,
            half_pixel,
        };
        let x = b.channels_last(node.input(0)?)?;
        let y = b.op(op, &[x, node.input(1)?, node.input(2)?])?;
        one(b.channels_first(y)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, regions, pictures) = (inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty);
        let wrong = || ShapeError::new(format!("regions {regions} of {pictures} in {x}"));
        let ([_, _, _, c], [n, Dim::Known(4)], [m]) =
            (&*x.dims, &*regions.dims, &*pictures.dims)
        else {
            return Err(wrong());
        };
        if [x.dtype, regions.dtype, pictures.dtype] != [DType::F32, DType::F32, DType::I64] {
            return Err(wrong());
        }
        let [height, width] = self.size.map(|size| Dim::Known(size as i64));
        let n = moves::agreed(n, m)?;
        Ok(vec![TensorType::new(DType::F32, [n, height, width, c.clone()])])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.only_onnx()?;
        s.channels_first();
        let inputs = s.inputs()?;
        let half = if self.half_pixel { "half_pixel" } else { "output_half_pixel" };
        let attrs = vec![
            text("mode", if self.max { "max" } else { "avg" }),
            text("coordinate_transformation_mode", half),
            int("output_height", self.size[0]),
            int("output_width", self.size[1]),
            int("sampling_ratio", self.samples),
            float("spatial_scale", self.scale),
        ];
        s.emit("RoiAlign", &inputs, attrs)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let params = kernel::Params {
            max: self.max.into(),
            samples: moves::narrow(self.samples)?,
            scale: self.scale,
            offset: if self.half_pixel { 0.5 } else { 0.0 },
        };
        Ok(Lowered::plain(&kernel::F32, &params, 3))
    }
}
