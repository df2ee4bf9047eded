//! Runs a graph node by node on the portable kernels.
//!
//! Slow and plain on purpose: constant folding, tests ("optimized = unoptimized") and the search
//! for the layer that loses accuracy use it.

use std::fmt;
use std::ops::ControlFlow;

use embarca_ir::control;
use embarca_ir::{
    Arg, Const, Def, Dim, GraphId, Io, LowerError, Lowered, Model, Node, Operand, Operands,
    SymbolId, Tail, TensorType, ValueId,
};
use embarca_kernels::{Call, Dst, Fault, Kernel, Signature, Src, Ty};
use zerocopy::IntoBytes;

/// Why a graph cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// The inputs are not what the graph takes.
    Input(String),
    /// A node has no portable kernel.
    Lower {
        /// Number, operator and name of the node.
        node: String,
        /// Why.
        error: LowerError,
    },
    /// Loops have evaluated more nodes than they may.
    Endless {
        /// Number, operator and name of the node.
        node: String,
    },
    /// A kernel refused or failed.
    Fault {
        /// Number, operator and name of the node.
        node: String,
        /// Why.
        fault: Fault,
    },
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) => f.write_str(message),
            Self::Lower { node, error } => write!(f, "{node}: {error}"),
            Self::Endless { node } => {
                write!(f, "{node}: loops run more than {MAX_CALLED_NODES} nodes")
            }
            Self::Fault { node, fault } => write!(f, "{node}: {}", fault.describe()),
        }
    }
}

impl std::error::Error for EvalError {}

/// The outputs of the main graph for these inputs, in order; states begin at their initial values.
///
/// # Errors
/// When the inputs do not fit, a node has no kernel, a kernel fails, or loops do not end.
pub fn eval(model: &Model, inputs: &[Const]) -> Result<Vec<Const>, EvalError> {
    let values = eval_with(model, inputs, &mut |_, _| ControlFlow::Continue(()))?;
    let outputs = model.main().outputs.iter();
    Ok(outputs.filter_map(|output| values[output.value.index()].clone()).collect())
}

/// The outputs of one run after the other; states go from each run to the next.
///
/// # Errors
/// As [`eval`].
pub fn eval_sequence(model: &Model, runs: &[Vec<Const>]) -> Result<Vec<Vec<Const>>, EvalError> {
    let states = model.main().states.iter();
    let mut states: Vec<Const> =
        states.map(|state| model.constant(state.initial).clone()).collect();
    let mut results = Vec::with_capacity(runs.len());
    for inputs in runs {
        let symbols = bind(model, inputs)?;
        let mut run = Run { model, symbols, nodes_left: MAX_CALLED_NODES };
        let never = &mut |_: ValueId, _: &Const| ControlFlow::Continue(());
        let values = run.graph(GraphId(0), inputs, &states, Some(never))?;
        let value = |id: ValueId| {
            let missing = || EvalError::Input("a value is missing".to_owned());
            values[id.index()].clone().ok_or_else(missing)
        };
        let outputs = model.main().outputs.iter().map(|output| value(output.value));
        results.push(outputs.collect::<Result<_, _>>()?);
        let nexts = model.main().states.iter().map(|state| value(state.next));
        states = nexts.collect::<Result<_, _>>()?;
    }
    Ok(results)
}

/// Evaluates and shows each result of the main graph as it is computed; yields the content of every
/// value.
///
/// # Errors
/// As [`eval`]. A `Break` of `visit` ends the evaluation early without an error.
pub fn eval_with(
    model: &Model,
    inputs: &[Const],
    visit: &mut dyn FnMut(ValueId, &Const) -> ControlFlow<()>,
) -> Result<Vec<Option<Const>>, EvalError> {
    let symbols = bind(model, inputs)?;
    let states = model.main().states.iter();
    let states: Vec<Const> = states.map(|state| model.constant(state.initial).clone()).collect();
    let mut run = Run { model, symbols, nodes_left: MAX_CALLED_NODES };
    run.graph(GraphId(0), inputs, &states, Some(visit))
}

/// Nodes that graphs called by others may evaluate together, so that loops end.
const MAX_CALLED_NODES: u64 = 1 << 20;

type Visit<'v> = &'v mut dyn FnMut(ValueId, &Const) -> ControlFlow<()>;

/// An evaluation.
pub(crate) struct Run<'m> {
    pub model: &'m Model,
    symbols: Vec<Option<i64>>,
    nodes_left: u64,
}

impl Run<'_> {
    /// What every value of a graph holds.
    fn graph(
        &mut self,
        id: GraphId,
        inputs: &[Const],
        states: &[Const],
        mut visit: Option<Visit<'_>>,
    ) -> Result<Vec<Option<Const>>, EvalError> {
        let model = self.model;
        let graph = model.graph(id);
        let mut values: Vec<Option<Const>> = vec![None; graph.values.len()];
        for (&id, input) in graph.inputs.iter().zip(inputs) {
            values[id.index()] = Some(input.clone());
        }
        for (slot, value) in values.iter_mut().zip(&graph.values) {
            match value.def {
                Def::Const(id) => *slot = Some(model.constant(id).clone()),
                Def::State(number) => *slot = states.get(number as usize).cloned(),
                Def::Input(_) | Def::Node(..) => {}
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let place = || {
                let inside =
                    if id.index() == 0 { String::new() } else { format!("graph {}, ", id.0) };
                format!("{inside}node {index} '{}' ({})", node.name, node.op.name())
            };
            if visit.is_none() {
                self.nodes_left = self
                    .nodes_left
                    .checked_sub(1)
                    .ok_or_else(|| EvalError::Endless { node: place() })?;
            }
            let outputs = if control::is_call(&node.op) {
                let inputs: Vec<Option<&Const>> = node
                    .inputs
                    .iter()
                    .map(|input| input.and_then(|id| values[id.index()].as_ref()))
                    .collect();
                let types: Vec<&TensorType> = node.outputs.iter().map(|&id| graph.ty(id)).collect();
                self.control(&node.op, &inputs, &types, &place)?
            } else {
                let lookup = |id: SymbolId| self.symbols.get(id.index()).copied().flatten();
                eval_node(model, id, node, &values, &lookup).map_err(|error| match error {
                    NodeError::Lower(error) => EvalError::Lower { node: place(), error },
                    NodeError::Fault(fault) => EvalError::Fault { node: place(), fault },
                })?
            };
            for (&id, output) in node.outputs.iter().zip(outputs) {
                if let Some(visit) = &mut visit
                    && visit(id, &output).is_break()
                {
                    return Ok(values);
                }
                values[id.index()] = Some(output);
            }
        }
        Ok(values)
    }

    /// The outputs of a graph that another one calls.
    pub(crate) fn call(&mut self, id: GraphId, inputs: &[Const]) -> Result<Vec<Const>, EvalError> {
        // A graph without nodes must not make a loop endless.
        self.nodes_left = self
            .nodes_left
            .checked_sub(1)
            .ok_or_else(|| EvalError::Endless { node: format!("graph {}", id.0) })?;
        let values = self.graph(id, inputs, &[], None)?;
        let outputs = self.model.graph(id).outputs.iter();
        let missing = || EvalError::Input("a value is missing".to_owned());
        outputs.map(|output| values[output.value.index()].clone().ok_or_else(missing)).collect()
    }

    /// The number of a dimension; `None` where it depends on what nothing gives.
    pub(crate) fn dim(&self, dim: &Dim) -> Option<usize> {
        let lookup = |id: SymbolId| self.symbols.get(id.index()).copied().flatten();
        usize::try_from(dim.eval(&lookup)?).ok()
    }
}

/// The values of the symbols that the inputs' shapes imply.
fn bind(model: &Model, inputs: &[Const]) -> Result<Vec<Option<i64>>, EvalError> {
    let graph = model.main();
    if graph.inputs.len() != inputs.len() {
        let (wanted, got) = (graph.inputs.len(), inputs.len());
        return Err(EvalError::Input(format!("{wanted} inputs are needed, {got} are given")));
    }
    let mut symbols = vec![None; model.symbols.len()];
    for (&id, input) in graph.inputs.iter().zip(inputs) {
        let value = graph.value(id);
        let name = &value.name;
        if value.ty.dtype != input.dtype || value.ty.rank() != input.dims.len() {
            let (wanted, got) = (&value.ty, input.ty());
            return Err(EvalError::Input(format!("input '{name}' is {wanted}, not {got}")));
        }
        for (dim, &actual) in value.ty.dims.iter().zip(&input.dims) {
            let actual = actual as i64;
            let fits = match (dim.known(), dim.as_symbol()) {
                (Some(known), _) => known == actual,
                (None, Some(symbol)) => match symbols.get_mut(symbol.index()) {
                    Some(slot) => *slot.get_or_insert(actual) == actual,
                    None => false,
                },
                (None, None) => true,
            };
            if !fits {
                let (wanted, got) = (&value.ty, input.ty());
                return Err(EvalError::Input(format!("input '{name}' is {wanted}, not {got}")));
            }
        }
    }
    Ok(symbols)
}

enum NodeError {
    Lower(LowerError),
    Fault(Fault),
}

fn eval_node(
    model: &Model,
    id: GraphId,
    node: &Node,
    values: &[Option<Const>],
    symbols: &dyn Fn(SymbolId) -> Option<i64>,
) -> Result<Vec<Const>, NodeError> {
    let graph = model.graph(id);
    let bug = |message: &str| NodeError::Lower(LowerError::Bug(message.to_owned()));
    let mut inputs: Vec<Option<&Const>> = Vec::with_capacity(node.inputs.len());
    for input in &node.inputs {
        inputs.push(match input {
            Some(id) => {
                Some(values[id.index()].as_ref().ok_or_else(|| bug("read before written"))?)
            }
            None => None,
        });
    }
    let mut types = Vec::with_capacity(node.outputs.len());
    for &output in &node.outputs {
        let ty = graph.ty(output);
        let dims: Option<Vec<Dim>> =
            ty.dims.iter().map(|dim| dim.eval(symbols).map(Dim::Known)).collect();
        types.push(ty.with_dims(dims.ok_or_else(|| bug("a dimension has no value"))?));
    }
    let in_types: Vec<Option<TensorType>> = node
        .inputs
        .iter()
        .zip(&inputs)
        .map(|(id, data)| {
            let (id, data) = (id.as_ref()?, data.as_ref()?);
            Some(data.ty().with_quant(graph.ty(*id).quant.clone()))
        })
        .collect();
    let operands: Vec<Option<Operand<'_>>> = node
        .inputs
        .iter()
        .zip(&in_types)
        .map(|(value, ty)| {
            let data = model.const_of(id, *value.as_ref()?);
            Some(Operand { ty: ty.as_ref()?, known: None, data })
        })
        .collect();
    let io = Io { inputs: Operands(&operands), outputs: &types, tail: Tail::default() };
    let lowered = node.op.lower(&io).map_err(NodeError::Lower)?;
    run_lowered(&lowered, &inputs, &types)
}

/// Runs a canonical record on concrete inputs with the portable kernel.
fn run_lowered(
    lowered: &Lowered,
    inputs: &[Option<&Const>],
    types: &[TensorType],
) -> Result<Vec<Const>, NodeError> {
    let bug = |message: String| NodeError::Lower(LowerError::Bug(message));
    let kernel: &Kernel = embarca_kernels::opcode(lowered.kernel)
        .and_then(embarca_kernels::portable)
        .ok_or_else(|| bug(format!("kernel {} is not listed", lowered.kernel)))?;
    let mut args: Vec<Option<&Const>> = Vec::with_capacity(lowered.args.len());
    for arg in &lowered.args {
        args.push(match arg {
            Arg::Input(index) => inputs.get(*index).copied().flatten(),
            Arg::Const(data) => Some(data),
            Arg::Absent => None,
        });
    }
    let small = |dims: &[usize]| -> Result<Vec<u32>, NodeError> {
        let dims = dims.iter().map(|&dim| u32::try_from(dim).ok()).collect::<Option<Vec<u32>>>();
        dims.ok_or(NodeError::Fault(Fault::TooLarge))
    };
    let arg_dims: Vec<Vec<u32>> = args
        .iter()
        .map(|arg| arg.map_or(Ok(Vec::new()), |arg| small(&arg.dims)))
        .collect::<Result<_, _>>()?;
    let arg_types: Vec<Option<Ty<'_>>> = args
        .iter()
        .zip(&arg_dims)
        .map(|(arg, dims)| arg.map(|arg| Ty { dtype: arg.dtype, dims }))
        .collect();
    let out_dims: Vec<Vec<usize>> = types
        .iter()
        .map(|ty| ty.known_dims().ok_or_else(|| bug("a dimension has no value".to_owned())))
        .collect::<Result<_, _>>()?;
    let out_dims_small: Vec<Vec<u32>> =
        out_dims.iter().map(|dims| small(dims)).collect::<Result<_, _>>()?;
    let out_types: Vec<Ty<'_>> =
        types.iter().zip(&out_dims_small).map(|(ty, dims)| Ty { dtype: ty.dtype, dims }).collect();
    let signature = Signature { record: &lowered.record, inputs: &arg_types, outputs: &out_types };
    let needs = (kernel.check)(&signature).map_err(NodeError::Fault)?;

    // Kernels need 16-byte alignment, which shared byte buffers do not promise.
    let aligned: Vec<Vec<u128>> =
        args.iter().map(|arg| arg.map_or_else(Vec::new, |arg| aligned_copy(&arg.data))).collect();
    let sources: Vec<Option<Src<'_>>> = args
        .iter()
        .zip(&aligned)
        .zip(&arg_types)
        .map(|((arg, words), ty)| {
            Some(Src { ty: (*ty)?, data: &words.as_bytes()[..arg.as_ref()?.data.len()] })
        })
        .collect();
    let mut buffers = Vec::with_capacity(types.len());
    for ty in &out_types {
        let len = ty.len().map_err(NodeError::Fault)? * ty.dtype.size();
        buffers.push((vec![0u128; len.div_ceil(16)], len));
    }
    let mut scratch = vec![0u128; needs.scratch.div_ceil(16)];
    {
        let mut outputs: Vec<Dst<'_>> = buffers
            .iter_mut()
            .zip(&out_types)
            .map(|((words, len), ty)| Dst { ty: *ty, data: &mut words.as_mut_bytes()[..*len] })
            .collect();
        let mut call = Call {
            record: &lowered.record,
            inputs: &sources,
            outputs: &mut outputs,
            scratch: scratch.as_mut_bytes(),
            units: 0..needs.units,
        };
        (kernel.run)(&mut call).map_err(NodeError::Fault)?;
    }
    let results = buffers.into_iter().zip(types).zip(out_dims).map(|(((words, len), ty), dims)| {
        Const { dtype: ty.dtype, dims, data: words.as_bytes()[..len].into() }
    });
    Ok(results.collect())
}

fn aligned_copy(bytes: &[u8]) -> Vec<u128> {
    let mut words = vec![0u128; bytes.len().div_ceil(16)];
    words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
    words
}

/// The outputs of one node whose inputs are all constants; `None` when it has no kernel as it
/// stands or its kernel refuses.
pub(crate) fn eval_constant_node(
    op: &embarca_ir::Op,
    operands: &[Option<Operand<'_>>],
    types: &[TensorType],
) -> Option<Vec<Const>> {
    let inputs: Vec<Option<&Const>> =
        operands.iter().map(|operand| operand.as_ref().and_then(|operand| operand.data)).collect();
    let io = Io { inputs: Operands(operands), outputs: types, tail: Tail::default() };
    let lowered = op.lower(&io).ok()?;
    run_lowered(&lowered, &inputs, types).ok()
}
