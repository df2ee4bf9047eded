//! How far data are from what a model that reproduces its input makes of them: the mean of the
//! squared differences, in real numbers, between what the model is fed and what it answers.
//!
//! The back yields `score` f32 `[1]`.

use embarca_ir::{Dim, ops};
use embarca_kernels::reduce::Kind;

use crate::error::TaskError;
use crate::net::{Finish, Net};
use crate::section::Section;
use crate::spec::{self, Spec};
use crate::stage::{Result, Stage};

/// Fewer numbers than this are hardly a pattern, unless the model makes them pass through fewer.
const LEAST: usize = 8;

/// One input that comes back in its own shape.
pub fn recognize(net: &Net) -> Option<Spec> {
    let ([input], [output]) = (&net.inputs[..], &net.outputs[..]) else { return None };
    let len = input.dims.iter().map(|dim| dim.unwrap_or(1)).product::<usize>();
    let pattern = LEAST <= len || net.narrowest.is_some_and(|narrowest| narrowest < len);
    let fits = input.dims == output.dims && pattern && output.finish != Finish::Softmax;
    fits.then(|| Spec::new(spec::Kind::Anomaly))
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let input = spec.table.as_ref().map_or(0, |table| table.input);
    let y = stage.output(net, super::output(spec, 0))?;
    let x = stage.fed(net, input)?;
    let len = |dims: Vec<Dim>| dims.iter().fold(Dim::Known(1), |len, dim| len.mul(dim));
    let (own, other) = (len(stage.dims(y)), len(stage.dims(x)));
    if own != other {
        let what = format!("the model answers {own} numbers for {other}, so it reproduces nothing");
        return Err(TaskError::spec(what).hint("outputs = [N] names another output").key("kind"));
    }
    let x = stage.reshape(x, std::slice::from_ref(&own))?;
    let y = stage.reshape(y, &[own])?;
    let d = stage.op(ops::Sub {}, &[x, y])?;
    let d = stage.op(ops::Mul {}, &[d, d])?;
    let by = ops::Reduction(Kind::Mean);
    let score = stage.op(ops::Reduce { by, axes: vec![0], keep: true }, &[d])?;
    if let Some(threshold) = spec.threshold {
        section.values.push(("threshold".to_owned(), threshold));
    }
    stage.yields("score", score);
    Ok(())
}
