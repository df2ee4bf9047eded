//! GridSample: samples of a picture at places that a grid gives, channels last.

use embarca_kernels::grid_sample as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Inputs: pictures, places (x, y from -1 to 1).
    pub struct GridSample {
        /// `nearest`, `linear` or `cubic`.
        pub mode: String,
        /// What lies outside: `zeros`, `border` or `reflection`.
        pub padding: String,
        /// Whether -1 and 1 are the centers of the outermost pixels, else their outer edges.
        pub align_corners: bool,
    }
}

const MODES: [(&str, u32); 3] =
    [("nearest", kernel::NEAREST), ("linear", kernel::LINEAR), ("cubic", kernel::CUBIC)];

const PADDINGS: [(&str, u32); 3] =
    [("zeros", kernel::ZEROS), ("border", kernel::BORDER), ("reflection", kernel::REFLECTION)];

impl OpDef for GridSample {
    const NAME: &'static str = "grid_sample";
    const SPELLINGS: &'static [Spelling] = &[Spelling::onnx("GridSample", 16)];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (x, grid) = (node.input(0)?, node.input(1)?);
        if b.rank(x) != 4 {
            let message = format!("sampling of {} is not supported; N, C, H, W is", b.ty(x));
            return Err(ImportError::unsupported(message));
        }
        // Opset 20 has renamed two modes.
        let mode = match node.text("mode", "linear")? {
            "bilinear" => "linear",
            "bicubic" => "cubic",
            mode => mode,
        };
        let padding = node.text("padding_mode", "zeros")?;
        let known = |list: &[(&str, u32)], name: &str| list.iter().any(|(known, _)| *known == name);
        if !known(&MODES, mode) {
            let message = format!("{mode} is not known");
            return Err(ImportError::unsupported(message).attribute("mode"));
        }
        if !known(&PADDINGS, padding) {
            let message = format!("{padding} is not known");
            return Err(ImportError::unsupported(message).attribute("padding_mode"));
        }
        let align_corners = node.flag("align_corners", false)?;
        let op = Self { mode: mode.to_owned(), padding: padding.to_owned(), align_corners };
        let x = b.channels_last(x)?;
        let y = b.op(op, &[x, grid])?;
        one(b.channels_first(y)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, grid) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let ([n, _, _, c], [m, h, w, Dim::Known(2)]) = (&*x.dims, &*grid.dims) else {
            return Err(ShapeError::new(format!("{x} sampled at {grid}")));
        };
        if x.dtype != DType::F32 || grid.dtype != DType::F32 {
            return Err(ShapeError::new(format!("{x} sampled at {grid}")));
        }
        let n = moves::agreed(n, m)?;
        Ok(vec![TensorType::new(DType::F32, [n, h.clone(), w.clone(), c.clone()])])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let find = |list: &[(&str, u32)], name: &str| {
            let entry = list.iter().find(|(known, _)| *known == name);
            entry.map(|entry| entry.1).ok_or_else(|| LowerError::Bug(format!("'{name}'")))
        };
        let params = kernel::Params {
            mode: find(&MODES, &self.mode)?,
            padding: find(&PADDINGS, &self.padding)?,
            align_corners: self.align_corners.into(),
        };
        Ok(Lowered::plain(&kernel::F32, &params, 2))
    }
}
