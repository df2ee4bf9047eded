//! How far data are from what a model can reproduce.

use embarca::Task;
use embarca_data::Image;

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::show;
use crate::term::Caps;

/// The mean of squared errors, and where anomalies begin.
pub struct Anomaly {
    score: f32,
    threshold: Option<f32>,
}

impl Anomaly {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let score = run.numbers("score")?.first().copied().unwrap_or(f32::NAN);
        Ok(Self { score, threshold: threshold(run.task) })
    }
}

/// Where anomalies begin, where that is known.
pub fn threshold(task: &Task) -> Option<f32> {
    let found = task.values.iter().find(|(name, _)| name == "threshold");
    found.map(|(_, value)| *value)
}

/// ` normal` or ` anomalous`; a score that is no number is no normal one.
pub fn verdict(score: f64, threshold: Option<f32>) -> &'static str {
    match threshold {
        None => "",
        Some(threshold) if score < f64::from(threshold) => " normal",
        Some(_) => " anomalous",
    }
}

impl Answer for Anomaly {
    fn text(&self, _: &Caps) -> String {
        let score = f64::from(self.score);
        format!("{}{}\n", show::digits(score), verdict(score, self.threshold))
    }

    fn json(&self) -> (&'static str, Json) {
        let score = f64::from(self.score);
        let verdict = verdict(score, self.threshold).trim();
        let verdict = if verdict.is_empty() { Json::Null } else { verdict.into() };
        ("anomaly", Json::object([("score", score.into()), ("verdict", verdict)]))
    }

    fn draw(&self, _: &mut Image) {}

    fn numbers(&self) -> &[f32] {
        std::slice::from_ref(&self.score)
    }
}
