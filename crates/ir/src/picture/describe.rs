//! What stands in a box, and what appears when a pointer rests on it.

use crate::attr::Attr;
use crate::dim::Dim;
use crate::ids::{SymbolId, ValueId};
use crate::model::{Def, Graph, Model, Node};
use crate::stats::{NodeStats, Stats};
use crate::text;
use crate::types::{Const, TensorType};

/// Kinds of operators, by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Port,
    Product,
    Pool,
    Norm,
    Activation,
    Arithmetic,
    Move,
    Cast,
    Control,
    Other,
}

impl Family {
    /// The class in the style sheet, and the name in the legend.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Port => ("port", "input, output, state"),
            Self::Product => ("product", "convolution, matrix product"),
            Self::Pool => ("pool", "pooling, reduction"),
            Self::Norm => ("norm", "normalization"),
            Self::Activation => ("act", "activation"),
            Self::Arithmetic => ("arith", "arithmetic"),
            Self::Move => ("move", "moves data"),
            Self::Cast => ("cast", "changes type or scale"),
            Self::Control => ("control", "recurrence, control flow"),
            Self::Other => ("other", "other"),
        }
    }

    pub(super) fn of(node: &Node) -> Self {
        let op = Self::named(node.op.name());
        let function = || function(node).map(|name| Self::named(&name));
        op.or_else(|| function().flatten()).unwrap_or(Self::Other)
    }

    fn named(op: &str) -> Option<Self> {
        const PARTS: &[(Family, &[&str])] = &[
            (Family::Product, &["conv", "dense", "matmul", "einsum", "embedding"]),
            (Family::Pool, &["pool", "reduce", "arg_m", "cumsum", "top_k"]),
            (Family::Norm, &["softmax", "norm", "lrn", "l2_", "standardize"]),
            (Family::Cast, &["quantize", "cast"]),
            (Family::Control, &["lstm", "gru", "rnn", "if", "while", "loop", "scan", "svdf"]),
            (
                Family::Activation,
                &[
                    "clip", "relu", "sigmoid", "logistic", "tanh", "swish", "gelu", "elu", "silu",
                    "mish", "softplus", "softsign", "erf", "prelu",
                ],
            ),
            (
                Family::Move,
                &[
                    "reshape",
                    "transpose",
                    "concat",
                    "split",
                    "slice",
                    "gather",
                    "pad",
                    "expand",
                    "tile",
                    "space_to",
                    "depth_to",
                    "to_space",
                    "to_depth",
                    "select",
                    "where",
                    "one_hot",
                    "range",
                    "fill",
                    "shape_of",
                    "resize",
                    "broadcast",
                    "reverse",
                    "pack",
                    "scatter",
                    "identity",
                ],
            ),
            (
                Family::Arithmetic,
                &[
                    "add", "sub", "mul", "div", "pow", "min", "max", "abs", "neg", "sqrt", "exp",
                    "log", "square", "round", "floor", "ceil", "sin", "cos", "equal", "less",
                    "greater", "and", "or", "not", "xor", "mod", "sign", "recip", "special",
                    "differ",
                ],
            ),
        ];
        // Short names must match whole words: `min` is no part of `minimum_of`.
        let matches = |part: &&str| {
            if part.len() <= 3 && !part.ends_with('_') {
                op.split('_').any(|word| word.trim_end_matches(char::is_numeric) == *part)
            } else {
                op.contains(*part)
            }
        };
        let found = PARTS.iter().find(|(_, parts)| parts.iter().any(&matches));
        found.map(|(family, _)| *family)
    }
}

/// What an operator of many functions computes: `sigmoid` of a unary one.
fn function(node: &Node) -> Option<String> {
    node.op.attrs().into_iter().find_map(|(key, attr)| match (key, attr) {
        ("function" | "by" | "holds", Attr::Word(word)) => Some(word),
        _ => None,
    })
}

fn title(node: &Node) -> String {
    match (node.op.name(), function(node)) {
        (op @ ("reduce" | "cumulate"), Some(function)) => format!("{op} {function}"),
        (_, Some(function)) => function,
        (op, None) => op.to_owned(),
    }
}

/// How a line of a box looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// The author's name.
    Name,
    /// Attributes, weights.
    Plain,
    /// Types.
    Type,
}

/// A box with its texts.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub family: Family,
    pub title: String,
    /// Beside the title, less loud.
    pub aside: String,
    pub lines: Vec<(Style, String)>,
    pub hover: String,
}

/// What all boxes of a graph are described with.
pub(super) struct Describer<'m> {
    pub model: &'m Model,
    pub graph: &'m Graph,
    pub stats: &'m Stats,
    /// Values that are constants or computed from constants alone.
    pub fixed: &'m [bool],
}

impl Describer<'_> {
    /// An input, output or state.
    pub(super) fn port(&self, what: &str, name: &str, id: ValueId) -> Card {
        let ty = self.graph.values.get(id.index()).map(|value| &value.ty);
        let lines = ty.map(|ty| (Style::Type, self.short_type(ty)));
        let hover = format!("{what} {}\n{}", text::quoted(name), self.value(id));
        Card {
            family: Family::Port,
            title: what.to_owned(),
            aside: name.to_owned(),
            lines: lines.into_iter().collect(),
            hover,
        }
    }

    /// Node `index`.
    pub(super) fn node(&self, index: usize, node: &Node) -> Card {
        let costs = self.stats.nodes.get(index).copied().unwrap_or_default();
        let attrs = self.attrs(node);
        let family = Family::of(node);
        let weights = self.weights(node, costs, family == Family::Product);
        let types = self.result_types(node);
        let mut card = Card {
            family,
            title: title(node),
            aside: String::new(),
            lines: Vec::new(),
            hover: self.node_hover(index, node, costs),
        };
        if weights.is_empty() && types.is_empty() && node.outputs.len() == 1 {
            // One line says everything.
            card.aside = attrs;
            return card;
        }
        card.aside = costs
            .macs
            .filter(|&macs| 0 < macs)
            .map_or_else(String::new, |macs| format!("{} MAC", human(macs)));
        if !node.name.is_empty() {
            card.lines.push((Style::Name, node.name.clone()));
        }
        let plain = [attrs, weights].into_iter().filter(|line| !line.is_empty());
        card.lines.extend(plain.map(|line| (Style::Plain, line)));
        let more = types.len().saturating_sub(3);
        card.lines.extend(types.into_iter().take(3).map(|line| (Style::Type, line)));
        if 0 < more {
            card.lines.push((Style::Type, format!("and {more} more")));
        }
        card
    }

    /// The types of the outputs; none where the only one is of the inputs' type.
    fn result_types(&self, node: &Node) -> Vec<String> {
        let data = |id: &&ValueId| !self.is_fixed(**id);
        let inputs: Vec<&ValueId> = node.inputs.iter().flatten().filter(data).collect();
        let ty = |id: &ValueId| self.graph.values.get(id.index()).map(|value| &value.ty);
        let learned = Family::of(node) == Family::Product;
        if !learned && let [output] = node.outputs.as_slice() {
            let same = |input: &&ValueId| match (ty(input), ty(output)) {
                (Some(x), Some(y)) => x.dtype == y.dtype && x.dims == y.dims,
                _ => false,
            };
            if !inputs.is_empty() && inputs.iter().all(same) {
                return Vec::new();
            }
        }
        node.outputs.iter().filter_map(ty).map(|ty| self.short_type(ty)).collect()
    }

    fn is_fixed(&self, id: ValueId) -> bool {
        self.fixed.get(id.index()) == Some(&true)
    }

    /// `w 64×3×3×3 + 64, 1.7k`
    fn weights(&self, node: &Node, costs: NodeStats, learned: bool) -> String {
        let mut parts = Vec::new();
        for id in node.inputs.iter().flatten().filter(|id| self.is_fixed(**id)) {
            let Some(value) = self.graph.values.get(id.index()) else { continue };
            let data = match value.def {
                Def::Const(data) => self.model.consts.get(data.index()),
                _ => None,
            };
            let single = data.filter(|data| data.len() == 1).and_then(Const::to_f64);
            match single.as_deref() {
                Some([stored]) => {
                    let quant = value.ty.quant.as_ref().and_then(|quant| quant.single());
                    let (scale, zero) = quant.unwrap_or((1.0, 0));
                    let real = (stored - f64::from(zero)) * f64::from(scale);
                    parts.push(format!("{}", real as f32));
                }
                _ => parts.push(self.dims(&value.ty)),
            }
        }
        match (parts.len(), costs.parameters) {
            (0, _) => String::new(),
            (_, count) if learned => format!("w {}, {}", parts.join(" + "), human(count)),
            _ => format!("constant {}", parts.join(", ")),
        }
    }

    /// The attributes that matter, in few words.
    fn attrs(&self, node: &Node) -> String {
        let attrs = node.op.attrs();
        let float = |key: &str| {
            attrs.iter().find_map(|(name, attr)| match attr {
                Attr::Float(value) if *name == key => Some(*value),
                _ => None,
            })
        };
        let range = match (float("min"), float("max")) {
            (Some(0.0), Some(f32::INFINITY)) => Some("≥ 0".to_owned()),
            (Some(min), Some(max)) => Some(format!("{min} … {max}").replace("inf", "∞")),
            _ => None,
        };
        let mut parts: Vec<String> = range.into_iter().collect();
        for (key, attr) in &attrs {
            let known = !parts.is_empty() && matches!(*key, "min" | "max");
            if !known && let Some(part) = self.attr(key, attr) {
                parts.push(part);
            }
        }
        parts.join(", ")
    }

    /// One attribute; `None` where it has the value that goes without saying.
    fn attr(&self, key: &str, attr: &Attr) -> Option<String> {
        let text = text::attr(attr, &self.model.symbols);
        let items = match attr {
            Attr::List(items) => items.iter().map(|i| text::attr(i, &self.model.symbols)).collect(),
            _ => vec![text.clone()],
        };
        let all = |value: &str| items.iter().all(|item| item == value);
        let same = items.first().filter(|first| all(first)).cloned();
        let joined = |separator: &str| same.clone().unwrap_or_else(|| items.join(separator));
        match (key, attr) {
            ("strides" | "dilations", _) if all("1") => None,
            ("groups" | "beta", _) if all("1") || all("1.0") => None,
            ("pads" | "before" | "after" | "begin", _) if all("0") => None,
            (_, Attr::Word(word)) if word == "false" || word == "none" => None,
            (_, Attr::Word(word)) if word == "true" => Some(key.replace('_', " ")),
            ("strides", _) => Some(format!("stride {}", joined("×"))),
            ("dilations", _) => Some(format!("dilation {}", joined("×"))),
            ("pads", _) => Some(format!("pad {}", joined(" "))),
            ("extra", _) if all("0") => None,
            ("a" | "b" | "c", Attr::Float(value)) if *value == 0.0 => None,
            ("function" | "by" | "holds", Attr::Word(_)) => None,
            // The usual rule; only another one is worth a word.
            ("rule" | "rescale", Attr::Word(word)) if word == "tflite" => None,
            ("mode" | "rule", Attr::Word(word)) => Some(word.clone()),
            ("size", _) => Some(items.join("×")),
            // The result's type says it.
            ("dims" | "to", _) => None,
            _ => Some(format!("{} {text}", key.replace('_', " "))),
        }
    }

    fn node_hover(&self, index: usize, node: &Node, costs: NodeStats) -> String {
        let mut lines = vec![format!("node {index}: {}", node.op.name())];
        if !node.name.is_empty() {
            lines.push(node.name.clone());
        }
        for (key, attr) in node.op.attrs() {
            lines.push(format!("{key} = {}", text::attr(&attr, &self.model.symbols)));
        }
        for (n, input) in node.inputs.iter().enumerate() {
            let value = input.map_or_else(|| "left out".to_owned(), |id| self.value(id));
            lines.push(format!("input {n}: {value}"));
        }
        for (n, id) in node.outputs.iter().enumerate() {
            lines.push(format!("output {n}: {}", self.value(*id)));
        }
        if let Some(macs) = costs.macs.filter(|&macs| 0 < macs) {
            lines.push(format!("{macs} multiply-accumulates"));
        }
        if 0 < costs.parameters {
            let (count, bytes) = (costs.parameters, costs.parameter_bytes);
            lines.push(format!("{count} parameters, {bytes} bytes"));
        }
        lines.join("\n")
    }

    /// `%3 "x" i8[1,8] q(0.5, -128)`
    pub(super) fn value(&self, id: ValueId) -> String {
        let Some(value) = self.graph.values.get(id.index()) else { return format!("%{}", id.0) };
        let name = if value.name.is_empty() {
            String::new()
        } else {
            format!(" {}", text::quoted(&value.name))
        };
        let ty = text::tensor_type(&value.ty, &self.model.symbols);
        let quant = match &value.ty.quant {
            None => String::new(),
            Some(quant) => match (quant.single(), quant.axis) {
                (Some((scale, zero)), None) => format!(" q({scale:?}, {zero})"),
                (_, axis) => {
                    format!(" q({} scales, axis {})", quant.scales.len(), axis.unwrap_or_default())
                }
            },
        };
        let constant = if matches!(value.def, Def::Const(_)) { " constant" } else { "" };
        format!("%{}{name} {ty}{quant}{constant}", id.0)
    }

    fn short_type(&self, ty: &TensorType) -> String {
        format!("{} {}", ty.dtype, self.dims(ty))
    }

    fn dims(&self, ty: &TensorType) -> String {
        if ty.dims.is_empty() {
            return "scalar".to_owned();
        }
        let dims: Vec<String> = ty.dims.iter().map(|dim| short_dim(dim, self.model)).collect();
        dims.join("×")
    }
}

/// A dimension; a long expression as its value at the preferred sizes, behind `~`.
pub(super) fn short_dim(dim: &Dim, model: &Model) -> String {
    let text = text::dim(dim, &model.symbols);
    if text.chars().count() <= 12 {
        return text;
    }
    let preferred = |id: SymbolId| Some(i64::from(model.symbols.get(id.index())?.preferred));
    dim.eval(&preferred).map_or(text, |value| format!("~{value}"))
}

/// `512`, `1.7k`, `27M`
pub(super) fn human(count: u64) -> String {
    let (unit, name) = match count {
        0..1_000 => return count.to_string(),
        1_000..1_000_000 => (1e3, "k"),
        1_000_000..1_000_000_000 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let scaled = count as f64 / unit;
    let digits = if scaled < 9.95 { 1 } else { 0 };
    format!("{scaled:.digits$}{name}")
}
