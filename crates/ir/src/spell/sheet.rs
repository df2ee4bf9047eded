//! One graph as it is spelled: foreign tensors, foreign nodes, and which tensor holds which value.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use embarca_num::DType;

use super::layout::{identity, inverse, is_identity, permuted, permuted_bytes};
use super::speller::Speller;
use super::{Shared, SpellError};
use crate::dim::Dim;
use crate::foreign::{
    AttrValue, ForeignDim, ForeignGraph, ForeignNode, ForeignQuant, ForeignTensor, Format,
};
use crate::ids::{ConstId, GraphId, NodeId, SymbolId, ValueId};
use crate::model::{Def, Graph, Node};
use crate::ops::Op;
use crate::types::{Const, TensorType};

/// A tensor that holds a value with its axes in some order: axis `i` of the value is axis `perm[i]`
/// of the tensor.
#[derive(Clone, Debug)]
pub struct View {
    /// The order.
    pub perm: Vec<usize>,
    /// The tensor.
    pub tensor: usize,
}

/// A graph in the making.
#[derive(Debug)]
pub struct Sheet<'s, 'm> {
    pub(super) shared: &'s mut Shared<'m>,
    pub(super) id: GraphId,
    pub(super) graph: &'m Graph,
    pub(super) tensors: Vec<ForeignTensor<'m>>,
    /// What each tensor holds; unlike the foreign tensors, with quantization in every format.
    pub(super) types: Vec<TensorType>,
    pub(super) nodes: Vec<ForeignNode>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    views: Vec<Vec<View>>,
    /// The real numbers behind tensors of stored integers.
    pub(super) real: HashMap<usize, usize>,
    /// The real numbers that became tensors of stored integers.
    pub(super) unrounded: HashMap<usize, usize>,
    /// The inputs of the nodes whose results are dequantized with one scale (ONNX).
    dequantized: HashMap<usize, Vec<Option<usize>>>,
    pub(super) uses: Vec<usize>,
    constants: HashMap<ConstId, Vec<usize>>,
    pub(super) symbols: HashMap<SymbolId, usize>,
    pub(super) node_name: String,
}

impl<'s, 'm> Sheet<'s, 'm> {
    pub(super) fn new(shared: &'s mut Shared<'m>, id: GraphId) -> Self {
        let graph = shared.model.graph(id);
        Self {
            shared,
            id,
            graph,
            tensors: Vec::new(),
            types: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            views: vec![Vec::new(); graph.values.len()],
            real: HashMap::new(),
            unrounded: HashMap::new(),
            dequantized: HashMap::new(),
            uses: graph.use_counts(),
            constants: HashMap::new(),
            symbols: HashMap::new(),
            node_name: String::new(),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.shared.format
    }

    /// The main graph.
    pub(super) fn main(mut self) -> ForeignGraph<'m> {
        for &input in &self.graph.inputs {
            let value = self.graph.value(input);
            let tensor = self.tensor(&value.name, value.ty.clone());
            self.inputs.push(tensor);
            self.show(input, identity(value.ty.rank()), tensor);
        }
        self.read_states();
        self.body();
        self.write_states();
        self.finish()
    }

    fn body(&mut self) {
        for index in 0..self.graph.nodes.len() {
            let graph = self.graph;
            let node = &graph.nodes[index];
            self.node_name.clone_from(&node.name);
            if let Err(error) = self.node(node) {
                let name =
                    if node.name.is_empty() { String::new() } else { format!(" '{}'", node.name) };
                let place = format!("node {index}{name} ({})", node.op.name());
                self.shared.gap(Some((self.id, NodeId::new(index))), place, error);
                // What reads its outputs may have gaps of its own.
                for &output in &node.outputs {
                    let ty = graph.ty(output).clone();
                    let perm = identity(ty.rank());
                    let tensor = self.tensor("", ty);
                    self.show(output, perm, tensor);
                }
            }
        }
    }

    fn node(&mut self, node: &'m Node) -> Result<(), SpellError> {
        if let (Op::Transpose(op), [Some(x)], [y]) = (&node.op, &*node.inputs, &*node.outputs) {
            // y's axis i is x's axis op.perm[i], which is the tensor's axis view.perm[op.perm[i]].
            self.fetch(*x, None)?;
            for view in self.views[x.index()].clone() {
                let perm = op.perm.iter().map(|&axis| view.perm[axis]).collect();
                self.show(*y, perm, view.tensor);
            }
            return Ok(());
        }
        if let (Op::Reshape(_), [Some(x)], [y]) = (&node.op, &*node.inputs, &*node.outputs)
            && self.graph.ty(*x).quant == self.graph.ty(*y).quant
            && let Some(order) = turned(self.graph.ty(*x), self.graph.ty(*y))
        {
            self.fetch(*x, None)?;
            for view in self.views[x.index()].clone() {
                let perm = order.iter().map(|&axis| view.perm[axis]).collect();
                self.show(*y, perm, view.tensor);
            }
            return Ok(());
        }
        self.check_types(node)?;
        match self.order(node) {
            Some((op, within, without)) => {
                let mut speller = Speller::new(self, node, Some(within), Some(without));
                op.spell(&mut speller)
            }
            None => node.op.spell(&mut Speller::new(self, node, None, None)),
        }
    }

    /// TFLite's kernels take few types; what moves or converts data takes more.
    fn check_types(&self, node: &Node) -> Result<(), SpellError> {
        if self.format() != Format::TfLite || matches!(node.op, Op::Cast(_)) {
            return Ok(());
        }
        use DType::{Bool, F32, I8, I16, I32, I64, U8, U32};
        let all = node.inputs.iter().flatten().chain(&node.outputs);
        for &value in all {
            let ty = self.graph.ty(value);
            let wide = matches!(ty.dtype, I16 | I32 | I64);
            let mut zeros = ty.quant.iter().flat_map(|quant| &quant.zero_points);
            if wide && zeros.any(|&zero| zero != 0) {
                let message = format!("TFLite's tensors of {} have no zero point", ty.dtype);
                return Err(SpellError::none(message));
            }
            if !matches!(ty.dtype, F32 | I8 | U8 | I16 | I32 | I64 | U32 | Bool) {
                let message = format!("TFLite's kernels do not compute in {}", ty.dtype);
                return Err(SpellError::none(message));
            }
        }
        Ok(())
    }

    /// The operator with its axes in the order in which its inputs lie cheapest, that order and the
    /// order of its results; `None` where that is the graph's own.
    fn order(&mut self, node: &Node) -> Option<(Op, Vec<usize>, Vec<usize>)> {
        let graph = self.graph;
        let is_const = |id: ValueId| matches!(graph.value(id).def, Def::Const(_));
        let moving: Vec<ValueId> =
            node.inputs.iter().flatten().copied().filter(|&id| !is_const(id)).collect();
        let rank = moving.iter().map(|&id| graph.ty(id).rank()).max()?;
        if moving.iter().any(|&id| graph.ty(id).rank() != rank) {
            return None;
        }
        let weight = |id: ValueId| graph.ty(id).known_len().map_or(1 << 20, |len| len.max(1));
        let cost = |perm: &[usize]| -> usize {
            let missing = moving
                .iter()
                .filter(|&&id| !self.views[id.index()].iter().any(|view| view.perm == perm));
            missing.map(|&id| weight(id)).fold(0, usize::saturating_add)
        };
        let own = identity(rank);
        let mut orders: Vec<&[usize]> = Vec::new();
        for view in moving.iter().flat_map(|id| &self.views[id.index()]) {
            if !orders.contains(&&*view.perm) {
                orders.push(&view.perm);
            }
        }
        // Where two cost the same, the order that something already lies in.
        let best = orders.into_iter().min_by_key(|perm| (cost(perm), is_identity(perm)))?;
        if is_identity(best) || cost(&own) < cost(best) {
            return None;
        }
        let best = best.to_vec();
        let (op, without) = node.op.sink(&best)?;
        Some((op, best, without))
    }

    /// Notes which tensor holds a value.
    pub(super) fn show(&mut self, value: ValueId, perm: Vec<usize>, tensor: usize) {
        self.views[value.index()].push(View { perm, tensor });
    }

    /// The order that the first tensor of a value lies in.
    pub(super) fn has(&self, value: ValueId, perm: &[usize]) -> bool {
        self.views[value.index()].iter().any(|view| view.perm == perm)
    }

    /// The tensor that holds a value with its axes as `perm` says; as the graph has them, or in any
    /// order (`None`).
    pub(super) fn fetch(
        &mut self,
        value: ValueId,
        perm: Option<&[usize]>,
    ) -> Result<usize, SpellError> {
        if self.views[value.index()].is_empty() {
            let Def::Const(id) = self.graph.value(value).def else {
                return Err(SpellError::Bug("a value is read before it is written".to_owned()));
            };
            let ty = self.graph.ty(value).clone();
            let tensor = self.constant_of(value, id, &ty);
            self.show(value, identity(ty.rank()), tensor);
        }
        let views = &self.views[value.index()];
        let found = match perm {
            Some(perm) => views.iter().find(|view| view.perm == perm),
            None => views.first(),
        };
        if let Some(view) = found {
            return Ok(view.tensor);
        }
        let first = views[0].clone();
        let perm = perm.unwrap_or_default();
        let mut order = vec![0; perm.len()];
        for (&from, &to) in first.perm.iter().zip(perm) {
            order[to] = from;
        }
        let tensor = self.transposed(first.tensor, &order);
        self.show(value, perm.to_vec(), tensor);
        Ok(tensor)
    }

    /// A tensor with its axes permuted: axis `i` of the result is axis `perm[i]`.
    pub(super) fn transposed(&mut self, tensor: usize, perm: &[usize]) -> usize {
        if is_identity(perm) {
            return tensor;
        }
        let ty = permuted(&self.types[tensor], perm);
        if let (Some(data), Some(dims)) =
            (&self.tensors[tensor].data, self.types[tensor].known_dims())
        {
            let bytes = permuted_bytes(data, &dims, ty.dtype.size(), perm);
            return self.stored_constant(&self.tensors[tensor].name.clone(), ty, Cow::Owned(bytes));
        }
        let still = perm.iter().filter(|&&axis| self.types[tensor].dims[axis] != Dim::Known(1));
        if still.is_sorted()
            && let Some(dims) = ty.known_dims()
        {
            return self.reshaped(tensor, ty, &dims);
        }
        // ONNX Runtime's optimizer wraps a transpose of dequantized numbers into a quantization whose
        // types it then mixes up; one of stored integers it leaves as it is.
        if let Some(mut inputs) = self.dequantized.get(&tensor).cloned()
            && let Some(stored) = inputs.first().copied().flatten()
        {
            inputs[0] = Some(self.transposed(stored, perm));
            let result = self.tensor("", ty);
            self.push("DequantizeLinear", inputs, vec![Some(result)], Vec::new());
            return result;
        }
        let result = self.tensor("", ty);
        let (op, inputs, attrs) = if self.format() == Format::TfLite {
            let numbers: Vec<i32> = perm.iter().map(|&axis| axis as i32).collect();
            let numbers = self.new_constant(Const::from_i32(&[perm.len()], &numbers));
            ("TRANSPOSE", vec![Some(tensor), Some(numbers)], Vec::new())
        } else {
            let numbers = perm.iter().map(|&axis| axis as i64).collect();
            let attrs = vec![("perm".to_owned(), AttrValue::Ints(numbers))];
            ("Transpose", vec![Some(tensor)], attrs)
        };
        self.push(op, inputs, vec![Some(result)], attrs);
        result
    }

    /// A tensor of the same elements under known dimensions.
    fn reshaped(&mut self, tensor: usize, ty: TensorType, dims: &[usize]) -> usize {
        let result = self.tensor("", ty);
        let numbers: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
        let (op, shape) = match self.format() {
            Format::TfLite => {
                let small: Vec<i32> = numbers.iter().map(|&dim| dim as i32).collect();
                ("RESHAPE", Const::from_i32(&[dims.len()], &small))
            }
            _ => ("Reshape", Const::from_i64(&[dims.len()], &numbers)),
        };
        let shape = self.new_constant(shape);
        let zero = op == "Reshape" && dims.contains(&0);
        let attrs = zero.then(|| ("allowzero".to_owned(), AttrValue::Int(1)));
        let inputs = vec![Some(tensor), Some(shape)];
        self.push(op, inputs, vec![Some(result)], attrs.into_iter().collect());
        result
    }

    /// A constant brought to the rank of `perm` with axes of one element in front, and permuted.
    pub(super) fn fetch_spread(
        &mut self,
        value: ValueId,
        perm: &[usize],
    ) -> Result<usize, SpellError> {
        let ty = self.graph.ty(value);
        if ty.rank() == perm.len() {
            return self.fetch(value, Some(perm));
        }
        let tensor = self.fetch(value, None)?;
        if ty.rank() == 0 {
            return Ok(tensor);
        }
        let front = perm.len().saturating_sub(ty.rank());
        let Some(data) = self.tensors[tensor].data.clone() else {
            return Err(SpellError::Bug("a constant has no content".to_owned()));
        };
        let mut spread = self.types[tensor].clone();
        spread.dims.splice(0..0, std::iter::repeat_n(Dim::Known(1), front));
        if let Some(quant) = &mut spread.quant {
            quant.axis = quant.axis.map(|axis| axis + front);
        }
        let name = self.tensors[tensor].name.clone();
        let tensor = self.stored_constant(&name, spread, data);
        Ok(self.transposed(tensor, &inverse(perm)))
    }

    /// A tensor without content.
    pub(super) fn tensor(&mut self, name: &str, ty: TensorType) -> usize {
        let name = self.unique(name);
        let (dtype, quant) = self.declared(&ty);
        let dims = ty.dims.iter().map(|dim| self.foreign_dim(dim)).collect();
        self.tensors.push(ForeignTensor {
            name,
            dtype: Some(dtype),
            dims: Some(dims),
            quant,
            data: None,
            is_variable: false,
        });
        self.types.push(ty);
        self.tensors.len() - 1
    }

    /// Whether tensors of a type are stored as their unsigned twins.
    pub(super) fn is_shifted(&self, ty: &TensorType) -> bool {
        self.shared.unsigned && ty.dtype == DType::I8 && ty.quant.is_some()
    }

    /// Type and quantization as the format declares them.
    pub(super) fn declared(&self, ty: &TensorType) -> (DType, Option<ForeignQuant>) {
        let shifted = self.is_shifted(ty);
        let offset = if shifted { 128 } else { 0 };
        let quant = ty.quant.as_ref().filter(|_| self.format() == Format::TfLite);
        let quant = quant.map(|quant| ForeignQuant {
            scales: quant.scales.clone(),
            zero_points: quant.zero_points.iter().map(|&zero| i64::from(zero) + offset).collect(),
            axis: quant.axis.unwrap_or(0),
        });
        (if shifted { DType::U8 } else { ty.dtype }, quant)
    }

    fn foreign_dim(&self, dim: &Dim) -> ForeignDim {
        if let Some(dim) = dim.known().and_then(|dim| u64::try_from(dim).ok()) {
            return ForeignDim::Known(dim);
        }
        let symbol = dim.as_symbol().and_then(|id| self.shared.model.symbols.get(id.index()));
        symbol.map_or(ForeignDim::Unknown, |symbol| ForeignDim::Named(symbol.name.clone()))
    }

    fn unique(&mut self, name: &str) -> String {
        let base = match (name, self.node_name.as_str()) {
            ("", "") => "value",
            ("", node) => node,
            (name, _) => name,
        };
        let mut unique = base.to_owned();
        let mut number = self.shared.names.len();
        while !self.shared.names.insert(unique.clone()) {
            unique = format!("{base}_{number}");
            number += 1;
        }
        unique
    }

    fn constant_of(&mut self, value: ValueId, id: ConstId, ty: &TensorType) -> usize {
        let twins = self.constants.get(&id).into_iter().flatten();
        if let Some(&twin) = { twins }.find(|&&twin| self.types[twin] == *ty) {
            return twin;
        }
        let model = self.shared.model;
        let data = Cow::Borrowed(&*model.constant(id).data);
        let name = &self.graph.value(value).name;
        let tensor = if self.is_shifted(ty) {
            let bytes = data.iter().map(|byte| byte ^ 0x80).collect();
            self.stored_constant(name, ty.clone(), Cow::Owned(bytes))
        } else {
            self.stored_constant(name, ty.clone(), data)
        };
        self.constants.entry(id).or_default().push(tensor);
        tensor
    }

    /// A constant whose bytes are stored as they are.
    pub(super) fn stored_constant(
        &mut self,
        name: &str,
        ty: TensorType,
        data: Cow<'m, [u8]>,
    ) -> usize {
        let tensor = self.tensor(name, ty);
        self.tensors[tensor].data = Some(data);
        tensor
    }

    /// A constant that the graph does not hold.
    pub(super) fn new_constant(&mut self, data: Const) -> usize {
        self.stored_constant("", data.ty(), Cow::Owned(data.data.to_vec()))
    }

    pub(super) fn push(
        &mut self,
        op: &str,
        inputs: Vec<Option<usize>>,
        outputs: Vec<Option<usize>>,
        attrs: Vec<(String, AttrValue)>,
    ) {
        let (op, domain) = (op.to_owned(), String::new());
        let name = self.node_name.clone();
        let twin = self.nodes.last().is_some_and(|last| last.name == name);
        // Of several nodes the last has the name: the others only prepare it.
        if twin && let Some(last) = self.nodes.last_mut() {
            last.name = String::new();
        }
        if op == "DequantizeLinear"
            && attrs.is_empty()
            && let [Some(result)] = outputs[..]
        {
            self.dequantized.insert(result, inputs.clone());
        }
        let blobs = Vec::new();
        self.nodes.push(ForeignNode {
            op,
            domain,
            version: 1,
            name,
            inputs,
            blobs,
            outputs,
            attrs,
        });
    }

    /// The outputs, without the nodes and tensors that nothing reads.
    fn finish(mut self) -> ForeignGraph<'m> {
        let mut written: HashSet<usize> =
            self.nodes.iter().flat_map(|node| node.outputs.iter().copied().flatten()).collect();
        let mut outside: HashSet<usize> = self.inputs.iter().copied().collect();
        let mut holders: HashMap<String, usize> = HashMap::new();
        for (index, tensor) in self.tensors.iter().enumerate() {
            holders.entry(tensor.name.clone()).or_insert(index);
        }
        let mut seen = self.nodes.len();
        for index in 0..self.graph.outputs.len() {
            let graph = self.graph;
            let output = &graph.outputs[index];
            let own = identity(graph.ty(output.value).rank());
            let tensor = match self.fetch(output.value, Some(&own)) {
                Ok(tensor) => tensor,
                Err(error) => {
                    self.shared.gap(None, format!("output '{}'", output.name), error);
                    continue;
                }
            };
            let fresh = self.nodes[seen..].iter().flat_map(|node| &node.outputs);
            written.extend(fresh.copied().flatten());
            seen = self.nodes.len();
            let own = written.contains(&tensor) && !outside.contains(&tensor);
            let tensor = if own { tensor } else { self.copied(tensor) };
            self.outputs.push(tensor);
            outside.insert(tensor);
            if self.tensors[tensor].name != output.name && !output.name.is_empty() {
                self.tensors[tensor].name = self.claim(&output.name, &mut holders, &outside);
                holders.insert(output.name.clone(), tensor);
            }
        }
        self.sweep()
    }

    /// A name that others give up for an output; `holders` says which tensor has a name, and
    /// `outside` which are inputs or outputs and keep theirs.
    fn claim(
        &mut self,
        name: &str,
        holders: &mut HashMap<String, usize>,
        outside: &HashSet<usize>,
    ) -> String {
        if self.shared.names.insert(name.to_owned()) {
            return name.to_owned();
        }
        let held = |&holder: &usize| self.tensors[holder].name == name;
        match holders.get(name).copied().filter(held) {
            Some(holder) if !outside.contains(&holder) => {
                self.tensors[holder].name = self.unique(name);
                name.to_owned()
            }
            _ => self.unique(name),
        }
    }

    /// The same content in another tensor.
    pub(super) fn copied(&mut self, tensor: usize) -> usize {
        let ty = self.types[tensor].clone();
        if self.format() == Format::TfLite
            && let Some(dims) = ty.known_dims()
        {
            return self.reshaped(tensor, ty, &dims);
        }
        let copy = self.tensor("", ty);
        if self.format() != Format::TfLite {
            self.push("Identity", vec![Some(tensor)], vec![Some(copy)], Vec::new());
            return copy;
        }
        let shape = self.tensor("", TensorType::of(DType::I32, &[self.types[tensor].rank()]));
        let to = vec![("out_type".to_owned(), AttrValue::Text("INT32".to_owned()))];
        self.push("SHAPE", vec![Some(tensor)], vec![Some(shape)], to);
        self.push("RESHAPE", vec![Some(tensor), Some(shape)], vec![Some(copy)], Vec::new());
        copy
    }

    fn sweep(mut self) -> ForeignGraph<'m> {
        let mut used = vec![false; self.tensors.len()];
        for &tensor in self.inputs.iter().chain(&self.outputs) {
            used[tensor] = true;
        }
        let mut kept: Vec<ForeignNode> = Vec::with_capacity(self.nodes.len());
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            let effect = node.outputs.is_empty();
            if !effect && !node.outputs.iter().flatten().any(|&output| used[output]) {
                continue;
            }
            node.inputs.iter().flatten().for_each(|&input| used[input] = true);
            node.outputs.iter().flatten().for_each(|&output| used[output] = true);
            kept.push(node);
        }
        kept.reverse();
        // Tensors are numbered anew.
        let mut numbers = vec![None; self.tensors.len()];
        let mut tensors = Vec::new();
        for (index, tensor) in self.tensors.into_iter().enumerate() {
            if used[index] {
                numbers[index] = Some(tensors.len());
                tensors.push(tensor);
            }
        }
        let new = |index: usize| numbers[index].unwrap_or(0);
        for node in &mut kept {
            let ports = node.inputs.iter_mut().chain(&mut node.outputs);
            ports.flatten().for_each(|port| *port = new(*port));
        }
        ForeignGraph {
            name: self.graph.name.clone(),
            nodes: kept,
            tensors,
            inputs: self.inputs.into_iter().map(new).collect(),
            outputs: self.outputs.into_iter().map(new).collect(),
            captures: Vec::new(),
        }
    }
}

/// The permutation that a reshape is: only axes of one element change their places.
fn turned(x: &TensorType, y: &TensorType) -> Option<Vec<usize>> {
    if x.rank() != y.rank() || x.dims == y.dims {
        return None;
    }
    let one = |dim: &Dim| *dim == Dim::Known(1);
    let (mut ones, mut others): (Vec<usize>, Vec<usize>) =
        (0..x.rank()).partition(|&axis| one(&x.dims[axis]));
    ones.reverse();
    others.reverse();
    y.dims
        .iter()
        .map(|dim| {
            let axis = if one(dim) { ones.pop() } else { others.pop() };
            axis.filter(|&axis| x.dims[axis] == *dim)
        })
        .collect()
}
