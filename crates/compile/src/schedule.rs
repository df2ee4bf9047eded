//! From a graph to a sequence of kernel calls over placed tensors: fusion, views, lowering.

use std::collections::{HashMap, HashSet};

use embarca_ir::control;
use embarca_ir::dim::product;
use embarca_ir::ops::Slice;
use embarca_ir::{
    Algorithm, Arg, Const, Def, Dim, Graph, GraphId, Io, Model, Node, Op, Operand, Operands, Tail,
    TensorType, Value, ValueId,
};
use embarca_num::DType;
use embarca_plan::{BACKWARD, opcode};
use embarca_target::{Fusion, Target};

use crate::CompileError;

/// Kernels may rely on buffers that begin at a multiple of this many bytes; a view that would not
/// is a copy instead.
const ALIGNMENT: usize = 16;

/// A concatenation of more parts is a copy: whoever opens a plan compares the parts of a tensor
/// pair by pair.
const MOST_PIECES: usize = 1024;

/// A tensor of the schedule, by position.
pub type TensorIndex = usize;

/// Where a tensor will live.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// The weights.
    Const(Const),
    /// The caller's input with this number.
    Input(u32),
    /// The caller's output with this number.
    Output(u32),
    /// The state with this number.
    State(u32),
    /// The arena.
    Arena,
    /// A part of another tensor that is no alias itself, from this byte on.
    Alias(TensorIndex, Dim),
}

/// A tensor.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The author's name; may be empty.
    pub name: String,
    /// Element type, dimensions and quantization.
    pub ty: TensorType,
    /// Where it will live.
    pub place: Place,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Calls a kernel.
    Kernel {
        /// [`embarca_kernels::Kernel::name`]
        name: &'static str,
        /// The parameter record.
        record: Vec<u8>,
        /// The class of algorithm.
        algorithm: Algorithm,
    },
    /// Does nothing: the inputs lie side by side in the output.
    Join,
    /// Calls other graphs.
    Call {
        /// One of [`embarca_plan::opcode`].
        opcode: u16,
        /// Its record: schedules by position first.
        words: Vec<u32>,
    },
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The author's name of the node; may be empty.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// `None` is an optional input that is left out.
    pub inputs: Vec<Option<TensorIndex>>,
    /// All outputs.
    pub outputs: Vec<TensorIndex>,
}

/// A state.
#[derive(Clone, Debug)]
pub struct State {
    /// The author's name; may be empty.
    pub name: String,
    /// Its content before the first run.
    pub initial: Const,
}

/// A graph in the form of steps.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// The author's name of the graph; may be empty.
    pub name: String,
    /// All tensors.
    pub tensors: Vec<Tensor>,
    /// In execution order.
    pub steps: Vec<Step>,
    /// The interface's inputs.
    pub inputs: Vec<TensorIndex>,
    /// The interface's outputs.
    pub outputs: Vec<TensorIndex>,
    /// States.
    pub states: Vec<State>,
}

/// Schedules the graphs of a model whose every node has a kernel: the main graph, then those that
/// it reaches, each before those that it calls.
///
/// # Errors
/// When a node cannot be lowered.
pub fn schedule(model: &Model, target: &Target) -> Result<Vec<Schedule>, CompileError> {
    let order = control::reachable(model);
    let mut schedules = Vec::with_capacity(order.len());
    for &id in &order {
        let graph = model.graph(id);
        let mut scheduler = Scheduler {
            model,
            id,
            graph,
            order: &order,
            target,
            uses: graph.use_counts(),
            out: Schedule { name: graph.name.clone(), ..Schedule::default() },
            map: vec![None; graph.values.len()],
            consts: HashMap::new(),
            readers: vec![None; graph.values.len()],
            views: Vec::new(),
            writers: Vec::new(),
            adopted: Vec::new(),
        };
        scheduler.run()?;
        schedules.push(scheduler.out);
    }
    Ok(schedules)
}

struct Scheduler<'a> {
    model: &'a Model,
    id: GraphId,
    graph: &'a Graph,
    /// The graphs in the order of their schedules.
    order: &'a [GraphId],
    target: &'a Target,
    uses: Vec<usize>,
    out: Schedule,
    map: Vec<Option<TensorIndex>>,
    /// Constants of one content and type are one tensor.
    consts: HashMap<(Vec<usize>, DType, std::sync::Arc<[u8]>), TensorIndex>,
    /// By value, the last node that reads it.
    readers: Vec<Option<usize>>,
    /// By tensor, those that are aliases of it.
    views: Vec<Vec<TensorIndex>>,
    /// By tensor, the step that writes it.
    writers: Vec<Option<usize>>,
    /// Steps that belong before the step with this number.
    adopted: Vec<(usize, Step)>,
}

impl Scheduler<'_> {
    fn run(&mut self) -> Result<(), CompileError> {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            for input in node.inputs.iter().flatten() {
                self.readers[input.index()] = Some(index);
            }
        }
        for (number, &input) in self.graph.inputs.iter().enumerate() {
            let index = self.tensor(input, Place::Input(number as u32));
            self.out.inputs.push(index);
        }
        for (number, state) in self.graph.states.iter().enumerate() {
            self.tensor(state.value, Place::State(number as u32));
            let initial = self.model.constant(state.initial).clone();
            self.out.states.push(State { name: state.name.clone(), initial });
        }
        let mut skip = vec![false; self.graph.nodes.len()];
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if !skip[index] {
                self.node(index, node, &mut skip)?;
            }
        }
        // Outputs first: one may show a state as it was before this run.
        self.outputs()?;
        self.states()?;
        self.place_adopted();
        Ok(())
    }

    fn tensor(&mut self, value: ValueId, place: Place) -> TensorIndex {
        let Value { name, ty, .. } = self.graph.value(value);
        let index = self.push(Tensor { name: name.clone(), ty: ty.clone(), place });
        self.map[value.index()] = Some(index);
        index
    }

    fn push(&mut self, tensor: Tensor) -> TensorIndex {
        let index = self.out.tensors.len();
        self.views.push(Vec::new());
        self.writers.push(None);
        if let Place::Alias(of, _) = tensor.place {
            self.views[of].push(index);
        }
        self.out.tensors.push(tensor);
        index
    }

    fn step(&mut self, step: Step) {
        for &output in &step.outputs {
            self.writers[output] = Some(self.out.steps.len());
        }
        self.out.steps.push(step);
    }

    fn constant(&mut self, data: &Const, ty: TensorType, name: &str) -> TensorIndex {
        let key = (data.dims.clone(), data.dtype, data.data.clone());
        if let Some(&index) = self.consts.get(&key) {
            return index;
        }
        let place = Place::Const(data.clone());
        let index = self.push(Tensor { name: name.to_owned(), ty, place });
        self.consts.insert(key, index);
        index
    }

    /// The tensor of a value that has been computed, or of a constant.
    fn read(&mut self, value: ValueId) -> Result<TensorIndex, CompileError> {
        if let Some(index) = self.map[value.index()] {
            return Ok(index);
        }
        let data = self
            .model
            .const_of(self.id, value)
            .ok_or_else(|| CompileError::Bug("a value is read before it is written".to_owned()))?;
        let Value { name, ty, .. } = self.graph.value(value);
        let index = self.constant(data, ty.clone(), name);
        self.map[value.index()] = Some(index);
        Ok(index)
    }

    fn node(&mut self, index: usize, node: &Node, skip: &mut [bool]) -> Result<(), CompileError> {
        let viewed = match &node.op {
            Op::Reshape(_) if self.keeps_size(node) => return self.view(node),
            Op::Concat(concat) => self.join(node, concat.axis)?,
            Op::Slice(slice) => self.part(node, slice)?,
            _ => false,
        };
        if viewed {
            return Ok(());
        }
        if control::is_call(&node.op) {
            return self.call(node);
        }
        let (tail, results) = self.fuse(node, skip);
        let lowered = self.lower(index, node, tail, &results)?;
        let mut inputs = Vec::with_capacity(lowered.args.len());
        for arg in &lowered.args {
            inputs.push(match arg {
                Arg::Input(input) => match node.inputs.get(*input).copied().flatten() {
                    Some(value) => Some(self.read(value)?),
                    None => None,
                },
                Arg::Const(data) => Some(self.constant(data, data.ty(), "")),
                Arg::Absent => None,
            });
        }
        let outputs = results.iter().map(|&value| self.tensor(value, Place::Arena)).collect();
        let action = Action::Kernel {
            name: lowered.kernel,
            record: lowered.record,
            algorithm: lowered.algorithm,
        };
        self.step(Step { name: node.name.clone(), action, inputs, outputs });
        Ok(())
    }

    /// A call of other graphs. A state is no argument: its content is.
    fn call(&mut self, node: &Node) -> Result<(), CompileError> {
        let function = |id: &GraphId| {
            let at = self.order.iter().position(|other| other == id);
            let at = at.and_then(|at| u32::try_from(at).ok());
            at.ok_or_else(|| CompileError::Bug("a called graph has no schedule".to_owned()))
        };
        let number = |n: usize| {
            u32::try_from(n).map_err(|_| CompileError::Limit("too many variables".to_owned()))
        };
        let axis = |(&axis, &backward): (&usize, &bool)| {
            number(axis).map(|axis| axis | if backward { BACKWARD } else { 0 })
        };
        let (opcode, words) = match &node.op {
            Op::IfElse(op) => (opcode::IF, vec![function(&op.then)?, function(&op.otherwise)?]),
            Op::WhileLoop(op) => (opcode::WHILE, vec![function(&op.cond)?, function(&op.body)?]),
            Op::ForLoop(op) => (opcode::LOOP, vec![function(&op.body)?, number(op.vars)?]),
            Op::Scan(op) => {
                let mut words = vec![function(&op.body)?, number(op.vars)?, number(op.axes.len())?];
                let ins = op.axes.iter().zip(&op.backward);
                let outs = op.out_axes.iter().zip(&op.out_backward);
                for word in ins.chain(outs).map(axis) {
                    words.push(word?);
                }
                (opcode::SCAN, words)
            }
            _ => return Err(CompileError::Bug("this operator calls nothing".to_owned())),
        };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let Some(value) = input else {
                inputs.push(None);
                continue;
            };
            let source = self.read(*value)?;
            let (root, _) = self.root(source);
            let is_state = matches!(self.out.tensors[root].place, Place::State(_));
            inputs.push(Some(if is_state { self.copy(source, "", Place::Arena) } else { source }));
        }
        let outputs = node.outputs.iter().map(|&value| self.tensor(value, Place::Arena)).collect();
        let action = Action::Call { opcode, words };
        self.step(Step { name: node.name.clone(), action, inputs, outputs });
        Ok(())
    }

    /// What can be computed behind `node` in the same step, and the values that the step yields.
    fn fuse(&self, node: &Node, skip: &mut [bool]) -> (Tail, Vec<ValueId>) {
        let mut tail = Tail::default();
        let mut results = node.outputs.clone();
        let [result] = node.outputs.as_slice() else { return (tail, results) };
        if !node.op.tails().clamp || !self.target.fuses(Fusion::Clamp) {
            return (tail, results);
        }
        let ty = self.graph.ty(*result);
        let bounded = ty.dtype == DType::F32 || ty.is_quantized();
        if self.uses[result.index()] != 1 || !bounded {
            return (tail, results);
        }
        // None where the one use is the graph's output.
        let Some(reader) = self.readers[result.index()] else { return (tail, results) };
        let Op::Clip(clip) = &self.graph.nodes[reader].op else { return (tail, results) };
        let clipped = self.graph.nodes[reader].outputs[0];
        if self.graph.ty(clipped).quant != self.graph.ty(*result).quant {
            return (tail, results);
        }
        tail.clamp = Some((clip.min, clip.max));
        skip[reader] = true;
        results[0] = clipped;
        (tail, results)
    }

    fn lower(
        &self,
        index: usize,
        node: &Node,
        tail: Tail,
        results: &[ValueId],
    ) -> Result<embarca_ir::Lowered, CompileError> {
        let operands: Vec<Option<Operand<'_>>> = node
            .inputs
            .iter()
            .map(|input| {
                let value = self.graph.value((*input)?);
                let data = match value.def {
                    Def::Const(id) => Some(self.model.constant(id)),
                    _ => None,
                };
                Some(Operand { ty: &value.ty, known: value.known.as_deref(), data })
            })
            .collect();
        let types: Vec<TensorType> =
            results.iter().map(|&value| self.graph.ty(value).clone()).collect();
        let io = Io { inputs: Operands(&operands), outputs: &types, tail };
        node.op.lower(&io).map_err(|error| CompileError::Node {
            node: format!("node {index} '{}' ({})", node.name, node.op.name()),
            error,
        })
    }

    /// The root of a tensor and the byte at which it begins there.
    fn root(&self, index: TensorIndex) -> (TensorIndex, Dim) {
        match &self.out.tensors[index].place {
            Place::Alias(root, offset) => (*root, offset.clone()),
            _ => (index, Dim::Known(0)),
        }
    }

    /// Whether the result has as many elements as the input at all sizes. Where that is not seen the
    /// data is copied by a kernel, which compares the two when a session is prepared.
    fn keeps_size(&self, node: &Node) -> bool {
        let elements = |value: ValueId| product(&self.graph.ty(value).dims);
        match (node.inputs.first(), node.outputs.as_slice()) {
            (Some(Some(input)), [output]) => elements(*input) == elements(*output),
            _ => false,
        }
    }

    /// A reshape shows the same bytes under other dimensions.
    fn view(&mut self, node: &Node) -> Result<(), CompileError> {
        let (Some(Some(input)), [output]) = (node.inputs.first(), node.outputs.as_slice()) else {
            return Err(CompileError::Bug("a reshape has another arity".to_owned()));
        };
        let source = self.read(*input)?;
        let (root, offset) = self.root(source);
        self.tensor(*output, Place::Alias(root, offset));
        Ok(())
    }

    /// Lays the inputs of a concatenation side by side where they are computed; false where they
    /// must be copied.
    fn join(&mut self, node: &Node, axis: usize) -> Result<bool, CompileError> {
        let [output] = node.outputs.as_slice() else { return Ok(false) };
        let ty = self.graph.ty(*output).clone();
        if ty.dims[..axis].iter().any(|dim| *dim != Dim::Known(1)) {
            return Ok(false);
        }
        if MOST_PIECES < node.inputs.len() {
            return Ok(false);
        }
        let mut pieces = Vec::with_capacity(node.inputs.len());
        let mut seen = HashSet::new();
        let mut offset = 0;
        for &input in node.inputs.iter().flatten() {
            let Some(piece) = self.map[input.index()] else { return Ok(false) };
            let Some(len) = self.out.tensors[piece].ty.known_len() else { return Ok(false) };
            let free = self.out.tensors[piece].place == Place::Arena
                && self.writers[piece].is_some()
                && !self.has_pieces(piece)
                // A view of a piece could be read before the whole is there.
                && self.views[piece].is_empty()
                && seen.insert(piece);
            if !free || offset % ALIGNMENT != 0 {
                return Ok(false);
            }
            pieces.push((piece, offset as i64));
            offset += len * ty.dtype.size();
        }
        let whole = self.tensor(*output, Place::Arena);
        for &(piece, offset) in &pieces {
            self.out.tensors[piece].place = Place::Alias(whole, Dim::Known(offset));
            self.views[whole].push(piece);
        }
        let inputs = pieces.into_iter().map(|(piece, _)| Some(piece)).collect();
        let name = node.name.clone();
        self.step(Step { name, action: Action::Join, inputs, outputs: vec![whole] });
        Ok(true)
    }

    /// Shows a contiguous part of a tensor in place; false where it must be copied.
    fn part(&mut self, node: &Node, slice: &Slice) -> Result<bool, CompileError> {
        let (Some(Some(input)), [output]) = (node.inputs.first(), node.outputs.as_slice()) else {
            return Ok(false);
        };
        let from = self.graph.ty(*input).dims.clone();
        let to = &self.graph.ty(*output).dims;
        let Some(axis) = from.iter().zip(to).position(|(from, to)| from != to) else {
            return Ok(false);
        };
        let contiguous = from[..axis].iter().all(|dim| *dim == Dim::Known(1))
            && from[axis + 1..] == to[axis + 1..]
            && slice.steps.iter().all(|step| *step == 1)
            && slice.starts.iter().enumerate().all(|(i, start)| i == axis || *start == 0);
        let inner = product(&from[axis + 1..]).known();
        let (true, Some(inner), Ok(start)) =
            (contiguous, inner, usize::try_from(slice.starts[axis]))
        else {
            return Ok(false);
        };
        let size = self.graph.ty(*output).dtype.size();
        let Some(bytes) = start.checked_mul(inner as usize * size) else { return Ok(false) };
        let source = self.read(*input)?;
        let (root, offset) = self.root(source);
        if bytes % ALIGNMENT != 0 || matches!(self.out.tensors[root].place, Place::Const(_)) {
            return Ok(false);
        }
        self.tensor(*output, Place::Alias(root, offset.add(&Dim::Known(bytes as i64))));
        Ok(true)
    }

    /// Views of `from` become views of `to`, which begins at the same byte.
    fn move_views(&mut self, from: TensorIndex, to: TensorIndex) {
        for view in std::mem::take(&mut self.views[from]) {
            if view == to {
                continue;
            }
            if let Place::Alias(of, _) = &mut self.out.tensors[view].place {
                *of = to;
            }
            self.views[to].push(view);
        }
    }

    /// Copies `source` into a new tensor.
    fn copy(&mut self, source: TensorIndex, name: &str, place: Place) -> TensorIndex {
        let ty = self.out.tensors[source].ty.clone();
        let target = self.push(Tensor { name: name.to_owned(), ty, place });
        let copy = embarca_kernels::copy::ANY.name;
        self.step(Step {
            name: name.to_owned(),
            action: Action::Kernel { name: copy, record: Vec::new(), algorithm: Algorithm::Direct },
            inputs: vec![Some(source)],
            outputs: vec![target],
        });
        target
    }

    fn states(&mut self) -> Result<(), CompileError> {
        // A state's next value may be another state's present one, so all are read before any is
        // written.
        let mut nexts = Vec::new();
        for state in &self.graph.states {
            let next = self.read(state.next)?;
            let (root, _) = self.root(next);
            let is_state = matches!(self.out.tensors[root].place, Place::State(_));
            nexts.push(if is_state && 1 < self.graph.states.len() {
                self.copy(next, "", Place::Arena)
            } else {
                next
            });
        }
        for (number, (state, next)) in self.graph.states.iter().zip(nexts).enumerate() {
            if state.next != state.value {
                self.copy(next, &state.name, Place::State(number as u32));
            }
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<(), CompileError> {
        for (number, output) in self.graph.outputs.iter().enumerate() {
            let place = Place::Output(number as u32);
            let source = self.read(output.value)?;
            let (root, offset) = self.root(source);
            let whole = offset == Dim::Known(0)
                && product(&self.out.tensors[root].ty.dims)
                    == product(&self.out.tensors[source].ty.dims);
            let free = self.out.tensors[root].place == Place::Arena && !self.has_pieces(root);
            let index = if free && root == source {
                self.out.tensors[root].place = place;
                root
            } else if free && whole {
                self.adopt(root, source, place)
            } else {
                self.copy(source, &output.name, place)
            };
            self.out.tensors[index].name.clone_from(&output.name);
            self.out.outputs.push(index);
        }
        Ok(())
    }

    /// Whether other tensors are written as parts of this one.
    fn has_pieces(&self, root: TensorIndex) -> bool {
        let writer = self.writers[root].and_then(|step| self.out.steps.get(step));
        writer.is_some_and(|step| step.action == Action::Join)
    }

    /// Makes the view `source` of `root` the tensor that owns the bytes.
    fn adopt(&mut self, root: TensorIndex, source: TensorIndex, place: Place) -> TensorIndex {
        self.out.tensors[source].place = place;
        self.move_views(root, source);
        self.out.tensors[root].place = Place::Alias(source, Dim::Known(0));
        self.views[source].push(root);
        let at = self.writers[root].map_or(self.out.steps.len(), |at| at + 1);
        let join = Step {
            name: String::new(),
            action: Action::Join,
            inputs: vec![Some(root)],
            outputs: vec![source],
        };
        self.adopted.push((at, join));
        source
    }

    /// Puts the steps of [`Self::adopt`] where they belong.
    fn place_adopted(&mut self) {
        let mut adopted = std::mem::take(&mut self.adopted);
        adopted.sort_by_key(|(at, _)| *at);
        let mut adopted = adopted.into_iter().peekable();
        let steps = std::mem::take(&mut self.out.steps);
        for (index, step) in steps.into_iter().enumerate() {
            while let Some((_, join)) = adopted.next_if(|(at, _)| *at <= index) {
                self.out.steps.push(join);
            }
            self.out.steps.push(step);
        }
        self.out.steps.extend(adopted.map(|(_, join)| join));
    }
}
