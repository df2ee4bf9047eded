//! From a foreign model to a graph: asks the dossier of each foreign operator.
//!
//! A node that cannot be imported does not end the import: the values behind it are marked as
//! missing and the rest is read on, so that a report lists every obstacle of a model.

mod classes;
mod constants;
mod control;
mod counts;
mod lists;
mod texts;
mod variables;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use embarca_num::DType;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::error::ImportError;
use crate::foreign::{ForeignDim, ForeignGraph, ForeignModel, ForeignNode};
use crate::foreign::{ForeignTensor, Format};
use crate::foreign_node::{Marked, NodeView};
use crate::ids::{GraphId, SymbolId, ValueId};
use crate::infer::fits;
use crate::model::{Def, Meta, Model, State, Symbol};
use crate::ops::{self, IMPORTERS, Importer};
use crate::sizes;
use crate::types::{Const, TensorType};

use classes::Classes;
use constants::{constant, quant, real_zeros, unsigned};
use variables::Variables;

/// Obstacles beyond this number are counted, not kept.
const MAX_OBSTACLES: usize = 1000;

/// ONNX's operators that move stored integers, or state their quantization themselves. The others
/// read plain integers, even those that a QuantizeLinear has written.
const KEEPS_QUANTIZATION: &[&str] = &[
    "Concat",
    "DepthToSpace",
    "DequantizeLinear",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "QGemm",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConcat",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearMatMul",
    "QLinearMul",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// What to assume where a file leaves something open.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Dimensions for inputs, by name; they replace what the file says.
    pub shapes: Vec<(String, Vec<u64>)>,
    /// Inputs that are constants from now on, by name: the graph is made for these values.
    pub fixed: Vec<(String, Const)>,
}

/// A node or an input that keeps a model from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Where: `node 12 'conv1' (Conv)` or `input 'x'`.
    pub place: String,
    /// The foreign operator, empty for inputs.
    pub op: String,
    /// Why.
    pub error: ImportError,
    /// Inputs of the model that would remove it if their content were fixed
    /// ([`BuildOptions::fixed`]); empty where that does not help.
    pub fixable: Vec<String>,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.error)
    }
}

/// Everything that keeps a model from running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// In the order of the file.
    pub list: Vec<Obstacle>,
    /// How many more there are.
    pub more: usize,
    /// The names of the model's inputs, in the order of the file.
    pub inputs: Vec<String>,
}

impl Obstacles {
    /// Inputs whose content the graph cannot be made without, each once.
    pub fn fixable(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.list.iter().flat_map(|obstacle| &obstacle.fixable) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    fn push(&mut self, obstacle: Obstacle) {
        if self.list.len() < MAX_OBSTACLES {
            self.list.push(obstacle);
        } else {
            self.more += 1;
        }
    }

    fn extend(&mut self, others: Self) {
        others.list.into_iter().for_each(|obstacle| self.push(obstacle));
        self.more += others.more;
    }
}

impl fmt::Display for Obstacles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, obstacle) in self.list.iter().enumerate() {
            write!(f, "{}{obstacle}", if i == 0 { "" } else { "\n" })?;
        }
        if 0 < self.more {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Obstacles {}

/// The graph of a foreign model.
///
/// # Errors
/// All obstacles, in the order of the file.
pub fn build(foreign: &ForeignModel<'_>, options: &BuildOptions) -> Result<Model, Obstacles> {
    let mut model = Model::new("main");
    model.meta = Meta {
        format: foreign.format.name().to_owned(),
        description: foreign.meta.description.clone(),
        producer: foreign.meta.producer.clone(),
        labels: foreign.meta.labels.clone(),
        mean: foreign.meta.mean.clone(),
        std: foreign.meta.std.clone(),
        properties: foreign.meta.properties.clone(),
    };
    let Some(graph) = foreign.graphs.first() else {
        let error = ImportError::malformed("the file holds no graph");
        let place = "model".to_owned();
        let obstacle = Obstacle { place, op: String::new(), error, fixable: Vec::new() };
        return Err(Obstacles { list: vec![obstacle], more: 0, inputs: Vec::new() });
    };
    model.graphs[0].name.clone_from(&graph.name);
    // Most tensors become one value and most nodes one node.
    model.graphs[0].values.reserve_exact(graph.tensors.len());
    model.graphs[0].nodes.reserve_exact(graph.nodes.len());
    let constants = graph.tensors.iter().filter(|tensor| tensor.data.is_some());
    model.consts.reserve_exact(constants.count());
    let classes = Classes::of(foreign);
    let mut importer = GraphImporter {
        format: foreign.format,
        model: foreign,
        options,
        b: Builder::new(&mut model, GraphId(0)),
        frame: Frame::new(graph, String::new()),
        states: Vec::new(),
        remembered: Vec::new(),
        symbols: HashMap::new(),
        spelled: HashMap::new(),
        variables: Variables::of(foreign),
        obstacles: Obstacles::default(),
        nodes_left: nodes_allowed(foreign),
    };
    importer.begin_texts(&classes);
    importer.run();
    importer.end_texts(classes);
    let mut obstacles = importer.obstacles;
    let name = |&index: &usize| graph.tensors.get(index).map(|tensor| tensor.name.clone());
    obstacles.inputs = graph.inputs.iter().filter_map(name).collect();
    if !obstacles.list.is_empty() {
        return Err(obstacles);
    }
    sizes::settle(&mut model);
    Ok(model)
}

/// How many nodes may be imported in all: each once, and some for graphs that are called from
/// several places or unrolled.
fn nodes_allowed(foreign: &ForeignModel<'_>) -> usize {
    let nodes: usize = foreign.graphs.iter().map(|graph| graph.nodes.len()).sum();
    nodes.saturating_mul(8).saturating_add(1 << 14)
}

/// What is known of a foreign tensor so far.
#[derive(Clone, Debug, PartialEq)]
enum Slot {
    Unset,
    Value(ValueId),
    /// A reference to the variable with this number.
    Handle(usize),
    /// A sequence.
    List(Vec<Slot>),
    /// An optional value that is not there.
    Nothing,
    /// Behind an obstacle that has been reported.
    Missing,
}

/// A foreign graph that is being imported.
struct Frame<'a> {
    foreign: &'a ForeignGraph<'a>,
    values: Vec<Slot>,
    /// Goes before the places of its obstacles.
    place: String,
}

impl<'a> Frame<'a> {
    fn new(foreign: &'a ForeignGraph<'a>, place: String) -> Self {
        Self { foreign, values: vec![Slot::Unset; foreign.tensors.len()], place }
    }
}

struct GraphImporter<'a, 'm> {
    format: Format,
    model: &'a ForeignModel<'a>,
    options: &'a BuildOptions,
    b: Builder<'m>,
    frame: Frame<'a>,
    states: Vec<(usize, State)>,
    /// Of nodes that keep one of their own.
    remembered: Vec<State>,
    /// The symbols that the author has named.
    symbols: HashMap<String, SymbolId>,
    /// How many symbols a name stands for before they are numbered.
    spelled: HashMap<String, usize>,
    variables: Variables,
    obstacles: Obstacles,
    nodes_left: usize,
}

impl<'a> GraphImporter<'a, '_> {
    fn run(&mut self) {
        for &index in &self.frame.foreign.inputs {
            self.input(index);
        }
        self.frame_states();
        for index in 0..self.frame.foreign.nodes.len() {
            self.node(index);
        }
        if self.frame.foreign.outputs.is_empty() {
            let error = ImportError::malformed("it has no outputs, so nothing would be computed");
            self.refuse("model".to_owned(), "", error);
        }
        for index in self.frame.foreign.outputs.clone() {
            self.output(index);
        }
        self.count_outputs();
        for (index, mut state) in std::mem::take(&mut self.states) {
            if let Slot::Value(next) = self.frame.values[index] {
                state.next = next;
                self.b.model.graphs[0].states.push(state);
            }
        }
        self.variable_states();
        for state in std::mem::take(&mut self.remembered) {
            let graph = &mut self.b.model.graphs[0];
            graph.values[state.value.index()].def = Def::State(graph.states.len() as u32);
            graph.states.push(state);
        }
    }

    fn refuse(&mut self, place: String, op: &str, mut error: ImportError) {
        error.message = self.b.model.with_names(&error.message);
        let place = format!("{}{place}", self.frame.place);
        let fixable = error.needs.map(|value| self.inputs_behind(value)).unwrap_or_default();
        self.obstacles.push(Obstacle { place, op: op.to_owned(), error, fixable });
    }

    /// The name of a model's input; arguments of called graphs may have others.
    fn model_input(&self, name: &str) -> Option<String> {
        let main = self.b.model.main();
        let known = main.inputs.iter().any(|&input| main.value(input).name == name);
        known.then(|| name.to_owned())
    }

    /// Names of the model's inputs that `value` is computed from.
    fn inputs_behind(&self, value: ValueId) -> Vec<String> {
        let graph = self.b.graph();
        let mut seen = vec![false; graph.values.len()];
        let mut open = vec![value];
        let mut names = Vec::new();
        while let Some(value) = open.pop() {
            match seen.get_mut(value.index()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match graph.value(value).def {
                Def::Input(_) => names.extend(self.model_input(&graph.value(value).name)),
                Def::Node(node, _) => {
                    open.extend(graph.nodes[node.index()].inputs.iter().flatten());
                }
                Def::Const(_) | Def::State(_) => {}
            }
        }
        names.sort_unstable();
        names
    }

    fn input(&mut self, index: usize) {
        let Some(tensor) = self.frame.foreign.tensors.get(index) else { return };
        let place = format!("input '{}'", tensor.name);
        let ty = match self.input_type(tensor) {
            Ok(ty) => ty,
            Err(error) => {
                self.frame.values[index] = Slot::Missing;
                return self.refuse(place, "", error);
            }
        };
        let fixed = self.options.fixed.iter().find(|(name, _)| *name == tensor.name);
        let value = match fixed {
            Some((_, data)) if !fits(&ty, &data.ty()) => {
                let message = format!("is {ty}, but is fixed to a value of {}", data.ty());
                self.frame.values[index] = Slot::Missing;
                return self.refuse(place, "", ImportError::malformed(message));
            }
            Some((_, data)) => self.b.named_constant(&tensor.name, data.clone(), ty.quant.clone()),
            None => self.b.input(&tensor.name, ty.clone()),
        };
        let value = match self.rewritten(&ty) {
            Some(signed) => self.convert(value, &signed),
            None => Ok(value),
        };
        self.frame.values[index] = match value {
            Ok(value) => Slot::Value(value),
            Err(error) => {
                self.refuse(place, "", error);
                Slot::Missing
            }
        };
    }

    fn input_type(&mut self, tensor: &ForeignTensor<'_>) -> Result<TensorType, ImportError> {
        let dtype = tensor.dtype.ok_or_else(|| {
            ImportError::unsupported("is not a tensor (a sequence, an optional or a map)")
        })?;
        if dtype == DType::Str {
            return Err(ImportError::unsupported("takes texts")
                .hint("export the model from behind what turns texts into numbers"));
        }
        let given = self.options.shapes.iter().find(|(name, _)| *name == tensor.name);
        let dims = match (given, &tensor.dims) {
            (Some((_, dims)), declared) => {
                let rank = declared.as_ref().map_or(dims.len(), Vec::len);
                if rank != dims.len() {
                    let message = format!("has {rank} dimensions, but {} are given", dims.len());
                    return Err(ImportError::malformed(message));
                }
                dims.iter().map(|&dim| ForeignDim::Known(dim)).collect()
            }
            (None, Some(dims)) => dims.clone(),
            (None, None) => {
                return Err(ImportError::unsupported("has no declared shape")
                    .hint(format!("give it with --shapes {}:1x3x224x224", tensor.name)));
            }
        };
        let mut resolved = Vec::with_capacity(dims.len());
        for (axis, dim) in dims.iter().enumerate() {
            let preferred = preferred_size(dims.len(), axis);
            resolved.push(match dim {
                ForeignDim::Known(dim) => Dim::Known(i64::try_from(*dim).unwrap_or(i64::MAX)),
                ForeignDim::Named(name) if name.chars().any(char::is_alphanumeric) => {
                    Dim::symbol(self.symbol(Some(name), name, preferred))
                }
                // Some exporters call every open dimension '?'.
                ForeignDim::Named(_) | ForeignDim::Unknown => {
                    let name = format!("{}_{axis}", tensor.name);
                    Dim::symbol(self.symbol(None, &name, preferred))
                }
            });
        }
        let quant = quant(tensor.quant.as_ref(), resolved.len());
        Ok(TensorType::new(dtype, resolved).with_quant(quant))
    }

    /// The symbol that the author calls `own`, or a new one. It is called `name` as far as the text
    /// form can write that without quotes; several that would be written alike are numbered. Its
    /// first use decides which size it is planned for.
    fn symbol(&mut self, own: Option<&str>, name: &str, preferred: u32) -> SymbolId {
        if let Some(&id) = own.and_then(|own| self.symbols.get(own)) {
            return id;
        }
        let mut clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if !clean.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            clean.insert(0, '_');
        }
        let twins = self.spelled.entry(clean.clone()).or_insert(0);
        *twins += 1;
        if 1 < *twins {
            let number = *twins;
            clean = format!("{clean}__{number}");
            while self.spelled.contains_key(&clean) {
                clean.push('_');
            }
            self.spelled.insert(clean.clone(), 1);
        }
        let max = i32::MAX.cast_unsigned();
        let symbols = &mut self.b.model.symbols;
        symbols.push(Symbol { name: clean, min: 1, preferred, max });
        let id = SymbolId::new(symbols.len() - 1);
        if let Some(own) = own {
            self.symbols.insert(own.to_owned(), id);
        }
        id
    }

    /// The `i8` twin of a quantized `u8` type of a TFLite model.
    fn rewritten(&self, ty: &TensorType) -> Option<TensorType> {
        if self.format != Format::TfLite || ty.dtype != DType::U8 {
            return None;
        }
        let mut quant = ty.quant.clone()?;
        for zero in &mut quant.zero_points {
            *zero = zero.saturating_sub(128);
        }
        Some(TensorType { dtype: DType::I8, dims: ty.dims.clone(), quant: Some(quant) })
    }

    /// `value` stored as `to` says; the real numbers stay.
    fn convert(&mut self, value: ValueId, to: &TensorType) -> Result<ValueId, ImportError> {
        let op = ops::Requantize { to: to.dtype, rule: "tflite".to_owned() };
        let result = self.b.op(op, &[value])?;
        self.b.set_quant(result, to.quant.clone());
        Ok(result)
    }

    /// The states behind the current graph's variable tensors.
    fn frame_states(&mut self) {
        for index in 0..self.frame.foreign.tensors.len() {
            if self.frame.foreign.tensors[index].is_variable {
                self.state(index);
            }
        }
    }

    fn state(&mut self, index: usize) {
        let tensor = &self.frame.foreign.tensors[index];
        let place = format!("variable '{}'", tensor.name);
        let result = self.input_type(tensor).and_then(|ty| {
            let ty = self.rewritten(&ty).unwrap_or(ty);
            let initial = real_zeros(&ty)?;
            Ok((ty, initial))
        });
        match result {
            Ok((ty, initial)) => {
                let number = self.states.len() as u32;
                let value = self.b.state(&tensor.name, ty, number);
                self.b.model.consts.push(initial);
                let initial = crate::ids::ConstId::new(self.b.model.consts.len() - 1);
                let name = tensor.name.clone();
                self.states.push((index, State { name, initial, value, next: value }));
                self.frame.values[index] = Slot::Value(value);
            }
            Err(error) => {
                self.frame.values[index] = Slot::Missing;
                self.refuse(place, "", error);
            }
        }
    }

    /// The value of a foreign tensor; constants are made at their first use.
    fn value(&mut self, index: usize) -> Result<Option<ValueId>, ImportError> {
        match self.frame.values.get(index) {
            Some(Slot::Value(value)) => return Ok(Some(*value)),
            Some(Slot::Missing) => return Ok(None),
            Some(Slot::Unset) => {}
            Some(Slot::Handle(_)) => {
                return Err(ImportError::malformed("a variable is read as if it were a tensor"));
            }
            Some(Slot::List(_) | Slot::Nothing) => {
                let message = "a sequence or an optional value is read as if it were a tensor";
                return Err(ImportError::unsupported(message));
            }
            None => return Err(ImportError::malformed("a tensor's number is out of range")),
        }
        let tensor = &self.frame.foreign.tensors[index];
        let unwritten = || {
            ImportError::malformed(format!("'{}' is read before anything writes it", tensor.name))
        };
        if tensor.dtype == Some(DType::Str) {
            return self.text_constant(index).map(Some);
        }
        let data = constant(tensor)?.ok_or_else(unwritten)?;
        let ty = data.ty().with_quant(quant(tensor.quant.as_ref(), data.dims.len()));
        let value = match self.rewritten(&ty) {
            Some(signed) => {
                let bytes: Vec<u8> = data.data.iter().map(|byte| byte ^ 0x80).collect();
                let data = Const { dtype: DType::I8, dims: data.dims, data: bytes.into() };
                self.b.named_constant(&tensor.name, data, signed.quant)
            }
            None => self.b.named_constant(&tensor.name, data, ty.quant),
        };
        self.frame.values[index] = Slot::Value(value);
        Ok(Some(value))
    }

    fn node(&mut self, index: usize) {
        let foreign = self.frame.foreign;
        let node = &foreign.nodes[index];
        let result = self.import(node);
        if let Ok(Some(slots)) = result {
            for (&output, value) in node.outputs.iter().zip(slots) {
                if let Some(slot) = output.and_then(|output| self.frame.values.get_mut(output)) {
                    *slot = value;
                }
            }
            return;
        }
        for &output in node.outputs.iter().flatten() {
            if let Some(slot) = self.frame.values.get_mut(output) {
                *slot = Slot::Missing;
            }
        }
        if let Err(error) = result {
            let name =
                if node.name.is_empty() { String::new() } else { format!(" '{}'", node.name) };
            self.refuse(format!("node {index}{name} ({})", node.op), &node.op, error);
        }
    }

    /// What the outputs are, or `None` behind an obstacle that has been reported.
    fn import(&mut self, node: &'a ForeignNode) -> Result<Option<Vec<Slot>>, ImportError> {
        let importer = find_importer(self.format, node)?;
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(|| {
            ImportError::unsupported("unrolled or called so often that the model grows too large")
        })?;
        if let Some(slots) = self.control(node) {
            return slots;
        }
        let mut inputs = Vec::with_capacity(node.inputs.len());
        let mut was_u8 = false;
        for &input in &node.inputs {
            let Some(input) = input else {
                inputs.push(None);
                continue;
            };
            let Some(mut value) = self.value(input)? else { return Ok(None) };
            let declared = self.frame.foreign.tensors.get(input).and_then(|tensor| tensor.dtype);
            let ty = self.b.ty(value);
            if declared == Some(DType::U8) && ty.dtype == DType::I8 {
                was_u8 = true;
                if importer.u8_as_i8.is_none() {
                    let unsigned = unsigned(ty);
                    value = self.convert(value, &unsigned)?;
                }
            }
            if self.format == Format::Onnx
                && self.b.ty(value).is_quantized()
                && !KEEPS_QUANTIZATION.contains(&node.op.as_str())
            {
                value = self.b.relabel(value, None)?;
            }
            inputs.push(Some(value));
        }
        let mut blobs = Vec::with_capacity(node.blobs.len());
        for &blob in &node.blobs {
            let Some(value) = self.value(blob)? else { return Ok(None) };
            blobs.push(value);
        }
        let output_types = node.outputs.iter().map(|output| self.declared(*output)).collect();
        let foreign = self.frame.foreign;
        let attr_tensors = |index: usize| constant(foreign.tensors.get(index)?).ok().flatten();
        let attr_texts = |index: usize| texts::of_tensor(foreign.tensors.get(index)?);
        let view = NodeView {
            format: self.format,
            op: &node.op,
            version: node.version,
            name: &node.name,
            inputs: Marked::new(inputs),
            blobs: Marked::new(blobs),
            n_outputs: node.outputs.len(),
            output_types,
            was_u8,
            attrs: &node.attrs,
            read: RefCell::new(vec![false; node.attrs.len()]),
            attr_tensors: &attr_tensors,
            attr_texts: &attr_texts,
            assigned: RefCell::default(),
            remembered: RefCell::default(),
        };
        self.b.node_name.clone_from(&node.name);
        let mut values = ops::texts::import_with(importer.import, &view, &mut self.b)?;
        let inputs: Vec<_> = view.inputs.items().collect();
        let allowed = nodes_allowed(self.model).saturating_mul(8);
        if allowed < self.b.graph().nodes.len() {
            let message = format!("the model's operators become more than {allowed} nodes");
            return Err(ImportError::unsupported(message));
        }
        view.check_read()?;
        self.remembered.extend(view.remembered.take());
        for (index, value) in view.assigned.take() {
            let tensor = node.inputs.get(index).copied().flatten();
            let variable = tensor.filter(|&tensor| foreign.tensors[tensor].is_variable);
            let slot = variable.and_then(|tensor| self.frame.values.get_mut(tensor));
            let message = || ImportError::malformed(format!("input {index} is no variable"));
            *slot.ok_or_else(message)? = Slot::Value(value);
        }
        if values.len() < node.outputs.iter().rposition(Option::is_some).map_or(0, |at| at + 1) {
            let message = format!("only {} outputs are computed", values.len());
            return Err(ImportError::unsupported(message));
        }
        for (&output, value) in node.outputs.iter().zip(&mut values) {
            let Some(output) = output else { continue };
            self.settle(output, value, &inputs)?;
        }
        Ok(Some(values.into_iter().map(Slot::Value).collect()))
    }

    /// The type that the file declares for an output, with `u8` data of TFLite models as `i8`.
    fn declared(&mut self, output: Option<usize>) -> Option<TensorType> {
        let tensor = self.frame.foreign.tensors.get(output?)?;
        if self.format != Format::TfLite {
            return None;
        }
        let dims = tensor.dims.as_deref().unwrap_or_default().iter().map(|dim| match dim {
            ForeignDim::Known(dim) => Dim::Known(i64::try_from(*dim).unwrap_or(i64::MAX)),
            _ => Dim::unknown(),
        });
        let dims: Vec<Dim> = dims.collect();
        let quant = quant(tensor.quant.as_ref(), dims.len());
        let ty = TensorType::new(tensor.dtype?, dims).with_quant(quant);
        Some(self.rewritten(&ty).unwrap_or(ty))
    }

    /// Brings a node's result to the type that the file declares for it, and names it. What the
    /// node has passed on as it was is shown under the declared quantization; a node's input keeps
    /// its own.
    fn settle(
        &mut self,
        output: usize,
        value: &mut ValueId,
        inputs: &[Option<ValueId>],
    ) -> Result<(), ImportError> {
        let Some(tensor) = self.frame.foreign.tensors.get(output) else { return Ok(()) };
        if let Some(declared) = self.declared(Some(output)) {
            let ty = self.b.ty(*value);
            if ty.dtype == DType::U8 && declared.dtype == DType::I8 {
                let own = tensor.quant.as_ref().and_then(|q| quant(Some(q), 8));
                *value = self.b.relabel(*value, own)?;
                *value = self.convert(*value, &declared)?;
            } else if ty.dtype != declared.dtype {
                let message = format!("yields {} where the file says {}", ty.dtype, declared.dtype);
                return Err(ImportError::malformed(message));
            } else if ty.quant.is_some() || inputs.contains(&Some(*value)) {
                if declared.dtype.is_int() {
                    *value = self.b.relabel(*value, declared.quant)?;
                }
            } else {
                self.b.set_quant(*value, declared.quant);
            }
        }
        if self.b.graph().value(*value).name.is_empty() {
            self.b.set_name(*value, &tensor.name);
        }
        Ok(())
    }

    fn output(&mut self, index: usize) {
        let name =
            self.frame.foreign.tensors.get(index).map_or("", |tensor| &tensor.name).to_owned();
        if let Some(Slot::List(items)) = self.frame.values.get(index) {
            return self.list_output(&name, items.clone());
        }
        let result = self.value(index).and_then(|value| {
            let Some(value) = value else { return Ok(None) };
            let declared = self.frame.foreign.tensors.get(index).and_then(|tensor| tensor.dtype);
            let ty = self.b.ty(value);
            if declared == Some(DType::U8) && ty.dtype == DType::I8 {
                let unsigned = unsigned(ty);
                return self.convert(value, &unsigned).map(Some);
            }
            Ok(Some(value))
        });
        match result {
            Ok(Some(value)) => {
                if self.b.graph().value(value).name.is_empty() {
                    self.b.set_name(value, &name);
                }
                self.b.output(value, &name);
            }
            Ok(None) => {}
            Err(error) => self.refuse(format!("output '{name}'"), "", error),
        }
    }
}

/// The size that an open axis is planned for: one sample, a picture of 224x224 (a multiple of 32, as
/// pyramids of five halvings need), a sequence of 128.
fn preferred_size(rank: usize, axis: usize) -> u32 {
    match (rank, axis) {
        (_, 0) => 1,
        (4.., _) => 224,
        _ => 128,
    }
}

fn find_importer(format: Format, node: &ForeignNode) -> Result<&'static Importer, ImportError> {
    let mut other_versions = None;
    for importer in IMPORTERS {
        for spelling in importer.spellings {
            if spelling.format != format
                || spelling.name != node.op
                || spelling.domain != node.domain
            {
                continue;
            }
            if (spelling.since..=spelling.until).contains(&node.version) {
                return Ok(importer);
            }
            other_versions = Some(spelling);
        }
    }
    if let Some(spelling) = other_versions {
        let message = format!(
            "{} version {} is not supported; versions {} to {} are",
            node.op,
            node.version,
            spelling.since,
            if spelling.until == u32::MAX {
                "the newest".to_owned()
            } else {
                spelling.until.to_string()
            }
        );
        return Err(ImportError::unsupported(message));
    }
    let domain = if node.domain.is_empty() { String::new() } else { format!("{}.", node.domain) };
    let message = format!("operator {domain}{} is not supported yet", node.op);
    Err(ImportError::unsupported(message)
        .hint("see CONTRIBUTING.md, \"Add an operator\", or export the model without it"))
}
