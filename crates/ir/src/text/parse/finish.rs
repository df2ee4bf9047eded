//! From what the text introduces to a graph.

use embarca_num::DType;

use super::super::tensor_type;
use super::{Draft, GraphDraft, Parser, Result};
use crate::infer;
use crate::model::{Def, Graph, Model, Value};
use crate::types::TensorType;

impl Parser<'_> {
    /// Sorts the values by number and gives them the types and contents that inference yields.
    pub(super) fn finish(&mut self, model: &Model, draft: GraphDraft) -> Result<Graph> {
        let GraphDraft { mut graph, mut values, places, .. } = draft;
        values.sort_by_key(|value| value.id);
        let mut places_of_values = Vec::with_capacity(values.len());
        let mut typed = Vec::with_capacity(values.len());
        for (index, value) in (0u32..).zip(values) {
            let Draft { pos, id, name, ty, def } = value;
            if id != index {
                let message = format!("%{index} is nowhere written, and values have no gaps");
                return Err(self.lexer.error(pos, message));
            }
            let known = match def {
                Def::Const(id) => model.consts.get(id.index()).and_then(infer::known_of_const),
                _ => None,
            };
            self.spend(pos, known.as_ref().map_or(0, |known| known.len()))?;
            places_of_values.push(pos);
            typed.push(ty.is_some());
            let ty = ty.unwrap_or_else(|| TensorType::new(DType::F32, []));
            graph.values.push(Value { name, ty, def, known });
        }
        let nodes = std::mem::take(&mut graph.nodes);
        for (node, pos) in nodes.iter().zip(places) {
            let results = infer::results(&model.consts, &graph, node)
                .map_err(|error| self.lexer.error(pos, format!("{}: {error}", node.op.name())))?;
            if results.len() != node.outputs.len() {
                let (yields, written) = (results.len(), node.outputs.len());
                let op = node.op.name();
                let message = format!("{op} yields {yields} values here, not {written}");
                return Err(self.lexer.error(pos, message));
            }
            for (id, (ty, known)) in node.outputs.iter().zip(results) {
                let scales = ty.quant.as_ref().map_or(0, |quant| quant.scales.len());
                let elements = known.as_ref().map_or(0, |known| known.len());
                self.spend(pos, scales.saturating_add(elements))?;
                let (Some(value), Some(typed), Some(at)) = (
                    graph.values.get_mut(id.index()),
                    typed.get(id.index()),
                    places_of_values.get(id.index()),
                ) else {
                    return Err(self.lexer.error(pos, format!("%{} does not exist", id.0)));
                };
                value.known = known;
                if !typed {
                    value.ty = ty;
                } else if !infer::fits(&value.ty, &ty) {
                    let (stated, inferred) =
                        (tensor_type(&value.ty, &model.symbols), tensor_type(&ty, &model.symbols));
                    let message = format!("%{} is {inferred}, not {stated}", id.0);
                    return Err(self.lexer.error(*at, message));
                }
            }
        }
        graph.nodes = nodes;
        Ok(graph)
    }
}
