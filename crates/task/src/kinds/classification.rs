//! One class of several: probabilities, the greatest first.
//!
//! The back yields `scores` f32 `[C]` from the greatest down and `classes` i32 `[C]`.

use embarca_ir::Dim;
use embarca_ir::ops;
use embarca_kernels::unary::Kind;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Finish, Net, Port};
use crate::section::Section;
use crate::spec::{self, Scores, Spec};
use crate::stage::{Result, Stage};

/// The number of classes, when an output is one score a class: one axis longer than 1.
fn classes(port: &Port) -> Option<usize> {
    let mut long = port.dims.iter().enumerate().filter(|(axis, dim)| match dim {
        Some(dim) => 1 < *dim,
        None => *axis != 0 || port.dims.len() == 1,
    });
    let (_, Some(classes)) = long.next()? else { return None };
    long.next().is_none().then_some(*classes)
}

/// An output of one score a class that ends in a softmax or a sigmoid, or has a label for each.
pub fn recognize(net: &Net) -> Option<Spec> {
    let labelled = |classes: usize| net.labels.len() == classes;
    let is_answer = |port: &Port| {
        classes(port).is_some_and(|n| {
            let is_real = port.dtype == DType::F32 || port.quant.is_some();
            is_real && (port.finish == Finish::Softmax || labelled(n))
        })
    };
    let output = net.outputs.iter().position(is_answer)?;
    let port = net.outputs.get(output)?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    let scores = Some(meant(port));
    Some(Spec { outputs, scores, ..Spec::new(spec::Kind::Classification) })
}

/// How the scores of an output are meant.
fn meant(port: &Port) -> Scores {
    match (port.finish, port.quant) {
        (Finish::Softmax | Finish::Sigmoid, _) => Scores::Probabilities,
        // What TFLite gives every softmax and sigmoid.
        (_, Some((scale, _))) if scale == 1.0 / 256.0 => Scores::Probabilities,
        _ => Scores::Logits,
    }
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    // Of several outputs, the one with a score for each label.
    let fits = |port: &Port| classes(port) == Some(section.labels.len());
    let labelled = || net.outputs.iter().position(fits).unwrap_or(0);
    let output = spec.outputs.first().copied().unwrap_or_else(labelled);
    let x = stage.output(net, output)?;
    let len: usize = stage.known(x)?.iter().product();
    if len == 0 {
        return Err(TaskError::spec(format!("output {output} has no classes")));
    }
    if !section.labels.is_empty() && section.labels.len() != len {
        section.notes.push(format!(
            "{} labels for {len} classes; --labels FILE gives others",
            section.labels.len()
        ));
        section.labels.clear();
    }
    let mut x = stage.reshape(x, &[Dim::Known(len as i64)])?;
    let missing = || TaskError::spec(format!("the model has no output {output}"));
    let port = net.outputs.get(output).ok_or_else(missing)?;
    match spec.scores.unwrap_or_else(|| meant(port)) {
        Scores::Probabilities => {}
        Scores::Sigmoid => x = stage.op(ops::Unary::plain(Kind::Sigmoid), &[x])?,
        Scores::Logits => {
            if spec.scores.is_none() {
                section
                    .notes
                    .push("the scores are no probabilities; a softmax of them is shown".into());
            }
            x = stage.op(ops::Softmax { axis: 0, beta: 1.0 }, &[x])?;
        }
    }
    let k = Dim::Known(len as i64);
    let op = ops::TopK { axis: 0, k, smallest: false, to: DType::I32 };
    let sorted = stage.b.node(op, &[Some(x)])?;
    let [scores, classes] = sorted[..] else {
        return Err(TaskError::spec("the classes cannot be sorted"));
    };
    stage.yields("scores", scores);
    stage.yields("classes", classes);
    Ok(())
}
