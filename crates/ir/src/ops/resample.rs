//! Resample: one axis of a picture at another size, by a named library's filter.

use embarca_kernels::picture as kernel;
use embarca_kernels::picture::{place, taps};

use super::prelude::*;

crate::payload! {
    /// Inputs: `[N, H, W, C]`, and the picture as it came, of which only the dimensions count.
    pub struct Resample {
        /// 1: the height; 2: the width.
        pub axis: usize,
        /// The size of the axis afterwards.
        pub size: Dim,
        /// Whose arithmetic: a name of [`FILTERS`].
        pub filter: String,
        /// What the frame holds beside the picture, 0 to 255.
        pub fill: u8,
        /// `stretch`, `letterbox`, `corner` (a letterbox at the top left) or `crop`.
        pub fit: String,
        /// The shorter side before a crop; 0 otherwise.
        pub short: usize,
        /// Height and width of the frame; 0 for stretched pictures.
        pub frame: [usize; 2],
    }
}

/// The filters by name.
pub const FILTERS: [(&str, u32); 8] = [
    ("pillow-nearest", taps::PILLOW_NEAREST),
    ("pillow-bilinear", taps::PILLOW_BILINEAR),
    ("pillow-bicubic", taps::PILLOW_BICUBIC),
    ("opencv-linear", taps::OPENCV_LINEAR),
    ("opencv-area", taps::OPENCV_AREA),
    ("tensorflow", taps::TENSORFLOW),
    ("tensorflow-legacy", taps::TENSORFLOW_LEGACY),
    ("tensorflow-corners", taps::TENSORFLOW_CORNERS),
];

/// The record for a fit.
pub(super) fn fit(
    fit: &str,
    short: usize,
    frame: [usize; 2],
) -> Result<kernel::Fit, LowerError> {
    let unknown = || LowerError::Bug(format!("there is no fit '{fit}'"));
    let (fit, corner) = match fit {
        "stretch" => (place::STRETCH, 0),
        "letterbox" => (place::LETTERBOX, 0),
        "corner" => (place::LETTERBOX, 1),
        "crop" => (place::CROP, 0),
        _ => return Err(unknown()),
    };
    let [height, width] = if fit == place::STRETCH { [1, 1] } else { frame };
    let narrow = super::moves::narrow;
    let frame = [narrow(height)?, narrow(width)?];
    Ok(kernel::Fit { fit, corner, short: narrow(short)?, frame })
}

impl OpDef for Resample {
    const NAME: &'static str = "resample";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, picture) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        if x.rank() != 4 || picture.rank() != 4 || !matches!(self.axis, 1 | 2) {
            return Err(ShapeError::new(format!("axis {} of {x} is not resampled", self.axis)));
        }
        let dtype = match (self.filter.as_str(), self.axis) {
            ("opencv-linear", 2) => DType::I32,
            ("opencv-linear", _) => DType::U8,
            _ => x.dtype,
        };
        let mut dims = x.dims.clone();
        dims[self.axis] = self.size.clone();
        Ok(vec![TensorType::new(dtype, dims)])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let filter = FILTERS.iter().find(|(name, _)| *name == self.filter);
        let (_, filter) = *filter.ok_or_else(|| LowerError::Bug(self.filter.clone()))?;
        let x = io.input(0)?.ty;
        let kernel = match (filter, x.dtype, self.axis) {
            (taps::OPENCV_LINEAR, DType::U8, 2) => &kernel::LINEAR_WIDTH,
            (taps::OPENCV_LINEAR, DType::I32, 1) => &kernel::LINEAR_HEIGHT,
            (..=taps::PILLOW_BICUBIC, DType::U8, _) => &kernel::RESAMPLE_U8,
            (taps::OPENCV_AREA.., DType::F32, _) => &kernel::RESAMPLE_F32,
            _ => return Err(LowerError::no_kernel(format!("{} of {x}", self.filter))),
        };
        let params = kernel::Resample {
            axis: super::moves::narrow(self.axis)?,
            filter,
            fill: self.fill.into(),
            fit: fit(&self.fit, self.short, self.frame)?,
        };
        Ok(Lowered::plain(kernel, &params, 2))
    }
}
