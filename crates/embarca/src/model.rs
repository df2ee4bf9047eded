//! Opening a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use embarca_cpu::{LoadOptions, Plan};
use embarca_import::ImportLimits;
use embarca_ir::build::{BuildOptions, Obstacles, build};
use embarca_ir::emb;
use embarca_ir::foreign::ForeignModel;
use embarca_target::Target;

use crate::error::{Error, ErrorKind, Result};
use crate::files::Files;

/// What to assume where a file leaves something open.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Caffe's weights, when they do not lie beside the net under the same name.
    pub weights: Option<PathBuf>,
    /// Dimensions for inputs, by name; they replace what the file says.
    pub shapes: Vec<(String, Vec<u64>)>,
    /// Inputs that become constants, by name: the model is made for these values. Some models take
    /// as an input what decides over shapes (axes, say), which is needed when a plan is built;
    /// [`embarca_ir::build::Obstacles::fixable`] names them.
    pub fixed: Vec<(String, embarca_ir::Const)>,
    /// What a file may ask for.
    pub limits: ImportLimits,
}

impl OpenOptions {
    fn for_build(&self) -> BuildOptions {
        BuildOptions { shapes: self.shapes.clone(), fixed: self.fixed.clone() }
    }
}

/// A model as its file states it: axes, names and types are the author's.
#[derive(Clone, Debug)]
pub struct Model {
    graph: embarca_ir::Model,
    file_bytes: u64,
    source: BTreeMap<String, String>,
}

impl Model {
    /// Opens an ONNX, TFLite or Caffe file, or a portable graph.
    ///
    /// # Errors
    /// When the file cannot be read, is malformed, or holds what is not supported.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// Opens a model under options.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        let files = Files::read(path, options.weights.as_deref(), &options.limits)?;
        Self::from_files(&files, options).map_err(|error| error.about(path))
    }

    /// Reads a model in memory: ONNX without external files, TFLite, or a portable graph.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_bytes(bytes: &[u8], options: &OpenOptions) -> Result<Self> {
        Self::from_files(&Files::from_bytes(bytes), options)
    }

    fn from_files(files: &Files, options: &OpenOptions) -> Result<Self> {
        if let Some(graph) = files.portable()? {
            if !options.shapes.is_empty() || !options.fixed.is_empty() {
                let reason =
                    "a portable graph has its shapes and values; give them when it is made";
                return Err(ErrorKind::Options(reason.into()).into());
            }
            return Ok(Self::new(graph, files, options));
        }
        let foreign = files.parse(&options.limits)?;
        let shapes = options.for_build();
        Ok(Self::new(build(&foreign, &shapes)?, files, options))
    }

    fn new(graph: embarca_ir::Model, files: &Files, options: &OpenOptions) -> Self {
        let mut source = BTreeMap::from([("source-sha256".to_owned(), files.hash())]);
        if !options.shapes.is_empty() {
            source.insert("shapes".to_owned(), format!("{:?}", options.shapes));
        }
        if !options.fixed.is_empty() {
            let names: Vec<&str> = options.fixed.iter().map(|(name, _)| name.as_str()).collect();
            source.insert("fixed".to_owned(), names.join(" "));
        }
        Self { graph, file_bytes: files.len(), source }
    }

    /// The bytes of a plan with one program for each target, in their order. The same file, options,
    /// targets and version of Embarca give the same bytes on every machine.
    ///
    /// # Errors
    /// When a target is unknown or does not have what the model needs.
    pub fn build(&self, targets: &[&str]) -> Result<Vec<u8>> {
        self.build_for(Self::targets(targets)?)
    }

    /// The targets of these names.
    pub(crate) fn targets(names: &[&str]) -> Result<Vec<Target>> {
        let find = |id: &&str| {
            let missing = || ErrorKind::NoTarget((*id).to_owned());
            embarca_target::find(id).ok_or_else(|| Error { file: None, kind: missing() })
        };
        names.iter().map(find).collect()
    }

    /// As [`Model::build`], for targets that need not be built in.
    ///
    /// # Errors
    /// When a target does not have what the model needs.
    pub fn build_for(&self, targets: Vec<Target>) -> Result<Vec<u8>> {
        self.compile(targets, embarca_compile::Around::default(), true)
    }

    pub(crate) fn compile(
        &self,
        targets: Vec<Target>,
        around: embarca_compile::Around,
        vectors: bool,
    ) -> Result<Vec<u8>> {
        let provenance = self.source.clone();
        let options = embarca_compile::BuildOptions { targets, vectors, provenance };
        Ok(embarca_compile::build_around(self.graph.clone(), around, &options)?)
    }

    /// A plan for this machine, in memory.
    ///
    /// # Errors
    /// As [`Model::build`] and [`Plan::from_bytes`].
    pub fn plan(&self, options: LoadOptions) -> Result<Plan> {
        let host = embarca_target::find(embarca_target::host()).into_iter().collect();
        // A plan that stays in memory needs no proof for another machine.
        let bytes = self.compile(host, embarca_compile::Around::default(), false)?;
        Ok(Plan::from_bytes(&bytes, options)?)
    }

    /// The bytes of the portable graph file, `*.emb`, which [`Model::open`] reads.
    ///
    /// # Errors
    /// Only for graphs beyond what the file can hold.
    pub fn to_emb(&self) -> Result<Vec<u8>> {
        Ok(emb::write(&self.graph)?)
    }

    /// The bytes of an ONNX or TFLite file. Numbers are those of the model; quantized ONNX spells
    /// quantization out (QDQ), whose readers may round a step differently.
    ///
    /// # Errors
    /// With all nodes that the format has no words for; for Caffe.
    pub fn export(&self, format: embarca_ir::foreign::Format) -> Result<Vec<u8>> {
        Ok(embarca_export::write(&self.graph, format)?)
    }

    /// What of the model's notes for people (class names, ...) a file of another format does not hold.
    pub fn left_out(&self, format: embarca_ir::foreign::Format) -> Vec<String> {
        embarca_export::left_out(&self.graph, format)
    }

    /// The graph.
    pub fn graph(&self) -> &embarca_ir::Model {
        &self.graph
    }

    /// The graph, taken out.
    pub fn into_graph(self) -> embarca_ir::Model {
        self.graph
    }

    /// Bytes of the file or files that it came from.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

/// What a file holds, whether or not it can be run.
#[derive(Clone, Debug)]
pub struct Survey {
    /// `ONNX`, `TFLite`, `Caffe` or `portable graph`.
    pub format: &'static str,
    /// The program that wrote the file.
    pub producer: String,
    /// A line on the model, if the author left one.
    pub description: String,
    /// How often each foreign operator occurs, by name, over all graphs.
    pub operators: BTreeMap<String, usize>,
    /// Bytes of constants.
    pub constant_bytes: u64,
    /// Bytes of the file or files.
    pub file_bytes: u64,
    /// The model, or everything that keeps it from running.
    pub model: Result<Model, Obstacles>,
}

/// Looks at a file without giving up at the first thing that cannot be run.
///
/// # Errors
/// When the file cannot be read or is malformed.
pub fn survey(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Survey> {
    let files = Files::read(path.as_ref(), options.weights.as_deref(), &options.limits)?;
    if let Some(graph) = files.portable()? {
        let mut operators = BTreeMap::new();
        for node in graph.graphs.iter().flat_map(|graph| &graph.nodes) {
            *operators.entry(node.op.name().to_owned()).or_default() += 1;
        }
        return Ok(Survey {
            format: "portable graph",
            producer: graph.meta.producer.clone(),
            description: graph.meta.description.clone(),
            operators,
            constant_bytes: graph.consts.iter().map(|data| data.data.len() as u64).sum(),
            file_bytes: files.len(),
            model: Ok(Model::new(graph, &files, options)),
        });
    }
    let foreign = files.parse(&options.limits)?;
    let shapes = options.for_build();
    let model = build(&foreign, &shapes).map(|graph| Model::new(graph, &files, options));
    Ok(Survey {
        format: foreign.format.name(),
        producer: foreign.meta.producer.clone(),
        description: foreign.meta.description.clone(),
        operators: operators(&foreign),
        constant_bytes: constant_bytes(&foreign),
        file_bytes: files.len(),
        model,
    })
}

fn operators(foreign: &ForeignModel<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in foreign.graphs.iter().flat_map(|graph| &graph.nodes) {
        *counts.entry(node.op.clone()).or_default() += 1;
    }
    counts
}

fn constant_bytes(foreign: &ForeignModel<'_>) -> u64 {
    let tensors = foreign.graphs.iter().flat_map(|graph| &graph.tensors);
    tensors.map(|tensor| tensor.data.as_ref().map_or(0, |data| data.len() as u64)).sum()
}
