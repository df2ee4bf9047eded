//! Adds nodes to a graph, inferring their types on the way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use embarca_num::DType;

use crate::dim::Dim;
use crate::error::{ImportError, ShapeError};
use crate::foreign_node::Texts as TextTensor;
use crate::ids::{ConstId, GraphId, NodeId, ValueId};
use crate::infer;
use crate::model::{Def, Graph, Model, Node, Output, Value};
use crate::op::{Operand, Operands};
use crate::ops::{self, Op};
use crate::types::{Const, Quant, TensorType};

/// Integer tensors up to this many elements take part in symbolic shape inference.
pub const MAX_KNOWN: usize = 1024;

/// Adds to one graph of a model.
#[derive(Debug)]
pub struct Builder<'m> {
    /// The model.
    pub model: &'m mut Model,
    /// The graph that grows.
    pub graph: GraphId,
    /// The name given to nodes added from now on.
    pub node_name: String,
    /// By graph and value, as far as nodes have been added.
    read: Vec<Vec<bool>>,
    /// Bytes of tables so far.
    tables: usize,
    /// Values of sizes that the data decide over.
    counted: HashMap<(GraphId, ValueId), Counted>,
    texts: Texts,
}

/// The texts of a model: values that hold places in a list of them.
#[derive(Debug, Default)]
struct Texts {
    list: Vec<String>,
    places: HashMap<String, i64>,
    values: HashSet<(GraphId, ValueId)>,
    /// Of all constants.
    elements: usize,
}

/// A model may have so many different texts.
const MAX_TEXTS: usize = 1 << 14;

/// The constants of a model may hold so many texts.
const MAX_TEXT_ELEMENTS: usize = 1 << 18;

/// Which elements of a value count; the others are filling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The axis along which they lie at the front.
    pub axis: usize,
    /// Their number: i64, of no axes.
    pub count: ValueId,
}

/// Bytes of all tables that the operators of one graph may have made for them.
const MAX_TABLES: usize = 64 << 20;

impl<'m> Builder<'m> {
    /// Adds to graph `graph` of `model`.
    pub fn new(model: &'m mut Model, graph: GraphId) -> Self {
        Self {
            model,
            graph,
            node_name: String::new(),
            read: Vec::new(),
            tables: 0,
            counted: HashMap::new(),
            texts: Texts::default(),
        }
    }

    /// The graph that grows.
    pub fn graph(&self) -> &Graph {
        self.model.graph(self.graph)
    }

    fn graph_mut(&mut self) -> &mut Graph {
        &mut self.model.graphs[self.graph.index()]
    }

    fn push_value(&mut self, value: Value) -> ValueId {
        let graph = self.graph_mut();
        graph.values.push(value);
        ValueId::new(graph.values.len() - 1)
    }

    /// A new graph input.
    pub fn input(&mut self, name: &str, ty: TensorType) -> ValueId {
        let def = Def::Input(self.graph().inputs.len() as u32);
        let id = self.push_value(Value { name: name.to_owned(), ty, def, known: None });
        self.graph_mut().inputs.push(id);
        id
    }

    /// Makes a value a graph output under a name.
    pub fn output(&mut self, value: ValueId, name: &str) {
        self.graph_mut().outputs.push(Output { name: name.to_owned(), value, counted: None });
    }

    /// Says of the output that was added last which of its elements count; see [`Output::counted`].
    pub fn count_last_output(&mut self, counted: Option<(usize, usize)>) {
        if let Some(output) = self.graph_mut().outputs.last_mut() {
            output.counted = counted;
        }
    }

    /// Which elements of a value count, where the data decide over that.
    pub fn counted(&self, value: ValueId) -> Option<Counted> {
        self.counted.get(&(self.graph, value)).copied()
    }

    /// Declares that of `value` only the first `count` (i64, of no axes) elements along an axis count.
    pub fn set_counted(&mut self, value: ValueId, axis: usize, count: ValueId) {
        self.counted.insert((self.graph, value), Counted { axis, count });
    }

    /// Whether only a part of a value of another graph counts.
    pub fn counted_in(&self, graph: GraphId, value: ValueId) -> bool {
        self.counted.contains_key(&(graph, value))
    }

    /// The place of a text in the list of the model's texts, where it stands from now on.
    ///
    /// # Errors
    /// When the model has more than 16384 texts.
    pub fn text(&mut self, text: &str) -> Result<i64, ImportError> {
        if let Some(&place) = self.texts.places.get(text) {
            return Ok(place);
        }
        if MAX_TEXTS <= self.texts.list.len() {
            let message = format!("the model has more than {MAX_TEXTS} texts");
            return Err(ImportError::unsupported(message));
        }
        let place = self.texts.list.len() as i64;
        self.texts.list.push(text.to_owned());
        self.texts.places.insert(text.to_owned(), place);
        Ok(place)
    }

    /// A constant of texts, as their places.
    ///
    /// # Errors
    /// When they are too many, alone or together with those of other constants.
    pub fn text_constant(
        &mut self,
        name: &str,
        texts: &TextTensor,
    ) -> Result<ValueId, ImportError> {
        self.texts.elements = self.texts.elements.saturating_add(texts.list.len());
        if MAX_TEXT_ELEMENTS < self.texts.elements {
            let message = format!("constants of more than {MAX_TEXT_ELEMENTS} texts");
            return Err(ImportError::unsupported(message));
        }
        let places: Vec<i64> =
            texts.list.iter().map(|text| self.text(text)).collect::<Result<_, _>>()?;
        let value = self.named_constant(name, Const::from_i64(&texts.dims, &places), None);
        self.set_text(value);
        Ok(value)
    }

    /// All texts so far, each at its place.
    pub fn texts(&self) -> &[String] {
        &self.texts.list
    }

    /// Whether a value holds places of texts.
    pub fn is_text(&self, value: ValueId) -> bool {
        self.is_text_in(self.graph, value)
    }

    /// Whether a value of another graph holds places of texts.
    pub fn is_text_in(&self, graph: GraphId, value: ValueId) -> bool {
        self.texts.values.contains(&(graph, value))
    }

    /// Declares that a value (i64) holds places of texts.
    pub fn set_text(&mut self, value: ValueId) {
        self.texts.values.insert((self.graph, value));
    }

    /// What a number of elements that count is at most.
    pub fn most(&self, count: ValueId) -> Option<i64> {
        let of_it = self
            .counted
            .iter()
            .filter(|((graph, _), counted)| *graph == self.graph && counted.count == count);
        let sizes = of_it.filter_map(|((_, value), counted)| {
            self.ty(*value).dims.get(counted.axis).and_then(Dim::known)
        });
        sizes.min()
    }

    /// The value of a new state, which the caller adds to the graph when its next value is known.
    pub fn state(&mut self, name: &str, ty: TensorType, number: u32) -> ValueId {
        self.push_value(Value { name: name.to_owned(), ty, def: Def::State(number), known: None })
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        self.graph().ty(value)
    }

    /// The rank of a value.
    pub fn rank(&self, value: ValueId) -> usize {
        self.ty(value).rank()
    }

    /// The content of a value, if it is constant.
    pub fn const_of(&self, value: ValueId) -> Option<&Const> {
        self.model.const_of(self.graph, value)
    }

    /// What inference knows of a value.
    pub fn operand(&self, value: ValueId) -> Operand<'_> {
        let data = self.const_of(value);
        let value = self.graph().value(value);
        Operand { ty: &value.ty, known: value.known.as_deref(), data }
    }

    /// The elements of a constant or otherwise known integer tensor.
    ///
    /// # Errors
    /// When they depend on what the graph is fed; `what` names the value in the message.
    pub fn ints(&self, value: ValueId, what: &str) -> Result<Vec<i64>, ImportError> {
        self.operand(value).ints().ok_or_else(|| {
            ImportError::unknown(value, format!("{what} is computed from the input's content"))
        })
    }

    /// The elements of a known integer tensor, as numbers or expressions over symbols.
    ///
    /// # Errors
    /// When they depend on what the graph is fed; `what` names the value in the message.
    pub fn dims(&self, value: ValueId, what: &str) -> Result<Vec<Dim>, ImportError> {
        match self.operand(value).known {
            Some(known) => Ok(known.to_vec()),
            None => Ok(self.ints(value, what)?.into_iter().map(Dim::Known).collect()),
        }
    }

    /// The elements of a constant as f32.
    ///
    /// # Errors
    /// When it is not a constant of real numbers; `what` names the value in the message.
    pub fn floats(&self, value: ValueId, what: &str) -> Result<Vec<f32>, ImportError> {
        let data = self
            .const_of(value)
            .and_then(Const::to_f64)
            .ok_or_else(|| ImportError::unknown(value, format!("{what} is not a constant")))?;
        Ok(data.into_iter().map(|value| value as f32).collect())
    }

    /// A constant. Its type may carry a quantization.
    pub fn constant(&mut self, data: Const, quant: Option<Quant>) -> ValueId {
        self.named_constant("", data, quant)
    }

    /// A constant that no file holds: a table made for an operator, whose size a few bytes of a file
    /// may have asked for.
    ///
    /// # Errors
    /// When all tables of the graph together exceed 64 MiB.
    pub fn table(&mut self, data: Const) -> Result<ValueId, ShapeError> {
        self.tables = self.tables.saturating_add(data.data.len());
        if MAX_TABLES < self.tables {
            return Err(ShapeError::new("the tables of its operators exceed 64 MiB"));
        }
        Ok(self.constant(data, None))
    }

    /// A constant with the author's name.
    pub fn named_constant(&mut self, name: &str, data: Const, quant: Option<Quant>) -> ValueId {
        self.model.consts.push(data);
        self.use_constant(name, ConstId::new(self.model.consts.len() - 1), quant)
    }

    /// A value for a constant that the model already holds.
    pub fn use_constant(&mut self, name: &str, id: ConstId, quant: Option<Quant>) -> ValueId {
        let data = self.model.constant(id);
        let known = infer::known_of_const(data);
        let ty = data.ty().with_quant(quant);
        self.push_value(Value { name: name.to_owned(), ty, def: Def::Const(id), known })
    }

    /// An f32 constant of rank 0.
    pub fn scalar(&mut self, value: f32) -> ValueId {
        self.constant(Const::from_f32(&[], &[value]), None)
    }

    /// An f32 constant.
    pub fn f32s(&mut self, dims: &[usize], values: &[f32]) -> ValueId {
        self.constant(Const::from_f32(dims, values), None)
    }

    /// An i64 constant of rank 1.
    pub fn i64s(&mut self, values: &[i64]) -> ValueId {
        self.constant(Const::from_i64(&[values.len()], values), None)
    }

    /// Adds a node and yields its outputs. Results that inference knows completely become
    /// constants instead.
    ///
    /// # Errors
    /// When the inputs do not fit the operator.
    pub fn node(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Option<ValueId>],
    ) -> Result<Vec<ValueId>, ShapeError> {
        let op = op.into();
        let operands: Vec<Option<Operand<'_>>> =
            inputs.iter().map(|input| input.map(|id| self.operand(id))).collect();
        let types = op.infer(Operands(&operands))?;
        let mut known = op.known(Operands(&operands));
        known.resize(types.len(), None);
        if let Some(outputs) = self.folded(&types, &known) {
            return Ok(outputs);
        }
        let node = NodeId::new(self.graph().nodes.len());
        let name = self.node_name.clone();
        let mut outputs = Vec::with_capacity(types.len());
        for (i, (ty, known)) in types.into_iter().zip(known).enumerate() {
            let known = known.filter(|known| known.len() <= MAX_KNOWN).map(Arc::from);
            let def = Def::Node(node, i as u32);
            outputs.push(self.push_value(Value { name: String::new(), ty, def, known }));
        }
        self.mark_read(inputs);
        let inputs = inputs.to_vec();
        self.graph_mut().nodes.push(Node { name, op, inputs, outputs: outputs.clone() });
        Ok(outputs)
    }

    fn folded(&mut self, types: &[TensorType], known: &[Option<Vec<Dim>>]) -> Option<Vec<ValueId>> {
        let mut constants = Vec::with_capacity(types.len());
        for (ty, known) in types.iter().zip(known) {
            let dims = ty.known_dims()?;
            let values: Vec<i64> = known.as_ref()?.iter().map(Dim::known).collect::<Option<_>>()?;
            let data: Vec<u8> = match ty.dtype {
                DType::I64 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                DType::I32 => {
                    let narrow: Vec<i32> =
                        values.iter().map(|&v| i32::try_from(v).ok()).collect::<Option<_>>()?;
                    narrow.iter().flat_map(|value| value.to_le_bytes()).collect()
                }
                DType::Bool => values.iter().map(|&value| u8::from(value != 0)).collect(),
                _ => return None,
            };
            constants.push(Const::new(ty.dtype, dims, data)?);
        }
        Some(constants.into_iter().map(|data| self.constant(data, None)).collect())
    }

    /// Adds a node with one output whose inputs are all there.
    ///
    /// # Errors
    /// When the inputs do not fit the operator.
    pub fn op(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let inputs: Vec<Option<ValueId>> = inputs.iter().copied().map(Some).collect();
        let outputs = self.node(op, &inputs)?;
        outputs.first().copied().ok_or_else(|| ShapeError::new("the operator has no output"))
    }

    /// Declares how the integers of a value stand for real numbers.
    pub fn set_quant(&mut self, value: ValueId, quant: Option<Quant>) {
        self.graph_mut().values[value.index()].ty.quant = quant;
    }

    /// Whether a node that has been added reads the value.
    pub fn is_read(&self, value: ValueId) -> bool {
        let read = self.read.get(self.graph.index()).and_then(|read| read.get(value.index()));
        read.is_some_and(|read| *read)
    }

    fn mark_read(&mut self, inputs: &[Option<ValueId>]) {
        let graph = self.graph.index();
        if self.read.len() <= graph {
            self.read.resize(graph + 1, Vec::new());
        }
        let read = &mut self.read[graph];
        for input in inputs.iter().flatten() {
            if read.len() <= input.index() {
                read.resize(input.index() + 1, false);
            }
            read[input.index()] = true;
        }
    }

    /// The same integers under another quantization; `value` itself stays as it is.
    ///
    /// # Errors
    /// Never on a value of this graph.
    pub fn relabel(&mut self, value: ValueId, quant: Option<Quant>) -> Result<ValueId, ShapeError> {
        if self.ty(value).quant == quant {
            return Ok(value);
        }
        let dims = self.ty(value).dims.clone();
        let shown = self.op(ops::Reshape { dims }, &[value])?;
        self.set_quant(shown, quant);
        Ok(shown)
    }

    /// Gives a value the author's name.
    pub fn set_name(&mut self, value: ValueId, name: &str) {
        name.clone_into(&mut self.graph_mut().values[value.index()].name);
    }

    /// `value` with its axes permuted: axis `i` of the result is axis `perm[i]` of `value`.
    ///
    /// # Errors
    /// When `perm` is not a permutation of the axes.
    pub fn transpose(&mut self, value: ValueId, perm: &[usize]) -> Result<ValueId, ShapeError> {
        if perm.iter().enumerate().all(|(i, &axis)| i == axis) && perm.len() == self.rank(value) {
            return Ok(value);
        }
        self.op(ops::Transpose { perm: perm.to_vec() }, &[value])
    }

    /// From N,C,spatial... to N,spatial...,C.
    ///
    /// # Errors
    /// When the rank is below 2.
    pub fn channels_last(&mut self, value: ValueId) -> Result<ValueId, ShapeError> {
        let rank = self.rank(value);
        let perm: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
        self.transpose(value, &perm)
    }

    /// From N,spatial...,C to N,C,spatial...
    ///
    /// # Errors
    /// When the rank is below 2.
    pub fn channels_first(&mut self, value: ValueId) -> Result<ValueId, ShapeError> {
        let rank = self.rank(value);
        let perm: Vec<usize> = [0, rank.saturating_sub(1)].into_iter().chain(1..rank - 1).collect();
        self.transpose(value, &perm)
    }

    /// `value` with other dimensions of the same product.
    ///
    /// # Errors
    /// When the products differ.
    pub fn reshape(&mut self, value: ValueId, dims: Vec<Dim>) -> Result<ValueId, ShapeError> {
        if self.ty(value).dims == dims {
            return Ok(value);
        }
        self.op(ops::Reshape { dims }, &[value])
    }

    /// `value` limited to `min..=max` (real numbers; on quantized values the quantization stays).
    ///
    /// # Errors
    /// When the type cannot be clamped.
    pub fn clip(&mut self, value: ValueId, min: f32, max: f32) -> Result<ValueId, ShapeError> {
        let quant = self.ty(value).quant.clone();
        let result = self.op(ops::Clip { min, max }, &[value])?;
        self.set_quant(result, quant);
        Ok(result)
    }
}
