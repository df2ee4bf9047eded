//! What a line of text says: CTC's best path.
//!
//! The back yields `characters` i32 `[T]`, their `scores` f32 `[T]` and `count` i32 `[1]`; what is
//! beyond the count means nothing.

use embarca_ir::ops;

use crate::error::TaskError;
use crate::net::{Finish, Net, Port};
use crate::section::Section;
use crate::spec::{self, PictureSpec, Scores, Spec};
use crate::stage::{Result, Stage};

/// Fewer characters than this are no alphabet.
const ALPHABET: usize = 10;

/// Steps and classes of an output `[1, T, C]`.
fn steps(port: &Port) -> Option<usize> {
    match port.dims[..] {
        [_, _, Some(classes)] if ALPHABET <= classes => Some(classes),
        _ => None,
    }
}

/// Labels for an alphabet of `classes`: recognizers have a blank before the characters of their file,
/// and PaddleOCR's often a space behind them.
fn alphabet(labels: &[String], classes: usize) -> Option<Vec<String>> {
    let mut all = labels.to_vec();
    match classes.checked_sub(labels.len())? {
        0 => {}
        1 => all.insert(0, String::new()),
        2 => {
            all.insert(0, String::new());
            all.push(" ".to_owned());
        }
        _ => return None,
    }
    Some(all)
}

/// An output of a probability for each character at each step, of a net that takes lines of text.
pub fn recognize(net: &Net) -> Option<Spec> {
    let [port] = &net.outputs[..] else { return None };
    let classes = steps(port)?;
    let labelled = alphabet(&net.labels, classes).is_some() && !net.labels.is_empty();
    let line = net.inputs.first().is_some_and(|port| {
        matches!(port.dims[..], [_, Some(1 | 3), Some(24..=64), None | Some(100..)])
    });
    let logits = port.finish != Finish::Softmax;
    if !(line && (labelled || 1000 < classes)) {
        return None;
    }
    let text = |text: &str| Some(text.to_owned());
    let picture = PictureSpec {
        colours: net.inputs.first().filter(|port| port.dims[1] == Some(3)).and(text("bgr")),
        filter: text("opencv-linear"),
        mean: vec![127.5],
        std: vec![127.5],
        ..PictureSpec::default()
    };
    Some(Spec {
        scores: Some(if logits { Scores::Logits } else { Scores::Probabilities }),
        picture: Some(picture),
        ..Spec::new(spec::Kind::TextRecognition)
    })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let output = super::output(spec, 0);
    let mut x = stage.output(net, output)?;
    let dims = stage.dims(x);
    let [_, steps, classes] = &dims[..] else {
        return Err(TaskError::spec(format!("output {output} is not [1, steps, classes]")));
    };
    if let (Some(classes), false) = (classes.known(), section.labels.is_empty()) {
        let classes = usize::try_from(classes).unwrap_or(0);
        let given = section.labels.len();
        section.labels = alphabet(&section.labels, classes).ok_or_else(|| {
            TaskError::spec(format!("{given} characters for {classes} classes"))
                .hint("--labels FILE gives others")
                .key("labels")
        })?;
    }
    x = stage.reshape(x, &[steps.clone(), classes.clone()])?;
    if spec.scores == Some(Scores::Logits) {
        x = stage.op(ops::Softmax { axis: 1, beta: 1.0 }, &[x])?;
    }
    let read = stage.b.node(ops::Ctc { blank: spec.blank.unwrap_or(0) }, &[Some(x)])?;
    let [characters, scores, count] = read[..] else {
        return Err(TaskError::spec("the steps cannot be read"));
    };
    stage.yields("characters", characters);
    stage.yields("scores", scores);
    stage.yields("count", count);
    Ok(())
}
