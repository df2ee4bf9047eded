//! Detectors that answer for the cells of grids of several strides.

use embarca_ir::{Dim, ValueId, ops};
use embarca_kernels::reduce::Kind;

use super::{Candidates, found, input_size, rows, sigmoid, table};
use crate::error::TaskError;
use crate::front::picture;
use crate::kinds::output;
use crate::net::{Finish, Net};
use crate::spec::{Decoder, PictureSpec, Scores, Spec};
use crate::stage::{Result, Stage};

/// The strides of NanoDet's grids; the last only in NanoDet-Plus.
const STRIDES: [usize; 4] = [8, 16, 32, 64];

/// Outputs of scores and of distributions, one of each for a stride, in the strides' order.
fn heads(net: &Net, [height, width]: [usize; 2]) -> Option<(Vec<usize>, Vec<usize>)> {
    let count = net.outputs.len() / 2;
    if !net.outputs.len().is_multiple_of(2) || !matches!(count, 3 | 4) {
        return None;
    }
    let (mut scores, mut boxes) = (Vec::new(), Vec::new());
    for &stride in &STRIDES[..count] {
        let cells = height.div_ceil(stride) * width.div_ceil(stride);
        let of_stride = net.outputs.iter().enumerate().filter_map(|(at, port)| match rows(port)? {
            [Some(n), Some(k)] if n == cells => Some((at, k)),
            _ => None,
        });
        let [(first, k), (second, other)] = of_stride.collect::<Vec<_>>()[..] else {
            return None;
        };
        // Distributions have as many values for each of four sides; scores come first.
        if !other.is_multiple_of(4) || k == other && net.labels.len() == other {
            return None;
        }
        scores.push(first);
        boxes.push(second);
    }
    Some((scores, boxes))
}

/// A pair of outputs for each stride.
pub fn recognize_nanodet(net: &Net) -> Option<Spec> {
    let frame = picture::frame(&net.inputs.first()?.dims, None)?;
    let (scores, boxes) = heads(net, [frame.height?, frame.width?])?;
    let done = net.outputs.get(scores[0])?.finish == Finish::Sigmoid;
    let picture = PictureSpec {
        colours: Some("bgr".to_owned()),
        // NanoDet's own configuration.
        mean: vec![103.53, 116.28, 123.675],
        std: vec![57.375, 57.12, 58.395],
        ..PictureSpec::default()
    };
    Some(Spec {
        outputs: [scores, boxes].concat(),
        scores: Some(if done { Scores::Probabilities } else { Scores::Sigmoid }),
        picture: Some(picture),
        ..found(Decoder::Nanodet)
    })
}

pub fn nanodet(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let [height, width] = input_size(spec, net)?;
    let heads = if spec.outputs.is_empty() { net.outputs.len() } else { spec.outputs.len() };
    let strides = heads / 2;
    if !heads.is_multiple_of(2) || !(1..=STRIDES.len()).contains(&strides) {
        let what = format!("NanoDet has scores and boxes for each stride, not {heads} outputs");
        return Err(TaskError::spec(what));
    }
    let (mut scores, mut boxes) = (Vec::new(), Vec::new());
    for (i, &stride) in STRIDES[..strides].iter().enumerate() {
        scores.push(table(stage, net, output(spec, i))?);
        let x = table(stage, net, output(spec, strides + i))?;
        let [n, bins] = stage.known(x)?[..] else {
            return Err(TaskError::spec("the boxes are no table"));
        };
        let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
        if n != rows * columns || !bins.is_multiple_of(4) {
            let what = format!("{n} boxes are not {columns} by {rows} cells of stride {stride}");
            return Err(TaskError::spec(what));
        }
        let bins = bins / 4;
        // Generalized focal loss: the distance to a side is the mean of a distribution.
        let dims = [n, 4, bins].map(|dim| Dim::from(dim as i64));
        let x = stage.reshape(x, &dims)?;
        let x = stage.op(ops::Softmax { axis: 2, beta: 1.0 }, &[x])?;
        let values: Vec<f32> = (0..bins).map(|bin| (bin * stride) as f32).collect();
        let values = stage.row(&values);
        let x = stage.op(ops::Mul {}, &[x, values])?;
        let by = ops::Reduction(Kind::Sum);
        let x = stage.op(ops::Reduce { by, axes: vec![2], keep: false }, &[x])?;
        let centre = |at: usize| (at as f32 + 0.5) * stride as f32;
        let centres: Vec<Vec<f32>> =
            (0..n).map(|i| vec![centre(i % columns), centre(i / columns)]).collect();
        let centres = stage.table(&centres);
        let (before, behind) = (stage.slice(x, 1, 0, 2)?, stage.slice(x, 1, 2, 4)?);
        let from = stage.op(ops::Sub {}, &[centres, before])?;
        let to = stage.op(ops::Add {}, &[centres, behind])?;
        boxes.push(stage.concat(&[from, to], 1)?);
    }
    let mut scores = stage.concat(&scores, 0)?;
    if spec.scores != Some(Scores::Probabilities) {
        scores = sigmoid(stage, scores)?;
    }
    let boxes = stage.concat(&boxes, 0)?;
    Ok(Candidates { boxes, scores, classes: None, points: None, unit: false, done: false })
}

/// The side of MTCNN's windows and the way from one to the next, in pixels.
const WINDOW: (usize, usize) = (12, 2);

/// MTCNN's first net: offsets and scores of windows, by number, with columns and rows of windows.
fn windows(net: &Net) -> Option<(usize, usize, [usize; 2])> {
    let of = |channels: usize| {
        net.outputs.iter().enumerate().find_map(|(at, port)| match port.dims[..] {
            [_, Some(c), Some(a), Some(b)] if c == channels => Some((at, [a, b])),
            _ => None,
        })
    };
    let ((boxes, cells), (scores, others)) = (of(4)?, of(2)?);
    let [_, Some(3), Some(width), Some(height)] = net.inputs.first()?.dims[..] else { return None };
    let fits = |side: usize| side.checked_sub(10).map(|rest| rest.div_ceil(2));
    let fits = [fits(width), fits(height)] == cells.map(Some) && cells == others;
    (net.outputs.len() == 2 && fits).then_some((boxes, scores, cells))
}

/// Whether MTCNN's first net has the size of its own window.
pub fn is_one_window(net: &Net) -> bool {
    windows(net).is_some_and(|(_, _, cells)| cells == [1, 1])
}

/// Caffe's MTCNN `pnet`; its axes are width, then height.
pub fn recognize_mtcnn(net: &Net) -> Option<Spec> {
    let (boxes, scores, _) = windows(net).filter(|_| net.format == "Caffe")?;
    let picture = PictureSpec {
        axes: Some("ncwh".to_owned()),
        mean: vec![127.5],
        std: vec![128.0],
        ..PictureSpec::default()
    };
    let (picture, labels) = (Some(picture), vec!["face".to_owned()]);
    Some(Spec { picture, labels, outputs: vec![boxes, scores], ..found(Decoder::Mtcnn) })
}

/// Places of a grid that a table is made for.
const MOST_CELLS: usize = 1 << 20;

/// Windows at one scale, moved by their offsets (shares of the window). Source: `generateBoundingBox`
/// of MTCNN (Zhang et al. 2016).
pub fn mtcnn(_: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let (boxes, scores, [columns, rows]) = windows(net).ok_or_else(|| {
        TaskError::spec("the outputs are not those of MTCNN's first net over several windows")
            .hint("--shapes data:1x3xWIDTHxHEIGHT gives its input a size")
    })?;
    let cells =
        columns.checked_mul(rows).filter(|cells| *cells <= MOST_CELLS).ok_or_else(|| {
            TaskError::spec(format!("{columns} by {rows} windows are more than {MOST_CELLS}"))
        })?;
    let mut flat = |output: usize, channels: usize| -> Result<ValueId> {
        let x = stage.output(net, output)?;
        let x = stage.reshape(x, &[channels, cells].map(|dim| Dim::from(dim as i64)))?;
        Ok(stage.b.transpose(x, &[1, 0])?)
    };
    let (offsets, scores) = (flat(boxes, 4)?, flat(scores, 2)?);
    let scores = stage.slice(scores, 1, 1, 2)?;
    let (side, step) = WINDOW;
    let corners = |at: usize| {
        let (left, top) = (at / rows * step, at % rows * step);
        [left, top, left + side, top + side].map(|x| x as f32).to_vec()
    };
    let table: Vec<Vec<f32>> = (0..cells).map(corners).collect();
    let table = stage.table(&table);
    let side = stage.b.scalar(side as f32);
    let moved = stage.op(ops::Mul {}, &[offsets, side])?;
    let boxes = stage.op(ops::Add {}, &[table, moved])?;
    Ok(Candidates { boxes, scores, classes: None, points: None, unit: false, done: false })
}
