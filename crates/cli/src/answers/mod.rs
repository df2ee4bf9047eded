//! Answers of tasks: what the last stage yields, as text, as JSON, drawn into the picture.

mod anomaly;
mod boxes;
mod classes;
mod enlarged;
mod line;
mod mask;
mod points;
mod quads;
mod quantities;
mod vector;

use embarca::{Pipeline, Src, Task};
use embarca_data::{Array, Image};

use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::term::Caps;

pub use anomaly::{threshold, verdict};
pub use vector::similarities;

/// What an answer is read from.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// A pipeline that has run.
    pub pipeline: &'a Pipeline,
    /// Names and thresholds.
    pub task: &'a Task,
    /// Class names.
    pub labels: &'a [String],
    /// The most entries of a ranking.
    pub top: usize,
}

impl Run<'_> {
    /// What a stage yields under a name.
    pub fn array(&self, name: &str) -> Result<Array> {
        let missing = || Failure::refused(format!("the plan's back does not yield '{name}'"));
        let Src { ty, data } = self.pipeline.output(name).ok_or_else(missing)?;
        let dims: Vec<usize> = ty.dims.iter().map(|&dim| dim as usize).collect();
        Ok(Array::new(ty.dtype, &dims, data.to_vec())?)
    }

    /// The same as real numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.array(name)?.to_f32()?)
    }

    /// The same as places or counts.
    pub fn places(&self, name: &str) -> Result<Vec<usize>> {
        let values = self.array(name)?.to_f64()?;
        Ok(values.into_iter().map(|value| value.max(0.0) as usize).collect())
    }

    /// The first number under a name.
    pub fn count(&self, name: &str) -> Result<usize> {
        Ok(self.places(name)?.first().copied().unwrap_or(0))
    }

    /// The name of a class.
    pub fn label(&self, class: usize) -> String {
        match self.labels.get(class) {
            Some(label) if !label.is_empty() => label.clone(),
            _ => format!("class {class}"),
        }
    }
}

/// The answer of a task.
pub trait Answer {
    /// Lines for people.
    fn text(&self, caps: &Caps) -> String;
    /// For programs: a key and what it holds.
    fn json(&self) -> (&'static str, Json);
    /// Draws itself into the picture that was asked about.
    fn draw(&self, picture: &mut Image);
    /// The answer as numbers, where it is nothing else.
    fn numbers(&self) -> &[f32] {
        &[]
    }
}

/// The beginning of a text, on one line.
pub fn shortened(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if line.chars().count() <= most {
        return line;
    }
    let start: String = line.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", start.trim_end())
}

/// What a pipeline that has run says; `None` where its task has no answer of its own.
pub fn read(run: &Run<'_>) -> Result<Option<Box<dyn Answer>>> {
    Ok(Some(match run.task.kind.as_str() {
        "anomaly" => Box::new(anomaly::Anomaly::read(run)?),
        "classification" => Box::new(classes::Classes::read(run)?),
        "detection" => Box::new(boxes::Boxes::read(run)?),
        "pose" => Box::new(points::Points::read(run)?),
        "regression" => Box::new(quantities::Quantities::read(run)?),
        "segmentation" => Box::new(mask::Mask::read(run)?),
        "sentence-embedding" => Box::new(vector::Vector::read(run)?),
        "super-resolution" => Box::new(enlarged::Enlarged::read(run)?),
        "text-detection" => Box::new(quads::Quads::read(run)?),
        "text-recognition" => Box::new(line::Line::read(run)?),
        _ => return Ok(None),
    }))
}
