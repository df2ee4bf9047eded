//! What is left of a task when all numeric work is in its stages: names, labels, thresholds.

use std::collections::BTreeMap;

use crate::error::TaskError;
use crate::net::Net;
use crate::spec::Spec;

/// The values of one key.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Texts.
    Texts(Vec<String>),
    /// Whole numbers.
    Integers(Vec<i32>),
    /// Real numbers.
    Floats(Vec<f32>),
}

/// The data of a plan's task section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// The name of the kind.
    pub kind: String,
    /// The names of classes or characters.
    pub labels: Vec<String>,
    /// Scalars that stages take, by name, with what they are unless the user says otherwise.
    pub values: Vec<(String, f32)>,
    /// What was assumed, with the flags that change it.
    pub notes: Vec<String>,
    /// The names of keypoints.
    pub points: Vec<String>,
    /// Pairs of keypoints that a skeleton joins.
    pub skeleton: Vec<[u32; 2]>,
    /// Outputs of the model that its inputs take in the next run, as output, input.
    pub carry: Vec<[u32; 2]>,
    /// The tokenizer of a task that takes text.
    pub tokenizer: String,
    /// The units of numbers that are predicted.
    pub units: Vec<String>,
    /// The description, which makes other stages when a user changes a part of it.
    pub spec: String,
}

impl Section {
    /// What the description and the model say.
    pub(crate) fn new(spec: &Spec, net: &Net) -> Result<Self, TaskError> {
        let labels = if spec.labels.is_empty() { &net.labels } else { &spec.labels };
        let mut carry = Vec::new();
        for pair in &spec.carry {
            let (Some(from), Some(to)) = (net.outputs.get(pair.from), net.inputs.get(pair.to))
            else {
                let what = format!("there is no output {} or no input {}", pair.from, pair.to);
                return Err(TaskError::spec(format!("carry: {what}")).key("carry"));
            };
            if from.dtype != to.dtype || from.dims.len() != to.dims.len() {
                let (from, to) = (pair.from, pair.to);
                let what = format!("carry: output {from} is no value of input {to}");
                return Err(TaskError::spec(what).key("carry"));
            }
            carry.push([pair.from as u32, pair.to as u32]);
        }
        // Labels have their own key.
        let text = Spec { labels: Vec::new(), labels_file: None, ..spec.clone() }.to_toml()?;
        Ok(Self {
            kind: spec.kind.map(|kind| kind.to_string()).unwrap_or_default(),
            labels: labels.clone(),
            points: spec.points.clone(),
            skeleton: spec.skeleton.clone(),
            carry,
            tokenizer: spec.text.as_ref().map(|text| text.data.clone()).unwrap_or_default(),
            units: spec.units.clone(),
            spec: text,
            ..Self::default()
        })
    }

    /// Leaves names out, and says so, when there is not one for each class: a class has its number then.
    pub(crate) fn name_classes(&mut self, classes: usize) {
        let given = self.labels.len();
        if given != 0 && given != classes {
            let many = if classes == 1 { "class" } else { "classes" };
            let note = format!("{given} labels for {classes} {many}; --labels FILE gives others");
            self.notes.push(note);
            self.labels.clear();
        }
    }

    /// The keys of the plan's task section.
    pub fn properties(&self) -> BTreeMap<String, Values> {
        let pairs = |pairs: &[[u32; 2]]| {
            Values::Integers(pairs.iter().flatten().map(|&at| at.cast_signed()).collect())
        };
        let one = |text: &String| {
            Values::Texts(if text.is_empty() { Vec::new() } else { vec![text.clone()] })
        };
        let (names, values): (Vec<_>, Vec<_>) = self.values.iter().cloned().unzip();
        let all = [
            ("kind", Values::Texts(vec![self.kind.clone()])),
            ("labels", Values::Texts(self.labels.clone())),
            ("values", Values::Floats(values)),
            ("value-names", Values::Texts(names)),
            ("notes", Values::Texts(self.notes.clone())),
            ("points", Values::Texts(self.points.clone())),
            ("skeleton", pairs(&self.skeleton)),
            ("carry", pairs(&self.carry)),
            ("tokenizer", one(&self.tokenizer)),
            ("units", Values::Texts(self.units.clone())),
            ("spec", Values::Texts(vec![self.spec.clone()])),
        ];
        let is_empty = |values: &Values| match values {
            Values::Texts(values) => values.is_empty(),
            Values::Integers(values) => values.is_empty(),
            Values::Floats(values) => values.is_empty(),
        };
        let given = all.into_iter().filter(|(_, values)| !is_empty(values));
        given.map(|(key, values)| (key.to_owned(), values)).collect()
    }
}
