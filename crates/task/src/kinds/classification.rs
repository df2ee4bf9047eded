//! One class of several: probabilities, the greatest first.
//!
//! The back yields `scores` f32 `[C]` from the greatest down and `classes` i32 `[C]`.

use embarca_ir::ops;
use embarca_ir::{Dim, ValueId};
use embarca_kernels::unary::Kind;
use embarca_kernels::{compare, reduce};
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

/// Whether an output may hold scores: real numbers.
fn is_real(port: &Port) -> bool {
    port.dtype == DType::F32 || port.quant.is_some()
}

/// An output of one score a class that ends in a softmax, or has a label for each; or one that says how
/// likely the second of two labels is.
pub fn recognize(net: &Net) -> Option<Spec> {
    let labelled = |classes: usize| net.labels.len() == classes;
    let is_answer = |port: &Port| match classes(port) {
        Some(n) => is_real(port) && (port.finish == Finish::Softmax || labelled(n)),
        None => port.is_one() && port.finish == Finish::Sigmoid && labelled(2),
    };
    let output = net.outputs.iter().position(is_answer)?;
    let port = net.outputs.get(output)?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    let scores = Some(meant(port));
    Some(Spec { outputs, scores, ..Spec::new(spec::Kind::Classification) })
}

/// The output of one score a class of a model that is known to classify; the first of several.
pub fn of_logits(net: &Net) -> Option<Spec> {
    let is_answer = |port: &Port| port.dims.len() == 2 && 1 < classes(port).unwrap_or(0);
    let output = net.outputs.iter().position(is_answer)?;
    let outputs = if output == 0 { Vec::new() } else { vec![output] };
    let scores = net.outputs.get(output).map(meant);
    Some(Spec { outputs, scores, ..Spec::new(spec::Kind::Classification) })
}

/// How the scores of an output are meant.
pub(super) fn meant(port: &Port) -> Scores {
    match (port.finish, port.quant) {
        (Finish::Softmax | Finish::Sigmoid, _) => Scores::Probabilities,
        // What TFLite gives every softmax and sigmoid.
        (_, Some((scale, _))) if scale == 1.0 / 256.0 => Scores::Probabilities,
        _ => Scores::Either,
    }
}

/// The output that answers: of several, the one with a score for each label, or else for each of some
/// classes.
fn answer(spec: &Spec, net: &Net, labels: &[String]) -> usize {
    let fits = |port: &Port| classes(port) == Some(labels.len());
    let scores = |port: &Port| is_real(port) && classes(port).is_some_and(|classes| 1 < classes);
    let find = |fits: &dyn Fn(&Port) -> bool| net.outputs.iter().position(fits);
    let found = || find(&fits).or_else(|| find(&scores)).unwrap_or(0);
    spec.outputs.first().copied().unwrap_or_else(found)
}

/// States how scores are meant, which only the model tells, and says so where it is a guess.
pub fn resolve(spec: &mut Spec, net: &Net, notes: &mut Vec<String>) {
    let labels = if spec.labels.is_empty() { &net.labels } else { &spec.labels };
    let port = net.outputs.get(answer(spec, net, labels));
    let (None, Some(port)) = (spec.scores, port) else { return };
    let scores = meant(port);
    if scores == Scores::Either {
        notes.push(
            "scores that do not sum to 1 are shown through a softmax; scores = \"probabilities\" \
             in a description leaves them alone"
                .into(),
        );
    }
    spec.scores = Some(scores);
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let output = answer(spec, net, &section.labels);
    let x = stage.output(net, output)?;
    let len: usize = stage.known(x)?.iter().product();
    if len == 0 {
        return Err(TaskError::spec(format!("output {output} has no classes")));
    }
    if len == 1 {
        return two(spec, stage, x, section);
    }
    section.name_classes(len);
    let mut x = stage.reshape(x, &[Dim::Known(len as i64)])?;
    match spec.scores.unwrap_or(Scores::Probabilities) {
        Scores::Probabilities => {}
        Scores::Sigmoid => x = stage.op(ops::Unary::plain(Kind::Sigmoid), &[x])?,
        Scores::Logits => x = softmax(stage, x)?,
        Scores::Either => x = either(stage, x)?,
    }
    ranked(stage, x, len)
}

/// One number that says how likely the second of two classes is; with one label, how likely that is.
fn two(spec: &Spec, stage: &mut Stage<'_>, x: ValueId, section: &mut Section) -> Result<()> {
    let mut x = stage.reshape(x, &[Dim::Known(1)])?;
    match spec.scores.unwrap_or(Scores::Either) {
        Scores::Probabilities => {}
        Scores::Sigmoid => x = stage.op(ops::Unary::plain(Kind::Sigmoid), &[x])?,
        Scores::Logits | Scores::Either => {
            let what = "the model yields one number, which is no score for each of several classes";
            return Err(TaskError::spec(what)
                .hint(
                    "kind = 'regression' shows it; scores = 'sigmoid' (or 'probabilities') makes it \
                     the second class of two",
                )
                .key("kind"));
        }
    }
    if section.labels.len() == 1 {
        return ranked(stage, x, 1);
    }
    section.name_classes(2);
    let one = stage.b.scalar(1.0);
    let other = stage.op(ops::Sub {}, &[one, x])?;
    let both = stage.concat(&[other, x], 0)?;
    ranked(stage, both, 2)
}

/// Scores `[len]` from the greatest down, and whose they are.
fn ranked(stage: &mut Stage<'_>, x: ValueId, len: usize) -> Result<()> {
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

fn softmax(stage: &mut Stage<'_>, x: ValueId) -> Result<ValueId> {
    stage.op(ops::Softmax { axis: 0, beta: 1.0 }, &[x])
}

/// Scores `[C]` as they are where none is below 0 and they sum to 1 (within 0.01, as 8-bit scores
/// may), otherwise their softmax.
pub(super) fn either(stage: &mut Stage<'_>, x: ValueId) -> Result<ValueId> {
    let soft = softmax(stage, x)?;
    let mut over = |by| {
        let by = ops::Reduction(by);
        stage.op(ops::Reduce { by, axes: vec![0], keep: true }, &[x])
    };
    let (least, sum) = (over(reduce::Kind::Min)?, over(reduce::Kind::Sum)?);
    let (one, zero) = (stage.b.scalar(-1.0), stage.b.scalar(-1e-5));
    let (off, near) = (stage.op(ops::Add {}, &[sum, one])?, stage.b.scalar(0.01));
    let off = stage.op(ops::Unary::plain(Kind::Abs), &[off])?;
    let mut holds = |a, b| {
        let holds = ops::Comparison(compare::Kind::LessEqual);
        stage.op(ops::Compare { holds }, &[a, b])
    };
    let (sums, positive) = (holds(off, near)?, holds(zero, least)?);
    let y = stage.op(ops::Select {}, &[sums, x, soft])?;
    stage.op(ops::Select {}, &[positive, y, soft])
}
