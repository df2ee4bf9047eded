//! Batch normalization with learned statistics: a factor and an offset for each channel.

use super::prelude::*;
use super::{Add, Mul};

pub const SPELLINGS: &[Spelling] =
    &[Spelling::onnx("BatchNormalization", 7), Spelling::caffe("BatchNorm")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let (factors, offsets) = match node.format {
        Format::Caffe => caffe(node, b)?,
        _ => onnx(node, b)?,
    };
    let channels = factors.len();
    let rank = b.rank(x);
    if b.ty(x).dims.get(1).is_none_or(|dim| !dim.may_equal(&Dim::Known(channels as i64))) {
        let message = format!("statistics of {channels} channels meet {}", b.ty(x));
        return Err(ImportError::malformed(message));
    }
    let mut dims = vec![1; rank - 1];
    dims[0] = channels;
    let factors = b.f32s(&dims, &factors);
    let offsets = b.f32s(&dims, &offsets);
    let scaled = b.op(Mul {}, &[x, factors])?;
    one(b.op(Add {}, &[scaled, offsets])?)
}

fn onnx(node: &NodeView<'_>, b: &Builder<'_>) -> Result<(Vec<f32>, Vec<f32>), ImportError> {
    node.ignore(&["momentum"]);
    let epsilon = f64::from(node.float("epsilon", 1e-5)?);
    if node.flag("training_mode", false)? {
        return Err(ImportError::unsupported("the node is set to train")
            .attribute("training_mode")
            .hint("export the model for inference"));
    }
    if !node.flag("spatial", true)? {
        return Err(ImportError::unsupported("has to be 1").attribute("spatial"));
    }
    let read = |index, what| b.floats(node.input(index)?, what);
    let (scale, shift) = (read(1, "the scale")?, read(2, "the bias")?);
    let (mean, variance) = (read(3, "the mean")?, read(4, "the variance")?);
    affine(&scale, &shift, &mean, &variance, epsilon)
}

fn caffe(node: &NodeView<'_>, b: &Builder<'_>) -> Result<(Vec<f32>, Vec<f32>), ImportError> {
    node.ignore(&["moving_average_fraction"]);
    let epsilon = f64::from(node.float("eps", 1e-5)?);
    if !node.flag("use_global_stats", true)? {
        return Err(ImportError::unsupported("has to be true").attribute("use_global_stats"));
    }
    let [Some(mean), Some(variance), Some(count)] = [0, 1, 2].map(|index| node.blob(index)) else {
        return Err(ImportError::malformed("the layer has no learned statistics")
            .hint("give the .caffemodel with --weights"));
    };
    // Sums over many batches, and the weight of those batches.
    let count = b.floats(count, "the count")?.first().copied().unwrap_or(0.0);
    let factor = if count == 0.0 { 0.0 } else { 1.0 / count };
    let read = |blob, what| -> Result<Vec<f32>, ImportError> {
        Ok(b.floats(blob, what)?.into_iter().map(|value| value * factor).collect())
    };
    let (mean, variance) = (read(mean, "the mean")?, read(variance, "the variance")?);
    let ones = vec![1.0; mean.len()];
    let zeros = vec![0.0; mean.len()];
    affine(&ones, &zeros, &mean, &variance, epsilon)
}

/// `scale / sqrt(variance + epsilon)` and `shift - mean * factor`, in f64.
fn affine(
    scale: &[f32],
    shift: &[f32],
    mean: &[f32],
    variance: &[f32],
    epsilon: f64,
) -> Result<(Vec<f32>, Vec<f32>), ImportError> {
    if [shift, mean, variance].iter().any(|list| list.len() != scale.len()) {
        return Err(ImportError::malformed("the statistics differ in length"));
    }
    let mut factors = Vec::with_capacity(scale.len());
    let mut offsets = Vec::with_capacity(scale.len());
    for (((&scale, &shift), &mean), &variance) in scale.iter().zip(shift).zip(mean).zip(variance) {
        let factor = f64::from(scale) / (f64::from(variance) + epsilon).sqrt();
        factors.push(factor as f32);
        offsets.push((f64::from(shift) - f64::from(mean) * factor) as f32);
    }
    Ok((factors, offsets))
}
