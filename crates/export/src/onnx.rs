//! ONNX files: `ModelProto` of IR version 10 and opset 21.
//!
//! Numbers of fields are those of `onnx.proto`.

use embarca_import::wire::proto_writer::{Parts, float, int, packed, text};
use embarca_ir::foreign::{
    AttrValue, ForeignDim, ForeignGraph, ForeignModel, ForeignNode, ForeignTensor,
};
use embarca_num::DType;

use crate::error::ExportError;

/// The opset whose operators dossiers spell.
const OPSET: i64 = 21;

/// The first IR version that knows the opset.
const IR_VERSION: i64 = 10;

type Result<T = ()> = std::result::Result<T, ExportError>;

/// The file.
pub fn write(model: &ForeignModel<'_>) -> Result<Vec<u8>> {
    let names = names(model);
    let mut file = Parts::default();
    file.field(int(1, IR_VERSION)).field(text(2, "embarca"));
    if !model.meta.description.is_empty() {
        file.field(text(6, &model.meta.description));
    }
    file.message(7, graph(model, &names, 0)?);
    let mut opset = Parts::default();
    opset.field(text(1, "")).field(int(2, OPSET));
    file.message(8, opset);
    let labels = listed(&model.meta.labels);
    let labels = labels.as_deref().map(|labels| ("names", labels));
    let own = model.meta.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in own.chain(labels) {
        let mut entry = Parts::default();
        entry.field(text(1, key)).field(text(2, value));
        file.message(14, entry);
    }
    Ok(file.finish())
}

/// Class names in the notation of Python, if there are any.
fn listed(labels: &[String]) -> Option<String> {
    let quoted = labels.iter().map(|label| {
        let label = label.replace('\\', r"\\").replace('\'', r"\'");
        format!("'{label}'")
    });
    let quoted: Vec<String> = quoted.collect();
    (!quoted.is_empty()).then(|| format!("[{}]", quoted.join(", ")))
}

/// The name of each tensor of each graph.
fn names<'m>(model: &'m ForeignModel<'_>) -> Vec<Vec<&'m str>> {
    let own = |graph: &'m ForeignGraph<'_>| -> Vec<&'m str> {
        graph.tensors.iter().map(|tensor| tensor.name.as_str()).collect()
    };
    model.graphs.iter().map(own).collect()
}

fn graph<'m>(model: &'m ForeignModel<'_>, names: &[Vec<&str>], index: usize) -> Result<Parts<'m>> {
    let graph = &model.graphs[index];
    let mut parts = Parts::default();
    for item in &graph.nodes {
        parts.message(1, node(model, names, index, item)?);
    }
    parts.field(text(2, if graph.name.is_empty() { "graph" } else { &graph.name }));
    for (at, item) in graph.tensors.iter().enumerate() {
        if item.data.is_some() {
            parts.message(5, tensor(item, Some(names[index][at]))?);
        }
    }
    for (field, ports) in [(11, &graph.inputs), (12, &graph.outputs)] {
        for &at in ports {
            parts.message(field, port(&graph.tensors[at], names[index][at])?);
        }
    }
    Ok(parts)
}

fn node<'m>(
    model: &'m ForeignModel<'_>,
    names: &[Vec<&str>],
    graph_index: usize,
    node: &'m ForeignNode,
) -> Result<Parts<'m>> {
    let mut parts = Parts::default();
    let name = |at: &Option<usize>| at.map_or("", |at| names[graph_index][at]);
    for input in &node.inputs {
        parts.field(text(1, name(input)));
    }
    for output in &node.outputs {
        parts.field(text(2, name(output)));
    }
    if !node.name.is_empty() {
        parts.field(text(3, &node.name));
    }
    parts.field(text(4, &node.op));
    for (key, value) in &node.attrs {
        let mut attr = Parts::default();
        attr.field(text(1, key));
        let kind = match value {
            AttrValue::Float(value) => {
                attr.field(float(2, *value));
                1
            }
            AttrValue::Int(value) => {
                attr.field(int(3, *value));
                2
            }
            AttrValue::Text(value) => {
                attr.field(text(4, value));
                3
            }
            AttrValue::Bytes(value) => {
                attr.blob(4, value);
                3
            }
            AttrValue::Tensor(at) => {
                attr.message(5, tensor(&model.graphs[graph_index].tensors[*at], None)?);
                4
            }
            AttrValue::Graph(_) => {
                return Err(ExportError::Bug(format!("a graph is called by {}", node.op)));
            }
            AttrValue::Floats(values) => {
                values.iter().for_each(|&value| {
                    attr.field(float(7, value));
                });
                6
            }
            AttrValue::Ints(values) => {
                values.iter().for_each(|&value| {
                    attr.field(int(8, value));
                });
                7
            }
            AttrValue::Texts(values) => {
                values.iter().for_each(|value| {
                    attr.field(text(9, value));
                });
                8
            }
        };
        attr.field(int(20, kind));
        parts.message(5, attr);
    }
    if !node.domain.is_empty() {
        parts.field(text(7, &node.domain));
    }
    Ok(parts)
}

fn tensor<'m>(tensor: &'m ForeignTensor<'_>, name: Option<&str>) -> Result<Parts<'m>> {
    let dtype = dtype(tensor)?;
    let mut parts = Parts::default();
    let dims: Vec<i64> = tensor.dims.iter().flatten().map(known).collect();
    if !dims.is_empty() {
        parts.field(packed(1, &dims));
    }
    parts.field(int(2, dtype.code().into()));
    if let Some(name) = name {
        parts.field(text(8, name));
    }
    parts.blob(9, tensor.data.as_deref().unwrap_or_default());
    Ok(parts)
}

fn known(dim: &ForeignDim) -> i64 {
    match dim {
        ForeignDim::Known(dim) => i64::try_from(*dim).unwrap_or(i64::MAX),
        ForeignDim::Named(_) | ForeignDim::Unknown => 0,
    }
}

/// The type of a tensor whose elements take whole bytes.
fn dtype(tensor: &ForeignTensor<'_>) -> Result<DType> {
    use DType::{F4E2M1, I2, I4, Str, U2, U4};
    let refuse = |dtype: &'static str| ExportError::Type { tensor: tensor.name.clone(), dtype };
    match tensor.dtype {
        Some(dtype @ (Str | U4 | I4 | F4E2M1 | U2 | I2)) => Err(refuse(dtype.name())),
        Some(dtype) => Ok(dtype),
        None => Err(refuse("no tensor")),
    }
}

/// The declaration of an input or output.
fn port(tensor: &ForeignTensor<'_>, name: &str) -> Result<Parts<'static>> {
    let mut shape = Parts::default();
    for dim in tensor.dims.iter().flatten() {
        let mut part = Parts::default();
        match dim {
            ForeignDim::Known(_) => {
                part.field(int(1, known(dim)));
            }
            ForeignDim::Named(name) => {
                part.field(text(2, name));
            }
            ForeignDim::Unknown => {}
        }
        shape.message(1, part);
    }
    let mut own = Parts::default();
    own.field(int(1, dtype(tensor)?.code().into())).message(2, shape);
    let mut ty = Parts::default();
    ty.message(1, own);
    let mut parts = Parts::default();
    parts.field(text(1, name)).message(2, ty);
    Ok(parts)
}
