//! From a graph to a plan: fusion, views, memory, the plan writer.
//!
//! Targets reach this crate as data; no file, no runtime, no thread.

mod device;
pub mod emit;
pub mod plan_writer;
pub mod schedule;
pub mod vectors;

use std::collections::BTreeMap;
use std::fmt;

use embarca_ir::{LowerError, Model};
use embarca_kernels::Fault;
use embarca_opt::LegalizeError;
use embarca_plan::memory::AssignError;
use embarca_target::{Fusion, Runtime, Target};

use crate::plan_writer::{PlanSource, PropertySource, WriteError};

/// Why a model does not become a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// A node has no kernel for its types.
    Node {
        /// Which.
        node: String,
        /// Why.
        error: LowerError,
    },
    /// Nodes have neither a kernel nor a decomposition.
    Gaps(LegalizeError),
    /// A kernel refuses the types or shapes of a step.
    Kernel {
        /// Which.
        step: String,
        /// Why.
        fault: Fault,
        /// Types and dimensions.
        types: String,
    },
    /// Valid, but beyond what a plan or the target holds.
    Limit(String),
    /// A defect of Embarca.
    Bug(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, error } => write!(f, "{node}: {error}"),
            Self::Gaps(error) => write!(f, "{error}"),
            Self::Kernel { step, fault, types } => {
                write!(f, "{step}: {}; {types}", fault.describe())
            }
            Self::Limit(message) => f.write_str(message),
            Self::Bug(message) => write!(f, "this is a defect of Embarca: {message}"),
        }
    }
}

impl std::error::Error for CompileError {}

/// What a build is told.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The targets; one program each.
    pub targets: Vec<Target>,
    /// Whether a test vector is computed and stored.
    pub vectors: bool,
    /// Where the model comes from, for the plan's provenance.
    pub provenance: BTreeMap<String, String>,
}

/// The optimized, target-blind graph in which every node has a kernel.
///
/// # Errors
/// When a node has neither a kernel nor a decomposition.
pub fn prepare(model: Model) -> Result<Model, CompileError> {
    let bug = |error: embarca_ir::ShapeError| CompileError::Bug(error.0);
    let model = embarca_opt::optimize(model).map_err(bug)?;
    let symbols = Model { symbols: model.symbols.clone(), ..Model::default() };
    let model = embarca_opt::decompose(model).map_err(|mut gaps| {
        for gap in &mut gaps.gaps {
            if let LowerError::NoKernel(message) = &mut gap.error {
                *message = symbols.with_names(message);
            }
        }
        CompileError::Gaps(gaps)
    })?;
    embarca_opt::optimize(model).map_err(bug)
}

/// The prepared graph with the patterns of operators that a target's kernels take as one.
fn fuse(model: &Model, target: &Target) -> Result<Model, CompileError> {
    let bug = |error: embarca_ir::ShapeError| CompileError::Bug(error.0);
    if !target.fuses(Fusion::Pad) {
        return Ok(model.clone());
    }
    match embarca_opt::pads::fold_pads(model.clone()).map_err(bug)? {
        (model, true) => embarca_opt::optimize(model).map_err(bug),
        (model, false) => Ok(model),
    }
}

/// What a plan holds around a model: the stages of its task, and the task's data.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// From what a user has to the model's inputs.
    pub front: Option<Model>,
    /// From the model's outputs to an answer.
    pub back: Option<Model>,
    /// The keys of the task section, which replace what the model's metadata says.
    pub task: BTreeMap<String, PropertySource>,
}

/// The bytes of a plan. The same model, options and version of Embarca give the same bytes.
///
/// # Errors
/// When a node has no kernel on a target, or something exceeds what a plan holds.
pub fn build(model: Model, options: &BuildOptions) -> Result<Vec<u8>, CompileError> {
    build_around(model, Around::default(), options)
}

/// As [`build`], with the stages of a task: plans for the same targets in sections of their own.
///
/// # Errors
/// As [`build`].
pub fn build_around(
    model: Model,
    around: Around,
    options: &BuildOptions,
) -> Result<Vec<u8>, CompileError> {
    let stage = |model: Option<Model>| {
        let plain = BuildOptions { vectors: false, provenance: BTreeMap::new(), ..options.clone() };
        model.map(|model| build(model, &plain)).transpose()
    };
    let (front, back) = (stage(around.front)?, stage(around.back)?);
    let model = prepare(model)?;
    if let Some(target) = options.targets.iter().find(|target| target.runtime == Runtime::Mcu) {
        if 1 < options.targets.len() {
            return Err(CompileError::Limit(format!(
                "a plan for '{}' holds no other target's program",
                target.id
            )));
        }
        let fused = fuse(&model, target)?;
        return device::build(&fused, &schedule::schedule(&fused, target)?, target);
    }
    let mut plan = PlanSource {
        interface: emit::interface(&model)?,
        weights_align: 64,
        task: task(&model),
        memory: true,
        front,
        back,
        ..PlanSource::default()
    };
    plan.task.extend(around.task);
    for (key, value) in &options.provenance {
        plan.provenance.insert(key.clone(), value.as_str().into());
    }
    plan.provenance
        .insert("tool".to_owned(), concat!("embarca ", env!("CARGO_PKG_VERSION")).into());
    if options.vectors {
        plan.vectors.extend(vectors::vector(&model));
    }
    for target in &options.targets {
        let fused = fuse(&model, target)?;
        let schedule = schedule::schedule(&fused, target)?;
        emit::program(&mut plan, &fused, &schedule, target)?;
    }
    let bug = |error: WriteError| match error {
        WriteError::TooLarge(_)
        | WriteError::Assign(AssignError::TooMany | AssignError::TooLarge) => {
            CompileError::Limit(error.to_string())
        }
        error => CompileError::Bug(error.to_string()),
    };
    for program in &mut plan.programs {
        program.place().map_err(bug)?;
    }
    plan_writer::write(&plan).map_err(bug)
}

fn task(model: &Model) -> BTreeMap<String, PropertySource> {
    let mut task = BTreeMap::new();
    if !model.meta.labels.is_empty() {
        task.insert("labels".to_owned(), PropertySource::Texts(model.meta.labels.clone()));
    }
    if !model.meta.mean.is_empty() {
        task.insert("mean".to_owned(), PropertySource::Floats(model.meta.mean.clone()));
    }
    if !model.meta.std.is_empty() {
        task.insert("std".to_owned(), PropertySource::Floats(model.meta.std.clone()));
    }
    task
}
