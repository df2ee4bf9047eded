//! What survives a run: TFLite's variables.

use std::mem::take;

use embarca_num::DType;

use super::SpellError;
use super::layout::identity;
use super::sheet::Sheet;
use crate::foreign::{AttrValue, ForeignGraph, Format};
use crate::ids::ConstId;
use crate::model::Def;
use crate::ops::Op;
use crate::types::TensorType;

impl<'m> Sheet<'_, 'm> {
    /// Reads every state; a graph that is called once gives the variables their first content.
    pub(super) fn read_states(&mut self) {
        let graph = self.graph;
        if graph.states.is_empty() {
            return;
        }
        if self.format() != Format::TfLite {
            for state in &graph.states {
                let what = "ONNX has no tensors that survive a run";
                self.shared.gap(None, format!("state '{}'", state.name), SpellError::none(what));
                let ty = graph.ty(state.value).clone();
                let perm = identity(ty.rank());
                let tensor = self.tensor("", ty);
                self.show(state.value, perm, tensor);
            }
            return;
        }
        let kept: Vec<bool> = (0..graph.states.len()).map(|number| self.is_own(number)).collect();
        for (state, _) in graph.states.iter().zip(&kept).filter(|(_, kept)| **kept) {
            let ty = graph.ty(state.value).clone();
            let perm = identity(ty.rank());
            let tensor = self.tensor(&state.name, ty);
            self.tensors[tensor].is_variable = true;
            self.show(state.value, perm, tensor);
        }
        if kept.iter().all(|kept| *kept) {
            return;
        }
        let first = self.first_contents();
        self.shared.graphs.push(first);
        let first = self.shared.graphs.len() - 1;
        let attrs = vec![("init_subgraph_index".to_owned(), AttrValue::Graph(first))];
        self.push("CALL_ONCE", Vec::new(), Vec::new(), attrs);
        for (number, state) in graph.states.iter().enumerate().filter(|(at, _)| !kept[*at]) {
            let ty = graph.ty(state.value).clone();
            let perm = identity(ty.rank());
            let handle = self.handle(number);
            let tensor = self.tensor(&state.name, ty);
            self.push("READ_VARIABLE", vec![Some(handle)], vec![Some(tensor)], Vec::new());
            self.show(state.value, perm, tensor);
        }
    }

    /// Writes what each state becomes, when all have been read.
    pub(super) fn write_states(&mut self) {
        if self.format() != Format::TfLite {
            return;
        }
        let graph = self.graph;
        let mut next = Vec::new();
        let others = (0..graph.states.len()).filter(|&number| !self.is_own(number));
        let others: Vec<usize> = others.collect();
        for state in others.iter().map(|&number| &graph.states[number]) {
            let own = identity(graph.ty(state.next).rank());
            match self.fetch(state.next, Some(&own)) {
                Ok(tensor) => next.push(tensor),
                Err(error) => self.shared.gap(None, format!("state '{}'", state.name), error),
            }
        }
        for (number, tensor) in others.into_iter().zip(next) {
            let handle = self.handle(number);
            self.push("ASSIGN_VARIABLE", vec![Some(handle), Some(tensor)], Vec::new(), Vec::new());
        }
    }

    /// Whether a state belongs to one node, which reads and writes it as a variable and begins with
    /// the real number zero.
    fn is_own(&self, number: usize) -> bool {
        let graph = self.graph;
        let state = &graph.states[number];
        let Def::Node(writer, output) = graph.value(state.next).def else { return false };
        let node = graph.node(writer);
        let place = match (&node.op, output) {
            (Op::Svdf(_), 1) => 4,
            _ => return false,
        };
        let zero = graph.ty(state.value).quant.as_ref().and_then(crate::Quant::single);
        let zero = zero.map_or(0, |(_, zero)| zero);
        let content = self.shared.model.constant(state.initial).to_f64();
        node.inputs.get(place) == Some(&Some(state.value))
            && self.uses[state.value.index()] == 1
            && self.uses[state.next.index()] == 1
            && content.is_some_and(|content| content.iter().all(|&x| x == f64::from(zero)))
    }

    fn handle(&mut self, number: usize) -> usize {
        let handle = self.tensor("", TensorType::of(DType::I32, &[]));
        self.tensors[handle].dtype = None;
        let name = AttrValue::Text(format!("state{number}"));
        let attrs = vec![("shared_name".to_owned(), name)];
        self.push("VAR_HANDLE", Vec::new(), vec![Some(handle)], attrs);
        handle
    }

    /// The graph that writes each variable once.
    fn first_contents(&mut self) -> ForeignGraph<'m> {
        let outer = (take(&mut self.tensors), take(&mut self.types), take(&mut self.nodes));
        let graph = self.graph;
        for (number, state) in graph.states.iter().enumerate() {
            if self.is_own(number) {
                continue;
            }
            let handle = self.handle(number);
            let content = self.initial(state.initial, graph.ty(state.value).clone());
            let inputs = vec![Some(handle), Some(content)];
            self.push("ASSIGN_VARIABLE", inputs, Vec::new(), Vec::new());
        }
        let (tensors, nodes) = (take(&mut self.tensors), take(&mut self.nodes));
        (self.tensors, self.types, self.nodes) = outer;
        ForeignGraph { name: "first".to_owned(), tensors, nodes, ..ForeignGraph::default() }
    }

    fn initial(&mut self, id: ConstId, ty: TensorType) -> usize {
        let model = self.shared.model;
        let data = &model.constant(id).data;
        let flip = if self.is_shifted(&ty) { 0x80 } else { 0 };
        let bytes: Vec<u8> = data.iter().map(|byte| byte ^ flip).collect();
        self.stored_constant("", ty, bytes.into())
    }
}
