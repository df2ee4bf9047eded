//! A model to text.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use embarca_num::DType;

use super::{MAX_INLINE, RESERVED, hash, is_word};
use crate::attr::Attr;
use crate::dim::Dim;
use crate::ids::{ConstId, SymbolId, ValueId};
use crate::model::{Def, Graph, Meta, Model, Node, Symbol};
use crate::types::{Const, Quant, TensorType};

const HEAD: &str = "model v1\n";

/// A text and what travels beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The model, with `@n` in place of large contents.
    pub text: String,
    /// What `@n` stands for; no two are equal.
    pub blobs: Vec<Arc<[u8]>>,
}

/// The text form. The same model yields the same text on every machine.
pub fn print(model: &Model) -> Printed {
    let Printed { text, blobs } = print_graphs(model);
    let (head, body) = text.split_at(HEAD.len());
    Printed { text: [head, &print_meta(&model.meta), body].concat(), blobs }
}

/// The text form without what [`print_meta`] yields.
pub fn print_graphs(model: &Model) -> Printed {
    let printer = Printer::run(model, false);
    Printed { text: printer.out, blobs: printer.blobs.list }
}

/// The text form for people and for golden tests: large contents appear with their hashes.
pub fn dump(model: &Model) -> String {
    let text = Printer::run(model, true).out;
    let (head, body) = text.split_at(HEAD.len());
    [head, &print_meta(&model.meta), body].concat()
}

/// The part of the text that says what people and front ends need to know; may be empty.
pub fn print_meta(meta: &Meta) -> String {
    let mut out = String::new();
    let texts = [
        ("format", &meta.format),
        ("description", &meta.description),
        ("producer", &meta.producer),
    ];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        let _ = writeln!(out, "{key} {}", quoted(text));
    }
    if !meta.labels.is_empty() {
        out.push_str("labels [");
        for (i, label) in meta.labels.iter().enumerate() {
            out.push_str(if i % 8 == 0 { "\n  " } else { " " });
            let _ = write!(out, "{},", quoted(label));
        }
        out.push_str("\n]\n");
    }
    for (key, values) in [("mean", &meta.mean), ("std", &meta.std)] {
        if !values.is_empty() {
            let _ = writeln!(out, "{key} {}", list(values.iter().map(|&value| float(value))));
        }
    }
    if !meta.properties.is_empty() {
        let words = meta.properties.iter().flat_map(|(key, value)| [quoted(key), quoted(value)]);
        let _ = writeln!(out, "properties {}", list(words));
    }
    out
}

/// `text` in quotes, with everything escaped that is not plainly visible on one line.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Controls, and marks that reorder, join or hide what stands around them.
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A dimension with the names of symbols.
pub fn dim(dim: &Dim, symbols: &[Symbol]) -> String {
    let mut out = String::new();
    let _ = dim.write(&mut out, &|id| symbol_name(symbols, id));
    out
}

/// A type with the names of symbols, without quantization: `f32[batch,3]`.
pub fn tensor_type(ty: &TensorType, symbols: &[Symbol]) -> String {
    let dims: Vec<String> = ty.dims.iter().map(|d| dim(d, symbols)).collect();
    format!("{}[{}]", ty.dtype, dims.join(","))
}

/// An attribute's value with the names of symbols.
pub fn attr(value: &Attr, symbols: &[Symbol]) -> String {
    match value {
        Attr::Word(word) => {
            let is_symbol = symbols.iter().any(|symbol| symbol.name == *word);
            let taken = is_symbol || matches!(word.as_str(), "_" | "inf" | "nan");
            if taken { quoted(word) } else { word_or_quoted(word) }
        }
        Attr::Dim(value) => dim(value, symbols),
        Attr::Float(value) => float(*value),
        Attr::Graph(id) => format!("graph({})", id.0),
        Attr::List(items) => list(items.iter().map(|item| attr(item, symbols))),
    }
}

fn symbol_name(symbols: &[Symbol], id: SymbolId) -> String {
    match symbols.get(id.index()) {
        Some(symbol) => bare_symbol(&symbol.name),
        None => format!("$\"s{}\"", id.0),
    }
}

fn bare_symbol(name: &str) -> String {
    if is_word(name) && !RESERVED.contains(&name) {
        name.to_owned()
    } else {
        format!("${}", quoted(name))
    }
}

fn word_or_quoted(text: &str) -> String {
    if is_word(text) { text.to_owned() } else { quoted(text) }
}

/// The shortest text that reads back as the same number; always with a point, an exponent or as
/// a word.
fn float(value: f32) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    let mut out = String::from("[");
    for (i, item) in items.enumerate() {
        let _ = write!(out, "{}{item}", if i == 0 { "" } else { ", " });
    }
    out.push(']');
    out
}

/// The elements of a small constant; `None` where the text could not say them exactly.
fn inline(data: &Const) -> Option<String> {
    let elements = data.dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))?;
    if MAX_INLINE < elements || elements.checked_mul(data.dtype.size())? != data.data.len() {
        return None;
    }
    let bytes = &data.data;
    Some(match data.dtype {
        DType::F32 => {
            let values: Vec<f32> = data.as_f32()?;
            let exact = |value: &f32| !value.is_nan() || value.to_bits() == 0x7fc0_0000;
            values.iter().all(exact).then(|| list(values.iter().map(|&value| float(value))))?
        }
        DType::F64 => {
            let values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            let values: Vec<f64> = values.collect();
            values
                .iter()
                .all(|value| !value.is_nan())
                .then(|| list(values.iter().map(|value| format!("{value:?}"))))?
        }
        DType::U64 => list(bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))),
        DType::Bool => {
            let exact = bytes.iter().all(|&byte| byte <= 1);
            exact.then(|| list(bytes.iter().map(|&byte| byte == 1)))?
        }
        DType::I64 | DType::I32 | DType::I16 | DType::I8 | DType::U32 | DType::U16 | DType::U8 => {
            list(data.to_i64()?.into_iter())
        }
        _ => return None,
    })
}

/// Contents without duplicates.
#[derive(Debug, Default)]
struct Blobs {
    list: Vec<Arc<[u8]>>,
    by_hash: HashMap<u64, Vec<usize>>,
}

impl Blobs {
    /// The number of a content, and its hash.
    fn add(&mut self, data: &Arc<[u8]>) -> (usize, u64) {
        let hash = hash(data);
        let same = self.by_hash.entry(hash).or_default();
        let list = &mut self.list;
        let found = same.iter().copied().find(|&index| list.get(index) == Some(data));
        let index = found.unwrap_or_else(|| {
            list.push(data.clone());
            same.push(list.len() - 1);
            list.len() - 1
        });
        (index, hash)
    }
}

struct Printer<'m> {
    model: &'m Model,
    out: String,
    blobs: Blobs,
    with_hashes: bool,
    written_consts: Vec<bool>,
}

impl<'m> Printer<'m> {
    fn new(model: &'m Model, with_hashes: bool) -> Self {
        let written_consts = vec![false; model.consts.len()];
        Self { model, out: String::new(), blobs: Blobs::default(), with_hashes, written_consts }
    }

    fn run(model: &'m Model, with_hashes: bool) -> Self {
        let mut printer = Self::new(model, with_hashes);
        printer.body();
        printer
    }

    fn body(&mut self) {
        self.out.push_str(HEAD);
        for symbol in &self.model.symbols {
            let Symbol { name, min, preferred, max } = symbol;
            let name = bare_symbol(name);
            let _ = writeln!(self.out, "symbol {name} [{min}, {preferred}, {max}]");
        }
        self.unused_consts();
        for graph in &self.model.graphs {
            self.graph(graph);
        }
    }

    /// Constants that no graph mentions.
    fn unused_consts(&mut self) {
        let mut used = vec![false; self.model.consts.len()];
        let mut mark = |id: ConstId| {
            if let Some(used) = used.get_mut(id.index()) {
                *used = true;
            }
        };
        for graph in &self.model.graphs {
            for value in &graph.values {
                if let Def::Const(id) = value.def {
                    mark(id);
                }
            }
            graph.states.iter().for_each(|state| mark(state.initial));
        }
        for (index, _) in used.iter().enumerate().filter(|(_, used)| !**used) {
            let id = ConstId::new(index);
            let ty = self.model.constant(id).ty();
            let ty = self.ty(&ty);
            let content = self.content(id);
            let _ = writeln!(self.out, "const #{index} {ty}{content}");
        }
    }

    fn graph(&mut self, graph: &'m Graph) {
        let _ = writeln!(self.out, "\ngraph {} {{", word_or_quoted(&graph.name));
        let mut written = vec![false; graph.values.len()];
        for &id in &graph.inputs {
            let line = format!("{} = input {}", self.left(graph, id), self.value_type(graph, id));
            self.line(&line, &mut written, &[id]);
        }
        for state in &graph.states {
            let name = spaced(&state.name);
            let (left, ty) = (self.left(graph, state.value), self.value_type(graph, state.value));
            let initial = state.initial;
            let content = self.content(initial);
            let line = format!("{left} = state{name} {ty} #{}{content}", initial.0);
            self.line(&line, &mut written, &[state.value]);
        }
        for node in &graph.nodes {
            for &id in node.inputs.iter().flatten() {
                self.constant(graph, id, &mut written);
            }
            let line = self.node(graph, node);
            self.line(&line, &mut written, &node.outputs);
        }
        for index in 0..graph.values.len() {
            self.constant(graph, ValueId::new(index), &mut written);
        }
        for index in (0..graph.values.len()).filter(|&index| !written[index]) {
            let _ = writeln!(self.out, "  // %{index} is written by nothing");
        }
        for state in &graph.states {
            let _ = writeln!(self.out, "  next %{} = %{}", state.value.0, state.next.0);
        }
        for output in &graph.outputs {
            let (value, name) = (output.value.0, spaced(&output.name));
            let counted = output.counted.map(|(axis, by)| format!(" counted {axis} by {by}"));
            let _ = writeln!(self.out, "  output %{value}{name}{}", counted.unwrap_or_default());
        }
        self.out.push_str("}\n");
    }

    fn line(&mut self, line: &str, written: &mut [bool], values: &[ValueId]) {
        self.out.push_str("  ");
        self.out.push_str(line);
        self.out.push('\n');
        for id in values {
            if let Some(written) = written.get_mut(id.index()) {
                *written = true;
            }
        }
    }

    /// The line of a value that holds a constant, unless it is written already.
    fn constant(&mut self, graph: &Graph, id: ValueId, written: &mut [bool]) {
        let Some(value) = graph.values.get(id.index()) else { return };
        let Def::Const(data) = value.def else { return };
        if written.get(id.index()) != Some(&false) {
            return;
        }
        let (left, ty) = (self.left(graph, id), self.value_type(graph, id));
        let content = self.content(data);
        self.line(&format!("{left} = const #{} {ty}{content}", data.0), written, &[id]);
    }

    fn node(&mut self, graph: &Graph, node: &Node) -> String {
        let outputs: Vec<String> = node.outputs.iter().map(|&id| self.left(graph, id)).collect();
        let input = |id: &Option<ValueId>| id.map_or("_".to_owned(), |id| format!("%{}", id.0));
        let inputs: Vec<String> = node.inputs.iter().map(input).collect();
        let types: Vec<String> =
            node.outputs.iter().map(|&id| self.value_type(graph, id)).collect();
        let mut attrs = Vec::new();
        for (key, value) in node.op.attrs() {
            attrs.push(format!("{key}={}", attr(&value, &self.model.symbols)));
        }
        let attrs =
            if attrs.is_empty() { String::new() } else { format!(" {{{}}}", attrs.join(", ")) };
        let arrow = if types.is_empty() { "" } else { " -> " };
        format!(
            "{} = {}({}){attrs}{}{arrow}{}",
            outputs.join(", "),
            node.op.name(),
            inputs.join(", "),
            spaced(&node.name),
            types.join(", "),
        )
    }

    /// What stands left of `=` for a value: its number and name.
    fn left(&self, graph: &Graph, id: ValueId) -> String {
        let name = graph.values.get(id.index()).map_or("", |value| value.name.as_str());
        format!("%{}{}", id.0, spaced(name))
    }

    fn value_type(&mut self, graph: &Graph, id: ValueId) -> String {
        graph.values.get(id.index()).map_or_else(|| "?".to_owned(), |value| self.ty(&value.ty))
    }

    fn ty(&mut self, ty: &TensorType) -> String {
        let mut text = tensor_type(ty, &self.model.symbols);
        if let Some(quant) = &ty.quant {
            text.push(' ');
            text.push_str(&self.quant(quant));
        }
        text
    }

    fn quant(&mut self, quant: &Quant) -> String {
        if let (Some((scale, zero)), None) = (quant.single(), quant.axis) {
            return format!("q({}, {zero})", float(scale));
        }
        let scales = if quant.scales.len() <= MAX_INLINE {
            list(quant.scales.iter().map(|&scale| float(scale)))
        } else {
            let bytes: Vec<u8> =
                quant.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
            self.blob(&bytes.into())
        };
        let zeros = match quant.zero_points.as_slice() {
            [first, rest @ ..]
                if quant.zero_points.len() == quant.scales.len()
                    && rest.iter().all(|zero| zero == first) =>
            {
                first.to_string()
            }
            zeros if zeros.len() <= MAX_INLINE => list(zeros.iter()),
            zeros => {
                let bytes: Vec<u8> = zeros.iter().flat_map(|zero| zero.to_le_bytes()).collect();
                self.blob(&bytes.into())
            }
        };
        let axis = quant.axis.map_or_else(String::new, |axis| format!("axis {axis}: "));
        format!("q({axis}{scales}, {zeros})")
    }

    /// The content of a constant behind a blank, where it is mentioned for the first time.
    fn content(&mut self, id: ConstId) -> String {
        match (self.model.consts.get(id.index()), self.written_consts.get_mut(id.index())) {
            (Some(data), Some(written)) if !*written => {
                *written = true;
                let content = inline(data).unwrap_or_else(|| self.blob(&data.data));
                format!(" {content}")
            }
            _ => String::new(),
        }
    }

    fn blob(&mut self, data: &Arc<[u8]>) -> String {
        let (index, hash) = self.blobs.add(data);
        if self.with_hashes { format!("@{index}~{hash:016x}") } else { format!("@{index}") }
    }
}

fn spaced(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" {}", quoted(name)) }
}
