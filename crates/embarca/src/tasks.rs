//! A model with the stages of its task, in a plan or in memory.

use std::collections::BTreeMap;

use embarca_compile::plan_writer::PropertySource;
use embarca_compile::{Around, BuildOptions};
use embarca_cpu::{Pipeline, Plan, Task};
use embarca_task::{Finish, Net, PictureSpec, Port, Section, Spec, Stages, Values};

use crate::error::Result;
use crate::model::Model;

/// A task ready to run around a model, and what front ends need to know of it.
#[derive(Debug)]
pub struct Staged {
    /// Front, model and back.
    pub pipeline: Pipeline,
    /// Labels, names, thresholds.
    pub task: Task,
}

impl Model {
    /// What a task sees of the model.
    pub fn net(&self) -> Net {
        Net::of(self.graph())
    }

    /// The bytes of a plan with one program for each target and, where a task is given, its stages.
    ///
    /// # Errors
    /// As [`Model::build`], and when the task does not fit the model.
    pub fn build_task(&self, targets: &[&str], spec: Option<&Spec>) -> Result<Vec<u8>> {
        let targets = Self::targets(targets)?;
        let around = match spec {
            Some(spec) => around(embarca_task::stages(spec, &self.net())?),
            None => Around::default(),
        };
        self.compile(targets, around, true)
    }
}

fn around(stages: Stages) -> Around {
    let property = |values| match values {
        Values::Texts(values) => PropertySource::Texts(values),
        Values::Integers(values) => PropertySource::Integers(values),
        Values::Floats(values) => PropertySource::Floats(values),
    };
    let task = stages.section.properties().into_iter();
    let task = task.map(|(key, values)| (key, property(values))).collect();
    Around { front: stages.front, back: stages.back, task }
}

/// What a task sees of a plan: less than of a model, because a plan does not say how its outputs
/// are computed.
pub fn net_of(plan: &Plan) -> Net {
    let task = plan.task();
    let port = |port: embarca_cpu::Port| Port {
        name: port.name,
        dtype: port.dtype,
        dims: port.dims,
        quant: port.quant,
        finish: Finish::Unknown,
    };
    Net {
        inputs: plan.inputs().into_iter().map(port).collect(),
        outputs: plan.outputs().into_iter().map(port).collect(),
        labels: task.labels,
        mean: task.mean,
        std: task.std,
        format: String::new(),
        narrowest: None,
        properties: BTreeMap::new(),
    }
}

/// A plan between stages that are made for this machine.
///
/// # Errors
/// When the task does not fit the model.
pub fn staged(plan: &Plan, net: &Net, spec: &Spec) -> Result<Staged> {
    with_stages(plan, embarca_task::stages(spec, net)?)
}

/// A plan behind a stage that turns pictures into its input; its own outputs are the answer.
///
/// # Errors
/// When the input is no picture, or the description does not fit it.
pub fn fed_with_pictures(plan: &Plan, net: &Net, picture: &PictureSpec) -> Result<Staged> {
    let mut section = Section { labels: net.labels.clone(), ..Section::default() };
    let front = embarca_task::picture::front(picture, net, false, &mut section.notes)?;
    with_stages(plan, Stages { front: Some(front), back: None, section })
}

fn with_stages(plan: &Plan, stages: Stages) -> Result<Staged> {
    let stage = |model: Option<embarca_ir::Model>| -> Result<Option<Plan>> {
        let Some(model) = model else { return Ok(None) };
        let targets = embarca_target::find(embarca_target::host()).into_iter().collect();
        let options = BuildOptions { targets, vectors: false, provenance: BTreeMap::new() };
        let bytes = embarca_compile::build(model, &options)?;
        Ok(Some(plan.stage(&bytes)?))
    };
    let (front, back) = (stage(stages.front)?, stage(stages.back)?);
    let section = stages.section;
    let task = Task {
        labels: section.labels,
        mean: Vec::new(),
        std: Vec::new(),
        kind: section.kind,
        values: section.values,
        notes: section.notes,
        points: section.points,
        skeleton: section.skeleton,
        carry: section.carry,
        tokenizer: section.tokenizer,
        units: section.units,
        spec: section.spec,
    };
    let pipeline = Pipeline::new(front, plan.clone(), back, &task)?;
    Ok(Staged { pipeline, task })
}
