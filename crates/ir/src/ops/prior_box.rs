//! Caffe's PriorBox layer: boxes around every position of a feature map.

use embarca_kernels::prior_box as kernel;

use super::prelude::*;

crate::payload! {
    /// Inputs: the feature map and the picture, N,C,H,W, of which only the dimensions count.
    pub struct PriorBox {
        /// Widths and heights in pixels, one pair for each box of a position.
        pub sizes: Vec<[f32; 2]>,
        /// Height and width of the picture; 0 takes those of input 1.
        pub picture: [u32; 2],
        /// Pixels from one position to the next, down and across; 0 spreads them over the picture.
        pub steps: [f32; 2],
        /// Where in its cell a position lies.
        pub offset: f32,
        /// Whether boxes are limited to the picture.
        pub clip: bool,
        /// For left, top, right and bottom.
        pub variances: [f32; 4],
    }
}

impl PriorBox {
    fn params(&self) -> kernel::Params {
        let Self { picture, steps, offset, clip, variances, .. } = *self;
        kernel::Params { picture, steps, offset, clip: clip.into(), variances }
    }

    fn len(&self, map: &[Dim]) -> Dim {
        let boxes = Dim::Known(4 * self.sizes.len() as i64);
        map.iter().fold(boxes, |len, dim| len.mul(dim))
    }
}

/// One or two positive numbers: `name`, or `name_h` and `name_w`.
fn pair(node: &NodeView<'_>, names: [&str; 3]) -> Result<Option<[f32; 2]>, ImportError> {
    let [both, high, wide] = names;
    let value = |name: &str| -> Result<Option<f32>, ImportError> {
        match node.has(name) {
            false => Ok(None),
            true => match node.float(name, 0.0)? {
                value if 0.0 < value => Ok(Some(value)),
                value => {
                    Err(ImportError::malformed(format!("{value} is no size")).attribute(name))
                }
            },
        }
    };
    match (value(both)?, value(high)?, value(wide)?) {
        (None, None, None) => Ok(None),
        (Some(both), None, None) => Ok(Some([both; 2])),
        (None, Some(high), Some(wide)) => Ok(Some([high, wide])),
        _ => Err(ImportError::malformed("is given in two ways, or by half").attribute(both)),
    }
}

/// Widths and heights in the order of the reference: the smallest square, the square between it
/// and the largest, then the other ratios.
fn sizes(node: &NodeView<'_>) -> Result<Vec<[f32; 2]>, ImportError> {
    let smallest = node.opt_floats("min_size")?.unwrap_or_default();
    let largest = node.opt_floats("max_size")?.unwrap_or_default();
    if smallest.is_empty() || !(largest.is_empty() || largest.len() == smallest.len()) {
        let message = "there is to be a min_size, and as many max_size or none";
        return Err(ImportError::malformed(message));
    }
    let flip = node.flag("flip", true)?;
    let mut ratios = vec![1.0f32];
    for ratio in node.opt_floats("aspect_ratio")?.unwrap_or_default() {
        if ratio.is_nan() || ratio <= 0.0 {
            return Err(ImportError::malformed("has to be positive").attribute("aspect_ratio"));
        }
        if ratios.iter().any(|known| (known - ratio).abs() < 1e-6) {
            continue;
        }
        ratios.push(ratio);
        if flip {
            ratios.push(1.0 / ratio);
        }
    }
    let mut sizes = Vec::new();
    for (index, &least) in smallest.iter().enumerate() {
        // The reference keeps whole pixels.
        let least = least.trunc();
        sizes.push([least; 2]);
        if let Some(most) = largest.get(index) {
            sizes.push([(f64::from(least) * f64::from(most.trunc())).sqrt() as f32; 2]);
        }
        for &ratio in ratios.iter().filter(|&&ratio| 1e-6 <= (ratio - 1.0).abs()) {
            let root = f64::from(ratio).sqrt();
            sizes.push([f64::from(least) * root, f64::from(least) / root].map(|size| size as f32));
        }
    }
    Ok(sizes)
}

impl OpDef for PriorBox {
    const NAME: &'static str = "prior_box";
    const SPELLINGS: &'static [Spelling] = &[Spelling::caffe("PriorBox")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (map, picture) = (node.input(0)?, node.input(1)?);
        let given = pair(node, ["img_size", "img_h", "img_w"])?;
        let variances = match *node.opt_floats("variance")?.unwrap_or_default() {
            [] => [0.1; 4],
            [all] => [all; 4],
            [a, b, c, d] => [a, b, c, d],
            _ => {
                let message = "there are to be one or four";
                return Err(ImportError::malformed(message).attribute("variance"));
            }
        };
        let op = Self {
            sizes: sizes(node)?,
            picture: given.map_or([0; 2], |sizes| sizes.map(|size| size as u32)),
            steps: pair(node, ["step", "step_h", "step_w"])?.unwrap_or([0.0; 2]),
            offset: node.float("offset", 0.5)?,
            clip: node.flag("clip", false)?,
            variances,
        };
        let y = b.op(op.clone(), &[map, picture])?;
        let plane = |value: ValueId| match *b.ty(value).dims {
            [_, _, ref height, ref width] => {
                Some([u32::try_from(height.known()?).ok()?, u32::try_from(width.known()?).ok()?])
            }
            _ => None,
        };
        let (Some(map), Some(picture)) = (plane(map), plane(picture)) else { return one(y) };
        let Some(dims) = b.ty(y).known_dims() else { return one(y) };
        // Known dimensions make the boxes a constant.
        let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim));
        let Some(len) = len.filter(|&len| len <= MAX_FOLDED) else { return one(y) };
        let mut data = vec![0.0; len];
        kernel::run_f32(&op.params(), map, picture, op.sizes.as_flattened(), &mut data);
        one(b.f32s(&dims, &data))
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (map, picture) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        if map.rank() != 4 || picture.rank() != 4 {
            return Err(ShapeError::new(format!("expected N, C, H, W, got {map} and {picture}")));
        }
        let dims = [Dim::Known(1), Dim::Known(2), self.len(&map.dims[2..])];
        Ok(vec![TensorType::new(DType::F32, dims)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let sizes = Const::from_f32(&[self.sizes.len(), 2], self.sizes.as_flattened());
        let args = vec![Arg::Input(0), Arg::Input(1), Arg::Const(sizes)];
        Ok(Lowered::new(&kernel::F32, &self.params(), args))
    }
}

/// The most numbers that are computed while a model is imported: 8 MiB.
const MAX_FOLDED: usize = 1 << 21;
