//! SpaceToDepth: blocks of pixels become channels, channels last.

use embarca_kernels::space_depth as kernel;

use super::depth_to_space::{block, block_last, plain};
use super::prelude::*;

crate::payload! {
    /// N, H, W, C to N, H / block, W / block, C * block^2.
    pub struct SpaceToDepth {
        /// Height and width of a block.
        pub block: u32,
        /// Whether the place in the block is the faster part of the channel (ONNX's CRD).
        pub block_last: bool,
    }
}

impl OpDef for SpaceToDepth {
    const NAME: &'static str = "space_to_depth";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("SpaceToDepth", 1), Spelling::tflite("SPACE_TO_DEPTH")];
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
        for dim in [h, w] {
            if self.block == 0 || dim.rem(&block).known().is_some_and(|rest| rest != 0) {
                return Err(ShapeError::new(format!("{dim} pixels do not fill blocks of {block}")));
            }
        }
        let dims =
            vec![n.clone(), h.floor_div(&block), w.floor_div(&block), c.mul(&block).mul(&block)];
        Ok(vec![plain(x, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        if self.block_last {
            return Err(SpellError::none("the place in the block is the faster part of the channel"));
        }
        if s.is_tflite() {
            let x = s.input(0)?;
            return s.emit("SPACE_TO_DEPTH", &[Some(x)], vec![int("block_size", self.block)]);
        }
        s.channels_first();
        let x = s.input(0)?;
        s.emit("SpaceToDepth", &[Some(x)], vec![int("blocksize", self.block)])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let order = if self.block_last { kernel::BLOCK_LAST } else { kernel::BLOCK_FIRST };
        let params = kernel::Params { block: self.block, order };
        Ok(Lowered::plain(&kernel::SPACE_TO_DEPTH, &params, 1))
    }
}
