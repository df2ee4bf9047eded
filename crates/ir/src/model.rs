//! A model: graphs over shared constants and symbols. This is the portable, target-blind form.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dim::Dim;
use crate::ids::{ConstId, GraphId, NodeId, SymbolId, ValueId};
use crate::ops::Op;
use crate::types::{Const, TensorType};

/// A named dimension and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As the author wrote it, or `dim0`, `dim1`, ...
    pub name: String,
    /// The smallest legal value.
    pub min: u32,
    /// The value to plan for.
    pub preferred: u32,
    /// The largest legal value.
    pub max: u32,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Def {
    /// Input number n of the graph.
    Input(u32),
    /// Output number n of a node.
    Node(NodeId, u32),
    /// A constant.
    Const(ConstId),
    /// State number n of the graph, as it was when the run began.
    State(u32),
}

/// A value of a graph: written once.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The author's name; may be empty.
    pub name: String,
    /// What it holds.
    pub ty: TensorType,
    /// Where it comes from.
    pub def: Def,
    /// The elements as integers or expressions, row-major, where shape inference knows them
    /// (small integer tensors that dimensions are computed with).
    pub known: Option<Arc<[Dim]>>,
}

/// An operator applied to values.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The author's name; may be empty.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// `None` is an optional input that is left out.
    pub inputs: Vec<Option<ValueId>>,
    /// All outputs.
    pub outputs: Vec<ValueId>,
}

/// A tensor that survives from one run to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The author's name; may be empty.
    pub name: String,
    /// Its content before the first run and after a reset.
    pub initial: ConstId,
    /// The value that reads it.
    pub value: ValueId,
    /// What it becomes when the run ends.
    pub next: ValueId,
}

/// What a graph yields to its caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The author's name.
    pub name: String,
    /// The value; several outputs may share one.
    pub value: ValueId,
    /// Where the data decide how many elements along an axis count: the axis, and the output that
    /// holds their number (i64, of no axes). The others are filling.
    pub counted: Option<(usize, usize)>,
}

/// Nodes in an order in which every value is written before it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// For people.
    pub name: String,
    /// In execution order.
    pub nodes: Vec<Node>,
    /// Inputs, constants, states and results.
    pub values: Vec<Value>,
    /// What the caller feeds.
    pub inputs: Vec<ValueId>,
    /// What the caller gets.
    pub outputs: Vec<Output>,
    /// What survives the run.
    pub states: Vec<State>,
}

impl Graph {
    /// The value with this id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The type of a value.
    pub fn ty(&self, id: ValueId) -> &TensorType {
        &self.values[id.index()].ty
    }

    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node that writes a value, with the output's number.
    pub fn writer(&self, id: ValueId) -> Option<(&Node, usize)> {
        match self.value(id).def {
            Def::Node(node, output) => Some((self.node(node), output as usize)),
            _ => None,
        }
    }

    /// How often each value is read by nodes, graph outputs and states.
    pub fn use_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.values.len()];
        let reads = self.nodes.iter().flat_map(|node| node.inputs.iter().flatten());
        let outputs = self.outputs.iter().map(|output| &output.value);
        for id in reads.chain(outputs).chain(self.states.iter().map(|state| &state.next)) {
            counts[id.index()] += 1;
        }
        counts
    }
}

/// What people and front ends need to know about a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// `ONNX`, `TFLite`, `Caffe`, or empty.
    pub format: String,
    /// A line on the model.
    pub description: String,
    /// The program that wrote the source file.
    pub producer: String,
    /// Class names of output 0, in order.
    pub labels: Vec<String>,
    /// Per-channel mean of the raw pixel that input 0 expects subtracted.
    pub mean: Vec<f32>,
    /// Per-channel divisor after the mean.
    pub std: Vec<f32>,
    /// What else the file says that tells the model's task, by the file's own keys.
    pub properties: BTreeMap<String, String>,
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The main graph first, then those that control-flow operators call.
    pub graphs: Vec<Graph>,
    /// Shared by all graphs.
    pub consts: Vec<Const>,
    /// Shared by all graphs.
    pub symbols: Vec<Symbol>,
    /// For people and front ends.
    pub meta: Meta,
}

impl Model {
    /// A model with an empty main graph.
    pub fn new(name: &str) -> Self {
        let main = Graph { name: name.to_owned(), ..Graph::default() };
        Self { graphs: vec![main], ..Self::default() }
    }

    /// The main graph.
    pub fn main(&self) -> &Graph {
        &self.graphs[0]
    }

    /// The graph with this id.
    pub fn graph(&self, id: GraphId) -> &Graph {
        &self.graphs[id.index()]
    }

    /// The constant with this id.
    pub fn constant(&self, id: ConstId) -> &Const {
        &self.consts[id.index()]
    }

    /// The constant behind a value, if it is one.
    pub fn const_of(&self, graph: GraphId, value: ValueId) -> Option<&Const> {
        match self.graph(graph).value(value).def {
            Def::Const(id) => Some(self.constant(id)),
            _ => None,
        }
    }

    /// A message with the names of symbols, which operators do not know and write as `s0`, `s1`, ...
    /// What stands in quotes stays: those are names from the file.
    pub fn with_names(&self, message: &str) -> String {
        let mut text = String::with_capacity(message.len());
        let mut quoted = false;
        for word in message.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let number = bare.strip_prefix('s').and_then(|digits| digits.parse::<usize>().ok());
            match number.and_then(|number| self.symbols.get(number)) {
                Some(symbol) if !quoted => {
                    text.push_str(&symbol.name);
                    text.push_str(&word[bare.len()..]);
                }
                _ => text.push_str(word),
            }
            quoted ^= word.ends_with('\'');
        }
        text
    }

    /// The symbol with this name, made if it is new.
    pub fn symbol(&mut self, name: &str) -> SymbolId {
        if let Some(index) = self.symbols.iter().position(|symbol| symbol.name == name) {
            return SymbolId::new(index);
        }
        let max = i32::MAX.cast_unsigned();
        self.symbols.push(Symbol { name: name.to_owned(), min: 1, preferred: 1, max });
        SymbolId::new(self.symbols.len() - 1)
    }
}
