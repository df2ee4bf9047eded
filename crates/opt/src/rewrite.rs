//! Rebuilds a graph node by node while a rule replaces some of them.
//!
//! A rule sees each node with its inputs already in the new graph and may look at what wrote them.
//! Nodes and constants that nothing reads afterwards are left behind.

use embarca_ir::control;
use embarca_ir::{
    Builder, ConstId, Def, Graph, GraphId, Model, Node, NodeId, Output, ShapeError, State, ValueId,
};

/// What a rule says of a node.
pub enum Verdict {
    /// It stays.
    Keep,
    /// The rule has kept it under these values of the new graph.
    Unchanged(Vec<ValueId>),
    /// These values of the new graph take the place of its outputs.
    Replace(Vec<ValueId>),
}

/// A node about to be rebuilt.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The node in the old graph.
    pub node: &'a Node,
    /// Its inputs in the new graph.
    pub inputs: &'a [Option<ValueId>],
    /// The old graph.
    pub old: &'a Graph,
    /// How often each value of the old graph is read.
    pub uses: &'a [usize],
}

impl Site<'_> {
    /// Input `index` in the new graph, if it is there.
    pub fn input(&self, index: usize) -> Option<ValueId> {
        self.inputs.get(index).copied().flatten()
    }
}

/// Rebuilds the graphs of `model`, one after the other. The flag tells whether the rule replaced
/// anything.
///
/// # Errors
/// When a rule makes a node whose inputs do not fit it: a defect of the rule.
pub fn rewrite(
    mut model: Model,
    rule: &mut dyn FnMut(&mut Builder<'_>, &Site<'_>) -> Result<Verdict, ShapeError>,
) -> Result<(Model, bool), ShapeError> {
    let mut changed = false;
    // Graphs that the rule adds are its own.
    for graph in 0..model.graphs.len() {
        changed |= rewrite_graph(&mut model, GraphId::new(graph), rule)?;
    }
    drop_unused(&mut model);
    Ok((model, changed))
}

fn rewrite_graph(
    model: &mut Model,
    graph: GraphId,
    rule: &mut dyn FnMut(&mut Builder<'_>, &Site<'_>) -> Result<Verdict, ShapeError>,
) -> Result<bool, ShapeError> {
    let old = std::mem::take(&mut model.graphs[graph.index()]);
    model.graphs[graph.index()].name.clone_from(&old.name);
    let mut b = Builder::new(model, graph);

    let live = live_nodes(&old);
    let uses = old.use_counts();
    let mut map: Vec<Option<ValueId>> = vec![None; old.values.len()];
    for &input in &old.inputs {
        let value = old.value(input);
        map[input.index()] = Some(b.input(&value.name, value.ty.clone()));
    }
    for (number, state) in old.states.iter().enumerate() {
        let value = old.value(state.value);
        map[state.value.index()] = Some(b.state(&value.name, value.ty.clone(), number as u32));
    }
    let mut changed = false;
    for (node, live) in old.nodes.iter().zip(live) {
        if !live {
            continue;
        }
        let inputs: Vec<Option<ValueId>> = node
            .inputs
            .iter()
            .map(|input| input.map(|id| mapped(&mut b, &old, &mut map, id)))
            .collect();
        b.node_name.clone_from(&node.name);
        let site = Site { node, inputs: &inputs, old: &old, uses: &uses };
        let outputs = match rule(&mut b, &site)? {
            Verdict::Replace(outputs) => {
                changed = true;
                outputs
            }
            Verdict::Unchanged(outputs) => outputs,
            Verdict::Keep => keep(&mut b, &old, node, &inputs)?,
        };
        for (&old_id, &new_id) in node.outputs.iter().zip(&outputs) {
            let name = &old.value(old_id).name;
            if b.graph().value(new_id).name.is_empty() {
                b.set_name(new_id, name);
            }
            map[old_id.index()] = Some(new_id);
        }
    }
    for output in &old.outputs {
        let value = mapped(&mut b, &old, &mut map, output.value);
        b.output(value, &output.name);
        b.count_last_output(output.counted);
    }
    for state in &old.states {
        let (value, next) = (
            mapped(&mut b, &old, &mut map, state.value),
            mapped(&mut b, &old, &mut map, state.next),
        );
        let state = State { name: state.name.clone(), initial: state.initial, value, next };
        b.model.graphs[graph.index()].states.push(state);
    }
    Ok(changed)
}

/// Adds `node` as it is, with the declared quantization of its outputs.
///
/// # Errors
/// When the inputs no longer fit it.
pub fn keep(
    b: &mut Builder<'_>,
    old: &Graph,
    node: &Node,
    inputs: &[Option<ValueId>],
) -> Result<Vec<ValueId>, ShapeError> {
    let outputs = b.node(node.op.clone(), inputs)?;
    for (&old_id, &new_id) in node.outputs.iter().zip(&outputs) {
        b.set_quant(new_id, old.ty(old_id).quant.clone());
    }
    Ok(outputs)
}

fn mapped(b: &mut Builder<'_>, old: &Graph, map: &mut [Option<ValueId>], id: ValueId) -> ValueId {
    if let Some(value) = map[id.index()] {
        return value;
    }
    let value = old.value(id);
    let Def::Const(constant) = value.def else {
        unreachable!("a verified graph writes every value before it is read")
    };
    let new_id = b.use_constant(&value.name, constant, value.ty.quant.clone());
    map[id.index()] = Some(new_id);
    new_id
}

/// Which nodes an output or a state depends on.
fn live_nodes(graph: &Graph) -> Vec<bool> {
    let mut live_values = vec![false; graph.values.len()];
    for output in &graph.outputs {
        live_values[output.value.index()] = true;
    }
    for state in &graph.states {
        live_values[state.next.index()] = true;
    }
    let mut live = vec![false; graph.nodes.len()];
    for (node, live) in graph.nodes.iter().zip(&mut live).rev() {
        *live = node.outputs.iter().any(|output| live_values[output.index()]);
        if *live {
            for input in node.inputs.iter().flatten() {
                live_values[input.index()] = true;
            }
        }
    }
    live
}

/// Removes graphs that nothing calls, what nothing reads, and the constants that only it read.
fn drop_unused(model: &mut Model) {
    for graph in &mut model.graphs {
        drop_unused_values(graph);
    }
    drop_unused_graphs(model);
    let mut new_ids: Vec<Option<ConstId>> = vec![None; model.consts.len()];
    let mut kept = Vec::new();
    let mut renumber = |id: &mut ConstId| {
        *id = *new_ids[id.index()].get_or_insert_with(|| {
            kept.push(model.consts[id.index()].clone());
            ConstId::new(kept.len() - 1)
        });
    };
    for graph in &mut model.graphs {
        for value in &mut graph.values {
            if let Def::Const(id) = &mut value.def {
                renumber(id);
            }
        }
        graph.states.iter_mut().for_each(|state| renumber(&mut state.initial));
    }
    model.consts = kept;
}

/// Keeps the graphs that the main graph reaches, in their order.
fn drop_unused_graphs(model: &mut Model) {
    let mut new_ids: Vec<Option<GraphId>> = vec![None; model.graphs.len()];
    for id in control::reachable(model) {
        new_ids[id.index()] = Some(id);
    }
    if new_ids.iter().all(Option::is_some) {
        return;
    }
    for (kept, id) in new_ids.iter_mut().flatten().enumerate() {
        *id = GraphId::new(kept);
    }
    let mut ids = new_ids.iter();
    model.graphs.retain(|_| ids.next().is_some_and(Option::is_some));
    for node in model.graphs.iter_mut().flat_map(|graph| &mut graph.nodes) {
        for id in control::callees_mut(&mut node.op) {
            if let Some(new) = new_ids.get(id.index()).copied().flatten() {
                *id = new;
            }
        }
    }
}

/// Removes nodes that no output depends on, with their values and constants.
fn drop_unused_values(graph: &mut Graph) {
    let live = live_nodes(graph);
    let mut position = 0;
    let mut new_nodes = Vec::with_capacity(live.len());
    for &live in &live {
        new_nodes.push(NodeId::new(position));
        position += usize::from(live);
    }
    let mut nodes = live.iter();
    graph.nodes.retain(|_| nodes.next() == Some(&true));

    let uses = graph.use_counts();
    let mut new_ids = Vec::with_capacity(graph.values.len());
    let mut kept = Vec::with_capacity(graph.values.len());
    for (mut value, uses) in std::mem::take(&mut graph.values).into_iter().zip(uses) {
        let keep = match &mut value.def {
            Def::Input(_) | Def::State(_) => true,
            Def::Const(_) => 0 < uses,
            Def::Node(node, _) => {
                let keep = live[node.index()];
                *node = new_nodes[node.index()];
                keep
            }
        };
        new_ids.push(ValueId::new(kept.len()));
        if keep {
            kept.push(value);
        }
    }
    graph.values = kept;
    let renumber = |id: &mut ValueId| *id = new_ids[id.index()];
    graph.inputs.iter_mut().for_each(renumber);
    for node in &mut graph.nodes {
        node.inputs.iter_mut().flatten().for_each(renumber);
        node.outputs.iter_mut().for_each(renumber);
    }
    graph.outputs.iter_mut().for_each(|Output { value, .. }| renumber(value));
    for state in &mut graph.states {
        renumber(&mut state.value);
        renumber(&mut state.next);
    }
}
