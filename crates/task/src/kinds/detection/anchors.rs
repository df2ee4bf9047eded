//! Detectors that refer to fixed anchors, or have decoded their boxes themselves.

use embarca_ir::{Dim, ValueId, ops};
use embarca_kernels::unary::Kind;

use super::{Candidates, found, input_size, rows, sigmoid, table};
use crate::error::TaskError;
use crate::front::picture;
use crate::kinds::output;
use crate::net::{Finish, Net};
use crate::spec::{Decoder, PictureSpec, Scores, Spec};
use crate::stage::{Result, Stage};

/// A description with a picture of one mean and divisor.
fn scaled(decoder: Decoder, mean: f32, std: f32) -> Spec {
    let picture = PictureSpec { mean: vec![mean], std: vec![std], ..PictureSpec::default() };
    Spec { picture: Some(picture), ..found(decoder) }
}

/// Height and width of the first input, where they are known.
fn size(net: &Net) -> Option<[usize; 2]> {
    let frame = picture::frame(&net.inputs.first()?.dims, None)?;
    Some([frame.height?, frame.width?])
}

/// The outputs `[1, N, width]`, by number, with their `N`.
fn tables(net: &Net, width: usize) -> Option<(usize, usize)> {
    let mut fitting = net.outputs.iter().enumerate().filter_map(|(at, port)| match rows(port)? {
        [Some(n), Some(k)] if k == width => Some((at, n)),
        _ => None,
    });
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found)
}

/// Scores and boxes of one face detector: outputs of two and of four columns.
fn faces(net: &Net) -> Option<(usize, usize, usize)> {
    let ((scores, n), (boxes, m)) = (tables(net, 2)?, tables(net, 4)?);
    (net.outputs.len() == 2 && n == m).then_some((scores, boxes, n))
}

/// How many of the probabilities that a softmax yields.
fn meant(net: &Net, scores: usize) -> Option<Scores> {
    let port = net.outputs.get(scores)?;
    let done = matches!(port.finish, Finish::Softmax | Finish::Sigmoid);
    Some(if done { Scores::Probabilities } else { Scores::Logits })
}

fn face(spec: Spec) -> Spec {
    Spec { labels: vec!["face".to_owned()], ..spec }
}

/// 896 or 2304 rows of 16 and of 1.
pub fn recognize_blazeface(net: &Net) -> Option<Spec> {
    let ((boxes, n), (scores, m)) = (tables(net, 16)?, tables(net, 1)?);
    let [height, width] = size(net)?;
    let fits = net.outputs.len() == 2 && n == m && height == width;
    let spec = (fits && blaze_anchors(height)?.len() == n)
        .then(|| face(scaled(Decoder::Blazeface, 127.5, 127.5)))?;
    let points = ["right eye", "left eye", "nose", "mouth", "right ear", "left ear"];
    let points = points.map(str::to_owned).to_vec();
    Some(Spec { outputs: vec![boxes, scores], points, ..spec })
}

/// Centres of BlazeFace's anchors, from 0 to 1: two on each cell of a grid of stride 8 and six on
/// one of stride 16 at 128 pixels; one on each cell of stride 4 at 192 pixels. Source: MediaPipe's
/// `face_detection_short_range` and `face_detection_full_range` (`SsdAnchorsCalculator`).
fn blaze_anchors(side: usize) -> Option<Vec<Vec<f32>>> {
    let layers: &[(usize, usize)] = match side {
        128 => &[(16, 2), (8, 6)],
        192 => &[(48, 1)],
        _ => return None,
    };
    let mut anchors = Vec::new();
    for &(cells, each) in layers {
        for place in 0..cells * cells {
            let centre = |at: usize| (at as f32 + 0.5) / cells as f32;
            let anchor = vec![centre(place % cells), centre(place / cells)];
            anchors.extend(std::iter::repeat_n(anchor, each));
        }
    }
    Some(anchors)
}

pub fn blazeface(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let [height, width] = input_size(spec, net)?;
    let anchors = blaze_anchors(height).filter(|_| height == width).ok_or_else(|| {
        TaskError::spec("BlazeFace takes pictures of 128 by 128 or 192 by 192 pixels")
    })?;
    let n = anchors.len();
    let anchors = stage.table(&anchors);
    let x = table(stage, net, output(spec, 0))?;
    let side = stage.b.scalar(height as f32);
    let x = stage.op(ops::Div {}, &[x, side])?;
    let centre = stage.slice(x, 1, 0, 2)?;
    let centre = stage.op(ops::Add {}, &[centre, anchors])?;
    let size = stage.slice(x, 1, 2, 4)?;
    let boxes = stage.concat(&[centre, size], 1)?;
    let boxes = super::corners_of(stage, boxes)?;
    let points = stage.slice(x, 1, 4, 16)?;
    let known = |dims: &[usize]| dims.iter().map(|&dim| Dim::from(dim as i64)).collect::<Vec<_>>();
    let points = stage.reshape(points, &known(&[n, 6, 2]))?;
    let anchors = stage.reshape(anchors, &known(&[n, 1, 2]))?;
    let points = Some(stage.op(ops::Add {}, &[points, anchors])?);
    let scores = table(stage, net, output(spec, 1))?;
    let scores = sigmoid(stage, scores)?;
    Ok(Candidates { boxes, scores, classes: None, points, unit: true, done: false })
}

/// UltraFace's grids: stride, and sides of the priors in pixels. Source: `vision/ssd/config/
/// fd_config.py` of Ultra-Light-Fast-Generic-Face-Detector-1MB (MIT).
const GRIDS: [(usize, &[f32]); 4] = [
    (8, &[10.0, 16.0, 24.0]),
    (16, &[32.0, 48.0]),
    (32, &[64.0, 96.0]),
    (64, &[128.0, 192.0, 256.0]),
];

/// Centres and sizes of UltraFace's priors, from 0 to 1.
fn priors([height, width]: [usize; 2]) -> [Vec<Vec<f32>>; 2] {
    let (w, h) = (width as f32, height as f32);
    let (mut centres, mut sizes) = (Vec::new(), Vec::new());
    for (stride, sides) in GRIDS {
        let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
        for y in 0..rows {
            for x in 0..columns {
                for side in sides {
                    let centre =
                        |at: usize, all: usize| ((at as f32 + 0.5) / all as f32).clamp(0.0, 1.0);
                    centres.push(vec![centre(x, columns), centre(y, rows)]);
                    sizes.push(vec![(side / w).min(1.0), (side / h).min(1.0)]);
                }
            }
        }
    }
    [centres, sizes]
}

/// Scores and boxes for each prior, the boxes straight from a layer.
pub fn recognize_ultraface(net: &Net) -> Option<Spec> {
    let (scores, boxes, n) = faces(net)?;
    let raw = net.outputs.get(boxes)?.finish == Finish::Layer;
    let spec = (raw && priors(size(net)?)[0].len() == n)
        .then(|| face(scaled(Decoder::Ultraface, 127.0, 128.0)))?;
    Some(Spec { outputs: vec![scores, boxes], scores: meant(net, scores), ..spec })
}

/// The second of two columns of scores.
fn second(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<ValueId> {
    let x = table(stage, net, output(spec, 0))?;
    let x = match spec.scores {
        Some(Scores::Logits) => stage.op(ops::Softmax { axis: 1, beta: 1.0 }, &[x])?,
        Some(Scores::Sigmoid) => sigmoid(stage, x)?,
        Some(Scores::Either) => {
            return Err(TaskError::spec("scores = 'either' is for classes, not for boxes"));
        }
        Some(Scores::Probabilities) | None => x,
    };
    stage.slice(x, 1, 1, 2)
}

pub fn ultraface(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let [centres, sizes] = priors(input_size(spec, net)?);
    let (centres, sizes) = (stage.table(&centres), stage.table(&sizes));
    let scores = second(spec, net, stage)?;
    let x = table(stage, net, output(spec, 1))?;
    let (shift, growth) = (stage.slice(x, 1, 0, 2)?, stage.slice(x, 1, 2, 4)?);
    // The variances that the net was trained with.
    let (tenth, fifth) = (stage.b.scalar(0.1), stage.b.scalar(0.2));
    let shift = stage.op(ops::Mul {}, &[shift, tenth])?;
    let shift = stage.op(ops::Mul {}, &[shift, sizes])?;
    let centre = stage.op(ops::Add {}, &[shift, centres])?;
    let growth = stage.op(ops::Mul {}, &[growth, fifth])?;
    let growth = stage.op(ops::Unary::plain(Kind::Exp), &[growth])?;
    let size = stage.op(ops::Mul {}, &[growth, sizes])?;
    let boxes = stage.concat(&[centre, size], 1)?;
    let boxes = super::corners_of(stage, boxes)?;
    Ok(Candidates { boxes, scores, classes: None, points: None, unit: true, done: false })
}

/// Scores of two columns and boxes of four that the model has decoded.
pub fn recognize_corners(net: &Net) -> Option<Spec> {
    let (scores, boxes, n) = faces(net)?;
    let computed = net.outputs.get(boxes)?.finish == Finish::Computed;
    let spec = (computed && priors(size(net)?)[0].len() == n)
        .then(|| face(scaled(Decoder::Corners, 127.0, 128.0)))?;
    Some(Spec { outputs: vec![scores, boxes], scores: meant(net, scores), ..spec })
}

pub fn corners(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let scores = second(spec, net, stage)?;
    let boxes = table(stage, net, output(spec, 1))?;
    Ok(Candidates { boxes, scores, classes: None, points: None, unit: true, done: false })
}

/// Boxes `[1, M, 4]`, classes and scores `[1, M]`, and their number.
pub fn recognize_postprocess(net: &Net) -> Option<Spec> {
    let [boxes, classes, scores, count, ..] = &net.outputs[..] else { return None };
    let [m @ Some(_), Some(4)] = rows(boxes)? else { return None };
    let list = |dims: &[Option<usize>]| matches!(dims, [None | Some(1), n] if *n == m);
    let fits = list(&classes.dims) && list(&scores.dims) && matches!(count.dims[..], [Some(1)]);
    (fits && net.format == "TFLite").then(|| found(Decoder::Postprocess))
}

pub fn postprocess(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let boxes = table(stage, net, output(spec, 0))?;
    // From top, left, bottom, right.
    let order = stage.places(&[1, 0, 3, 2]);
    let boxes = stage.op(ops::Gather { axis: 1, batch_dims: 0 }, &[boxes, order])?;
    let n = stage.dims(boxes)[0].clone();
    let classes = stage.output(net, output(spec, 1))?;
    let classes = Some(stage.reshape(classes, std::slice::from_ref(&n))?);
    let scores = stage.output(net, output(spec, 2))?;
    let scores = stage.reshape(scores, &[n, Dim::Known(1)])?;
    Ok(Candidates { boxes, scores, classes, points: None, unit: true, done: true })
}

/// One output of rows of seven from a Caffe net.
pub fn recognize_detection_output(net: &Net) -> Option<Spec> {
    let [port] = &net.outputs[..] else { return None };
    let fits = matches!(port.dims[..], [Some(1), Some(1), _, Some(7)]);
    (fits && net.format == "Caffe").then(|| found(Decoder::DetectionOutput))
}

pub fn detection_output(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let x = stage.output(net, output(spec, 0))?;
    let n = stage
        .dims(x)
        .get(2)
        .cloned()
        .ok_or_else(|| TaskError::spec("the output is not that of Caffe's DetectionOutput"))?;
    let x = stage.reshape(x, &[n.clone(), Dim::Known(7)])?;
    let classes = stage.slice(x, 1, 1, 2)?;
    let classes = Some(stage.reshape(classes, &[n])?);
    let scores = stage.slice(x, 1, 2, 3)?;
    let boxes = stage.slice(x, 1, 3, 7)?;
    Ok(Candidates { boxes, scores, classes, points: None, unit: true, done: true })
}
