//! Answers of tasks: what the last stage yields, as text, as JSON, drawn into the picture.

mod boxes;
mod classes;
mod enlarged;
mod line;
mod mask;
mod points;
mod quads;

use embarca::{Pipeline, Src, Task};
use embarca_data::{Array, Image};

use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::term::Caps;

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
}

/// What a pipeline that has run says; `None` where its task has no answer of its own.
pub fn read(run: &Run<'_>) -> Result<Option<Box<dyn Answer>>> {
    Ok(Some(match run.task.kind.as_str() {
        "classification" => Box::new(classes::Classes::read(run)?),
        "detection" => Box::new(boxes::Boxes::read(run)?),
        "pose" => Box::new(points::Points::read(run)?),
        "segmentation" => Box::new(mask::Mask::read(run)?),
        "super-resolution" => Box::new(enlarged::Enlarged::read(run)?),
        "text-detection" => Box::new(quads::Quads::read(run)?),
        "text-recognition" => Box::new(line::Line::read(run)?),
        _ => return Ok(None),
    }))
}
