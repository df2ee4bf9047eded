//! TFLite's variables: named tensors that outlive a run. The main graph carries their values from
//! node to node and keeps the last in a state; a called graph takes and yields those that it uses.

use embarca_num::DType;

use super::control::{Slots, at_most};
use super::{GraphImporter, Slot, constant, real_zeros};
use crate::error::ImportError;
use crate::foreign::{AttrValue, ForeignGraph, ForeignModel, ForeignNode};
use crate::ids::{ConstId, ValueId};
use crate::model::State;
use crate::types::{Const, Quant, TensorType};

/// What is known of a variable.
#[derive(Debug)]
struct Variable {
    /// The author's name, and the container's in front of it.
    name: String,
    /// Its content before the first run; `None` until it is known.
    initial: Option<Const>,
    ty: Option<TensorType>,
    /// What it holds where the current graph stands.
    current: Option<ValueId>,
    /// The value of its state.
    state: Option<ValueId>,
}

/// The variables of a model.
#[derive(Debug, Default)]
pub(super) struct Variables {
    list: Vec<Variable>,
    /// By foreign graph: the variables that it names, and what it calls.
    graphs: Vec<(Vec<usize>, Vec<usize>)>,
}

fn text<'n>(node: &'n ForeignNode, name: &str) -> &'n str {
    let found = node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Text(text) if key == name => Some(text.as_str()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn full_name(node: &ForeignNode) -> String {
    match (text(node, "container"), text(node, "shared_name")) {
        ("", name) => name.to_owned(),
        (container, name) => format!("{container}/{name}"),
    }
}

impl Variables {
    /// Finds the variables that a model names.
    pub fn of(model: &ForeignModel<'_>) -> Self {
        let mut variables = Self::default();
        for graph in &model.graphs {
            let mut named = Vec::new();
            for node in graph.nodes.iter().filter(|node| node.op == "VAR_HANDLE") {
                named.push(variables.number(&full_name(node)));
            }
            let called = |(_, value): &(String, AttrValue)| match value {
                AttrValue::Graph(graph) => Some(*graph),
                _ => None,
            };
            let calls = graph.nodes.iter().flat_map(|node| &node.attrs).filter_map(called);
            variables.graphs.push((named, calls.collect()));
        }
        variables
    }

    fn number(&mut self, name: &str) -> usize {
        let known = self.list.iter().position(|variable| variable.name == name);
        known.unwrap_or_else(|| {
            let name = name.to_owned();
            let fresh = Variable { name, initial: None, ty: None, current: None, state: None };
            self.list.push(fresh);
            self.list.len() - 1
        })
    }

    /// The variables that foreign graphs name, and those that they call. A graph that is handed a
    /// reference may use any variable.
    pub fn used_by(&self, model: &ForeignModel<'_>, graphs: &[usize]) -> Vec<usize> {
        if self.list.is_empty() {
            return Vec::new();
        }
        let mut used = vec![false; self.list.len()];
        let mut seen = vec![false; self.graphs.len()];
        let mut open = graphs.to_vec();
        while let Some(graph) = open.pop() {
            let Some(seen) = seen.get_mut(graph).filter(|seen| !**seen) else { continue };
            *seen = true;
            let (named, calls) = &self.graphs[graph];
            named.iter().for_each(|&variable| used[variable] = true);
            open.extend(calls);
            if model.graphs.get(graph).is_some_and(takes_references) {
                used.fill(true);
            }
        }
        (0..used.len()).filter(|&variable| used[variable]).collect()
    }

    /// What these variables hold.
    pub fn current(&self, variables: &[usize]) -> Result<Vec<ValueId>, ImportError> {
        let value = |&variable: &usize| {
            let Variable { current, name, .. } = &self.list[variable];
            current.ok_or_else(|| {
                ImportError::unsupported(format!(
                    "variable '{name}' has no value before the graphs that use it are called"
                ))
            })
        };
        variables.iter().map(value).collect()
    }

    /// Enters a called graph whose inputs are these variables; what they held outside.
    pub fn enter(&mut self, variables: &[usize], inputs: &[ValueId]) -> Vec<Option<ValueId>> {
        let outside = self.list.iter().map(|variable| variable.current).collect();
        self.list.iter_mut().for_each(|variable| variable.current = None);
        for (&variable, &input) in variables.iter().zip(inputs) {
            self.list[variable].current = Some(input);
        }
        outside
    }

    /// Leaves a called graph; what the variables hold at its end.
    pub fn leave(&mut self, variables: &[usize], outside: Vec<Option<ValueId>>) -> Vec<ValueId> {
        let inside = variables.iter().filter_map(|&variable| self.list[variable].current).collect();
        for (variable, current) in self.list.iter_mut().zip(outside) {
            variable.current = current;
        }
        inside
    }

    /// Takes the last results of a call as the new values of these variables; the other results.
    pub fn update(&mut self, variables: &[usize], mut results: Vec<ValueId>) -> Vec<ValueId> {
        let values = results.split_off(results.len().saturating_sub(variables.len()));
        for (&variable, value) in variables.iter().zip(values) {
            self.list[variable].current = Some(value);
        }
        results
    }
}

/// Whether a graph has inputs of no element type, which references are.
fn takes_references(graph: &ForeignGraph<'_>) -> bool {
    let no_type = |&input: &usize| graph.tensors.get(input).is_some_and(|t| t.dtype.is_none());
    graph.inputs.iter().any(no_type)
}

impl<'a> GraphImporter<'a, '_> {
    pub(super) fn var_handle(&mut self, node: &'a ForeignNode) -> Slots {
        at_most(node, 0)?;
        Ok(Some(vec![Slot::Handle(self.variables.number(&full_name(node)))]))
    }

    /// The variable that input 0 of a node refers to.
    fn variable(&mut self, node: &ForeignNode) -> Result<usize, ImportError> {
        let input = node.inputs.first().copied().flatten();
        match input.map(|input| self.slot(input)).transpose()?.flatten() {
            Some(Slot::Handle(variable)) => Ok(variable),
            _ => Err(ImportError::malformed("input 0 does not refer to a variable")),
        }
    }

    /// What a variable holds. At its first use in the main graph its state is made, of type `ty`.
    fn held(&mut self, variable: usize, ty: &TensorType) -> Result<ValueId, ImportError> {
        let Variable { current, initial, name, .. } = &self.variables.list[variable];
        if let Some(current) = current {
            return Ok(*current);
        }
        let name = name.clone();
        if self.b.graph.index() != 0 {
            let message = format!("variable '{name}' is used here, but not by the caller");
            return Err(ImportError::unsupported(message));
        }
        let initial = match initial {
            Some(initial) => initial.clone(),
            None => real_zeros(ty)?,
        };
        if initial.dtype != ty.dtype || Some(&initial.dims) != ty.known_dims().as_ref() {
            let message = format!("variable '{name}' is {ty}, but begins as {}", initial.ty());
            return Err(ImportError::malformed(message));
        }
        // The number is given when all states are known.
        let value = self.b.state(&name, ty.clone(), 0);
        let variable = &mut self.variables.list[variable];
        variable.initial = Some(initial);
        (variable.ty, variable.current, variable.state) =
            (Some(ty.clone()), Some(value), Some(value));
        Ok(value)
    }

    pub(super) fn read_variable(&mut self, node: &'a ForeignNode) -> Slots {
        at_most(node, 1)?;
        let variable = self.variable(node)?;
        let declared = node.outputs.first().copied().flatten();
        let declared = self.declared(declared).ok_or_else(|| {
            ImportError::malformed("the file does not say what the variable holds")
        })?;
        let value = self.held(variable, &declared)?;
        Ok(Some(vec![Slot::Value(value)]))
    }

    pub(super) fn assign_variable(&mut self, node: &'a ForeignNode) -> Slots {
        at_most(node, 2)?;
        let variable = self.variable(node)?;
        let input = node.inputs.get(1).copied().flatten();
        let input = input.ok_or_else(|| ImportError::malformed("input 1 is missing"))?;
        let Some(value) = self.value(input)? else { return Ok(None) };
        let ty = self.b.ty(value).clone();
        let held = self.held(variable, &ty)?;
        let held = self.b.ty(held);
        if (held.dtype, &held.dims) != (ty.dtype, &ty.dims) {
            let name = &self.variables.list[variable].name;
            let message = format!("variable '{name}' is {held} and is assigned {ty}");
            return Err(ImportError::unsupported(message));
        }
        let one_scale = |quant: &Option<Quant>| quant.as_ref().and_then(Quant::single);
        if one_scale(&held.quant) != one_scale(&ty.quant) {
            let message = "a variable is assigned numbers of another quantization";
            return Err(ImportError::unsupported(message));
        }
        self.variables.list[variable].current = Some(value);
        Ok(Some(Vec::new()))
    }

    /// Reads the initial values of variables from a graph that assigns constants to them.
    pub(super) fn call_once(&mut self, node: &'a ForeignNode) -> Slots {
        at_most(node, 0)?;
        let graph = node.attrs.iter().find_map(|(_, value)| match value {
            AttrValue::Graph(graph) => self.model.graphs.get(*graph),
            _ => None,
        });
        let graph = graph.ok_or_else(|| ImportError::malformed("there is no such graph"))?;
        if self.b.graph.index() != 0 {
            return Err(ImportError::unsupported("a called graph sets variables up"));
        }
        let mut handles = vec![None; graph.tensors.len()];
        for inner in &graph.nodes {
            let input = |at: usize| inner.inputs.get(at).copied().flatten();
            match inner.op.as_str() {
                "VAR_HANDLE" => {
                    let output = inner.outputs.first().copied().flatten();
                    if let Some(handle) = output.and_then(|output| handles.get_mut(output)) {
                        *handle = Some(self.variables.number(&full_name(inner)));
                    }
                }
                "ASSIGN_VARIABLE" => {
                    let variable = input(0).and_then(|input| handles.get(input).copied().flatten());
                    let tensor = input(1).and_then(|input| graph.tensors.get(input));
                    let (Some(variable), Some(tensor)) = (variable, tensor) else {
                        return Err(ImportError::malformed("it assigns to no variable"));
                    };
                    let Some(mut data) = constant(tensor)? else {
                        let message = "a variable's initial value is computed";
                        return Err(ImportError::unsupported(message)
                            .hint("export the model with constant initial values"));
                    };
                    if data.dtype == DType::U8 && tensor.quant.is_some() {
                        let bytes: Vec<u8> = data.data.iter().map(|byte| byte ^ 0x80).collect();
                        data = Const { dtype: DType::I8, dims: data.dims, data: bytes.into() };
                    }
                    let variable = &mut self.variables.list[variable];
                    if variable.state.is_some() {
                        let message = "a variable is set up behind its first use";
                        return Err(ImportError::unsupported(message));
                    }
                    variable.initial = Some(data);
                }
                other => {
                    let message = format!("{other} in a graph that sets variables up");
                    return Err(ImportError::unsupported(message));
                }
            }
        }
        Ok(Some(Vec::new()))
    }

    /// Adds the variables' states to the main graph.
    pub(super) fn variable_states(&mut self) {
        for variable in &mut self.variables.list {
            let (Some(value), Some(next), Some(initial)) =
                (variable.state, variable.current, variable.initial.take())
            else {
                continue;
            };
            self.b.model.consts.push(initial);
            let initial = ConstId::new(self.b.model.consts.len() - 1);
            let graph = &mut self.b.model.graphs[0];
            let number = graph.states.len() as u32;
            graph.values[value.index()].def = crate::model::Def::State(number);
            let name = variable.name.clone();
            graph.states.push(State { name, initial, value, next });
        }
    }
}
