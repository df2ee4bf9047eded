//! Operators that call graphs: which, and whether the types of both sides fit.

use crate::attr::Attr;
use crate::dim::Dim;
use crate::ids::GraphId;
use crate::infer;
use crate::model::{Graph, Model, Node};
use crate::ops::Op;
use crate::types::TensorType;
use embarca_num::DType;

/// The graphs that an operator calls, as often as it names them.
pub fn callees(op: &Op) -> Vec<GraphId> {
    fn collect(attr: &Attr, found: &mut Vec<GraphId>) {
        match attr {
            Attr::Graph(id) => found.push(*id),
            Attr::List(items) => items.iter().for_each(|item| collect(item, found)),
            Attr::Word(_) | Attr::Dim(_) | Attr::Float(_) => {}
        }
    }
    let mut found = Vec::new();
    op.attrs().iter().for_each(|(_, attr)| collect(attr, &mut found));
    found
}

/// Whether an operator calls graphs.
pub fn is_call(op: &Op) -> bool {
    matches!(op, Op::IfElse(_) | Op::WhileLoop(_) | Op::ForLoop(_) | Op::Scan(_))
}

/// The same places as [`callees`], to be changed.
pub fn callees_mut(op: &mut Op) -> Vec<&mut GraphId> {
    match op {
        Op::IfElse(op) => vec![&mut op.then, &mut op.otherwise],
        Op::WhileLoop(op) => vec![&mut op.cond, &mut op.body],
        Op::ForLoop(op) => vec![&mut op.body],
        Op::Scan(op) => vec![&mut op.body],
        _ => Vec::new(),
    }
}

/// The graphs that the main graph reaches, each before those that it calls. A sound model has no
/// cycles; of another one, some graphs may come out in any order.
pub fn reachable(model: &Model) -> Vec<GraphId> {
    let mut order = Vec::new();
    // 0: not seen, 1: being walked, 2: done.
    let mut seen = vec![0u8; model.graphs.len()];
    let mut stack = vec![(GraphId(0), false)];
    while let Some((id, done)) = stack.pop() {
        let Some(state) = seen.get_mut(id.index()) else { continue };
        if done {
            *state = 2;
            order.push(id);
            continue;
        }
        if *state != 0 {
            continue;
        }
        *state = 1;
        stack.push((id, true));
        let nodes = model.graph(id).nodes.iter().rev();
        stack.extend(nodes.flat_map(|node| callees(&node.op)).map(|callee| (callee, false)));
    }
    order.reverse();
    order
}

/// The types on both sides of a call fit.
///
/// # Errors
/// With a sentence on the first that do not.
pub(crate) fn check(model: &Model, graph: &Graph, node: &Node) -> Result<(), String> {
    if !is_call(&node.op) {
        return Ok(());
    }
    let called = |id: GraphId| {
        let callee = model.graphs.get(id.index());
        let callee = callee.ok_or_else(|| format!("graph({}) does not exist", id.0))?;
        if id.index() == 0 || !callee.states.is_empty() {
            return Err(format!("graph({}) has states or is the main graph", id.0));
        }
        Ok(Callee { id, graph: callee })
    };
    let ins: Vec<Option<&TensorType>> =
        node.inputs.iter().map(|input| input.map(|id| graph.ty(id))).collect();
    let outs: Vec<Option<&TensorType>> =
        node.outputs.iter().map(|&id| Some(graph.ty(id))).collect();
    match &node.op {
        Op::IfElse(op) => {
            for callee in [called(op.then)?, called(op.otherwise)?] {
                callee.takes(0, ins.get(1..).unwrap_or(&[]))?;
                callee.yields(0, &outs)?;
            }
            Ok(())
        }
        Op::WhileLoop(op) => {
            let (cond, body) = (called(op.cond)?, called(op.body)?);
            cond.takes(0, &ins)?;
            cond.says_whether(0)?;
            body.takes(0, &ins)?;
            body.yields(0, &ins)
        }
        Op::ForLoop(op) => {
            let body = called(op.body)?;
            for (index, dtype) in [DType::I64, DType::Bool].into_iter().enumerate() {
                let ty = body.graph.inputs.get(index).map(|&id| body.graph.ty(id));
                if !ty.is_some_and(|ty| is_single(ty, dtype)) {
                    return Err(format!("graph({}) takes no {dtype} as value {index}", body.id.0));
                }
            }
            body.takes(2, ins.get(2..).unwrap_or(&[]))?;
            body.says_whether(0)?;
            let (vars, collected) = split(&outs, op.vars)?;
            let items: Vec<TensorType> =
                collected.iter().flatten().map(|ty| without(ty, 0)).collect();
            let results: Vec<_> = vars.iter().copied().chain(items.iter().map(Some)).collect();
            body.yields(1, &results)
        }
        Op::Scan(op) => {
            let body = called(op.body)?;
            let (vars, rest) = split(&ins, op.vars)?;
            let (sequences, captures) = split(rest, op.axes.len())?;
            let elements = sequences.iter().flatten().zip(&op.axes);
            let elements: Vec<TensorType> = elements.map(|(ty, &axis)| without(ty, axis)).collect();
            let params = vars.iter().copied().chain(elements.iter().map(Some));
            let params: Vec<_> = params.chain(captures.iter().copied()).collect();
            body.takes(0, &params)?;
            let (vars, collected) = split(&outs, op.vars)?;
            let items = collected.iter().flatten().zip(&op.out_axes);
            let items: Vec<TensorType> = items.map(|(ty, &axis)| without(ty, axis)).collect();
            let results: Vec<_> = vars.iter().copied().chain(items.iter().map(Some)).collect();
            body.yields(0, &results)
        }
        _ => Ok(()),
    }
}

type Types<'t> = [Option<&'t TensorType>];

fn split<'s, 't>(
    types: &'s Types<'t>,
    at: usize,
) -> Result<(&'s Types<'t>, &'s Types<'t>), String> {
    types.split_at_checked(at).ok_or_else(|| format!("{at} values are needed"))
}

fn without(ty: &TensorType, axis: usize) -> TensorType {
    let dims = ty.dims.iter().enumerate().filter(|(at, _)| *at != axis);
    TensorType::new(ty.dtype, dims.map(|(_, dim)| dim.clone()))
}

/// One element, of rank 0 or 1.
fn is_single(ty: &TensorType, dtype: DType) -> bool {
    ty.dtype == dtype && ty.rank() <= 1 && ty.dims.iter().all(|dim| *dim == Dim::Known(1))
}

struct Callee<'m> {
    id: GraphId,
    graph: &'m Graph,
}

impl Callee<'_> {
    fn takes(&self, skip: usize, types: &Types<'_>) -> Result<(), String> {
        self.fit("takes", skip, self.graph.inputs.iter().map(|&id| self.graph.ty(id)), types)
    }

    fn yields(&self, skip: usize, types: &Types<'_>) -> Result<(), String> {
        let results = self.graph.outputs.iter().map(|output| self.graph.ty(output.value));
        self.fit("yields", skip, results, types)
    }

    fn says_whether(&self, at: usize) -> Result<(), String> {
        let ty = self.graph.outputs.get(at).map(|output| self.graph.ty(output.value));
        let fits = ty.is_some_and(|ty| is_single(ty, DType::Bool));
        if fits { Ok(()) } else { Err(format!("graph({}) yields no condition", self.id.0)) }
    }

    fn fit<'t>(
        &self,
        verb: &str,
        skip: usize,
        own: impl ExactSizeIterator<Item = &'t TensorType>,
        types: &Types<'_>,
    ) -> Result<(), String> {
        let id = self.id.0;
        if own.len() != types.len().saturating_add(skip) {
            let count = types.len().saturating_add(skip);
            return Err(format!("graph({id}) {verb} {} values, not {count}", own.len()));
        }
        for (index, (own, ty)) in own.skip(skip).zip(types).enumerate() {
            let index = index + skip;
            let Some(ty) = ty else {
                return Err(format!("argument {index} of graph({id}) is left out"));
            };
            if !infer::fits(own, ty) {
                return Err(format!("graph({id}) {verb} {own} as value {index}, not {ty}"));
            }
        }
        Ok(())
    }
}
