//! The keypoints of one body, hand or face.
//!
//! The back yields `points` f32 `[P, 3]`: x, y in the picture's pixels, score.

use embarca_ir::{Dim, ops};
use embarca_kernels::reduce::Kind;
use embarca_num::DType;

use super::detection::points_to_picture;
use crate::error::TaskError;
use crate::net::Net;
use crate::section::Section;
use crate::spec::{self, Decoder, Spec};
use crate::stage::{Result, Stage};

/// Points with a lower score are not shown, unless the task says otherwise.
const LEAST: f32 = 0.2;

/// MoveNet's output: y, x, score of 17 points.
pub fn recognize(net: &Net) -> Option<Spec> {
    let [port] = &net.outputs[..] else { return None };
    let fits = matches!(port.dims[..], [None | Some(1), Some(1), Some(17), Some(3)]);
    let (points, skeleton) = super::body();
    let decoder = Some(Decoder::Points);
    fits.then(|| Spec { decoder, points, skeleton, ..Spec::new(spec::Kind::Pose) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let x = stage.output(net, super::output(spec, 0))?;
    let points = match spec.decoder.unwrap_or(Decoder::Points) {
        Decoder::Points => {
            let len: usize = stage.known(x)?.iter().product();
            if !len.is_multiple_of(3) || len == 0 {
                return Err(
                    TaskError::spec("the output is not y, x and score of each point").key("kind")
                );
            }
            let points = stage.reshape(x, &[Dim::from(len as i64 / 3), Dim::Known(3)])?;
            let order = stage.places(&[1, 0, 2]);
            stage.op(ops::Gather { axis: 1, batch_dims: 0 }, &[points, order])?
        }
        Decoder::Heatmaps => heatmaps(spec, net, stage)?,
        _ => {
            let what = "this decoder finds no keypoints";
            return Err(TaskError::spec(what).hint("points and heatmaps do").key("decoder"));
        }
    };
    let frame = super::detection::input_size(spec, net)?;
    let points = points_to_picture(stage, points, Some(frame))?;
    section.values.push(("score".to_owned(), spec.score.unwrap_or(LEAST)));
    stage.yields("points", points);
    Ok(())
}

/// The brightest cell of each map, its middle from 0 to 1, and how bright it is.
fn heatmaps(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<embarca_ir::ValueId> {
    let x = stage.output(net, super::output(spec, 0))?;
    let dims = stage.known(x)?;
    let [1, a, b, c] = dims[..] else {
        return Err(TaskError::spec("heat maps are [1, H, W, P] or [1, P, H, W]").key("decoder"));
    };
    let last = if spec.points.is_empty() { c < a } else { c == spec.points.len() };
    let (height, width, count) = if last { (a, b, c) } else { (b, c, a) };
    let x = if last { x } else { stage.b.transpose(x, &[0, 2, 3, 1])? };
    let cells = height * width;
    let flat = [cells, count].map(|dim| Dim::from(dim as i64));
    let x = stage.reshape(x, &flat)?;
    let to = DType::I32;
    let best =
        stage.op(ops::ArgMax { axis: 0, smallest: false, last: false, keep: false, to }, &[x])?;
    let middle = |at: usize, all: usize| (at as f32 + 0.5) / all as f32;
    let table: Vec<Vec<f32>> =
        (0..cells).map(|at| vec![middle(at % width, width), middle(at / width, height)]).collect();
    let table = stage.table(&table);
    let places = stage.op(ops::Gather { axis: 0, batch_dims: 0 }, &[table, best])?;
    let by = ops::Reduction(Kind::Max);
    let scores = stage.op(ops::Reduce { by, axes: vec![0], keep: false }, &[x])?;
    let scores = stage.reshape(scores, &[Dim::from(count as i64), Dim::Known(1)])?;
    stage.concat(&[places, scores], 1)
}
