//! `GraphProto` and `NodeProto`: names become indices, functions are inlined.

use std::collections::HashMap;

use embarca_ir::foreign::{AttrValue, ForeignGraph, ForeignNode, ForeignTensor};

use super::attribute::Attribute;
use super::external::Files;
use super::tensor::{self, Constant};
use super::{Function, Library};
use crate::error::{ReadError, shown};
use crate::limits::Budget;
use crate::wire::protobuf::Message;

/// Fields of `GraphProto`.
mod graph_fields {
    pub const NODE: u32 = 1;
    pub const NAME: u32 = 2;
    pub const INITIALIZER: u32 = 5;
    pub const INPUT: u32 = 11;
    pub const OUTPUT: u32 = 12;
    pub const VALUE_INFO: u32 = 13;
    pub const SPARSE_INITIALIZER: u32 = 15;
}

/// Fields of `NodeProto`.
mod node {
    pub const INPUT: u32 = 1;
    pub const OUTPUT: u32 = 2;
    pub const NAME: u32 = 3;
    pub const OP_TYPE: u32 = 4;
    pub const ATTRIBUTE: u32 = 5;
    pub const DOMAIN: u32 = 7;
    pub const OVERLOAD: u32 = 8;
}

/// Fields of `ValueInfoProto`.
mod value {
    pub const NAME: u32 = 1;
    pub const TYPE: u32 = 2;
}

/// A model on its way from messages to graphs.
pub(super) struct Reader<'a, 'l, 'e> {
    pub budget: Budget<'l>,
    pub files: Files<'e>,
    library: &'e Library<'a>,
    /// Finished graphs; `None` while one is being read.
    graphs: Vec<Option<ForeignGraph<'a>>>,
    /// Graphs that are being read, the innermost last.
    levels: Vec<ForeignGraph<'a>>,
    /// Where names are looked up, the innermost last.
    frames: Vec<Frame<'a, 'e>>,
}

/// The names of a graph or of a function that is being inlined.
struct Frame<'a, 'e> {
    /// Which of [`Reader::levels`] the names belong to.
    level: usize,
    /// An optional input that is left out has a name too, inside of a function.
    names: HashMap<&'a str, Option<usize>>,
    /// What the graph says of the types of its values.
    types: HashMap<&'a str, Message<'a>>,
    /// Present in the frame of a function, which does not see names outside of it.
    call: Option<Call<'a, 'e>>,
}

/// A function that is being inlined.
struct Call<'a, 'e> {
    function: &'e Function<'a>,
    /// The attributes it was called with, and the defaults of others.
    attrs: HashMap<&'a str, Attribute<'a>>,
    /// Goes before the names of its nodes and values.
    prefix: String,
}

/// A `NodeProto`, its names not yet resolved.
#[derive(Default)]
struct Node<'a> {
    name: &'a str,
    op: &'a str,
    domain: &'a str,
    overload: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    attrs: Vec<Attribute<'a>>,
}

/// About the bytes that an entry of a map of names takes.
const ENTRY: u64 = 128;

/// A name that is resolved, as long as its node is read.
type Name<'a> = &'a str;

impl<'a, 'l, 'e> Reader<'a, 'l, 'e> {
    pub fn new(budget: Budget<'l>, files: Files<'e>, library: &'e Library<'a>) -> Self {
        Self { budget, files, library, graphs: Vec::new(), levels: Vec::new(), frames: Vec::new() }
    }

    /// All graphs, in the order in which their reading began.
    pub fn finish(self) -> Vec<ForeignGraph<'a>> {
        self.graphs.into_iter().flatten().collect()
    }

    /// Reads a graph and those in it; its index.
    pub fn graph(&mut self, message: Message<'a>) -> Result<usize, ReadError> {
        let index = self.graphs.len();
        let name = tensor::name(message.clone(), graph_fields::NAME)?;
        self.read_graph(message, name).map_err(|error| {
            error.within(|| match name {
                "" => format!("graph {index}"),
                name => format!("graph {index} '{}'", shown(name)),
            })
        })
    }

    fn read_graph(&mut self, message: Message<'a>, name: &'a str) -> Result<usize, ReadError> {
        self.budget.graph()?;
        self.check_depth()?;
        let index = self.graphs.len();
        self.graphs.push(None);
        self.levels.push(ForeignGraph { name: self.budget.text(name)?, ..Default::default() });
        let level = self.levels.len() - 1;
        let types = self.types(message.clone())?;
        self.frames.push(Frame { level, names: HashMap::new(), types, call: None });

        self.initializers(message.clone())?;
        self.inputs(message.clone())?;
        let mut rest = message.clone();
        let mut count = 0;
        while let Some(field) = rest.next_field()? {
            if field.number == graph_fields::NODE {
                self.node(field.message()?, count)?;
                count += 1;
            }
        }
        self.outputs(message)?;

        if let Some(frame) = self.frames.pop() {
            self.budget.refund(ENTRY * (frame.names.len() + frame.types.len()) as u64);
        }
        let mut graph = self.levels.pop();
        if let Some(graph) = &mut graph {
            graph.shrink();
        }
        if let Some(slot) = self.graphs.get_mut(index) {
            *slot = graph;
        }
        Ok(index)
    }

    fn check_depth(&self) -> Result<(), ReadError> {
        match self.frames.len() < self.budget.limits.nesting as usize {
            true => Ok(()),
            false => {
                Err(ReadError::over_limit("graphs and functions nested deeper than `nesting`"))
            }
        }
    }

    /// The types of values, by name.
    fn types(
        &mut self,
        mut message: Message<'a>,
    ) -> Result<HashMap<&'a str, Message<'a>>, ReadError> {
        let mut types = HashMap::new();
        while let Some(field) = message.next_field()? {
            if matches!(
                field.number,
                graph_fields::INPUT | graph_fields::OUTPUT | graph_fields::VALUE_INFO
            ) {
                let mut info = field.message()?;
                let (mut name, mut kind) = ("", None);
                while let Some(field) = info.next_field()? {
                    match field.number {
                        value::NAME => name = field.text()?,
                        value::TYPE => kind = Some(field.message()?),
                        _ => {}
                    }
                }
                if let Some(kind) = kind {
                    self.budget.bytes(ENTRY)?;
                    types.insert(name, kind);
                }
            }
        }
        Ok(types)
    }

    fn initializers(&mut self, mut message: Message<'a>) -> Result<(), ReadError> {
        while let Some(field) = message.next_field()? {
            let constant = match field.number {
                graph_fields::INITIALIZER => {
                    tensor::read(field.message()?, &mut self.files, &mut self.budget)?
                }
                graph_fields::SPARSE_INITIALIZER => {
                    tensor::read_sparse(field.message()?, &mut self.files, &mut self.budget)?
                }
                _ => continue,
            };
            let name = constant.name;
            if name.is_empty() {
                return Err(ReadError::malformed_at(field.at, "an initializer without a name"));
            }
            let index = self.add_constant(constant)?;
            self.define(name, Some(index))?;
        }
        Ok(())
    }

    /// Inputs that have an initializer are constants.
    fn inputs(&mut self, mut message: Message<'a>) -> Result<(), ReadError> {
        while let Some(field) = message.next_field()? {
            if field.number != graph_fields::INPUT {
                continue;
            }
            let name = tensor::name(field.message()?, value::NAME)?;
            let known = self.frame()?.names.get(name).copied().flatten();
            if let Some(known) = known {
                let tensor = self.level()?.tensors.get(known);
                if tensor.is_some_and(|tensor| tensor.data.is_some()) {
                    continue;
                }
            }
            let index = self.add_value(name)?;
            self.define(name, Some(index))?;
            self.budget.items::<usize>(2)?;
            self.level()?.inputs.push(index);
        }
        Ok(())
    }

    fn outputs(&mut self, mut message: Message<'a>) -> Result<(), ReadError> {
        while let Some(field) = message.next_field()? {
            if field.number != graph_fields::OUTPUT {
                continue;
            }
            let name = tensor::name(field.message()?, value::NAME)?;
            let Some(index) = self.resolve(name)?.flatten() else {
                let what = format!("nothing yields the output '{}'", shown(name));
                return Err(ReadError::malformed_at(field.at, what));
            };
            self.budget.items::<usize>(2)?;
            self.level()?.outputs.push(index);
        }
        Ok(())
    }

    /// The innermost graph.
    fn level(&mut self) -> Result<&mut ForeignGraph<'a>, ReadError> {
        self.levels.last_mut().ok_or_else(|| ReadError::malformed("no graph"))
    }

    /// The innermost frame.
    fn frame(&mut self) -> Result<&mut Frame<'a, 'e>, ReadError> {
        self.frames.last_mut().ok_or_else(|| ReadError::malformed("no graph"))
    }

    fn add(&mut self, tensor: ForeignTensor<'a>) -> Result<usize, ReadError> {
        self.budget.tensor()?;
        let tensors = &mut self.level()?.tensors;
        tensors.push(tensor);
        Ok(tensors.len() - 1)
    }

    /// Adds a constant to the innermost graph.
    pub fn add_constant(&mut self, constant: Constant<'a>) -> Result<usize, ReadError> {
        let name = self.full_name(constant.name)?;
        self.add(constant.into_tensor(name))
    }

    /// Adds a value that is not known, with the type that the graph states.
    fn add_value(&mut self, name: &'a str) -> Result<usize, ReadError> {
        let kind = self.frame()?.types.get(name).cloned();
        let (dtype, dims) = match kind {
            Some(kind) => tensor::read_type(kind, &mut self.budget)
                .map_err(|error| error.within(|| format!("value '{}'", shown(name))))?,
            None => (None, None),
        };
        let name = self.full_name(name)?;
        self.add(ForeignTensor { name, dtype, dims, quant: None, data: None, is_variable: false })
    }

    /// `name` after the prefix of the function that is being inlined.
    fn full_name(&mut self, name: &str) -> Result<String, ReadError> {
        let prefix = match self.frames.iter().rev().find_map(|frame| frame.call.as_ref()) {
            Some(call) if !name.is_empty() => call.prefix.as_str(),
            _ => return self.budget.text(name),
        };
        self.budget.bytes(prefix.len() as u64 + 1)?;
        self.budget.text(name).map(|name| format!("{prefix}/{name}"))
    }

    fn define(&mut self, name: &'a str, index: Option<usize>) -> Result<(), ReadError> {
        self.budget.bytes(ENTRY)?;
        match self.frame()?.names.insert(name, index) {
            None => Ok(()),
            Some(_) => {
                let what = format!("'{}' is defined twice", shown(name));
                Err(ReadError::malformed(what))
            }
        }
    }

    /// The tensor of the innermost graph that `name` stands for: `None` if nothing defines it,
    /// `Some(None)` if it is an optional value that is left out.
    fn resolve(&mut self, name: &'a str) -> Result<Option<Option<usize>>, ReadError> {
        match self.frames.len().checked_sub(1) {
            Some(frame) => self.resolve_in(frame, name),
            None => Ok(None),
        }
    }

    fn resolve_in(
        &mut self,
        index: usize,
        name: &'a str,
    ) -> Result<Option<Option<usize>>, ReadError> {
        let Some(frame) = self.frames.get(index) else { return Ok(None) };
        if let Some(&found) = frame.names.get(name) {
            return Ok(Some(found));
        }
        let level = frame.level;
        let Some(outer_frame) = index.checked_sub(1).filter(|_| frame.call.is_none()) else {
            return Ok(None);
        };
        let Some(outer) = self.resolve_in(outer_frame, name)? else { return Ok(None) };
        let found = match outer {
            Some(outer) => Some(self.capture(level, outer)?),
            None => None,
        };
        self.budget.bytes(ENTRY)?;
        if let Some(frame) = self.frames.get_mut(index) {
            frame.names.insert(name, found);
        }
        Ok(Some(found))
    }

    /// Makes tensor `outer` of the graph around `level` a tensor of `level`.
    fn capture(&mut self, level: usize, outer: usize) -> Result<usize, ReadError> {
        let tensor = level
            .checked_sub(1)
            .and_then(|around| self.levels.get(around)?.tensors.get(outer))
            .ok_or_else(|| ReadError::malformed("no graph around"))?;
        let name = self.budget.text(&tensor.name)?;
        self.budget.tensor()?;
        self.budget.items::<(usize, usize)>(2)?;
        let dims = tensor.dims.as_deref().unwrap_or_default();
        self.budget.items::<embarca_ir::foreign::ForeignDim>(dims.len())?;
        let tensor = ForeignTensor {
            name,
            dtype: tensor.dtype,
            dims: tensor.dims.clone(),
            quant: None,
            data: None,
            is_variable: false,
        };
        let graph = self.levels.get_mut(level).ok_or_else(|| ReadError::malformed("no graph"))?;
        graph.tensors.push(tensor);
        let inner = graph.tensors.len() - 1;
        graph.captures.push((inner, outer));
        Ok(inner)
    }

    fn node(&mut self, message: Message<'a>, index: usize) -> Result<(), ReadError> {
        let node = match self.parse(message) {
            Ok(node) => node,
            Err(error) => return Err(error.within(|| format!("node {index}"))),
        };
        let (name, op) = (node.name, node.op);
        let names = node.inputs.len() + node.outputs.len();
        let passing = size_of::<Name<'_>>() * names + size_of::<Attribute<'_>>() * node.attrs.len();
        let key = (node.domain, op, node.overload);
        let done = match self.library.functions.get(&key) {
            Some(function) => self.inline(function, node),
            None => self.plain(node),
        };
        self.budget.refund(2 * passing as u64);
        done.map_err(|error| {
            error.within(|| match name {
                "" => format!("node {index} {}", shown(op)),
                name => format!("node {index} '{}' {}", shown(name), shown(op)),
            })
        })
    }

    fn parse(&mut self, mut message: Message<'a>) -> Result<Node<'a>, ReadError> {
        let mut node = Node::default();
        while let Some(field) = message.next_field()? {
            match field.number {
                node::NAME => node.name = field.text()?,
                node::OP_TYPE => node.op = field.text()?,
                node::DOMAIN => node.domain = super::standard(field.text()?),
                node::OVERLOAD => node.overload = field.text()?,
                node::INPUT => {
                    self.budget.longer_list::<Name<'_>>(node.inputs.len(), 1)?;
                    node.inputs.push(field.text()?);
                }
                node::OUTPUT => {
                    self.budget.longer_list::<Name<'_>>(node.outputs.len(), 1)?;
                    node.outputs.push(field.text()?);
                }
                node::ATTRIBUTE => {
                    self.budget.longer_list::<Attribute<'_>>(node.attrs.len(), 1)?;
                    let attr = Attribute::new(field.message()?)?;
                    node.attrs.extend(self.substitute(attr)?);
                }
                _ => {}
            }
        }
        self.budget.items::<Name<'_>>(node.attrs.len())?;
        let mut names: Vec<_> = node.attrs.iter().map(|attr| attr.name).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
            let what = format!("attribute '{}' is given twice", shown(name));
            return Err(ReadError::malformed(what));
        }
        Ok(node)
    }

    /// The attribute of the call that `attr` stands for, if it is a reference.
    fn substitute(&self, attr: Attribute<'a>) -> Result<Option<Attribute<'a>>, ReadError> {
        if attr.reference.is_empty() {
            return Ok(Some(attr));
        }
        match self.frames.iter().rev().find_map(|frame| frame.call.as_ref()) {
            Some(call) => {
                let given = call.attrs.get(attr.reference);
                Ok(given.map(|given| given.named(attr.name)))
            }
            None => Err(ReadError::malformed(format!(
                "attribute '{}' refers to a function's attribute outside of a function",
                shown(attr.name)
            ))),
        }
    }

    /// The tensors that a node reads.
    fn read_names(&mut self, names: &[&'a str]) -> Result<Vec<Option<usize>>, ReadError> {
        self.budget.items::<Option<usize>>(names.len())?;
        let mut indices = Vec::with_capacity(names.len());
        for &name in names {
            indices.push(match name {
                "" => None,
                name => match self.resolve(name)? {
                    Some(index) => index,
                    None => {
                        return Err(ReadError::malformed(format!(
                            "it reads '{}', which nothing before it yields",
                            shown(name)
                        )));
                    }
                },
            });
        }
        Ok(indices)
    }

    fn plain(&mut self, node: Node<'a>) -> Result<(), ReadError> {
        self.budget.node()?;
        let version = self.version(node.domain)?;
        let inputs = self.read_names(&node.inputs)?;
        self.budget.items::<(String, AttrValue)>(node.attrs.len())?;
        let mut attrs = Vec::with_capacity(node.attrs.len());
        for attr in &node.attrs {
            let value = attr.read(self);
            let value = value
                .map_err(|error| error.within(|| format!("attribute '{}'", shown(attr.name))))?;
            attrs.push((self.budget.text(attr.name)?, value));
        }
        self.budget.items::<Option<usize>>(node.outputs.len())?;
        let mut outputs = Vec::with_capacity(node.outputs.len());
        for &name in &node.outputs {
            outputs.push(match name {
                "" => None,
                name => {
                    let index = self.add_value(name)?;
                    self.define(name, Some(index))?;
                    Some(index)
                }
            });
        }
        let node = ForeignNode {
            op: self.budget.text(node.op)?,
            domain: self.budget.text(node.domain)?,
            version,
            name: self.full_name(node.name)?,
            inputs,
            blobs: Vec::new(),
            outputs,
            attrs,
        };
        self.level()?.nodes.push(node);
        Ok(())
    }

    /// The opset of `domain` where the reader is.
    fn version(&self, domain: &str) -> Result<u32, ReadError> {
        let call = self.frames.iter().rev().find_map(|frame| frame.call.as_ref());
        let opsets = call.map_or(&self.library.opsets, |call| &call.function.opsets);
        match opsets.get(domain) {
            Some(&version) => Ok(version),
            // Before versions were stated there was only the first.
            None if self.library.ir_version < 3 || !domain.is_empty() => Ok(1),
            None => Err(ReadError::malformed("the file does not state its opset")),
        }
    }

    /// Puts the body of `function` in the place of `node`.
    fn inline(&mut self, function: &'e Function<'a>, node: Node<'a>) -> Result<(), ReadError> {
        self.budget.node()?;
        self.budget.inlined(function.cost)?;
        self.check_depth()?;
        let calls = self.frames.iter().filter_map(|frame| frame.call.as_ref());
        if calls.into_iter().any(|call| std::ptr::eq(call.function, function)) {
            return Err(ReadError::malformed("the function calls itself"));
        }
        if node.inputs.len() > function.inputs.len() || node.outputs.len() > function.outputs.len()
        {
            return Err(ReadError::malformed("more inputs or outputs than the function has"));
        }
        if let Some(attr) = node.attrs.iter().find(|attr| attr.is_graph()) {
            return Err(ReadError::unsupported(format!(
                "attribute '{}' passes a graph to a function; inline the functions first \
                 (onnx.inliner)",
                shown(attr.name)
            )));
        }

        let inputs = self.read_names(&node.inputs)?;
        let mut names = HashMap::new();
        let entries = function.inputs.len() + function.defaults.len() + node.attrs.len();
        self.budget.bytes(ENTRY.saturating_mul(entries as u64))?;
        for (position, &name) in function.inputs.iter().enumerate() {
            names.insert(name, inputs.get(position).copied().flatten());
        }
        let defaults = function.defaults.iter().chain(&node.attrs);
        let attrs = defaults.map(|attr| (attr.name, attr.clone())).collect();
        let own = if node.name.is_empty() { node.op } else { node.name };
        let prefix = self.full_name(own)?;
        let level = self.levels.len().saturating_sub(1);
        let first_new = self.level()?.tensors.len();
        let call = Some(Call { function, attrs, prefix });
        self.frames.push(Frame { level, names, types: HashMap::new(), call });

        for (index, message) in function.nodes.iter().enumerate() {
            self.node(message.clone(), index)?;
        }
        self.budget.items::<Option<usize>>(node.outputs.len())?;
        let mut results = Vec::with_capacity(node.outputs.len());
        for &name in function.outputs.iter().take(node.outputs.len()) {
            match self.resolve(name)? {
                Some(index) => results.push(index),
                None => {
                    let what = format!("nothing yields the function's output '{}'", shown(name));
                    return Err(ReadError::malformed(what));
                }
            }
        }
        if let Some(frame) = self.frames.pop() {
            self.budget.refund(ENTRY * frame.names.len().max(entries) as u64);
        }

        for (&name, index) in node.outputs.iter().zip(results) {
            if name.is_empty() {
                continue;
            }
            self.define(name, index)?;
            if let Some(index) = index.filter(|&index| index >= first_new) {
                self.rename(index, name)?;
            }
        }
        Ok(())
    }

    /// Gives a result of a function the name and type that the caller knows.
    fn rename(&mut self, index: usize, name: &'a str) -> Result<(), ReadError> {
        let kind = self.frame()?.types.get(name).cloned();
        let (dtype, dims) = match kind {
            Some(kind) => tensor::read_type(kind, &mut self.budget)?,
            None => (None, None),
        };
        let name = self.full_name(name)?;
        if let Some(tensor) = self.level()?.tensors.get_mut(index) {
            tensor.name = name;
            tensor.dtype = tensor.dtype.or(dtype);
            tensor.dims = tensor.dims.take().or(dims);
        }
        Ok(())
    }
}
