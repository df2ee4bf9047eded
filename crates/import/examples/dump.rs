//! Prints what a model file holds: `cargo run -p embarca-import --example dump -- MODEL...`
//!
//! A `NET.prototxt` is read with the `NET.caffemodel` beside it, where there is one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use embarca_import::ImportLimits;
use embarca_import::onnx::Folder;
use embarca_ir::foreign::{
    AttrValue, ForeignDim, ForeignGraph, ForeignModel, ForeignNode, ForeignTensor, Format,
};

fn main() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for path in std::env::args().skip(1) {
        match dump(Path::new(&path)) {
            Ok(text) => print!("{text}"),
            Err(what) => {
                eprintln!("{path}: {what}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn dump(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let limits = ImportLimits::default();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("prototxt") => {
            let weights = std::fs::read(path.with_extension("caffemodel")).ok();
            let model = embarca_import::caffe::read(&bytes, weights.as_deref(), &limits);
            return model.map(|model| text(path, &model)).map_err(|error| error.to_string());
        }
        Some("caffemodel") => {
            let model = embarca_import::caffe::read_binary(&bytes, &limits);
            return model.map(|model| text(path, &model)).map_err(|error| error.to_string());
        }
        _ => {}
    }
    let model = match embarca_import::detect(&bytes) {
        Some(Format::TfLite) => embarca_import::tflite::read(&bytes, &limits),
        Some(Format::Onnx) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            embarca_import::onnx::read(&bytes, &limits, &mut Folder::new(folder))
        }
        Some(other) => return Err(format!("{} is not printed here", other.name())),
        None => return Err("neither TFLite nor ONNX".into()),
    }
    .map_err(|error| error.to_string())?;
    Ok(text(path, &model))
}

fn text(path: &Path, model: &ForeignModel<'_>) -> String {
    let mut out = format!("{} ({})\n", path.display(), model.format.name());
    let meta = &model.meta;
    for (name, value) in [("description", &meta.description), ("producer", &meta.producer)] {
        if !value.is_empty() {
            let _ = writeln!(out, "{name}: {value:?}");
        }
    }
    if !meta.labels.is_empty() {
        let first = &meta.labels[..meta.labels.len().min(5)];
        let _ = writeln!(out, "{} labels: {first:?}", meta.labels.len());
    }
    if !meta.mean.is_empty() || !meta.std.is_empty() {
        let _ = writeln!(out, "mean {:?} std {:?}", meta.mean, meta.std);
    }
    for (index, graph) in model.graphs.iter().enumerate() {
        graph_text(&mut out, index, graph);
    }
    out
}

fn graph_text(out: &mut String, index: usize, graph: &ForeignGraph<'_>) {
    let constants = graph.tensors.iter().filter(|tensor| tensor.data.is_some()).count();
    let _ = writeln!(
        out,
        "graph {index} {:?}: {} nodes, {} tensors, {constants} constants",
        graph.name,
        graph.nodes.len(),
        graph.tensors.len()
    );
    for &(inner, outer) in &graph.captures {
        let _ = writeln!(out, "  captures {} from outer {outer}", tensor_text(graph, inner));
    }
    for (word, list) in [("in", &graph.inputs), ("out", &graph.outputs)] {
        for &tensor in list {
            let name = graph.tensors.get(tensor).map_or("", |tensor| &tensor.name);
            let _ = writeln!(out, "  {word} {} {name}", tensor_text(graph, tensor));
        }
    }
    for (index, tensor) in graph.tensors.iter().enumerate().filter(|(_, t)| t.is_variable) {
        let _ = writeln!(out, "  variable {} {}", tensor_text(graph, index), tensor.name);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        node_text(out, index, node, graph);
    }
}

fn node_text(out: &mut String, index: usize, node: &ForeignNode, graph: &ForeignGraph<'_>) {
    let list = |list: &[Option<usize>]| {
        let one = |tensor: &Option<usize>| match tensor {
            Some(tensor) => tensor_text(graph, *tensor),
            None => "-".into(),
        };
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let domain = if node.domain.is_empty() { "" } else { &format!("{}::", node.domain) };
    let _ = write!(out, "  {index}: {domain}{} v{}", node.op, node.version);
    if !node.name.is_empty() {
        let _ = write!(out, " {:?}", node.name);
    }
    let _ = write!(out, "\n      ({})", list(&node.inputs));
    for &blob in &node.blobs {
        let _ = write!(out, " blob {}", tensor_text(graph, blob));
    }
    let _ = writeln!(out, " -> ({})", list(&node.outputs));
    if !node.attrs.is_empty() {
        let attrs: Vec<_> =
            node.attrs.iter().map(|(name, value)| format!("{name}={}", attr_text(value))).collect();
        let _ = writeln!(out, "      {}", attrs.join(" "));
    }
}

fn attr_text(value: &AttrValue) -> String {
    let text = match value {
        AttrValue::Int(value) => value.to_string(),
        AttrValue::Float(value) => format!("{value:?}"),
        AttrValue::Text(value) => format!("{value:?}"),
        AttrValue::Ints(values) => format!("{values:?}"),
        AttrValue::Floats(values) => format!("{values:?}"),
        AttrValue::Texts(values) => format!("{values:?}"),
        AttrValue::Tensor(index) => format!("tensor {index}"),
        AttrValue::Graph(index) => format!("graph {index}"),
        AttrValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
    };
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn tensor_text(graph: &ForeignGraph<'_>, index: usize) -> String {
    let Some(tensor) = graph.tensors.get(index) else { return format!("%{index}?") };
    let ForeignTensor { dtype, dims, quant, data, .. } = tensor;
    let dtype = dtype.map_or("?", |dtype| dtype.name());
    let dims = dims.as_ref().map_or("?".into(), |dims| {
        let dim = |dim: &ForeignDim| match dim {
            ForeignDim::Known(dim) => dim.to_string(),
            ForeignDim::Named(name) => name.clone(),
            ForeignDim::Unknown => "?".into(),
        };
        dims.iter().map(dim).collect::<Vec<_>>().join("x")
    });
    let data = if data.is_some() { "=" } else { "" };
    let quant = match quant {
        Some(quant) if quant.scales.len() == 1 => {
            format!(" *{}{:+}", quant.scales[0], -quant.zero_points[0])
        }
        Some(quant) => format!(" *[{} scales on axis {}]", quant.scales.len(), quant.axis),
        None => String::new(),
    };
    format!("%{index}{data} {dtype}[{dims}]{quant}")
}
