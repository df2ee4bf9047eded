//! A class for each pixel, at the picture's own size.
//!
//! The back yields `mask` u8 `[H, W]`.

use embarca_ir::{Dim, ops};
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::spec::{self, Spec};
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

/// An output of class numbers the size of a picture, or of scores with a label for each class.
pub fn recognize(net: &Net) -> Option<Spec> {
    let output = net.outputs.iter().position(|port| map(port, net.labels.len()).is_some())?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    Some(Spec { outputs, ..Spec::new(spec::Kind::Segmentation) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let fit = spec.picture.as_ref().and_then(|picture| picture.fit.as_deref());
    if !matches!(fit, None | Some("stretch")) {
        return Err(TaskError::spec("segmentation needs pictures that fill the model's input")
            .hint("fit = 'stretch' or --fit stretch does that"));
    }
    let output = super::output(spec, 0);
    let missing = || TaskError::spec(format!("the model has no output {output}"));
    let port = net.outputs.get(output).ok_or_else(missing)?;
    // Without labels, the axis of classes is told by what the other axes are.
    let classes = match (section.labels.len(), &port.dims[..]) {
        (0, [_, _, _, Some(c)]) if *c < 256 => *c,
        (0, [_, Some(c), _, _]) => *c,
        (labels, _) => labels,
    };
    let map = map(port, classes).ok_or_else(|| {
        TaskError::spec(format!("output {output} is no map of classes"))
            .hint("labels = [...] says how many classes there are")
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
    };
    let x = stage.cast(x, DType::U8)?;
    let dims = stage.dims(x);
    let (height, width) = (dims[1].clone(), dims[2].clone());
    let x = stage.reshape(x, &[Dim::Known(1), height, width, Dim::Known(1)])?;
    let picture = stage.picture();
    let size = stage.dims(picture)[1..3].to_vec();
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
