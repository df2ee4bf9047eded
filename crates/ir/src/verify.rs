//! What every sound model fulfils. Passes and runtimes rely on it instead of checking again.

use std::fmt;

use embarca_num::DType;

use crate::attr::Attr;
use crate::control;
use crate::dim::Dim;
use crate::ids::{ConstId, GraphId, ValueId};
use crate::infer;
use crate::model::{Def, Graph, Model, Node, Symbol, Value};
use crate::text;
use crate::types::{Const, MAX_RANK, Quant, TensorType};

/// A model that contradicts itself, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The graph at fault, by name; empty when the fault is outside all graphs.
    pub graph: String,
    /// The node or value at fault, as `node 12 'conv1' (conv2d)` or `%3 'x'`; may be empty.
    pub place: String,
    /// What is wrong, as a sentence without a full stop.
    pub reason: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.graph.is_empty() {
            write!(f, "graph {}, ", text::quoted(&self.graph))?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for VerifyError {}

/// Checks a whole model: indices, definitions before uses, links in both directions, sizes of
/// constants, types against inference, ranks, quantizations, calls of graphs.
///
/// # Errors
/// With the first fault.
pub fn verify(model: &Model) -> Result<(), VerifyError> {
    let outside =
        |reason: String| VerifyError { graph: String::new(), place: String::new(), reason };
    if model.graphs.is_empty() {
        return Err(outside("there is no main graph".to_owned()));
    }
    symbols(&model.symbols).map_err(outside)?;
    for (index, data) in model.consts.iter().enumerate() {
        constant(data).map_err(|reason| outside(format!("constant #{index}: {reason}")))?;
    }
    for (index, graph) in model.graphs.iter().enumerate() {
        let fault = |(place, reason)| {
            let graph = if graph.name.is_empty() { format!("{index}") } else { graph.name.clone() };
            VerifyError { graph, place, reason }
        };
        Checker { model, graph }.graph().map_err(fault)?;
    }
    for (index, graph) in model.graphs.iter().enumerate() {
        for (at, node) in graph.nodes.iter().enumerate() {
            control::check(model, graph, node).map_err(|reason| {
                let graph =
                    if graph.name.is_empty() { format!("{index}") } else { graph.name.clone() };
                VerifyError { graph, place: place_of(at, node), reason }
            })?;
        }
    }
    calls(model).map_err(outside)
}

fn place_of(index: usize, node: &Node) -> String {
    let name = match node.name.as_str() {
        "" => String::new(),
        name => format!(" {}", text::quoted(name)),
    };
    format!("node {index}{name} ({})", node.op.name())
}

fn symbols(symbols: &[Symbol]) -> Result<(), String> {
    let mut names: Vec<&str> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two symbols are called {}", text::quoted(pair[0])));
    }
    let bad = symbols.iter().find(|s| s.preferred < s.min || s.max < s.preferred);
    match bad {
        Some(s) => {
            Err(format!("symbol {}: {} <= {} <= {} is wrong", s.name, s.min, s.preferred, s.max))
        }
        None => Ok(()),
    }
}

fn constant(data: &Const) -> Result<(), String> {
    rank(data.dims.len())?;
    let size = data.dims.iter().try_fold(data.dtype.size(), |size, &dim| size.checked_mul(dim));
    if size == Some(data.data.len()) {
        return Ok(());
    }
    Err(format!("{:?} elements of {} are not {} bytes", data.dims, data.dtype, data.data.len()))
}

fn rank(rank: usize) -> Result<(), String> {
    if MAX_RANK < rank {
        return Err(format!("it has {rank} axes, more than {MAX_RANK}"));
    }
    Ok(())
}

/// A place and a reason.
type Fault = (String, String);

struct Checker<'m> {
    model: &'m Model,
    graph: &'m Graph,
}

impl Checker<'_> {
    fn graph(&self) -> Result<(), Fault> {
        let graph = self.graph;
        // What is written so far: all but results from the start.
        let mut written: Vec<bool> =
            graph.values.iter().map(|value| !matches!(value.def, Def::Node(..))).collect();
        for (index, value) in graph.values.iter().enumerate() {
            let id = ValueId::new(index);
            let sound = self.link(id).and_then(|()| self.ty(&value.ty)).and_then(|()| known(value));
            sound.map_err(|reason| self.at(id, reason))?;
        }
        self.back_links()?;
        for (index, node) in graph.nodes.iter().enumerate() {
            self.node(index, node, &mut written)
                .map_err(|reason| (place_of(index, node), reason))?;
        }
        if let Some(index) = written.iter().position(|written| !written) {
            let reason = "no node lists it among its outputs".to_owned();
            return Err(self.at(ValueId::new(index), reason));
        }
        for (index, output) in graph.outputs.iter().enumerate() {
            let place = || format!("output {index} {}", text::quoted(&output.name));
            self.exists(output.value).map_err(|reason| (place(), reason))?;
            if let Some((axis, by)) = output.counted {
                let count = graph.outputs.get(by).filter(|count| count.counted.is_none());
                let count = count.and_then(|count| graph.values.get(count.value.index()));
                let number = count.is_some_and(|c| c.ty.dtype == DType::I64 && c.ty.rank() == 0);
                if !number || graph.value(output.value).ty.rank() <= axis {
                    return Err((place(), "its elements are counted by no number".to_owned()));
                }
            }
        }
        Ok(())
    }

    fn at(&self, id: ValueId, reason: String) -> Fault {
        let name = self.graph.values.get(id.index()).map_or("", |value| value.name.as_str());
        let name = if name.is_empty() { String::new() } else { format!(" {}", text::quoted(name)) };
        (format!("%{}{name}", id.0), reason)
    }

    fn exists(&self, id: ValueId) -> Result<(), String> {
        if id.index() < self.graph.values.len() {
            return Ok(());
        }
        Err(format!("%{} does not exist", id.0))
    }

    /// What a value says of its origin, seen from there.
    fn link(&self, id: ValueId) -> Result<(), String> {
        let value = self.graph.value(id);
        let listed = match value.def {
            Def::Input(n) => self.graph.inputs.get(n as usize) == Some(&id),
            Def::State(n) => self.graph.states.get(n as usize).map(|state| state.value) == Some(id),
            // Seen when the nodes are walked.
            Def::Node(..) => true,
            Def::Const(data) => {
                let data = self.constant(data)?;
                let dims = value.ty.known_dims();
                if data.dtype != value.ty.dtype || dims.as_deref() != Some(&data.dims) {
                    return Err(format!("{} holds a constant {}", value.ty, data.ty()));
                }
                true
            }
        };
        if listed { Ok(()) } else { Err(format!("{:?} is another value", value.def)) }
    }

    fn constant(&self, id: ConstId) -> Result<&Const, String> {
        let data = self.model.consts.get(id.index());
        data.ok_or_else(|| format!("constant #{} does not exist", id.0))
    }

    /// Inputs and states, seen from the graph's lists.
    fn back_links(&self) -> Result<(), Fault> {
        let def = |id: ValueId| self.graph.values.get(id.index()).map(|value| value.def);
        for (n, id) in (0u32..).zip(&self.graph.inputs) {
            if def(*id) != Some(Def::Input(n)) {
                return Err((format!("input {n}"), format!("%{} is not this input", id.0)));
            }
        }
        for (n, state) in (0u32..).zip(&self.graph.states) {
            let fault = |reason| (format!("state {n} {}", text::quoted(&state.name)), reason);
            if def(state.value) != Some(Def::State(n)) {
                return Err(fault(format!("%{} is not this state", state.value.0)));
            }
            self.exists(state.next).map_err(fault)?;
            let initial = self.constant(state.initial).map_err(fault)?.ty();
            let (ty, next) = (self.graph.ty(state.value), self.graph.ty(state.next));
            for (what, other) in [("initial", &initial), ("next", next)] {
                if !infer::fits(ty, other) {
                    return Err(fault(format!("it is {ty}, but its {what} value {other}")));
                }
            }
        }
        Ok(())
    }

    fn node(&self, index: usize, node: &Node, written: &mut [bool]) -> Result<(), String> {
        for id in node.inputs.iter().flatten() {
            match written.get(id.index()) {
                Some(true) => {}
                Some(false) => return Err(format!("%{} is read before it is written", id.0)),
                None => return Err(format!("%{} does not exist", id.0)),
            }
        }
        for (_, attr) in node.op.attrs() {
            self.attr(&attr, 0)?;
        }
        let results = infer::results(&self.model.consts, self.graph, node).map_err(|e| e.0)?;
        if results.len() != node.outputs.len() {
            let (yields, listed) = (results.len(), node.outputs.len());
            return Err(format!("it yields {yields} values, but lists {listed}"));
        }
        for (output, (id, (inferred, _))) in node.outputs.iter().zip(results).enumerate() {
            self.exists(*id)?;
            let value = self.graph.value(*id);
            let is_this = matches!(value.def, Def::Node(writer, n)
                if writer.index() == index && n as usize == output);
            if !is_this {
                return Err(format!("%{} says it is {:?}", id.0, value.def));
            }
            if !infer::fits(&value.ty, &inferred) {
                return Err(format!(
                    "output {output} is {inferred}, but %{} is {}",
                    id.0, value.ty
                ));
            }
            if let Some(written) = written.get_mut(id.index()) {
                *written = true;
            }
        }
        Ok(())
    }

    fn attr(&self, attr: &Attr, depth: usize) -> Result<(), String> {
        match attr {
            Attr::Word(_) | Attr::Float(_) => Ok(()),
            Attr::Dim(dim) => self.dim(dim),
            Attr::Graph(id) if self.model.graphs.len() <= id.index() => {
                Err(format!("graph({}) does not exist", id.0))
            }
            Attr::Graph(_) => Ok(()),
            Attr::List(items) if depth < 16 => {
                items.iter().try_for_each(|item| self.attr(item, depth + 1))
            }
            Attr::List(_) => Err("an attribute is nested too deeply".to_owned()),
        }
    }

    fn ty(&self, ty: &TensorType) -> Result<(), String> {
        rank(ty.rank())?;
        for dim in &ty.dims {
            self.dim(dim)?;
            if dim.known().is_some_and(|dim| dim < 0) {
                return Err(format!("the dimension {dim} is negative"));
            }
        }
        ty.quant.as_ref().map_or(Ok(()), |quant| sound_quant(quant, ty))
    }

    fn dim(&self, dim: &Dim) -> Result<(), String> {
        if dim.is_unknown() {
            return Err("a dimension is unknown".to_owned());
        }
        let mut missing = None;
        dim.for_each_symbol(&mut |id| {
            if self.model.symbols.len() <= id.index() {
                missing = Some(id);
            }
        });
        missing.map_or(Ok(()), |id| Err(format!("symbol {} does not exist", id.0)))
    }
}

fn known(value: &Value) -> Result<(), String> {
    let (Some(known), Some(len)) = (&value.known, value.ty.known_len()) else { return Ok(()) };
    if known.len() == len {
        return Ok(());
    }
    Err(format!("{} elements of {} are known", known.len(), value.ty))
}

fn sound_quant(quant: &Quant, ty: &TensorType) -> Result<(), String> {
    let count = quant.scales.len();
    if quant.zero_points.len() != count {
        return Err(format!("{count} scales have {} zero points", quant.zero_points.len()));
    }
    if let Some(scale) = quant.scales.iter().find(|scale| !(scale.is_finite() && 0.0 < **scale)) {
        return Err(format!("the scale {scale} is not a positive number"));
    }
    match quant.axis {
        None if count == 1 => Ok(()),
        None => Err(format!("{count} scales have no axis")),
        Some(axis) => match ty.dims.get(axis) {
            None => Err(format!("the scales run along axis {axis}, which does not exist")),
            Some(dim) if *dim == Dim::Known(count as i64) => Ok(()),
            Some(dim) => Err(format!("axis {axis} has {count} scales, but {dim} indices")),
        },
    }
}

/// No graph reaches itself through calls: runtimes may recurse into callees.
fn calls(model: &Model) -> Result<(), String> {
    let called_by = |graph: &Graph| -> Vec<GraphId> {
        graph.nodes.iter().flat_map(|node| control::callees(&node.op)).collect()
    };
    let callees: Vec<Vec<GraphId>> = model.graphs.iter().map(called_by).collect();
    let mut waiting = vec![0usize; callees.len()];
    for id in callees.iter().flatten() {
        if let Some(waiting) = waiting.get_mut(id.index()) {
            *waiting += 1;
        }
    }
    // Removes graphs that nobody calls any more until none is left.
    let mut free: Vec<usize> = (0..callees.len()).filter(|&graph| waiting[graph] == 0).collect();
    let mut removed = 0;
    while let Some(graph) = free.pop() {
        removed += 1;
        for id in &callees[graph] {
            if let Some(waiting) = waiting.get_mut(id.index()) {
                *waiting -= 1;
                if *waiting == 0 {
                    free.push(id.index());
                }
            }
        }
    }
    if removed == callees.len() { Ok(()) } else { Err("a graph calls itself".to_owned()) }
}

#[cfg(test)]
mod tests;
