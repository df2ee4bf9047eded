//! A class for each pixel, at the picture's own size.
//!
//! The back yields `mask` u8 `[H, W]`.

use embarca_ir::{Dim, ValueId, ops};
use embarca_kernels::compare;
use embarca_kernels::unary::Kind as Function;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Finish, Net, Port};
use crate::section::Section;
use crate::spec::{self, Scores, Spec};
use crate::stage::{Result, Stage};

/// How an output names the classes of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Map {
    /// Class numbers, `[1, H, W]` or with an axis of 1 at the end.
    Numbers,
    /// A score for each class on the last axis.
    Last,
    /// A score for each class on the axis behind the batch.
    First,
    /// One score: how likely the second of two classes is. `[1, H, W]`, or with an axis of 1.
    One,
}

fn map(port: &Port, labels: usize) -> Option<Map> {
    let whole = port.dtype.is_int() && port.quant.is_none();
    let large = |side: Option<usize>| side.is_none_or(|side| 8 <= side);
    match port.dims[..] {
        [None | Some(1), h, w] | [None | Some(1), h, w, Some(1)] => {
            (whole && large(h) && large(w)).then_some(Map::Numbers)
        }
        [None | Some(1), h, w, Some(c)] if 1 < c && c == labels => {
            (!whole && large(h) && large(w)).then_some(Map::Last)
        }
        [None | Some(1), Some(c), h, w] if 1 < c && c == labels => {
            (!whole && large(h) && large(w)).then_some(Map::First)
        }
        _ => None,
    }
}

/// Whether an output is a map of one score: how likely the second of two classes is.
fn is_one(port: &Port) -> bool {
    let large = |side: Option<usize>| side.is_none_or(|side| 8 <= side);
    let real = matches!(port.dtype, DType::F32 | DType::F16) || port.quant.is_some();
    match port.dims[..] {
        [None | Some(1), h, w]
        | [None | Some(1), h, w, Some(1)]
        | [None | Some(1), Some(1), h, w] => real && large(h) && large(w),
        _ => false,
    }
}

/// An output of class numbers the size of a picture, or of scores with a label for each class; with
/// names of two classes, or of one before a background, a map of how likely it is.
pub fn recognize(net: &Net) -> Option<Spec> {
    let labels = net.labels.len();
    let likely = |port: &Port| port.finish == Finish::Sigmoid && is_one(port);
    let one = || net.outputs.iter().position(likely).filter(|_| matches!(labels, 1 | 2));
    let output = net.outputs.iter().position(|port| map(port, labels).is_some()).or_else(one)?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    Some(Spec { outputs, ..Spec::new(spec::Kind::Segmentation) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let fit = spec.picture.as_ref().and_then(|picture| picture.fit.as_deref());
    let placed = match fit {
        None | Some("stretch") => false,
        Some("letterbox" | "corner") => true,
        Some(_) => {
            let what = "segmentation needs the whole picture in the model's input";
            return Err(TaskError::spec(what)
                .hint("fit = 'stretch' or 'letterbox', or --fit stretch, does that"));
        }
    };
    let output = super::output(spec, 0);
    let missing = || TaskError::spec(format!("the model has no output {output}"));
    let port = net.outputs.get(output).ok_or_else(missing)?;
    // Without labels, the axis of classes is told by what the other axes are.
    let labels = section.labels.len();
    let classes = match &port.dims[..] {
        _ if map(port, labels).is_some() => labels,
        [_, _, _, Some(c)] if *c < 256 => *c,
        [_, Some(c), _, _] => *c,
        _ => labels,
    };
    let found = map(port, classes).or_else(|| (labels < 3 && is_one(port)).then_some(Map::One));
    match found {
        Some(Map::One) => {
            if labels == 1 {
                section.labels.insert(0, "background".to_owned());
            }
            section.name_classes(2);
        }
        Some(Map::Last | Map::First) => section.name_classes(classes),
        Some(Map::Numbers) | None => {}
    }
    let map = found.ok_or_else(|| {
        TaskError::spec(format!("output {output} is no map of classes"))
            .hint("labels = [...] says how many classes there are")
            .key("kind")
    })?;
    if 256 < classes {
        return Err(TaskError::spec(format!("{classes} classes are more than a mask holds, 256")));
    }
    let x = stage.raw(net, output)?;
    let x = match map {
        Map::Numbers => x,
        Map::Last | Map::First => {
            let x = stage.real(x)?;
            let axis = if map == Map::Last { 3 } else { 1 };
            let to = DType::I32;
            stage.op(ops::ArgMax { axis, smallest: false, last: false, keep: false, to }, &[x])?
        }
        Map::One => {
            let mut x = stage.real(x)?;
            let plain = |scores| matches!(scores, Scores::Logits | Scores::Sigmoid);
            if spec.scores.map_or(port.finish == Finish::Layer, plain) {
                x = stage.op(ops::Unary::plain(Function::Sigmoid), &[x])?;
            }
            let dims = stage.dims(x);
            let (height, width) = match &dims[..] {
                [_, one, height, width] if one.known() == Some(1) => (height, width),
                [_, height, width, ..] => (height, width),
                _ => return Err(TaskError::spec(format!("output {output} is no map"))),
            };
            let flat = [Dim::Known(1), height.clone(), width.clone()];
            let x = stage.reshape(x, &flat)?;
            let least = stage.scalar("score", spec.score.unwrap_or(0.5), section);
            let holds = ops::Comparison(compare::Kind::LessEqual);
            stage.op(ops::Compare { holds }, &[least, x])?
        }
    };
    let x = stage.cast(x, DType::U8)?;
    let dims = stage.dims(x);
    let (height, width) = (dims[1].clone(), dims[2].clone());
    let x = stage.reshape(x, &[Dim::Known(1), height, width, Dim::Known(1)])?;
    let picture = stage.picture();
    let size = stage.dims(picture)[1..3].to_vec();
    if placed {
        let map = stage.dims(x)[1..3].to_vec();
        let mut mask = stage.reshape(x, &map)?;
        let frame = super::detection::input_size(spec, net)?;
        for (axis, side) in frame.into_iter().enumerate() {
            let places = places(stage, axis, &size[axis], side, &map[axis])?;
            mask = stage.op(ops::Gather { axis, batch_dims: 0 }, &[mask, places])?;
        }
        stage.yields("mask", mask);
        return Ok(());
    }
    let op = ops::Resize {
        mode: "nearest".to_owned(),
        coordinates: "half_pixel".to_owned(),
        rounding: "round_prefer_floor".to_owned(),
        size: size.clone(),
        scales: [0.0; 2],
        tflite: false,
        cubic_a: 0.0,
        exclude_outside: false,
        was_u8: false,
    };
    let mask = stage.op(op, &[x])?;
    let mask = stage.reshape(mask, &size)?;
    stage.yields("mask", mask);
    Ok(())
}

/// For each row (axis 0) or column (axis 1) of the picture, the one of the map that shows it: the
/// cell under its middle, where the picture lies in a frame of `side` pixels.
fn places(
    stage: &mut Stage<'_>,
    axis: usize,
    size: &Dim,
    side: usize,
    map: &Dim,
) -> Result<ValueId> {
    let cells = map.known().ok_or_else(|| {
        TaskError::spec("the size of the map is open").hint("fit = 'stretch' needs none")
    })?;
    // The placement's rows hold scale and offset, each as x, y.
    let placement = stage.placement();
    let mut of = |row: usize| -> Result<ValueId> {
        let row = stage.slice(placement, 0, row, row + 1)?;
        let one = stage.slice(row, 1, 1 - axis, 2 - axis)?;
        stage.reshape(one, &[Dim::Known(1)])
    };
    let (scale, offset) = (of(0)?, of(1)?);
    let [start, limit, step] = [0.5, f32::MAX, 1.0].map(|x| stage.b.scalar(x));
    let x = stage.op(ops::Range { len: size.clone() }, &[start, limit, step])?;
    let x = stage.op(ops::Mul {}, &[x, scale])?;
    let x = stage.op(ops::Add {}, &[x, offset])?;
    let share = stage.b.scalar(cells as f32 / side as f32);
    let x = stage.op(ops::Mul {}, &[x, share])?;
    let x = stage.op(ops::Unary::plain(Function::Floor), &[x])?;
    let x = stage.b.clip(x, 0.0, (cells - 1) as f32)?;
    stage.cast(x, DType::I32)
}
