//! DepthToSpace: channels become blocks of pixels, channels last.

use embarca_kernels::space_depth as kernel;

use super::prelude::*;

crate::payload! {
    /// N, H, W, C to N, H * block, W * block, C / block^2.
    pub struct DepthToSpace {
        /// Height and width of a block.
        pub block: u32,
        /// Whether the place in the block is the faster part of the channel (ONNX's CRD).
        pub block_last: bool,
    }
}

impl OpDef for DepthToSpace {
    const NAME: &'static str = "depth_to_space";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("DepthToSpace", 1), Spelling::tflite("DEPTH_TO_SPACE")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (x, block) = (node.input(0)?, block(node)?);
        if node.format == Format::TfLite {
            return one(b.op(Self { block, block_last: false }, &[x])?);
        }
        let block_last = block_last(node)?;
        let x = b.channels_last(x)?;
        let y = b.op(Self { block, block_last }, &[x])?;
        one(b.channels_first(y)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let [n, h, w, c] = &x.dims[..] else {
            return Err(ShapeError::new(format!("{x} is not N, H, W, C")));
        };
        let block = Dim::Known(self.block.into());
        let area = block.mul(&block);
        if self.block == 0 || c.rem(&area).known().is_some_and(|rest| rest != 0) {
            return Err(ShapeError::new(format!("{c} channels do not fill blocks of {block}")));
        }
        let dims = vec![n.clone(), h.mul(&block), w.mul(&block), c.floor_div(&area)];
        Ok(vec![plain(x, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        if !s.is_tflite() {
            s.channels_first();
            let x = s.input(0)?;
            let mode = text("mode", if self.block_last { "CRD" } else { "DCR" });
            return s.emit("DepthToSpace", &[Some(x)], vec![int("blocksize", self.block), mode]);
        }
        let mut x = s.input(0)?;
        if self.block_last {
            let area = self.block.pow(2);
            let total = s.ty(0)?.dims[3].known().unwrap_or(0);
            let channels = total / i64::from(area);
            let places: Vec<i64> = (0..total).map(|d| d % channels * i64::from(area) + d / channels).collect();
            let ty = s.type_of(x).clone();
            let places = s.list(&places)?;
            x = s.step("GATHER", &[x, places], vec![int("axis", 3)], ty);
        }
        s.emit("DEPTH_TO_SPACE", &[Some(x)], vec![int("block_size", self.block)])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let order = if self.block_last { kernel::BLOCK_LAST } else { kernel::BLOCK_FIRST };
        let params = kernel::Params { block: self.block, order };
        Ok(Lowered::plain(&kernel::DEPTH_TO_SPACE, &params, 1))
    }
}

/// The block size.
pub fn block(node: &NodeView<'_>) -> Result<u32, ImportError> {
    let name = if node.format == Format::Onnx { "blocksize" } else { "block_size" };
    let wrong = || ImportError::malformed("is no block size").attribute(name);
    let block = u32::try_from(node.int(name, 0)?).map_err(|_| wrong())?;
    if (1..=1 << 15).contains(&block) { Ok(block) } else { Err(wrong()) }
}

/// Whether ONNX's `mode` makes the place in the block the faster part of the channel.
pub fn block_last(node: &NodeView<'_>) -> Result<bool, ImportError> {
    match node.text("mode", "DCR")? {
        "DCR" => Ok(false),
        "CRD" => Ok(true),
        other => Err(ImportError::malformed(format!("{other} is not known")).attribute("mode")),
    }
}

/// The type with other dimensions; one quantization for the whole tensor stays.
pub fn plain(x: &TensorType, dims: Vec<Dim>) -> TensorType {
    let mut ty = x.with_dims(dims);
    ty.quant = ty.quant.filter(|quant| quant.axis.is_none());
    ty
}
