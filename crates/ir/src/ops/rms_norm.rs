//! Normalizations that are a few reductions: by the root of the mean square, by mean and deviation.

use embarca_kernels::reduce::Kind;
use embarca_kernels::unary;

use super::draft::Draft;
use super::prelude::*;

pub const SPELLINGS: &[Spelling] =
    &[Spelling::onnx("MeanVarianceNormalization", 9), Spelling::onnx("RMSNormalization", 23)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let (rank, dtype) = (b.rank(x), b.ty(x).dtype);
    let mut d = Draft::new(b);
    if node.op == "MeanVarianceNormalization" {
        let mut axes = Vec::new();
        for at in node.opt_ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]) {
            axes.push(axis(at, rank)?);
        }
        axes.sort_unstable();
        let mean = d.reduce(Kind::Mean, x, axes.clone(), true)?;
        let centred = d.sub(x, mean)?;
        let squares = d.mul(centred, centred)?;
        let variance = d.reduce(Kind::Mean, squares, axes, true)?;
        let deviation = d.unary(unary::Kind::Sqrt, variance)?;
        // As the specification's function body adds it.
        let deviation = d.shifted(deviation, 1e-9)?;
        return one(d.div(centred, deviation)?);
    }
    let start = axis(node.int("axis", -1)?, rank)?;
    let epsilon = node.float("epsilon", 1e-5)?;
    let stash = super::moves::dtype_attr(node, "stash_type", DType::F32)?;
    if stash != DType::F32 && stash != dtype {
        let message = format!("statistics in {stash} are not supported");
        return Err(ImportError::unsupported(message).attribute("stash_type"));
    }
    let wide = d.widened(x)?;
    let squares = d.mul(wide, wide)?;
    let mean = d.reduce(Kind::Mean, squares, start..rank, true)?;
    let mean = d.shifted(mean, epsilon.into())?;
    let root = d.unary(unary::Kind::Sqrt, mean)?;
    let y = d.div(wide, root)?;
    let y = d.cast(y, dtype)?;
    one(d.mul(y, node.input(1)?)?)
}
