//! From a graph to a foreign model: asks the dossier of each operator how it is spelled.
//!
//! The opposite of [`crate::build`]. A dossier's [`OpDef::spell`](crate::OpDef::spell) is given a
//! [`Speller`] and adds foreign nodes. Permutations of axes are kept aside until somebody asks for a
//! value in another order than it has, so that the pairs of transposes which stand around spatial
//! operators of another layout vanish.

mod dims;
mod layout;
mod sheet;
pub mod speller;
mod states;

use std::collections::HashSet;
use std::fmt;

use embarca_num::DType;

use crate::control;
use crate::foreign::{ForeignGraph, ForeignMeta, ForeignModel, Format};
use crate::ids::{GraphId, NodeId};
use crate::model::Model;

use self::sheet::Sheet;
pub use self::speller::{Speller, Wire};

/// Why a node has no spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpellError {
    /// The format has no operator for it; a decomposition may still exist.
    NoSpelling(String),
    /// The graph contradicts itself.
    Bug(String),
}

impl SpellError {
    /// The format has no operator for it.
    pub fn none(message: impl Into<String>) -> Self {
        Self::NoSpelling(message.into())
    }
}

impl fmt::Display for SpellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpelling(message) => f.write_str(message),
            Self::Bug(message) => write!(f, "this is a defect of Embarca: {message}"),
        }
    }
}

/// A place of a graph that a format has no words for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The node, where it is one.
    pub node: Option<(GraphId, NodeId)>,
    /// Where, for people: `node 12 'conv1' (conv2d)`.
    pub place: String,
    /// Why.
    pub error: SpellError,
}

/// Everything that keeps a model from being written in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// The format.
    pub format: Format,
    /// In the order of the graph; never empty.
    pub list: Vec<Gap>,
}

/// Gaps that a message names; more fill more than a screen.
const MOST: usize = 20;

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, gap) in self.list.iter().take(MOST).enumerate() {
            write!(f, "{}{}: {}", if i == 0 { "" } else { "\n" }, gap.place, gap.error)?;
        }
        if MOST < self.list.len() {
            write!(f, "\nand {} more", self.list.len() - MOST)?;
        }
        Ok(())
    }
}

impl std::error::Error for Gaps {}

/// The model as nodes of a format.
///
/// # Errors
/// All places that the format has no words for.
pub fn spell(model: &Model, format: Format) -> Result<ForeignModel<'_>, Gaps> {
    let mut shared = Shared {
        model,
        format,
        unsigned: format == Format::TfLite && was_unsigned(model),
        graphs: vec![ForeignGraph::default()],
        names: HashSet::new(),
        gaps: Vec::new(),
    };
    let main = Sheet::new(&mut shared, GraphId(0)).main();
    if !shared.gaps.is_empty() {
        return Err(Gaps { format, list: shared.gaps });
    }
    shared.graphs[0] = main;
    let meta = &model.meta;
    let meta = ForeignMeta {
        description: meta.description.clone(),
        producer: meta.producer.clone(),
        labels: meta.labels.clone(),
        mean: meta.mean.clone(),
        std: meta.std.clone(),
        properties: meta.properties.clone(),
    };
    Ok(ForeignModel { format, graphs: shared.graphs, meta })
}

/// What the graphs of a model share while it is spelled.
#[derive(Debug)]
struct Shared<'m> {
    model: &'m Model,
    format: Format,
    /// Whether quantized tensors are stored as `u8`, as they were where the model came from.
    unsigned: bool,
    /// The first is the main graph, which is put there at the end.
    graphs: Vec<ForeignGraph<'m>>,
    /// Names of tensors, which are unique throughout.
    names: HashSet<String>,
    gaps: Vec<Gap>,
}

impl Shared<'_> {
    fn gap(&mut self, node: Option<(GraphId, NodeId)>, place: String, error: SpellError) {
        let error = match error {
            SpellError::NoSpelling(message) => {
                SpellError::NoSpelling(self.model.with_names(&message))
            }
            bug => bug,
        };
        self.gaps.push(Gap { node, place, error });
    }
}

/// Whether a model of i8 operators was one of u8 operators, which round differently in places: each
/// of them says so.
fn was_unsigned(model: &Model) -> bool {
    use crate::ops::{Op, Rescale};
    let marked = |op: &Op| match op {
        Op::Conv2d(op) => op.rescale == Rescale::TfliteU8,
        Op::DepthwiseConv2d(op) => op.rescale == Rescale::TfliteU8,
        Op::AveragePool2d(op) => op.half_up,
        Op::Resize(op) => op.was_u8,
        Op::Requantize(op) => op.rule == "concat_u8",
        _ => false,
    };
    let main = model.main();
    let states = main.states.iter().map(|state| state.value);
    let outside = main.inputs.iter().copied().chain(main.outputs.iter().map(|y| y.value));
    // What callers see keeps its type.
    let signed = |id| main.ty(id).dtype == DType::I8 && main.ty(id).quant.is_some();
    if { outside }.chain(states).any(signed) {
        return false;
    }
    let graphs = control::reachable(model).into_iter().map(|id| model.graph(id));
    graphs.flat_map(|graph| &graph.nodes).any(|node| marked(&node.op))
}
