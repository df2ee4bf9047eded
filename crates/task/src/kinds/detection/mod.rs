//! Boxes with classes, by whatever a detector's outputs mean.
//!
//! A decoder yields candidates in pixels of the model's input, or of 0 to 1; here the best are chosen
//! and brought to the picture's own pixels. The back yields `boxes` f32 `[M, 4]` as left, top, right,
//! bottom; `scores` f32 `[M]`, `classes` i32 `[M]`, `count` i32 `[1]`; and for detectors that find
//! them, `points` f32 `[M, P, 2 or 3]` as x, y and score. What is beyond the count means nothing.

mod anchors;
mod grids;
mod yolo;

use embarca_ir::ops;
use embarca_ir::{Dim, ValueId};
use embarca_kernels::unary::Kind;

use crate::error::TaskError;
use crate::front::picture;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::spec::{self, Decoder, Spec};
use crate::stage::{Result, Stage};

/// Boxes before the best are chosen.
struct Candidates {
    /// f32 `[N, 4]`: corners.
    boxes: ValueId,
    /// f32 `[N, C]`.
    scores: ValueId,
    /// The class of each, f32 `[N]`, where `C` is 1.
    classes: Option<ValueId>,
    /// f32 `[N, P, 2 or 3]`: x, y and perhaps a score.
    points: Option<ValueId>,
    /// Whether coordinates lie between 0 and 1.
    unit: bool,
    /// Whether the model has suppressed overlaps itself.
    done: bool,
}

/// How a detector differs from the next.
struct Family {
    decoder: Decoder,
    recognize: fn(&Net) -> Option<Spec>,
    decode: fn(&Spec, &Net, &mut Stage<'_>) -> Result<Candidates>,
    /// The least score and the largest overlap, unless said otherwise.
    limits: (f32, f32),
}

/// In the order in which models are asked.
const FAMILIES: &[Family] = &[
    Family {
        decoder: Decoder::Postprocess,
        recognize: anchors::recognize_postprocess,
        decode: anchors::postprocess,
        limits: (0.3, 1.0),
    },
    Family {
        decoder: Decoder::DetectionOutput,
        recognize: anchors::recognize_detection_output,
        decode: anchors::detection_output,
        limits: (0.3, 1.0),
    },
    Family {
        decoder: Decoder::Blazeface,
        recognize: anchors::recognize_blazeface,
        decode: anchors::blazeface,
        limits: (0.5, 0.3),
    },
    Family {
        decoder: Decoder::Ultraface,
        recognize: anchors::recognize_ultraface,
        decode: anchors::ultraface,
        limits: (0.7, 0.3),
    },
    Family {
        decoder: Decoder::Corners,
        recognize: anchors::recognize_corners,
        decode: anchors::corners,
        limits: (0.7, 0.3),
    },
    Family {
        decoder: Decoder::Nanodet,
        recognize: grids::recognize_nanodet,
        decode: grids::nanodet,
        limits: (0.4, 0.6),
    },
    Family {
        decoder: Decoder::Mtcnn,
        recognize: grids::recognize_mtcnn,
        decode: grids::mtcnn,
        limits: (0.6, 0.5),
    },
    Family {
        decoder: Decoder::EndToEnd,
        recognize: yolo::recognize_end_to_end,
        decode: yolo::end_to_end,
        limits: (0.25, 1.0),
    },
    Family {
        decoder: Decoder::Yolov8,
        recognize: yolo::recognize_v8,
        decode: yolo::v8,
        limits: (0.25, 0.45),
    },
    Family {
        decoder: Decoder::Yolov5,
        recognize: yolo::recognize_v5,
        decode: yolo::v5,
        limits: (0.25, 0.45),
    },
];

pub fn recognize(net: &Net) -> Option<Spec> {
    FAMILIES.iter().find_map(|family| (family.recognize)(net))
}

/// A detector's description.
fn found(decoder: Decoder) -> Spec {
    Spec { decoder: Some(decoder), ..Spec::new(spec::Kind::Detection) }
}

/// Height and width of the model's input, which boxes in its pixels refer to.
pub(super) fn input_size(spec: &Spec, net: &Net) -> Result<[usize; 2]> {
    let picture = spec.picture.as_ref();
    let index = picture.map_or(0, |picture| picture.input);
    let port = net.inputs.get(index);
    let frame = port.and_then(|port| picture::frame(&port.dims, None));
    let of_model = frame.and_then(|frame| Some([frame.height?, frame.width?]));
    of_model.or_else(|| picture.and_then(|picture| picture.size)).ok_or_else(|| {
        TaskError::spec("the size of the model's input is open")
            .hint("add size = [height, width] to [picture]")
    })
}

/// Whether a port is a rank-3 tensor of a batch of one.
fn rows(port: &Port) -> Option<[Option<usize>; 2]> {
    match port.dims[..] {
        [None | Some(1), a, b] => Some([a, b]),
        _ => None,
    }
}

/// The rows of an output `[1, N, K]`, as real numbers `[N, K]`.
fn table(stage: &mut Stage<'_>, net: &Net, output: usize) -> Result<ValueId> {
    let x = stage.output(net, output)?;
    let dims = stage.dims(x);
    let [.., n, k] = &dims[..] else {
        return Err(TaskError::spec(format!("output {output} is no table of boxes")));
    };
    let flat = [n.clone(), k.clone()];
    stage.reshape(x, &flat)
}

/// Corners of boxes given as centre and size.
fn corners_of(stage: &mut Stage<'_>, boxes: ValueId) -> Result<ValueId> {
    let (centre, size) = (stage.slice(boxes, 1, 0, 2)?, stage.slice(boxes, 1, 2, 4)?);
    let half = stage.b.scalar(0.5);
    let half = stage.op(ops::Mul {}, &[size, half])?;
    let from = stage.op(ops::Sub {}, &[centre, half])?;
    let to = stage.op(ops::Add {}, &[centre, half])?;
    stage.concat(&[from, to], 1)
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let decoder = match spec.decoder {
        Some(decoder) => decoder,
        None => recognize(net).and_then(|spec| spec.decoder).ok_or_else(|| {
            TaskError::spec("the outputs are those of no detector that is known")
                .hint("name one, such as decoder = \"yolov8\"")
                .key("kind")
        })?,
    };
    let family = FAMILIES.iter().find(|family| family.decoder == decoder);
    let family =
        family.ok_or_else(|| TaskError::spec("this decoder finds no boxes").key("decoder"))?;
    let candidates = (family.decode)(spec, net, stage)?;
    // With a class beside each box, the scores do not tell how many there are.
    if let (None, Some(dims)) = (candidates.classes, stage.b.ty(candidates.scores).known_dims()) {
        section.name_classes(dims.last().copied().unwrap_or(0));
    }
    if decoder == Decoder::Mtcnn && grids::is_one_window(net) {
        section.notes.push(
            "the net looks at one window of 12x12; --shapes data:1x3xWIDTHxHEIGHT makes it look at all of \
             a picture"
                .into(),
        );
    }
    let (score, overlap) = family.limits;
    let score = stage.scalar("score", spec.score.unwrap_or(score), section);
    let overlap = if candidates.done {
        stage.b.scalar(1.0)
    } else {
        stage.scalar("overlap", spec.overlap.unwrap_or(overlap), section)
    };
    let op = ops::Suppress { most: spec.most.unwrap_or(100), across: false };
    let mut inputs =
        vec![Some(candidates.boxes), Some(candidates.scores), Some(score), Some(overlap)];
    inputs.extend(candidates.classes.map(Some));
    let kept = stage.b.node(op, &inputs)?;
    let [boxes, scores, classes, places, count] = kept[..] else {
        return Err(TaskError::spec("boxes cannot be chosen"));
    };
    let frame = if candidates.unit { Some(input_size(spec, net)?) } else { None };
    let boxes = to_picture(stage, boxes, frame)?;
    stage.yields("boxes", boxes);
    stage.yields("scores", scores);
    stage.yields("classes", classes);
    stage.yields("count", count);
    if let Some(points) = candidates.points {
        let points = stage.op(ops::Gather { axis: 0, batch_dims: 0 }, &[points, places])?;
        let points = points_to_picture(stage, points, frame)?;
        stage.yields("points", points);
    }
    Ok(())
}

/// Rows of the placement cut to `x, y` or `x, y, x, y`.
fn placement(stage: &mut Stage<'_>, width: usize) -> Result<[ValueId; 3]> {
    let all = stage.placement();
    let mut rows = [all; 3];
    for (i, row) in rows.iter_mut().enumerate() {
        let whole = stage.slice(all, 0, i, i + 1)?;
        let cut = stage.slice(whole, 1, 0, width)?;
        *row = stage.reshape(cut, &[Dim::Known(width as i64)])?;
    }
    Ok(rows)
}

/// Points whose last axis is x, y (or x, y, x, y), from the model's input to the picture, held
/// inside it. With `frame`, they lie between 0 and 1.
pub(super) fn to_picture(
    stage: &mut Stage<'_>,
    points: ValueId,
    frame: Option<[usize; 2]>,
) -> Result<ValueId> {
    let width = stage.known(points)?.last().copied().unwrap_or(2);
    let [scale, offset, size] = placement(stage, width)?;
    let mut x = points;
    if let Some([height, width_of]) = frame {
        let sides: Vec<f32> = [width_of as f32, height as f32].repeat(width / 2);
        let sides = stage.row(&sides);
        x = stage.op(ops::Mul {}, &[x, sides])?;
    }
    x = stage.op(ops::Sub {}, &[x, offset])?;
    x = stage.op(ops::Div {}, &[x, scale])?;
    let zero = stage.b.scalar(0.0);
    x = stage.op(ops::Maximum {}, &[x, zero])?;
    stage.op(ops::Minimum {}, &[x, size])
}

/// As [`to_picture`], for points that may carry a score behind x and y.
pub(super) fn points_to_picture(
    stage: &mut Stage<'_>,
    points: ValueId,
    frame: Option<[usize; 2]>,
) -> Result<ValueId> {
    let dims = stage.known(points)?;
    let axis = dims.len() - 1;
    if dims[axis] == 2 {
        return to_picture(stage, points, frame);
    }
    let places = stage.slice(points, axis, 0, 2)?;
    let places = to_picture(stage, places, frame)?;
    let scores = stage.slice(points, axis, 2, 3)?;
    stage.concat(&[places, scores], axis)
}

/// `1 / (1 + e^-x)`
fn sigmoid(stage: &mut Stage<'_>, x: ValueId) -> Result<ValueId> {
    stage.op(ops::Unary::plain(Kind::Sigmoid), &[x])
}
