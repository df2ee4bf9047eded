//! Control flow: the graphs that a node calls become graphs of the model, with everything that they
//! read of the caller as an argument. Where it is known what is called, they become part of the
//! caller.

mod loops;

use std::sync::Arc;

use super::{Frame, GraphImporter, Obstacles, Slot};
use crate::dim::Dim;
use crate::error::{Blame, ImportError};
use crate::foreign::{AttrValue, ForeignNode, Format};
use crate::foreign_node::too_many;
use crate::ids::{ConstId, GraphId, ValueId};
use crate::model::{Def, Graph, Output};
use crate::ops;
use crate::types::{Quant, TensorType};

/// The results of a node, or `None` behind an obstacle that has been reported.
pub(super) type Slots = Result<Option<Vec<Slot>>, ImportError>;

/// What stands for a tensor of a called graph.
#[derive(Clone, Debug)]
enum Bound {
    /// The input with this number.
    Input(usize),
    Const(ConstId, Option<Quant>),
    Handle(usize),
    List(Vec<Bound>),
    Nothing,
}

/// An input of a graph that is made.
#[derive(Clone, Debug)]
struct Param {
    name: String,
    ty: TensorType,
    known: Option<Arc<[Dim]>>,
}

/// How a graph is made of a foreign one.
struct Making<'s> {
    params: &'s [Param],
    bounds: &'s [(usize, Bound)],
    /// The last parameters are these variables; their new values are the last results.
    threaded: &'s [usize],
    /// Which of the foreign graph's results are wanted; `None` for all.
    keep: Option<&'s [bool]>,
}

/// A graph that a node calls: made of a foreign graph.
#[derive(Clone, Debug)]
struct Called {
    id: GraphId,
    results: Vec<ValueId>,
    /// The results as the foreign graph has them, before sequences are taken apart.
    slots: Vec<Slot>,
}

/// The caller, while a graph that it calls is being imported.
struct Outer<'a> {
    frame: Frame<'a>,
    graph: GraphId,
    node_name: String,
}

/// What a call of several graphs reads of the caller, each value once.
#[derive(Debug, Default)]
struct Args {
    values: Vec<ValueId>,
}

impl Args {
    fn position(&mut self, value: ValueId) -> usize {
        let known = self.values.iter().position(|other| *other == value);
        known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        })
    }
}

pub(super) fn graph_attr(node: &ForeignNode, name: &str) -> Result<usize, ImportError> {
    let found = node.attrs.iter().find(|(key, _)| key == name);
    match found {
        Some((_, AttrValue::Graph(graph))) => Ok(*graph),
        Some(_) => Err(ImportError::malformed("is not a graph").attribute(name)),
        None => Err(ImportError::malformed("is missing").attribute(name)),
    }
}

/// Refuses attributes that are not among these.
pub(super) fn only(node: &ForeignNode, names: &[&str]) -> Result<(), ImportError> {
    match node.attrs.iter().find(|(key, _)| !names.contains(&key.as_str())) {
        Some((key, _)) => Err(ImportError::unsupported("is not honoured").attribute(key.as_str())),
        None => Ok(()),
    }
}

/// Refuses more inputs than these.
pub(super) fn at_most(node: &ForeignNode, inputs: usize) -> Result<(), ImportError> {
    match node.inputs.iter().skip(inputs).position(Option::is_some) {
        Some(more) => Err(too_many("input", inputs + more, &node.op, node.inputs.len())),
        None => Ok(()),
    }
}

impl<'a> GraphImporter<'a, '_> {
    /// The results of a node of control flow; `None` for other nodes.
    pub(super) fn control(&mut self, node: &'a ForeignNode) -> Option<Slots> {
        if !node.domain.is_empty() {
            return None;
        }
        let slots = match (self.format, node.op.as_str()) {
            (Format::Onnx, "If") => self.onnx_if(node),
            (Format::Onnx, "Loop") => self.onnx_loop(node),
            (Format::Onnx, "Scan") => self.onnx_scan(node),
            (Format::Onnx, "Identity") => {
                let input = node.inputs.first().copied().flatten();
                let slot = input.and_then(|input| self.frame.values.get(input));
                match slot {
                    Some(Slot::List(_) | Slot::Nothing) => self.sequences(node),
                    _ => return None,
                }
            }
            (
                Format::Onnx,
                "ConcatFromSequence" | "Optional" | "OptionalGetElement" | "OptionalHasElement"
                | "SequenceAt" | "SequenceConstruct" | "SequenceEmpty" | "SequenceErase"
                | "SequenceInsert" | "SequenceLength" | "SequenceMap" | "SplitToSequence",
            ) => self.sequences(node),
            (Format::TfLite, "IF") => self.tflite_if(node),
            (Format::TfLite, "WHILE") => self.tflite_while(node),
            (Format::TfLite, "CALL_ONCE") => self.call_once(node),
            (Format::TfLite, "VAR_HANDLE") => self.var_handle(node),
            (Format::TfLite, "READ_VARIABLE") => self.read_variable(node),
            (Format::TfLite, "ASSIGN_VARIABLE") => self.assign_variable(node),
            _ => return None,
        };
        Some(slots.and_then(|slots| {
            let Some(mut slots) = slots else { return Ok(None) };
            for (&output, slot) in node.outputs.iter().zip(&mut slots) {
                if let (Some(output), Slot::Value(value)) = (output, slot) {
                    self.settle(output, value, &[])?;
                }
            }
            Ok(Some(slots))
        }))
    }

    /// What a tensor of the current graph is; `None` behind an obstacle.
    pub(super) fn slot(&mut self, index: usize) -> Result<Option<Slot>, ImportError> {
        match self.frame.values.get(index) {
            Some(slot @ (Slot::Handle(_) | Slot::List(_) | Slot::Nothing)) => {
                Ok(Some(slot.clone()))
            }
            _ => Ok(self.value(index)?.map(Slot::Value)),
        }
    }

    /// The inputs of a node, all of which must be there.
    fn slots(&mut self, inputs: &[Option<usize>]) -> Slots {
        let mut slots = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            let missing = || ImportError::malformed(format!("input {index} is missing"));
            let Some(slot) = self.slot(input.ok_or_else(missing)?)? else { return Ok(None) };
            slots.push(slot);
        }
        Ok(Some(slots))
    }

    /// What a foreign graph captures: its tensors with what they are in the current graph.
    pub(super) fn captured(
        &mut self,
        graph: usize,
    ) -> Result<Option<Vec<(usize, Slot)>>, ImportError> {
        let captures = self.model.graphs.get(graph).map(|graph| &graph.captures);
        let mut found = Vec::new();
        for &(inner, outer) in captures.into_iter().flatten() {
            let Some(slot) = self.slot(outer)? else { return Ok(None) };
            found.push((inner, slot));
        }
        Ok(Some(found))
    }

    /// The inputs of a foreign graph with what they are in the current one.
    pub(super) fn fed(
        &self,
        graph: usize,
        args: &[Slot],
    ) -> Result<Vec<(usize, Slot)>, ImportError> {
        let inputs = self.model.graphs.get(graph).map(|graph| graph.inputs.as_slice());
        let inputs = inputs.ok_or_else(|| ImportError::malformed("there is no such graph"))?;
        if inputs.len() != args.len() {
            let (takes, given) = (inputs.len(), args.len());
            let message = format!("the graph takes {takes} values, but {given} are given");
            return Err(ImportError::malformed(message));
        }
        Ok(inputs.iter().copied().zip(args.iter().cloned()).collect())
    }

    fn bind(
        &self,
        slots: Vec<(usize, Slot)>,
        args: &mut Args,
        first: usize,
    ) -> Vec<(usize, Bound)> {
        let bound = |(tensor, slot)| Some((tensor, self.bound(slot, args, first)?));
        slots.into_iter().filter_map(bound).collect()
    }

    fn bound(&self, slot: Slot, args: &mut Args, first: usize) -> Option<Bound> {
        Some(match slot {
            Slot::Value(value) => match self.b.graph().value(value).def {
                // Texts are refused where the graph is called.
                Def::Const(id) if !self.b.is_text(value) => {
                    Bound::Const(id, self.b.ty(value).quant.clone())
                }
                _ => Bound::Input(first + args.position(value)),
            },
            Slot::Handle(variable) => Bound::Handle(variable),
            Slot::List(items) => Bound::List(
                items.into_iter().filter_map(|item| self.bound(item, args, first)).collect(),
            ),
            Slot::Nothing => Bound::Nothing,
            Slot::Unset | Slot::Missing => return None,
        })
    }

    /// What stands for a tensor in the graph that is made.
    fn unbound(&mut self, bound: &Bound, inputs: &[ValueId]) -> Option<Slot> {
        Some(match bound {
            Bound::Input(index) => Slot::Value(*inputs.get(*index)?),
            Bound::Const(id, quant) => Slot::Value(self.b.use_constant("", *id, quant.clone())),
            Bound::Handle(variable) => Slot::Handle(*variable),
            Bound::List(items) => Slot::List(
                items.iter().map(|item| self.unbound(item, inputs)).collect::<Option<_>>()?,
            ),
            Bound::Nothing => Slot::Nothing,
        })
    }

    fn param(&self, value: ValueId) -> Param {
        let value = self.b.graph().value(value);
        Param { name: value.name.clone(), ty: value.ty.clone(), known: value.known.clone() }
    }

    /// Begins to import a foreign graph, into a graph of its own or into the current one.
    fn enter(
        &mut self,
        graph: usize,
        node: &ForeignNode,
        role: &str,
        apart: bool,
    ) -> Result<Outer<'a>, ImportError> {
        let foreign = self.model.graphs.get(graph);
        let foreign = foreign.ok_or_else(|| ImportError::malformed("there is no such graph"))?;
        if foreign.tensors.iter().any(|tensor| tensor.is_variable) {
            return Err(ImportError::unsupported("a called graph has variable tensors of its own"));
        }
        let name = if node.name.is_empty() { &node.op } else { &node.name };
        let place = format!("{}{role} of '{name}', ", self.frame.place);
        let frame = std::mem::replace(&mut self.frame, Frame::new(foreign, place));
        let (outer, node_name) = (self.b.graph, std::mem::take(&mut self.b.node_name));
        if apart {
            let name = match foreign.name.as_str() {
                "" => format!("{role} of {name}"),
                name => name.to_owned(),
            };
            self.b.model.graphs.push(Graph { name, ..Graph::default() });
            self.b.graph = GraphId::new(self.b.model.graphs.len() - 1);
        }
        Ok(Outer { frame, graph: outer, node_name })
    }

    fn leave(&mut self, outer: Outer<'a>) -> GraphId {
        self.frame = outer.frame;
        self.b.node_name = outer.node_name;
        std::mem::replace(&mut self.b.graph, outer.graph)
    }

    /// Imports the nodes of the current foreign graph; what its outputs are.
    fn results(&mut self) -> Slots {
        for index in 0..self.frame.foreign.nodes.len() {
            self.node(index);
        }
        let mut slots = Vec::with_capacity(self.frame.foreign.outputs.len());
        for &output in &self.frame.foreign.outputs {
            let Some(slot) = self.slot(output)? else { return Ok(None) };
            slots.push(slot);
        }
        Ok(Some(slots))
    }

    /// Puts a foreign graph into the place of the node that calls it.
    pub(super) fn inline(
        &mut self,
        graph: usize,
        node: &ForeignNode,
        role: &str,
        slots: Vec<(usize, Slot)>,
    ) -> Slots {
        let outer = self.enter(graph, node, role, false)?;
        for (tensor, slot) in slots {
            if let Some(place) = self.frame.values.get_mut(tensor) {
                *place = slot;
            }
        }
        let results = self.results();
        self.leave(outer);
        results
    }

    /// Makes a graph of a foreign one.
    fn graph(
        &mut self,
        graph: usize,
        node: &ForeignNode,
        role: &str,
        making: &Making<'_>,
    ) -> Result<Option<Called>, ImportError> {
        let Making { params, bounds, threaded, keep } = *making;
        let outer = self.enter(graph, node, role, true)?;
        let mut inputs = Vec::with_capacity(params.len());
        for Param { name, ty, known } in params {
            let input = self.b.input(name, ty.clone());
            let values = &mut self.b.model.graphs[self.b.graph.index()].values;
            values[input.index()].known.clone_from(known);
            inputs.push(input);
        }
        for (tensor, bound) in bounds {
            let slot = self.unbound(bound, &inputs);
            if let (Some(place), Some(slot)) = (self.frame.values.get_mut(*tensor), slot) {
                *place = slot;
            }
        }
        let first = inputs.len().saturating_sub(threaded.len());
        let before = self.variables.enter(threaded, &inputs[first..]);
        let results = self.results();
        let after = self.variables.leave(threaded, before);
        let id = self.leave(outer);
        let Some(mut slots) = results? else { return Ok(None) };
        if let Some(keep) = keep {
            let mut keep = keep.iter();
            slots.retain(|_| keep.next() != Some(&false));
        }
        let mut results = Vec::with_capacity(slots.len() + after.len());
        slots.iter().try_for_each(|slot| flatten(slot, &mut results))?;
        results.extend(after);
        if results.iter().any(|&value| self.b.counted_in(id, value)) {
            let message = "a graph that is called yields a result whose size the data decide";
            return Err(ImportError::unsupported(message));
        }
        if results.iter().any(|&value| self.b.is_text_in(id, value)) {
            return Err(ImportError::unsupported("a graph that is called yields texts"));
        }
        Ok(Some(Called { id, results, slots }))
    }

    /// Makes results of a called graph its outputs.
    fn publish(&mut self, called: &Called) {
        let graph = &mut self.b.model.graphs[called.id.index()];
        for &value in &called.results {
            let name = graph.values[value.index()].name.clone();
            graph.outputs.push(Output { name, value, counted: None });
        }
    }

    fn result_ty(&self, called: &Called, index: usize) -> &TensorType {
        self.b.model.graph(called.id).ty(called.results[index])
    }

    /// A node that calls graphs; declares what the results stand for.
    fn call(
        &mut self,
        op: impl Into<ops::Op>,
        inputs: &[Option<ValueId>],
        quants: Vec<Option<Quant>>,
    ) -> Result<Vec<ValueId>, ImportError> {
        if inputs.iter().flatten().any(|&input| self.b.counted(input).is_some()) {
            let message = "a result whose size the data decide goes into a graph that is called";
            return Err(ImportError::unsupported(message));
        }
        if inputs.iter().flatten().any(|&input| self.b.is_text(input)) {
            return Err(ImportError::unsupported("texts go into a graph that is called"));
        }
        let outputs = self.b.node(op, inputs)?;
        for (&output, quant) in outputs.iter().zip(quants) {
            self.b.set_quant(output, quant);
        }
        Ok(outputs)
    }

    /// A condition as one element.
    fn condition(&mut self, value: ValueId) -> Result<ValueId, ImportError> {
        let ty = self.b.ty(value);
        if ty.rank() <= 1 || ty.known_len() != Some(1) {
            return Ok(value);
        }
        Ok(self.b.reshape(value, Vec::new())?)
    }

    fn truth(&self, value: ValueId) -> Option<bool> {
        match self.b.operand(value).ints()?.as_slice() {
            [value] => Some(*value != 0),
            _ => None,
        }
    }

    fn onnx_if(&mut self, node: &'a ForeignNode) -> Slots {
        only(node, &["then_branch", "else_branch"])?;
        at_most(node, 1)?;
        let branches = [graph_attr(node, "then_branch")?, graph_attr(node, "else_branch")?];
        let Some(cond) = self.slots(&node.inputs)? else { return Ok(None) };
        let (Some(then), Some(otherwise)) =
            (self.captured(branches[0])?, self.captured(branches[1])?)
        else {
            return Ok(None);
        };
        self.if_else(node, &cond, branches, [then, otherwise])
    }

    fn tflite_if(&mut self, node: &'a ForeignNode) -> Slots {
        let names = ["then_subgraph_index", "else_subgraph_index"];
        only(node, &names)?;
        let branches = [graph_attr(node, names[0])?, graph_attr(node, names[1])?];
        let Some(slots) = self.slots(&node.inputs)? else { return Ok(None) };
        let (cond, args) = slots.split_at(slots.len().min(1));
        let fed = [self.fed(branches[0], args)?, self.fed(branches[1], args)?];
        self.if_else(node, cond, branches, fed)
    }

    fn if_else(
        &mut self,
        node: &'a ForeignNode,
        cond: &[Slot],
        branches: [usize; 2],
        fed: [Vec<(usize, Slot)>; 2],
    ) -> Slots {
        let [Slot::Value(cond)] = *cond else {
            return Err(ImportError::malformed("the condition is missing"));
        };
        let [then, otherwise] = fed;
        if let Some(truth) = self.truth(cond) {
            let (at, fed) = if truth { (0, then) } else { (1, otherwise) };
            return self.inline(branches[at], node, ROLES[at], fed);
        }
        let cond = self.condition(cond)?;
        let mut args = Args::default();
        let bounds = [self.bind(then, &mut args, 0), self.bind(otherwise, &mut args, 0)];
        let threaded = self.variables.used_by(self.model, &branches);
        let current = self.variables.current(&threaded)?;
        let params: Vec<Param> =
            args.values.iter().chain(&current).map(|&value| self.param(value)).collect();
        let mut made = Vec::new();
        for at in [0, 1] {
            let outside = std::mem::take(&mut self.obstacles);
            let (params, bounds, threaded) = (&params[..], &bounds[at][..], &threaded[..]);
            let making = Making { params, bounds, threaded, keep: None };
            let called = self.graph(branches[at], node, ROLES[at], &making);
            let obstacles = std::mem::replace(&mut self.obstacles, outside);
            made.push((called, obstacles));
        }
        let (otherwise, then) = (made.pop(), made.pop());
        let (Some(then), Some(otherwise)) = (then, otherwise) else { return Ok(None) };
        let (then, otherwise) = match (self.branch(then)?, self.branch(otherwise)?) {
            (Branch::Sound(then), Branch::Sound(otherwise)) => (then, otherwise),
            (Branch::Sound(then), Branch::Impossible(why)) => {
                let never = self.never(&params, &then, &why)?;
                (then, never)
            }
            (Branch::Impossible(why), Branch::Sound(otherwise)) => {
                (self.never(&params, &otherwise, &why)?, otherwise)
            }
            (Branch::Impossible(then), Branch::Impossible(otherwise)) => {
                self.obstacles.extend(then);
                self.obstacles.extend(otherwise);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let alike = then.slots.len() == otherwise.slots.len()
            && then.slots.iter().zip(&otherwise.slots).all(|(a, b)| same_form(a, b));
        if !alike || then.results.len() != otherwise.results.len() {
            let message = "the branches yield different numbers of values";
            return Err(ImportError::unknown(cond, message));
        }
        let (mut dtypes, mut dims, mut quants) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..then.results.len() {
            let (a, b) = (self.result_ty(&then, index), self.result_ty(&otherwise, index));
            if (a.dtype, &a.dims, &a.quant) != (b.dtype, &b.dims, &b.quant) {
                let message = format!("result {index} is {a} in one branch and {b} in the other");
                return Err(ImportError::unknown(cond, message)
                    .hint("give the inputs' shapes with --shapes, so that the branch is known"));
            }
            dtypes.push(a.dtype);
            dims.push(a.dims.clone());
            quants.push(a.quant.clone());
        }
        self.publish(&then);
        self.publish(&otherwise);
        let op = ops::IfElse { then: then.id, otherwise: otherwise.id, dtypes, dims };
        let inputs = [cond].into_iter().chain(args.values).chain(current).map(Some);
        let outputs = self.call(op, &inputs.collect::<Vec<_>>(), quants)?;
        let mut results = self.variables.update(&threaded, outputs).into_iter();
        Ok(Some(then.slots.iter().filter_map(|slot| rebuilt(slot, &mut results)).collect()))
    }

    /// What became of a branch. Obstacles of one that is not there or not done are reported.
    fn branch(
        &mut self,
        (called, obstacles): (Result<Option<Called>, ImportError>, Obstacles),
    ) -> Result<Branch, ImportError> {
        match called {
            Ok(Some(called)) if obstacles.list.is_empty() => Ok(Branch::Sound(called)),
            Ok(_) => {
                let malformed = |o: &super::Obstacle| o.error.blame == Blame::Malformed;
                if !obstacles.list.is_empty() && obstacles.list.iter().all(malformed) {
                    return Ok(Branch::Impossible(obstacles));
                }
                self.obstacles.extend(obstacles);
                Ok(Branch::Reported)
            }
            Err(error) => {
                self.obstacles.extend(obstacles);
                Err(error)
            }
        }
    }

    /// A graph with the parameters and results of `twin` that fails when it is run: a branch in
    /// which these shapes contradict each other, as it does in the runtime that the model is
    /// written for.
    fn never(
        &mut self,
        params: &[Param],
        twin: &Called,
        why: &Obstacles,
    ) -> Result<Called, ImportError> {
        let twins = twin.results.iter().map(|&value| self.b.model.graph(twin.id).ty(value).clone());
        let twins: Vec<TensorType> = twins.collect();
        let reason = why.list.first().map_or_else(String::new, ToString::to_string);
        self.b.model.graphs.push(Graph { name: "refused".to_owned(), ..Graph::default() });
        let id = GraphId::new(self.b.model.graphs.len() - 1);
        let outer = std::mem::replace(&mut self.b.graph, id);
        let node_name = std::mem::replace(&mut self.b.node_name, reason.clone());
        for Param { name, ty, .. } in params {
            self.b.input(name, ty.clone());
        }
        let dtypes = twins.iter().map(|ty| ty.dtype).collect();
        let dims = twins.iter().map(|ty| ty.dims.clone()).collect();
        let results = self.b.node(ops::Refuse { dtypes, dims }, &[]);
        if let Ok(results) = &results {
            for (&result, ty) in results.iter().zip(twins) {
                self.b.set_quant(result, ty.quant);
            }
        }
        self.b.graph = outer;
        self.b.node_name = node_name;
        Ok(Called { id, results: results?, slots: twin.slots.clone() })
    }
}

/// The values of a result, one after the other.
fn flatten(slot: &Slot, values: &mut Vec<ValueId>) -> Result<(), ImportError> {
    match slot {
        Slot::Value(value) => values.push(*value),
        Slot::List(items) => items.iter().try_for_each(|item| flatten(item, values))?,
        _ => {
            let message = "a called graph yields what is no tensor";
            return Err(ImportError::unsupported(message));
        }
    }
    Ok(())
}

/// The same form with other values.
fn rebuilt(form: &Slot, values: &mut dyn Iterator<Item = ValueId>) -> Option<Slot> {
    Some(match form {
        Slot::List(items) => {
            let mut rebuilt_items = Vec::with_capacity(items.len());
            for item in items {
                rebuilt_items.push(rebuilt(item, values)?);
            }
            Slot::List(rebuilt_items)
        }
        _ => Slot::Value(values.next()?),
    })
}

/// Whether sequences in two results have the same lengths.
fn same_form(a: &Slot, b: &Slot) -> bool {
    match (a, b) {
        (Slot::List(a), Slot::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_form(a, b))
        }
        (Slot::Value(_), Slot::Value(_)) => true,
        _ => false,
    }
}

/// What became of a branch.
enum Branch {
    Sound(Called),
    /// Its shapes contradict each other.
    Impossible(Obstacles),
    Reported,
}

/// What the branches are called in messages.
const ROLES: [&str; 2] = ["then branch", "else branch"];
