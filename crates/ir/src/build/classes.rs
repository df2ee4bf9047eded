//! What the classes are called that an ONNX model answers with: the names that the operator knows
//! which says an output, its label or its scores.

use std::collections::HashMap;

use super::texts::of_tensor;
use crate::foreign::{AttrValue, ForeignGraph, ForeignModel, ForeignNode, Format};

/// Operators that leave each column of scores, and each label, the class that it is for.
const KEEP: &[&str] = &[
    "Cast",
    "Clip",
    "Flatten",
    "Identity",
    "Normalizer",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Unsqueeze",
];

/// The attributes that name classes, texts first.
const ATTRIBUTES: &[&str] = &["classlabels_strings", "classlabels_int64s", "classlabels_ints"];

/// Classes by their names, in the order of the columns of scores.
#[derive(Debug, Default)]
pub(super) struct Classes {
    pub names: Vec<String>,
    /// Not whole numbers.
    pub are_texts: bool,
}

/// What says an output.
struct Said {
    classes: Classes,
    is_label: bool,
}

impl Classes {
    /// Of the model's first output of scores, else of its first label. Where a label says texts for
    /// classes whose scores only have numbers, those texts.
    pub fn of(foreign: &ForeignModel<'_>) -> Self {
        let Some(graph) = foreign.graphs.first().filter(|_| foreign.format == Format::Onnx) else {
            return Self::default();
        };
        let mut writers = HashMap::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            for (port, output) in node.outputs.iter().enumerate() {
                writers.extend(output.map(|output| (output, (at, port))));
            }
        }
        let search = Search { graph, writers };
        let (mut labels, mut scores) = (None, None);
        for said in graph.outputs.iter().filter_map(|&output| search.said_by(output)) {
            let first = if said.is_label { &mut labels } else { &mut scores };
            first.get_or_insert(said.classes);
        }
        match (scores, labels) {
            (Some(scores), Some(labels))
                if !scores.are_texts
                    && labels.are_texts
                    && labels.names.len() == scores.names.len() =>
            {
                labels
            }
            (Some(classes), _) | (None, Some(classes)) => classes,
            (None, None) => Self::default(),
        }
    }
}

struct Search<'a> {
    graph: &'a ForeignGraph<'a>,
    /// By tensor: the node and which of its outputs.
    writers: HashMap<usize, (usize, usize)>,
}

impl Search<'_> {
    fn writer(&self, tensor: usize) -> Option<(&ForeignNode, usize)> {
        let &(node, port) = self.writers.get(&tensor)?;
        Some((self.graph.nodes.get(node)?, port))
    }

    /// The first operator before a tensor that does more than to move or to scale it.
    fn origin(&self, mut tensor: usize) -> Option<(&ForeignNode, usize)> {
        // A file may have loops.
        for _ in 0..=self.graph.nodes.len() {
            let (node, port) = self.writer(tensor)?;
            if !KEEP.contains(&&*node.op) {
                return Some((node, port));
            }
            tensor = node.inputs.first().copied().flatten()?;
        }
        None
    }

    fn said_by(&self, output: usize) -> Option<Said> {
        let (node, port) = self.origin(output)?;
        if node.op == "LabelEncoder" {
            let (inner, port) = self.origin(node.inputs.first().copied().flatten()?)?;
            let classes = encoded(node, self.classes(inner)?)?;
            return (port == 0).then_some(Said { classes, is_label: true });
        }
        let classes = self.classes(node)?;
        Some(Said { classes, is_label: port == 0 && node.op != "ZipMap" })
    }

    fn classes(&self, node: &ForeignNode) -> Option<Classes> {
        if node.op == "ArrayFeatureExtractor" {
            return self.taken(node);
        }
        ATTRIBUTES.iter().find_map(|name| list(node, name))
    }

    /// The names of which the greatest score takes one.
    fn taken(&self, node: &ForeignNode) -> Option<Classes> {
        let input = |at: usize| node.inputs.get(at).copied().flatten();
        let (best, _) = self.origin(input(1)?)?;
        if best.op != "ArgMax" {
            return None;
        }
        let names = self.graph.tensors.get(input(0)?)?;
        if let Some(texts) = of_tensor(names) {
            return Some(Classes { names: texts.list, are_texts: true });
        }
        let whole = super::constant(names).ok().flatten().filter(|names| names.dtype.is_int());
        let numbers = whole?.to_i64()?;
        Some(Classes { names: numbers.iter().map(i64::to_string).collect(), are_texts: false })
    }
}

/// A list of names in an attribute.
fn list(node: &ForeignNode, name: &str) -> Option<Classes> {
    let (_, value) = node.attrs.iter().find(|(own, _)| own == name)?;
    let (names, are_texts) = match value {
        AttrValue::Texts(texts) => (texts.clone(), true),
        AttrValue::Ints(numbers) => (numbers.iter().map(i64::to_string).collect(), false),
        _ => return None,
    };
    (!names.is_empty()).then_some(Classes { names, are_texts })
}

/// What a label encoder calls the classes; `None` where one of them is not among its keys.
fn encoded(node: &ForeignNode, classes: Classes) -> Option<Classes> {
    let either = |texts: &str, whole: &str| list(node, texts).or_else(|| list(node, whole));
    let keys = either("keys_strings", "keys_int64s")?;
    let values = either("values_strings", "values_int64s")?;
    if keys.are_texts != classes.are_texts {
        return None;
    }
    let pairs = keys.names.iter().zip(&values.names).rev();
    let values_of: HashMap<&String, &String> = pairs.collect();
    let name = |class: &String| values_of.get(class).map(|name| (*name).clone());
    let names = classes.names.iter().map(name).collect::<Option<_>>()?;
    Some(Classes { names, are_texts: values.are_texts })
}
