//! What tasks on sound share: recognizing a front, probabilities of a stream, what counts as an event.

use embarca_ir::ops::{self, Reduction};
use embarca_ir::{Dim, TensorType, ValueId};
use embarca_kernels::reduce;
use embarca_kernels::unary::Kind;
use embarca_num::DType;

use super::{classification, keyword, notes, voice, wake};
use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::sound_spec::SoundSpec;
use crate::spec::{Scores, Spec};
use crate::stage::{Result, Stage};

/// The task of a model that takes sound, told from its ports. With `given`, a row of numbers is taken for
/// samples at 16 kHz; otherwise only what is known beyond doubt is.
pub fn recognize(net: &Net, given: bool) -> Option<Spec> {
    let known: [fn(&Net) -> Option<Spec>; 4] =
        [voice::recognize, notes::recognize, wake::recognize, keyword::recognize];
    known.iter().find_map(|recognize| recognize(net)).or_else(|| {
        let [port] = &net.inputs[..] else { return None };
        let long = || port.dims.iter().enumerate().filter(|(_, dim)| **dim != Some(1));
        let is_row = match (long().count(), long().next_back()) {
            (1, Some((_, Some(len)))) => 2000 <= *len,
            (1 | 2, Some((_, None))) => long().all(|(_, dim)| dim.is_none()),
            (2, Some((_, Some(len)))) => port.dims.first() == Some(&None) && 2000 <= *len,
            _ => false,
        };
        let takes = matches!(port.dtype, DType::F32 | DType::I16);
        let mut spec = classification::recognize(net).filter(|_| given && is_row && takes)?;
        spec.sound = Some(SoundSpec { features: Some("samples".into()), ..SoundSpec::default() });
        Some(spec)
    })
}

/// The frames of an input that takes the micro front's features: 40 a frame, 0 to 26 in 8 bits.
pub fn micro_frames(port: &Port) -> Option<usize> {
    let (scale, zero) = port.quant.filter(|_| port.dtype == DType::I8)?;
    let stands_for = 255.0 * scale;
    let dims: Vec<usize> = port.dims.iter().map(|dim| dim.unwrap_or(1)).collect();
    let total: usize = dims.iter().product();
    let last = dims.iter().rev().find(|&&dim| dim != 1)?;
    let fits = zero == -128 && (25.0..=27.0).contains(&stands_for);
    (fits && (*last == 40 || *last == total) && total.is_multiple_of(40)).then_some(total / 40)
}

/// The number of elements of a port whose open dimensions are batches of one.
pub fn elements(port: &Port) -> usize {
    port.dims.iter().map(|dim| dim.unwrap_or(1)).product()
}

/// One probability a class, `[classes]`, of output 0 of the answer.
pub fn probabilities(spec: &Spec, net: &Net, stage: &mut Stage<'_>) -> Result<ValueId> {
    let index = super::output(spec, 0);
    let x = stage.output(net, index)?;
    let port = net.outputs.get(index);
    let scores = spec.scores.or_else(|| port.map(classification::meant));
    let classes = match stage.b.ty(x).known_dims() {
        Some(dims) => dims.iter().product::<usize>(),
        None => 1,
    };
    if classes == 0 {
        return Err(TaskError::spec(format!("output {index} has no classes")));
    }
    // A length that is open is that of the steps, of which one is fed.
    let x = if classes == 1 {
        let axes = (0..stage.dims(x).len()).collect();
        let by = Reduction(reduce::Kind::Max);
        stage.op(ops::Reduce { by, axes, keep: false }, &[x])?
    } else {
        x
    };
    let x = stage.reshape(x, &[Dim::Known(classes as i64)])?;
    match scores {
        Some(Scores::Sigmoid) => stage.op(ops::Unary::plain(Kind::Sigmoid), &[x]),
        Some(Scores::Logits) if 1 < classes => stage.op(ops::Softmax { axis: 0, beta: 1.0 }, &[x]),
        Some(Scores::Either) if 1 < classes => classification::either(stage, x),
        _ => Ok(x),
    }
}

/// The mean of `x` and of what it was in up to `count - 1` runs before.
pub fn smoothed(stage: &mut Stage<'_>, x: ValueId, count: usize) -> Result<ValueId> {
    let [classes] = stage.known(x)?[..] else { return Ok(x) };
    if count < 2 {
        return Ok(x);
    }
    let before = stage.state("before", TensorType::of(DType::F32, &[count, classes]))?;
    let kept = stage.slice(before, 0, 1, count)?;
    let x = stage.reshape(x, &[1, classes as i64].map(Dim::Known))?;
    let all = stage.concat(&[kept, x], 0)?;
    stage.keep(before, all);
    let runs = stage.state("runs", TensorType::of(DType::F32, &[1]))?;
    let one = stage.b.scalar(1.0);
    let next = stage.op(ops::Add {}, &[runs, one])?;
    let next = stage.op(ops::Clip { min: 1.0, max: count as f32 }, &[next])?;
    stage.keep(runs, next);
    let by = Reduction(reduce::Kind::Sum);
    let sum = stage.op(ops::Reduce { by, axes: vec![0], keep: false }, &[all])?;
    stage.op(ops::Div {}, &[sum, next])
}

/// Where events begin and end, unless the description says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    pub score: f32,
    pub release: f32,
    pub shortest: f32,
    pub gap: f32,
    pub margin: f32,
}

/// Puts what counts as an event into the section.
pub fn events(spec: &Spec, defaults: Defaults, section: &mut Section) {
    let given = spec.events.clone().unwrap_or_default();
    let score = spec.score.unwrap_or(defaults.score);
    // Where only the beginning is given, the end stays as far below it.
    let release = given.release.unwrap_or((score - (defaults.score - defaults.release)).max(0.0));
    for (name, value) in [
        ("score", score),
        ("release", release),
        ("shortest", given.shortest.unwrap_or(defaults.shortest)),
        ("gap", given.gap.unwrap_or(defaults.gap)),
        ("margin", given.margin.unwrap_or(defaults.margin)),
    ] {
        section.values.push((name.to_owned(), value));
    }
    let is_background = |label: &str| {
        let word = label.trim_matches('_').trim().to_ascii_lowercase();
        let names =
            ["silence", "unknown", "noise", "background", "background noise", "other", "none"];
        names.contains(&word.as_str())
    };
    let labels = section.labels.iter().enumerate();
    let named =
        || labels.filter(|(_, label)| is_background(label)).map(|(class, _)| class).collect();
    for class in given.background.unwrap_or_else(named) {
        section.values.push(("background".to_owned(), class as f32));
    }
}
