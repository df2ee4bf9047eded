//! SpaceToBatchND: blocks along the spatial axes, padded, become batches.

use embarca_kernels::{pad, space_depth as kernel};

use super::depth_to_space::plain;
use super::moves;
use super::prelude::*;

crate::payload! {
    /// One or two spatial axes behind the batch axis.
    pub struct SpaceToBatch {
        /// Block size along each spatial axis.
        pub block: Vec<i64>,
        /// Padding before each spatial axis.
        pub before: Vec<i64>,
        /// Padding after each spatial axis.
        pub after: Vec<i64>,
    }
}

impl OpDef for SpaceToBatch {
    const NAME: &'static str = "space_to_batch";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("SPACE_TO_BATCH_ND")];
    const U8_AS_I8: Option<&'static str> = Some("moves data; the padding is stored as zero point");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let (block, before, after) = blocks(node, b)?;
        let x = moves::as_declared(node, b, node.input(0)?)?;
        one(b.op(Self { block, before, after }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        check(x, &self.block, &self.before, &self.after)?;
        let mut dims = x.dims.clone();
        for (i, &block) in self.block.iter().enumerate() {
            let pad = Dim::Known(self.before[i].saturating_add(self.after[i]));
            let padded = dims[i + 1].add(&pad);
            let block = Dim::Known(block);
            if padded.rem(&block).known().is_some_and(|rest| rest != 0) {
                return Err(ShapeError::new(format!("{padded} does not fill blocks of {block}")));
            }
            dims[i + 1] = padded.floor_div(&block);
            dims[0] = dims[0].mul(&block);
        }
        Ok(vec![plain(x, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let pads: Vec<i64> = pairs(&self.before, &self.after);
        if s.is_tflite() {
            let block = s.list(&self.block)?;
            let pads = s.pairs(&pads)?;
            return s.emit("SPACE_TO_BATCH_ND", &[Some(x), Some(block), Some(pads)], Vec::new());
        }
        let ty = s.ty(0)?.clone();
        let count = self.block.len();
        let mut padded = ty.clone();
        let mut list = vec![0; 2 * ty.rank()];
        for i in 0..count {
            let sum = Dim::Known(self.before[i].saturating_add(self.after[i]));
            padded.dims[1 + i] = padded.dims[1 + i].add(&sum);
            (list[1 + i], list[1 + i + ty.rank()]) = (self.before[i], self.after[i]);
        }
        let mut x = x;
        if list.iter().any(|&pad| pad != 0) {
            let zero = ty.quant.as_ref().and_then(Quant::single).map_or(0, |(_, zero)| zero);
            let zero = super::draft::numbers(ty.dtype, &[], &[zero.into()]);
            let zero = s.constant(zero.map_err(|error| SpellError::none(error.0))?);
            let list = s.list(&list)?;
            x = s.step("Pad", &[x, list, zero], Vec::new(), padded.clone());
        }
        // N, H / b, b, W / c, c, C to b, c, N, H / b, W / c, C.
        let mut dims = vec![padded.dims[0].clone()];
        for (i, &block) in self.block.iter().enumerate() {
            dims.push(padded.dims[1 + i].floor_div(&Dim::Known(block)));
            dims.push(Dim::Known(block));
        }
        dims.extend_from_slice(&padded.dims[1 + count..]);
        let blocks = (0..count).map(|i| 2 + 2 * i);
        let rest = (0..count).map(|i| 1 + 2 * i).chain(1 + 2 * count..dims.len());
        let perm: Vec<usize> = blocks.chain([0]).chain(rest).collect();
        let x = s.reshaped(x, dims)?;
        let x = s.transposed(x, &perm);
        let x = s.reshaped(x, s.out(0)?.dims)?;
        s.give(x)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let ty = io.output(0)?;
        // LiteRT pads with the zero point; TFLM's kernel never sets the value it pads with.
        let zero = ty.quant.as_ref().and_then(Quant::single).map_or(0, |(_, zero)| zero);
        let value = pad::Params::value_of(&zero.to_le_bytes()[..ty.dtype.size().min(4)]);
        let params = params(&self.block, &self.before, value)?;
        Ok(Lowered::plain(&kernel::SPACE_TO_BATCH, &params, 1))
    }
}

/// Paddings or crops, before and after each axis in turn.
pub fn pairs(before: &[i64], after: &[i64]) -> Vec<i64> {
    before.iter().zip(after).flat_map(|(&before, &after)| [before, after]).collect()
}

/// Block sizes and pairs of paddings or crops from inputs 1 and 2.
pub fn blocks(
    node: &NodeView<'_>,
    b: &Builder<'_>,
) -> Result<(Vec<i64>, Vec<i64>, Vec<i64>), ImportError> {
    let block = b.ints(node.input(1)?, "the block size")?;
    let pads = b.ints(node.input(2)?, "the padding")?;
    let (before, after) = pads.as_chunks::<2>().0.iter().map(|[a, b]| (*a, *b)).unzip();
    Ok((block, before, after))
}

/// Refuses what is not one or two blocks with their pairs.
pub fn check(
    x: &TensorType,
    block: &[i64],
    before: &[i64],
    after: &[i64],
) -> Result<(), ShapeError> {
    let lengths = [before.len(), after.len()] == [block.len(); 2];
    let known = matches!((block.len(), x.rank()), (1, 3) | (2, 3 | 4));
    let positive = block.iter().all(|&block| (1..=1 << 15).contains(&block));
    let padded = before.iter().chain(after).all(|&pad| (0..1 << 31).contains(&pad));
    if lengths && known && positive && padded {
        return Ok(());
    }
    Err(ShapeError::new(format!("blocks {block:?} do not fit {x}")))
}

/// The kernel's record.
pub fn params(
    block: &[i64],
    before: &[i64],
    value: [u32; 2],
) -> Result<kernel::BatchParams, LowerError> {
    let at = |values: &[i64], i: usize, missing: u32| match values.get(i) {
        Some(&value) => {
            u32::try_from(value).map_err(|_| LowerError::Bug(format!("a block of {value}")))
        }
        None => Ok(missing),
    };
    Ok(kernel::BatchParams {
        block: [at(block, 0, 1)?, at(block, 1, 1)?],
        before: [at(before, 0, 0)?, at(before, 1, 0)?],
        value,
    })
}
