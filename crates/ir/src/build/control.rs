//! Control flow: the graphs that a node calls become graphs of the model, with everything that they
//! read of the caller as an argument. Where it is known what is called, they become part of the
//! caller.

use std::sync::Arc;

use embarca_num::DType;

use super::{Frame, GraphImporter, Obstacles, Slot};
use crate::dim::Dim;
use crate::error::{Blame, ImportError};
use crate::foreign::{AttrValue, ForeignNode, Format};
use crate::ids::{ConstId, GraphId, ValueId};
use crate::model::{Def, Graph, Output};
use crate::ops::{self, Concat};
use crate::types::{Const, Quant, TensorType};

/// Loops that must be unrolled, because sizes change from one run to the next, may run so often.
const MAX_UNROLLED: i64 = 1024;

/// The results of a node, or `None` behind an obstacle that has been reported.
pub(super) type Slots = Result<Option<Vec<Slot>>, ImportError>;

/// What stands for a tensor of a called graph.
#[derive(Clone, Debug)]
enum Bound {
    /// The input with this number.
    Input(usize),
    Const(ConstId, Option<Quant>),
    Handle(usize),
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

fn graph_attr(node: &ForeignNode, name: &str) -> Result<usize, ImportError> {
    let found = node.attrs.iter().find(|(key, _)| key == name);
    match found {
        Some((_, AttrValue::Graph(graph))) => Ok(*graph),
        Some(_) => Err(ImportError::malformed("is not a graph").attribute(name)),
        None => Err(ImportError::malformed("is missing").attribute(name)),
    }
}

fn int_attr(node: &ForeignNode, name: &str) -> Option<i64> {
    node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Int(value) if key == name => Some(*value),
        _ => None,
    })
}

fn ints_attr(node: &ForeignNode, name: &str) -> Option<Vec<i64>> {
    node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Ints(values) if key == name => Some(values.clone()),
        _ => None,
    })
}

/// Refuses attributes that are not among these.
fn only(node: &ForeignNode, names: &[&str]) -> Result<(), ImportError> {
    match node.attrs.iter().find(|(key, _)| !names.contains(&key.as_str())) {
        Some((key, _)) => Err(ImportError::unsupported("is not honoured").attribute(key.as_str())),
        None => Ok(()),
    }
}

fn changes(what: &str, before: &TensorType, after: &TensorType) -> ImportError {
    ImportError::unsupported(format!(
        "{what} is {before} before a run and {after} behind it; its size may not change"
    ))
    .hint("give the inputs' shapes with --shapes, or export the model with the loop unrolled")
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
                    self.settle(output, value)?;
                }
            }
            Ok(Some(slots))
        }))
    }

    /// What a tensor of the current graph is; `None` behind an obstacle.
    pub(super) fn slot(&mut self, index: usize) -> Result<Option<Slot>, ImportError> {
        match self.frame.values.get(index) {
            Some(Slot::Handle(variable)) => Ok(Some(Slot::Handle(*variable))),
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
    fn captured(&mut self, graph: usize) -> Result<Option<Vec<(usize, Slot)>>, ImportError> {
        let captures = self.model.graphs.get(graph).map(|graph| &graph.captures);
        let mut found = Vec::new();
        for &(inner, outer) in captures.into_iter().flatten() {
            let Some(slot) = self.slot(outer)? else { return Ok(None) };
            found.push((inner, slot));
        }
        Ok(Some(found))
    }

    /// The inputs of a foreign graph with what they are in the current one.
    fn fed(&self, graph: usize, args: &[Slot]) -> Result<Vec<(usize, Slot)>, ImportError> {
        let inputs = self.model.graphs.get(graph).map(|graph| graph.inputs.as_slice());
        let inputs = inputs.ok_or_else(|| ImportError::malformed("there is no such graph"))?;
        if inputs.len() != args.len() {
            let (takes, given) = (inputs.len(), args.len());
            let message = format!("the graph takes {takes} values, but {given} are given");
            return Err(ImportError::malformed(message));
        }
        Ok(inputs.iter().copied().zip(args.iter().cloned()).collect())
    }

    fn bind(&self, slots: Vec<(usize, Slot)>, args: &mut Args, first: usize) -> Vec<(usize, Bound)> {
        let bound = |(tensor, slot)| {
            let bound = match slot {
                Slot::Value(value) => match self.b.graph().value(value).def {
                    Def::Const(id) => Bound::Const(id, self.b.ty(value).quant.clone()),
                    _ => Bound::Input(first + args.position(value)),
                },
                Slot::Handle(variable) => Bound::Handle(variable),
                Slot::Unset | Slot::Missing => return None,
            };
            Some((tensor, bound))
        };
        slots.into_iter().filter_map(bound).collect()
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
            let slot = match bound {
                Bound::Input(index) => inputs.get(*index).copied().map(Slot::Value),
                Bound::Const(id, quant) => {
                    Some(Slot::Value(self.b.use_constant("", *id, quant.clone())))
                }
                Bound::Handle(variable) => Some(Slot::Handle(*variable)),
            };
            if let (Some(place), Some(slot)) = (self.frame.values.get_mut(*tensor), slot) {
                *place = slot;
            }
        }
        let first = inputs.len().saturating_sub(threaded.len());
        let before = self.variables.enter(threaded, &inputs[first..]);
        let results = self.results();
        let after = self.variables.leave(threaded, before);
        let id = self.leave(outer);
        let Some(slots) = results? else { return Ok(None) };
        let mut results = Vec::with_capacity(slots.len() + after.len());
        for (index, slot) in slots.into_iter().enumerate() {
            match slot {
                _ if keep.is_some_and(|keep| keep.get(index) == Some(&false)) => {}
                Slot::Value(value) => results.push(value),
                _ => {
                    let message = "a called graph yields what is not a tensor";
                    return Err(ImportError::unsupported(message));
                }
            }
        }
        results.extend(after);
        Ok(Some(Called { id, results }))
    }

    /// Makes results of a called graph its outputs.
    fn publish(&mut self, called: &Called) {
        let graph = &mut self.b.model.graphs[called.id.index()];
        for &value in &called.results {
            let name = graph.values[value.index()].name.clone();
            graph.outputs.push(Output { name, value });
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
        let branches = [graph_attr(node, "then_branch")?, graph_attr(node, "else_branch")?];
        let Some(cond) = self.slots(node.inputs.get(..1).unwrap_or(&[]))? else { return Ok(None) };
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
        if then.results.len() != otherwise.results.len() {
            return Err(ImportError::malformed("the branches yield different numbers of values"));
        }
        let (mut dtypes, mut dims, mut quants) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..then.results.len() {
            let (a, b) = (self.result_ty(&then, index), self.result_ty(&otherwise, index));
            if (a.dtype, &a.dims, &a.quant) != (b.dtype, &b.dims, &b.quant) {
                return Err(ImportError::unsupported(format!(
                    "result {index} is {a} in one branch and {b} in the other"
                ))
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
        let results = self.variables.update(&threaded, outputs);
        Ok(Some(results.into_iter().map(Slot::Value).collect()))
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
        Ok(Called { id, results: results? })
    }

    /// Loop: `trips?, condition?, variables...`.
    fn onnx_loop(&mut self, node: &'a ForeignNode) -> Slots {
        only(node, &["body"])?;
        let body = graph_attr(node, "body")?;
        let (head, rest) = node.inputs.split_at(node.inputs.len().min(2));
        let mut flags = [None, None];
        for (flag, input) in flags.iter_mut().zip(head) {
            let Some(input) = input else { continue };
            match self.value(*input)? {
                Some(value) => *flag = Some(value),
                None => return Ok(None),
            }
        }
        let [trips, cond] = flags;
        let (Some(vars), Some(captured)) = (self.slots(rest)?, self.captured(body)?) else {
            return Ok(None);
        };
        let trips = match trips {
            Some(trips) => Some(self.condition(trips)?),
            None => None,
        };
        let cond = match cond {
            Some(cond) => Some(self.condition(cond)?),
            None => None,
        };
        let count = trips.and_then(|trips| self.b.operand(trips).ints()?.first().copied());
        let starts = cond.map_or(Some(true), |cond| self.truth(cond));
        let rounds = match (count, starts) {
            (_, Some(false)) => Some(0),
            (Some(count), Some(true)) => Some(count.max(0)),
            _ => None,
        };
        let declared = self.model.graphs.get(body).map_or(0, |graph| graph.outputs.len());
        let items = declared.checked_sub(1 + vars.len());
        let items = items.ok_or_else(|| {
            ImportError::malformed("the body yields fewer values than there are variables")
        })?;

        let mark = self.b.model.graphs.len();
        let outside = std::mem::take(&mut self.obstacles);
        let attempt = self.rolled(node, body, (trips, cond, rounds), &vars, &captured, items);
        let obstacles = std::mem::replace(&mut self.obstacles, outside);
        let few = rounds.filter(|&rounds| rounds <= MAX_UNROLLED);
        match (attempt, few) {
            (Ok(Some(slots)), _) if obstacles.list.is_empty() => Ok(Some(slots)),
            (_, Some(rounds)) => {
                self.b.model.graphs.truncate(mark);
                self.unrolled(node, body, rounds, vars, &captured, items)
            }
            (attempt, None) => {
                self.obstacles.extend(obstacles);
                attempt
            }
        }
    }

    /// A loop as a node; fails where sizes change from one run to the next.
    fn rolled(
        &mut self,
        node: &'a ForeignNode,
        body: usize,
        (trips, cond, rounds): (Option<ValueId>, Option<ValueId>, Option<i64>),
        vars: &[Slot],
        captured: &[(usize, Slot)],
        items: usize,
    ) -> Slots {
        let mut values = Vec::with_capacity(vars.len());
        for slot in vars {
            let Slot::Value(value) = slot else {
                return Err(ImportError::unsupported("a variable is not a tensor"));
            };
            values.push(*value);
        }
        let mut args = Args::default();
        let first = 2 + values.len();
        let mut bounds = self.bind(captured.to_vec(), &mut args, first);
        let inputs = self.model.graphs.get(body).map_or(&[][..], |graph| &graph.inputs);
        if inputs.len() != first {
            return Err(ImportError::malformed("the body takes another number of values"));
        }
        bounds.extend(inputs.iter().enumerate().map(|(at, &input)| (input, Bound::Input(at))));
        let flag = |name: &str, dtype, at: usize| {
            let tensor = inputs.get(at).and_then(|&i| self.model.graphs[body].tensors.get(i));
            let rank = tensor.and_then(|tensor| tensor.dims.as_ref()).map_or(0, Vec::len);
            let ty = TensorType::of(dtype, &[1][..rank.min(1)]);
            Param { name: name.to_owned(), ty, known: None }
        };
        let mut params = vec![flag("trip", DType::I64, 0), flag("condition", DType::Bool, 1)];
        let carried = |value: &ValueId| Param { known: None, ..self.param(*value) };
        params.extend(values.iter().map(carried));
        params.extend(args.values.iter().map(|&value| self.param(value)));
        let making = Making { params: &params, bounds: &bounds, threaded: &[], keep: None };
        let Some(mut called) = self.graph(body, node, "body", &making)? else { return Ok(None) };
        for (index, &value) in values.iter().enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&called, index + 1));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        // A condition that comes out as it went in says nothing new.
        let graph = self.b.model.graph(called.id);
        let inner = called.results[0];
        let constant = self.b.model.const_of(called.id, inner).and_then(Const::to_i64);
        let always = constant.is_some_and(|values| values == [1])
            || graph.inputs.get(1) == Some(&inner);
        let rounds = rounds.filter(|&rounds| always || rounds == 0);
        if 0 < items && rounds.is_none() {
            return Err(ImportError::unsupported(
                "results are collected over a number of runs that is known only while the model \
                 runs",
            )
            .hint("export the model with a constant trip count"));
        }
        let ty = graph.ty(inner).clone();
        if 1 < ty.rank() && ty.known_len() == Some(1) {
            let outer = std::mem::replace(&mut self.b.graph, called.id);
            let single = self.b.reshape(inner, Vec::new());
            self.b.graph = outer;
            called.results[0] = single?;
        }
        let (mut dtypes, mut dims, mut quants) = (Vec::new(), Vec::new(), Vec::new());
        quants.extend(values.iter().map(|&value| self.b.ty(value).quant.clone()));
        for index in 0..items {
            let ty = self.result_ty(&called, 1 + values.len() + index);
            dtypes.push(ty.dtype);
            dims.push([vec![Dim::Known(rounds.unwrap_or(0))], ty.dims.clone()].concat());
            quants.push(None);
        }
        self.publish(&called);
        let op = ops::ForLoop { body: called.id, vars: values.len(), dtypes, dims };
        let inputs = [trips, cond].into_iter();
        let inputs = inputs.chain(values.into_iter().chain(args.values).map(Some));
        let outputs = self.call(op, &inputs.collect::<Vec<_>>(), quants)?;
        Ok(Some(outputs.into_iter().map(Slot::Value).collect()))
    }

    /// A loop as its body, time and again.
    fn unrolled(
        &mut self,
        node: &'a ForeignNode,
        body: usize,
        rounds: i64,
        mut vars: Vec<Slot>,
        captured: &[(usize, Slot)],
        items: usize,
    ) -> Slots {
        let mut collected: Vec<Vec<ValueId>> = vec![Vec::new(); items];
        for round in 0..rounds {
            let trip = self.b.constant(Const::from_i64(&[], &[round]), None);
            let truth = Const::new(DType::Bool, Vec::new(), [1u8]);
            let truth = truth.ok_or_else(|| ImportError::malformed("no condition"))?;
            let truth = self.b.constant(truth, None);
            let head = [Slot::Value(trip), Slot::Value(truth)];
            let args: Vec<Slot> = head.into_iter().chain(vars).collect();
            let mut fed = self.fed(body, &args)?;
            fed.extend(captured.iter().cloned());
            let Some(mut results) = self.inline(body, node, "body", fed)? else { return Ok(None) };
            let each = results.split_off(results.len().saturating_sub(items));
            vars = results.split_off(results.len().min(1));
            for (list, item) in collected.iter_mut().zip(each) {
                let Slot::Value(item) = item else {
                    return Err(ImportError::unsupported("what is collected is not a tensor"));
                };
                let dims = [vec![Dim::Known(1)], self.b.ty(item).dims.clone()].concat();
                list.push(self.b.reshape(item, dims)?);
            }
            let going = match results.first() {
                Some(Slot::Value(value)) => self.truth(*value),
                _ => None,
            };
            match going {
                Some(true) => {}
                Some(false) => break,
                None => {
                    let message = "sizes change from one run to the next, and how often it runs \
                                   is known only while the model runs";
                    return Err(ImportError::unsupported(message)
                        .hint("export the model with the loop unrolled"));
                }
            }
        }
        for list in collected {
            if list.is_empty() {
                let message = "nothing is collected, so that nothing is known of its size";
                return Err(ImportError::unsupported(message));
            }
            vars.push(Slot::Value(self.b.op(Concat { axis: 0 }, &list)?));
        }
        Ok(Some(vars))
    }

    /// Scan since opset 9, and that of opset 8 for one sample.
    fn onnx_scan(&mut self, node: &'a ForeignNode) -> Slots {
        only(
            node,
            &[
                "body",
                "num_scan_inputs",
                "scan_input_axes",
                "scan_input_directions",
                "scan_output_axes",
                "scan_output_directions",
                "directions",
            ],
        )?;
        let body = graph_attr(node, "body")?;
        let batched = node.version < 9;
        let inputs = if batched {
            if node.inputs.first().copied().flatten().is_some() {
                return Err(ImportError::unsupported("sequences of different lengths"));
            }
            node.inputs.get(1..).unwrap_or(&[])
        } else {
            &node.inputs
        };
        let (Some(slots), Some(captured)) = (self.slots(inputs)?, self.captured(body)?) else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            let Slot::Value(value) = slot else {
                return Err(ImportError::unsupported("a variable is not a tensor"));
            };
            values.push(if batched { self.one_sample(value)? } else { value });
        }
        let sequences = int_attr(node, "num_scan_inputs").and_then(|n| usize::try_from(n).ok());
        let sequences = sequences.filter(|&n| 0 < n && n <= values.len()).ok_or_else(|| {
            ImportError::malformed("is not a number of inputs").attribute("num_scan_inputs")
        })?;
        let vars = values.len() - sequences;
        let declared = self.model.graphs.get(body).map_or(0, |graph| graph.outputs.len());
        let items = declared.checked_sub(vars).ok_or_else(|| {
            ImportError::malformed("the body yields fewer values than there are variables")
        })?;
        let list = |name: &str, len: usize| -> Result<Vec<i64>, ImportError> {
            let values = ints_attr(node, name).unwrap_or_else(|| vec![0; len]);
            if values.len() == len {
                return Ok(values);
            }
            Err(ImportError::malformed(format!("has not {len} values")).attribute(name))
        };
        let directions = if batched { "directions" } else { "scan_input_directions" };
        let backward: Vec<bool> =
            list(directions, sequences)?.into_iter().map(|value| value != 0).collect();
        let out_backward: Vec<bool> =
            list("scan_output_directions", items)?.into_iter().map(|value| value != 0).collect();
        let mut axes = Vec::with_capacity(sequences);
        let wanted = list("scan_input_axes", sequences)?;
        for (&value, &axis) in values[vars..].iter().zip(&wanted) {
            axes.push(ops::prelude::axis(axis, self.b.rank(value))?);
        }

        let mut args = Args::default();
        let mut bounds = self.bind(captured, &mut args, values.len());
        let inputs = self.model.graphs.get(body).map_or(&[][..], |graph| &graph.inputs);
        if inputs.len() != values.len() {
            return Err(ImportError::malformed("the body takes another number of values"));
        }
        bounds.extend(inputs.iter().enumerate().map(|(at, &input)| (input, Bound::Input(at))));
        let mut params: Vec<Param> =
            values.iter().map(|&value| Param { known: None, ..self.param(value) }).collect();
        for (param, &axis) in params[vars..].iter_mut().zip(&axes) {
            param.ty.dims.remove(axis);
        }
        params.extend(args.values.iter().map(|&value| self.param(value)));
        let making = Making { params: &params, bounds: &bounds, threaded: &[], keep: None };
        let Some(called) = self.graph(body, node, "body", &making)? else { return Ok(None) };
        for (index, &value) in values[..vars].iter().enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&called, index));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        let length = self.b.ty(values[vars]).dims[axes[0]].clone();
        let (mut dtypes, mut dims, mut out_axes) = (Vec::new(), Vec::new(), Vec::new());
        let wanted = list("scan_output_axes", items)?;
        for (index, axis) in wanted.into_iter().enumerate() {
            let ty = self.result_ty(&called, vars + index);
            let axis = ops::prelude::axis(axis, ty.rank() + 1)?;
            let mut whole = ty.dims.clone();
            whole.insert(axis, length.clone());
            dtypes.push(ty.dtype);
            dims.push(whole);
            out_axes.push(axis);
        }
        let quants = values[..vars].iter().map(|&value| self.b.ty(value).quant.clone()).collect();
        self.publish(&called);
        let body = called.id;
        let op = ops::Scan { body, vars, axes, backward, out_axes, out_backward, dtypes, dims };
        let inputs: Vec<_> = values.into_iter().chain(args.values).map(Some).collect();
        let mut outputs = self.call(op, &inputs, quants)?;
        if batched {
            for output in &mut outputs {
                let dims = [vec![Dim::Known(1)], self.b.ty(*output).dims.clone()].concat();
                *output = self.b.reshape(*output, dims)?;
            }
        }
        Ok(Some(outputs.into_iter().map(Slot::Value).collect()))
    }

    /// Scan of opset 8 has a first axis for samples.
    fn one_sample(&mut self, value: ValueId) -> Result<ValueId, ImportError> {
        let dims = self.b.ty(value).dims.clone();
        match dims.split_first() {
            Some((Dim::Known(1), rest)) => Ok(self.b.reshape(value, rest.to_vec())?),
            _ => Err(ImportError::unsupported("more than one sample at a time")
                .hint("convert the model to opset 9 or later")),
        }
    }

    fn tflite_while(&mut self, node: &'a ForeignNode) -> Slots {
        let names = ["cond_subgraph_index", "body_subgraph_index"];
        only(node, &names)?;
        let [cond, body] = [graph_attr(node, names[0])?, graph_attr(node, names[1])?];
        let Some(slots) = self.slots(&node.inputs)? else { return Ok(None) };
        let fed = [self.fed(cond, &slots)?, self.fed(body, &slots)?];
        let foreign = &self.model.graphs[body];
        if foreign.outputs.len() != slots.len() {
            return Err(ImportError::malformed("the body yields another number of values"));
        }
        // What comes out as it went in is no variable: constants stay constants.
        let fixed: Vec<bool> =
            foreign.inputs.iter().zip(&foreign.outputs).map(|(input, output)| input == output).collect();
        let mut values = Vec::new();
        let mut at = vec![None; slots.len()];
        for (index, slot) in slots.iter().enumerate() {
            let Slot::Value(value) = slot else { continue };
            if !(fixed[index] && self.b.const_of(*value).is_some()) {
                at[index] = Some(values.len());
                values.push(*value);
            }
        }
        let threaded = self.variables.used_by(self.model, &[cond, body]);
        let current = self.variables.current(&threaded)?;
        let params: Vec<Param> = values
            .iter()
            .chain(&current)
            .map(|&value| Param { known: None, ..self.param(value) })
            .collect();
        let mut called = Vec::new();
        for (graph, fed, role) in [(cond, &fed[0], "condition"), (body, &fed[1], "body")] {
            let mut bounds = Vec::new();
            for (index, (tensor, slot)) in fed.iter().enumerate() {
                let bound = match (at[index], slot) {
                    (Some(at), _) => Bound::Input(at),
                    (None, Slot::Value(value)) => match self.b.graph().value(*value).def {
                        Def::Const(id) => Bound::Const(id, self.b.ty(*value).quant.clone()),
                        _ => continue,
                    },
                    (None, Slot::Handle(variable)) => Bound::Handle(*variable),
                    (None, _) => continue,
                };
                bounds.push((*tensor, bound));
            }
            let keep: Vec<bool> = at.iter().map(Option::is_some).collect();
            let keep = (role == "body").then_some(&keep[..]);
            let making = Making { params: &params, bounds: &bounds, threaded: &threaded, keep };
            match self.graph(graph, node, role, &making)? {
                Some(graph) => called.push(graph),
                None => return Ok(None),
            }
        }
        let (Some(body), Some(mut cond)) = (called.pop(), called.pop()) else { return Ok(None) };
        // The condition is asked, not run: what it does to variables is not kept.
        cond.results.truncate(1);
        for (index, &value) in values.iter().chain(&current).enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&body, index));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        self.publish(&cond);
        self.publish(&body);
        let inputs: Vec<ValueId> = values.into_iter().chain(current).collect();
        let quants = inputs.iter().map(|&value| self.b.ty(value).quant.clone()).collect();
        let inputs: Vec<_> = inputs.into_iter().map(Some).collect();
        let op = ops::WhileLoop { cond: cond.id, body: body.id };
        let outputs = self.call(op, &inputs, quants)?;
        let outputs = self.variables.update(&threaded, outputs);
        let result = |(slot, at): (Slot, Option<usize>)| at.map_or(slot, |at| Slot::Value(outputs[at]));
        Ok(Some(slots.into_iter().zip(at).map(result).collect()))
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
