//! Where there is text: boxes around the bright parts of a map (Liao et al. 2020, differentiable
//! binarization).
//!
//! The back yields `quads` f32 `[M, 4, 2]`, corners from the upper left on clockwise in the picture's
//! pixels; `scores` f32 `[M]` and `count` i32 `[1]`. What is beyond the count means nothing.

use embarca_ir::{Dim, ops};

use crate::error::TaskError;
use crate::net::{Finish, Net};
use crate::section::Section;
use crate::spec::{self, PictureSpec, Spec};
use crate::stage::{Result, Stage};

/// The least probability of a pixel, and the least mean of a box; PaddleOCR's values.
const PIXEL: f32 = 0.3;
const BOX: f32 = 0.6;

/// How far a box grows: by its area over its perimeter times this.
const GROWTH: f32 = 1.5;

/// A map of probabilities as large as the picture of three colours, both of open size or equal, with
/// no names of classes.
pub fn recognize(net: &Net) -> Option<Spec> {
    let ([input], [output]) = (&net.inputs[..], &net.outputs[..]) else { return None };
    let ([_, Some(3), h, w], [_, Some(1), y, x]) = (&input.dims[..], &output.dims[..]) else {
        return None;
    };
    let alike = |a: &Option<usize>, b: &Option<usize>| a.is_none() || a == b;
    if !net.labels.is_empty() || output.finish != Finish::Sigmoid || !alike(h, y) || !alike(w, x) {
        return None;
    }
    let picture = PictureSpec {
        longest: Some(960),
        colours: Some("bgr".to_owned()),
        filter: Some("opencv-linear".to_owned()),
        mean: vec![127.5],
        std: vec![127.5],
        ..PictureSpec::default()
    };
    Some(Spec { picture: Some(picture), ..Spec::new(spec::Kind::TextDetection) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let fit = spec.picture.as_ref().and_then(|picture| picture.fit.as_deref());
    let placed = !matches!(fit, None | Some("stretch"));
    let output = super::output(spec, 0);
    let x = stage.output(net, output)?;
    let dims = stage.dims(x);
    let one = |dim: &Dim| dim.known() == Some(1);
    let map = match &dims[..] {
        [n, c, h, w] if one(n) && one(c) => [h.clone(), w.clone()],
        [n, h, w, c] if one(n) && one(c) => [h.clone(), w.clone()],
        _ => return Err(TaskError::spec(format!("output {output} is no map of one channel"))),
    };
    let map = stage.reshape(x, &map)?;
    let pixel = stage.scalar("pixel", PIXEL, section);
    let score = stage.scalar("score", spec.score.unwrap_or(BOX), section);
    let most = spec.most.unwrap_or(100);
    let op = ops::Outline { most, growth: GROWTH, side: 3.0 };
    let found = stage.b.node(op, &[Some(map), Some(pixel), Some(score)])?;
    let [quads, scores, count] = found[..] else {
        return Err(TaskError::spec("boxes cannot be found"));
    };
    // From 0..1 of the map to the picture.
    let quads = if placed {
        let frame = super::detection::input_size(spec, net)?;
        super::detection::to_picture(stage, quads, Some(frame))?
    } else {
        let placement = stage.placement();
        let size = stage.slice(placement, 0, 2, 3)?;
        let size = stage.slice(size, 1, 0, 2)?;
        let size = stage.reshape(size, &[Dim::Known(2)])?;
        let quads = stage.op(ops::Mul {}, &[quads, size])?;
        let zero = stage.b.scalar(0.0);
        let quads = stage.op(ops::Maximum {}, &[quads, zero])?;
        stage.op(ops::Minimum {}, &[quads, size])?
    };
    stage.yields("quads", quads);
    stage.yields("scores", scores);
    stage.yields("count", count);
    Ok(())
}
