//! Ultralytics' detectors: boxes as centre and size in pixels of the model's input.

use embarca_ir::Dim;
use embarca_ir::ops;

use super::{Candidates, corners_of, found, rows, table};
use crate::error::TaskError;
use crate::kinds::{numbers, output};
use crate::net::Net;
use crate::spec::{Decoder, PictureSpec, Spec};
use crate::stage::{Result, Stage};

/// How Ultralytics prepares a picture: in the middle of grey, OpenCV's linear filter.
fn prepared(decoder: Decoder) -> Spec {
    let text = |text: &str| Some(text.to_owned());
    let picture = PictureSpec {
        fit: text("letterbox"),
        filter: text("opencv-linear"),
        std: vec![255.0],
        ..PictureSpec::default()
    };
    Spec { picture: Some(picture), ..found(decoder) }
}

/// Pixels of the input, where they are known.
fn pixels(net: &Net) -> Option<usize> {
    let dims = net.inputs.first()?.dims.iter();
    let sides: Option<Vec<usize>> = dims.skip(1).copied().collect();
    let [height, width] = match sides?[..] {
        [3, height, width] | [height, width, 3] => [height, width],
        _ => return None,
    };
    Some(height * width)
}

/// Cells of the grids of strides 8, 16 and 32, where the input's size is known.
fn cells(net: &Net) -> Option<usize> {
    pixels(net).map(|pixels| pixels / 64 + pixels / 256 + pixels / 1024)
}

/// Refuses a number of boxes that no grids of usual strides have, where the input's size is known.
fn on_grids(net: &Net, n: &Dim) -> Result<()> {
    let n = n.known().and_then(|n| usize::try_from(n).ok());
    let (Some(n), Some(pixels)) = (n, pixels(net)) else { return Ok(()) };
    let strides: [&[usize]; 5] =
        [&[8, 16, 32], &[8, 16, 32, 64], &[16, 32], &[8, 16], &[4, 8, 16, 32]];
    let cells =
        |strides: &[usize]| strides.iter().map(|side| pixels / (side * side)).sum::<usize>();
    if strides.iter().any(|strides| n.is_multiple_of(cells(strides).max(1))) {
        return Ok(());
    }
    let of = cells(strides[0]);
    Err(TaskError::spec(format!("{n} rows of boxes are not one or several for each of {of} cells"))
        .hint("decoder = 'yolov5' reads [1, boxes, values], decoder = 'yolov8' [1, values, boxes]")
        .key("decoder"))
}

/// The channels of a detector of bodies: box, score, and 17 points of x, y, score.
const BODY: usize = 4 + 1 + 17 * 3;

/// Keypoints of each box and values of each, as `kpt_shape` says; those of a body where an output has
/// just its channels and no more than one class is named.
fn keypoints(net: &Net, channels: usize) -> Option<[usize; 2]> {
    let Some(shape) = net.properties.get("kpt_shape") else {
        return (channels == BODY && net.labels.len() < 2).then_some([17, 3]);
    };
    match numbers(shape)[..] {
        [points, values @ (2 | 3)] => Some([points, values]),
        _ => None,
    }
}

/// Classes of an Ultralytics file: its names, else what is left of the channels.
fn classes(net: &Net, channels: usize) -> Option<usize> {
    let points = keypoints(net, channels).map_or(0, |[points, values]| points * values);
    let left = channels.checked_sub(4 + points)?;
    (0 < left && (net.labels.is_empty() || net.labels.len() == left)).then_some(left)
}

/// `[1, 4 + C, N]` with a cell for each of the `N`, or an author's word.
pub fn recognize_v8(net: &Net) -> Option<Spec> {
    let [port] = &net.outputs[..] else { return None };
    let [Some(channels), n] = rows(port)? else { return None };
    let said = matches!(net.properties.get("task").map(String::as_str), Some("detect" | "pose"));
    let counted = n.is_some() && n == cells(net) && n != pixels(net);
    classes(net, channels)?;
    let mut spec = (said || counted).then(|| prepared(Decoder::Yolov8))?;
    if keypoints(net, channels) == Some([17, 3]) {
        (spec.points, spec.skeleton) = crate::kinds::body();
    }
    Some(spec)
}

/// `[1, N, 5 + C]` with three boxes for each cell.
pub fn recognize_v5(net: &Net) -> Option<Spec> {
    let port = net.outputs.first()?;
    let [n @ Some(_), Some(channels @ 6..)] = rows(port)? else { return None };
    (n == cells(net).map(|cells| 3 * cells)
        && (net.labels.is_empty() || net.labels.len() == channels - 5))
        .then(|| prepared(Decoder::Yolov5))
}

/// `[1, N, 6]` from an Ultralytics file, or of the 300 rows that such models have.
pub fn recognize_end_to_end(net: &Net) -> Option<Spec> {
    let [port] = &net.outputs[..] else { return None };
    let said = net.properties.get("task").is_some_and(|task| task == "detect");
    let [n, Some(6)] = rows(port)? else { return None };
    let large = n == Some(300) && pixels(net).is_some();
    (said || large).then(|| prepared(Decoder::EndToEnd))
}

pub fn v8(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let x = table(stage, net, output(spec, 0))?;
    let x = stage.b.transpose(x, &[1, 0])?;
    let dims = stage.dims(x);
    on_grids(net, &dims[0])?;
    let channels = dims[1].known().and_then(|channels| usize::try_from(channels).ok());
    let channels = channels.unwrap_or(0);
    let points = keypoints(net, channels);
    let classes = classes(net, channels).ok_or_else(|| {
        TaskError::spec(format!("{channels} channels are not 4 and one for each class"))
    })?;
    let boxes = stage.slice(x, 1, 0, 4)?;
    let boxes = corners_of(stage, boxes)?;
    let scores = stage.slice(x, 1, 4, 4 + classes)?;
    let points = match points {
        Some([count, values]) => {
            let start = 4 + classes;
            let points = stage.slice(x, 1, start, start + count * values)?;
            let dims = [dims[0].clone(), Dim::from(count as i64), Dim::from(values as i64)];
            Some(stage.reshape(points, &dims)?)
        }
        None => None,
    };
    Ok(Candidates { boxes, scores, classes: None, points, unit: false, done: false })
}

pub fn v5(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let x = table(stage, net, output(spec, 0))?;
    on_grids(net, &stage.dims(x)[0])?;
    let channels = stage.dims(x)[1].known().and_then(|channels| usize::try_from(channels).ok());
    let channels = channels.filter(|&channels| 5 < channels).ok_or_else(|| {
        TaskError::spec("the output is not 5 numbers and one for each class in a row")
    })?;
    let boxes = stage.slice(x, 1, 0, 4)?;
    let boxes = corners_of(stage, boxes)?;
    let object = stage.slice(x, 1, 4, 5)?;
    let scores = stage.slice(x, 1, 5, channels)?;
    let scores = stage.op(ops::Mul {}, &[scores, object])?;
    Ok(Candidates { boxes, scores, classes: None, points: None, unit: false, done: false })
}

pub fn end_to_end(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<Candidates> {
    let x = table(stage, net, output(spec, 0))?;
    let boxes = stage.slice(x, 1, 0, 4)?;
    let scores = stage.slice(x, 1, 4, 5)?;
    let classes = stage.slice(x, 1, 5, 6)?;
    let n = stage.dims(x)[0].clone();
    let classes = Some(stage.reshape(classes, &[n])?);
    Ok(Candidates { boxes, scores, classes, points: None, unit: false, done: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Port;

    #[test]
    fn boxes_lie_on_grids() {
        let dims = [1, 3, 64, 64].map(Some).to_vec();
        let input = Port {
            name: "x".into(),
            dtype: embarca_num::DType::F32,
            dims,
            quant: None,
            finish: crate::Finish::Unknown,
        };
        let net = Net { inputs: vec![input], ..Net::default() };
        for (n, fits) in [(84, true), (252, true), (20, true), (6, false), (100, true), (83, false)]
        {
            assert_eq!(on_grids(&net, &Dim::Known(n)).is_ok(), fits, "{n}");
        }
        assert!(on_grids(&Net::default(), &Dim::Known(6)).is_ok());
    }

    #[test]
    fn heads_are_told_apart() {
        let port = |dims: [usize; 4]| {
            let dims = dims.into_iter().filter(|&dim| dim != 0).map(Some).collect();
            Port {
                name: "x".into(),
                dtype: embarca_num::DType::F32,
                dims,
                quant: None,
                finish: crate::Finish::Unknown,
            }
        };
        for (dims, decoder, points) in [
            ([1, 25200, 85, 0], Some(Decoder::Yolov5), 0),
            ([1, 84, 8400, 0], Some(Decoder::Yolov8), 0),
            ([1, 56, 8400, 0], Some(Decoder::Yolov8), 17),
            ([1, 300, 6, 0], Some(Decoder::EndToEnd), 0),
            ([1, 300, 7, 0], None, 0),
            ([1, 84, 8000, 0], None, 0),
        ] {
            let net = Net {
                inputs: vec![port([1, 3, 640, 640])],
                outputs: vec![port(dims)],
                ..Net::default()
            };
            let spec = [recognize_end_to_end, recognize_v8, recognize_v5]
                .into_iter()
                .find_map(|recognize| recognize(&net));
            assert_eq!(spec.as_ref().and_then(|spec| spec.decoder), decoder, "{dims:?}");
            assert_eq!(spec.map_or(0, |spec| spec.points.len()), points, "{dims:?}");
        }
    }
}
