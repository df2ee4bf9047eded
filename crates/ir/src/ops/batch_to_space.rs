//! BatchToSpaceND: batches become blocks along the spatial axes, cropped.

use embarca_kernels::space_depth as kernel;

use super::depth_to_space::plain;
use super::prelude::*;
use super::space_to_batch::{blocks, check, params};

crate::payload! {
    /// One or two spatial axes behind the batch axis.
    pub struct BatchToSpace {
        /// Block size along each spatial axis.
        pub block: Vec<i64>,
        /// What is cut off before each spatial axis.
        pub before: Vec<i64>,
        /// What is cut off after each spatial axis.
        pub after: Vec<i64>,
    }
}

impl OpDef for BatchToSpace {
    const NAME: &'static str = "batch_to_space";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("BATCH_TO_SPACE_ND")];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (block, before, after) = blocks(node, b)?;
        one(b.op(Self { block, before, after }, &[node.input(0)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        check(x, &self.block, &self.before, &self.after)?;
        let mut dims = x.dims.clone();
        for (i, &block) in self.block.iter().enumerate() {
            let crop = Dim::Known(self.before[i].saturating_add(self.after[i]));
            let block = Dim::Known(block);
            dims[i + 1] = dims[i + 1].mul(&block).sub(&crop);
            let negative = dims[i + 1].known().is_some_and(|dim| dim < 0);
            if negative || dims[0].rem(&block).known().is_some_and(|rest| rest != 0) {
                return Err(ShapeError::new(format!("blocks of {block} do not fit {x}")));
            }
            dims[0] = dims[0].floor_div(&block);
        }
        Ok(vec![plain(x, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        if s.is_tflite() {
            let block = s.list(&self.block)?;
            let crops = s.pairs(&super::space_to_batch::pairs(&self.before, &self.after))?;
            return s.emit("BATCH_TO_SPACE_ND", &[Some(x), Some(block), Some(crops)], Vec::new());
        }
        let ty = s.ty(0)?.clone();
        let count = self.block.len();
        let area = self.block.iter().fold(Dim::Known(1), |area, &block| area.mul(&Dim::Known(block)));
        // b, c, N, H, W, C to N, H, b, W, c, C.
        let batch = ty.dims[0].floor_div(&area);
        let blocks: Vec<Dim> = self.block.iter().map(|&block| Dim::Known(block)).collect();
        let dims: Vec<Dim> = blocks.iter().chain([&batch]).chain(&ty.dims[1..]).cloned().collect();
        let mut perm = vec![count];
        for i in 0..count {
            perm.extend([count + 1 + i, i]);
        }
        perm.extend(2 * count + 1..dims.len());
        let mut whole = vec![batch];
        for (i, dim) in ty.dims[1..].iter().enumerate() {
            whole.push(blocks.get(i).map_or(dim.clone(), |block| dim.mul(block)));
        }
        let x = s.reshaped(x, dims)?;
        let x = s.transposed(x, &perm);
        let x = s.reshaped(x, whole)?;
        let kept = s.out(0)?.dims;
        if self.before.iter().chain(&self.after).all(|&crop| crop == 0) {
            return s.give(x);
        }
        let axes: Vec<i64> = (1..=count as i64).collect();
        let starts = s.list(&self.before)?;
        let mut ends = Vec::with_capacity(count);
        for (i, &before) in self.before.iter().enumerate() {
            ends.push(kept[1 + i].add(&Dim::Known(before)));
        }
        let ends = s.shape(&ends)?;
        let axes = s.list(&axes)?;
        s.emit("Slice", &[Some(x), Some(starts), Some(ends), Some(axes)], Vec::new())
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = params(&self.block, &self.before, [0, 0])?;
        Ok(Lowered::plain(&kernel::BATCH_TO_SPACE, &params, 1))
    }
}
