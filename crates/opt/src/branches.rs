//! A branch that is known takes the place of the node that chooses it.

use embarca_ir::{Builder, Const, Def, GraphId, Model, Op, ShapeError, ValueId};

use crate::rewrite::{Verdict, rewrite};

/// One round; the flag tells whether a branch was chosen.
///
/// # Errors
/// Only through a defect.
pub fn fold_branches(model: Model) -> Result<(Model, bool), ShapeError> {
    if model.graphs.len() == 1 {
        return Ok((model, false));
    }
    rewrite(model, &mut |b, site| {
        let (Op::IfElse(op), Some(cond)) = (&site.node.op, site.input(0)) else {
            return Ok(Verdict::Keep);
        };
        let Some(cond) = b.const_of(cond).and_then(Const::to_i64) else {
            return Ok(Verdict::Keep);
        };
        let taken = if cond.first() == Some(&1) { op.then } else { op.otherwise };
        inline(b, taken, site.inputs.get(1..).unwrap_or(&[])).map(Verdict::Replace)
    })
}

/// Puts the nodes of a graph into the one that is being built; its results.
fn inline(
    b: &mut Builder<'_>,
    graph: GraphId,
    args: &[Option<ValueId>],
) -> Result<Vec<ValueId>, ShapeError> {
    let graph = b.model.graph(graph).clone();
    let mut map: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    for (id, arg) in graph.inputs.iter().zip(args) {
        map[id.index()] = *arg;
    }
    for (slot, value) in map.iter_mut().zip(&graph.values) {
        if let Def::Const(id) = value.def {
            *slot = Some(b.use_constant(&value.name, id, value.ty.quant.clone()));
        }
    }
    for node in &graph.nodes {
        let inputs: Vec<Option<ValueId>> =
            node.inputs.iter().map(|input| input.and_then(|id| map[id.index()])).collect();
        b.node_name.clone_from(&node.name);
        let outputs = crate::rewrite::keep(b, &graph, node, &inputs)?;
        for (old, new) in node.outputs.iter().zip(outputs) {
            map[old.index()] = Some(new);
        }
    }
    let missing = || ShapeError::new("a result of a branch is written by nothing");
    graph.outputs.iter().map(|output| map[output.value.index()].ok_or_else(missing)).collect()
}
