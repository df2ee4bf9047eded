//! Moves a part of a graph into a graph that it calls. The results stay the same bit for bit, so that
//! every random graph is also one of branches and loops.

use embarca_ir::ops::{ForLoop, IfElse, Refuse, Scan};
use embarca_ir::{
    Builder, Const, Def, Dim, Graph, GraphId, Node, Quant, ShapeError, TensorType, ValueId,
};
use embarca_num::DType;

use crate::random::{Case, Random};

/// The case with some of its nodes, drawn from a seed, in a branch or in a loop of one run. Where a
/// condition is needed, it is one more input.
///
/// # Errors
/// When the parts do not fit together: a defect of this function.
pub fn outlined(case: &Case, seed: u64) -> Result<Case, ShapeError> {
    let mut random = Random(seed);
    let old = case.model.main().clone();
    let len = old.nodes.len();
    if len == 0 {
        return Ok(case.clone());
    }
    let start = random.below(len);
    let end = start + 1 + random.below(len - start);
    let mut model = case.model.clone();
    model.graphs[0] = Graph { name: old.name.clone(), ..Graph::default() };
    let uses = |id: ValueId| {
        let later = old.nodes[end..].iter().flat_map(|node| node.inputs.iter().flatten());
        let outputs = old.outputs.iter().map(|output| &output.value);
        later.chain(outputs).any(|&other| other == id)
    };
    let inside = &old.nodes[start..end];
    let made: Vec<ValueId> = inside.iter().flat_map(|node| node.outputs.iter().copied()).collect();
    let results: Vec<ValueId> = made.iter().copied().filter(|&id| uses(id)).collect();
    let mut args: Vec<ValueId> = Vec::new();
    for &id in inside.iter().flat_map(|node| node.inputs.iter().flatten()) {
        let constant = matches!(old.value(id).def, Def::Const(_));
        if !constant && !made.contains(&id) && !args.contains(&id) {
            args.push(id);
        }
    }
    let kind = random.below(3);
    let types: Vec<TensorType> = results.iter().map(|&id| old.ty(id).clone()).collect();

    // The called graph: what else its kind takes stands before the arguments.
    model.graphs.push(Graph { name: "part".to_owned(), ..Graph::default() });
    let part = GraphId::new(model.graphs.len() - 1);
    let mut b = Builder::new(&mut model, part);
    let flag = || TensorType::of(DType::Bool, &[]);
    let going = match kind {
        1 => {
            b.input("trip", TensorType::of(DType::I64, &[]));
            Some(b.input("going", flag()))
        }
        2 => {
            b.input("element", flag());
            None
        }
        _ => None,
    };
    let mut map = vec![None; old.values.len()];
    for &arg in &args {
        map[arg.index()] = Some(b.input(&old.value(arg).name, old.ty(arg).clone()));
    }
    copy(&mut b, &old, inside, &mut map)?;
    if let Some(going) = going {
        b.output(going, "going");
    }
    for &id in &results {
        let value = mapped(&mut b, &old, &mut map, id);
        b.output(value, "");
    }
    if kind == 0 {
        b.model.graphs.push(Graph { name: "never".to_owned(), ..Graph::default() });
        b.graph = GraphId::new(b.model.graphs.len() - 1);
        for &arg in &args {
            b.input("", old.ty(arg).clone());
        }
        let dtypes = types.iter().map(|ty| ty.dtype).collect();
        let dims = types.iter().map(|ty| ty.dims.clone()).collect();
        for value in b.node(Refuse { dtypes, dims }, &[])? {
            b.output(value, "");
        }
    }

    // The main graph with a call in the place of the nodes.
    b.graph = GraphId(0);
    let mut fed = case.inputs.clone();
    let mut map = vec![None; old.values.len()];
    for &input in &old.inputs {
        map[input.index()] = Some(b.input(&old.value(input).name, old.ty(input).clone()));
    }
    copy(&mut b, &old, &old.nodes[..start], &mut map)?;
    let mut inputs = Vec::new();
    for &arg in &args {
        inputs.push(Some(mapped(&mut b, &old, &mut map, arg)));
    }
    let truth = |value: bool| Const::new(DType::Bool, vec![], [u8::from(value)]);
    let missing = || ShapeError::new("a constant has another size");
    let dtypes: Vec<DType> = types.iter().map(|ty| ty.dtype).collect();
    let whole = |ty: &TensorType| [vec![Dim::Known(1)], ty.dims.clone()].concat();
    let outputs = match kind {
        0 => {
            let value = random.once_in(2);
            fed.push(truth(value).ok_or_else(missing)?);
            let condition = b.input("condition", flag());
            let never = GraphId::new(b.model.graphs.len() - 1);
            let (then, otherwise) = if value { (part, never) } else { (never, part) };
            let dims = types.iter().map(|ty| ty.dims.clone()).collect();
            inputs.insert(0, Some(condition));
            b.node(IfElse { then, otherwise, dtypes, dims }, &inputs)?
        }
        1 => {
            let trips = b.constant(Const::from_i64(&[], &[1]), None);
            let dims = types.iter().map(whole).collect();
            let inputs = [vec![Some(trips), None], inputs].concat();
            b.node(ForLoop { body: part, vars: 0, dtypes, dims }, &inputs)?
        }
        _ => {
            let one = Const::new(DType::Bool, vec![1], [1u8]).ok_or_else(missing)?;
            let sequence = b.constant(one, None);
            let count = types.len();
            let scan = Scan {
                body: part,
                vars: 0,
                axes: vec![0],
                backward: vec![random.once_in(2)],
                out_axes: vec![0; count],
                out_backward: vec![random.once_in(2); count],
                dtypes,
                dims: types.iter().map(whole).collect(),
            };
            inputs.insert(0, Some(sequence));
            b.node(scan, &inputs)?
        }
    };
    for ((output, ty), &id) in outputs.into_iter().zip(types).zip(&results) {
        let TensorType { dims, quant, .. } = ty;
        let value = b.reshape(output, dims)?;
        declare(&mut b, value, quant);
        map[id.index()] = Some(value);
    }
    copy(&mut b, &old, &old.nodes[end..], &mut map)?;
    for output in &old.outputs {
        let value = mapped(&mut b, &old, &mut map, output.value);
        b.output(value, &output.name);
    }
    Ok(Case { model, inputs: fed })
}

fn declare(b: &mut Builder<'_>, value: ValueId, quant: Option<Quant>) {
    b.set_quant(value, quant);
}

fn copy(
    b: &mut Builder<'_>,
    old: &Graph,
    nodes: &[Node],
    map: &mut [Option<ValueId>],
) -> Result<(), ShapeError> {
    for node in nodes {
        let inputs: Vec<Option<ValueId>> =
            node.inputs.iter().map(|id| id.map(|id| mapped(b, old, map, id))).collect();
        let outputs = embarca_opt::rewrite::keep(b, old, node, &inputs)?;
        for (old, new) in node.outputs.iter().zip(outputs) {
            map[old.index()] = Some(new);
        }
    }
    Ok(())
}

fn mapped(b: &mut Builder<'_>, old: &Graph, map: &mut [Option<ValueId>], id: ValueId) -> ValueId {
    if let Some(value) = map[id.index()] {
        return value;
    }
    let value = old.value(id);
    let Def::Const(constant) = value.def else { panic!("%{} is read before it is written", id.0) };
    let value = b.use_constant(&value.name, constant, value.ty.quant.clone());
    map[id.index()] = Some(value);
    value
}
