//! TFLite files, schema version 3.

mod options;
mod versions;

use std::borrow::Cow;
use std::collections::HashMap;

use embarca_import::tflite::operators;
use embarca_import::tflite::options::TYPES;
use embarca_import::tflite::schema::{
    CUSTOM, IDENTIFIER, PLACEHOLDER, buffer, model as file, node, operator_code, quantization,
    signature, subgraph, tensor as fields, tensor_map,
};
use embarca_import::wire::flat_writer::{Fb, finish};
use embarca_ir::Model;
use embarca_ir::foreign::{ForeignDim, ForeignGraph, ForeignModel, ForeignNode, ForeignTensor};
use embarca_num::DType;

use crate::error::ExportError;

type Result<T = ()> = std::result::Result<T, ExportError>;

/// The file.
///
/// Where a dimension is open, its declared size is the one that `graph` plans for, as a reader takes it
/// unless told otherwise.
pub fn write(model: &ForeignModel<'_>, graph: &Model) -> Result<Vec<u8>> {
    let sizes = graph.symbols.iter().map(|symbol| (symbol.name.as_str(), symbol.preferred));
    let mut writer = Writer {
        codes: Vec::new(),
        numbers: HashMap::new(),
        buffers: vec![Fb::Table(Vec::new())],
        sizes: sizes.collect(),
    };
    let mut graphs = Vec::with_capacity(model.graphs.len());
    for graph in &model.graphs {
        graphs.push(writer.graph(graph)?);
    }
    let description = if model.meta.description.is_empty() {
        "written by embarca"
    } else {
        &model.meta.description
    };
    let signatures = model.graphs.first().map(signature_of).into_iter().collect();
    let root = Fb::Table(vec![
        (file::VERSION, Fb::I32(3)),
        (file::OPERATOR_CODES, Fb::Tables(writer.codes)),
        (file::SUBGRAPHS, Fb::Tables(graphs)),
        (file::DESCRIPTION, Fb::Text(description.to_owned())),
        (file::BUFFERS, Fb::Tables(writer.buffers)),
        (file::SIGNATURES, Fb::Tables(signatures)),
    ]);
    Ok(finish(&root, IDENTIFIER))
}

/// What callers name inputs and outputs by.
fn signature_of(graph: &ForeignGraph<'_>) -> Fb<'static> {
    let ports = |ports: &[usize]| {
        let entry = |&at: &usize| {
            Fb::Table(vec![
                (tensor_map::NAME, Fb::Text(graph.tensors[at].name.clone())),
                (tensor_map::TENSOR, Fb::I32(at as i32)),
            ])
        };
        Fb::Tables(ports.iter().map(entry).collect())
    };
    Fb::Table(vec![
        (signature::INPUTS, ports(&graph.inputs)),
        (signature::OUTPUTS, ports(&graph.outputs)),
        (signature::KEY, Fb::Text("serving_default".to_owned())),
        (signature::SUBGRAPH, Fb::I32(0)),
    ])
}

struct Writer<'m> {
    codes: Vec<Fb<'m>>,
    /// By name and version.
    numbers: HashMap<(String, i32), i32>,
    /// The first is empty.
    buffers: Vec<Fb<'m>>,
    /// What named dimensions are planned for.
    sizes: HashMap<&'m str, u32>,
}

impl<'m> Writer<'m> {
    fn graph(&mut self, graph: &'m ForeignGraph<'_>) -> Result<Fb<'m>> {
        let mut tensors = Vec::with_capacity(graph.tensors.len());
        for tensor in &graph.tensors {
            tensors.push(self.tensor(tensor)?);
        }
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            nodes.push(self.node(graph, node)?);
        }
        let ports = |ports: &[usize]| Fb::Ints(ports.iter().map(|&at| at as i32).collect());
        let name = if graph.name.is_empty() { "main" } else { &graph.name };
        Ok(Fb::Table(vec![
            (subgraph::TENSORS, Fb::Tables(tensors)),
            (subgraph::INPUTS, ports(&graph.inputs)),
            (subgraph::OUTPUTS, ports(&graph.outputs)),
            (subgraph::OPERATORS, Fb::Tables(nodes)),
            (subgraph::NAME, Fb::Text(name.to_owned())),
        ]))
    }

    fn tensor(&mut self, tensor: &'m ForeignTensor<'_>) -> Result<Fb<'m>> {
        let dims = tensor.dims.as_deref().unwrap_or_default();
        let open = |dim: &ForeignDim| !matches!(dim, ForeignDim::Known(_));
        let planned = |dim: &ForeignDim| match dim {
            ForeignDim::Named(name) => self.sizes.get(name.as_str()).copied(),
            ForeignDim::Known(_) | ForeignDim::Unknown => None,
        };
        let size = |dim: &ForeignDim, open: Option<i32>| match dim {
            ForeignDim::Known(dim) => i32::try_from(*dim).unwrap_or(i32::MAX),
            _ => open.or_else(|| i32::try_from(planned(dim)?).ok()).unwrap_or(1),
        };
        let sizes = |open: Option<i32>| dims.iter().map(|dim| size(dim, open)).collect();
        let (shape, signature) = (Fb::Ints(sizes(None)), Fb::Ints(sizes(Some(-1))));
        let buffer = match tensor.data.as_deref() {
            Some(data) => {
                self.buffers.push(Fb::Table(vec![(buffer::DATA, Fb::Blob(Cow::Borrowed(data)))]));
                self.buffers.len() - 1
            }
            None => 0,
        };
        let mut table = vec![
            (fields::SHAPE, shape),
            (fields::TYPE, Fb::U8(number(tensor)?)),
            (fields::BUFFER, Fb::I32(buffer as i32)),
            (fields::NAME, Fb::Text(tensor.name.clone())),
        ];
        if let Some(quant) = &tensor.quant {
            table.push((
                fields::QUANTIZATION,
                Fb::Table(vec![
                    (quantization::SCALE, Fb::Floats(quant.scales.clone())),
                    (quantization::ZERO_POINT, Fb::Longs(quant.zero_points.clone())),
                    (quantization::QUANTIZED_DIMENSION, Fb::I32(quant.axis as i32)),
                ]),
            ));
        }
        if tensor.is_variable {
            table.push((fields::IS_VARIABLE, Fb::U8(1)));
        }
        if dims.iter().any(open) {
            table.push((fields::SHAPE_SIGNATURE, signature));
        }
        table.push((fields::HAS_RANK, Fb::U8(1)));
        Ok(Fb::Table(table))
    }

    fn node(&mut self, graph: &ForeignGraph<'_>, item: &ForeignNode) -> Result<Fb<'m>> {
        let version = versions::of(graph, item);
        let (union, number) = self.code(item, version)?;
        let ports = |ports: &[Option<usize>]| {
            Fb::Ints(ports.iter().map(|at| at.map_or(-1, |at| at as i32)).collect())
        };
        let mut table = vec![
            (node::OPCODE_INDEX, Fb::I32(number)),
            (node::INPUTS, ports(&item.inputs)),
            (node::OUTPUTS, ports(&item.outputs)),
        ];
        if let Some(union) = union {
            table.extend(options::write(union, item)?);
        } else if !item.attrs.is_empty() {
            return Err(ExportError::Bug(format!("{} has no options", item.op)));
        }
        Ok(Fb::Table(table))
    }

    fn code(
        &mut self,
        item: &ForeignNode,
        version: i32,
    ) -> Result<(Option<embarca_import::tflite::options::Union>, i32)> {
        let unknown = || ExportError::Bug(format!("TFLite has no operator {}", item.op));
        let (code, union) = operators::code(&item.op).ok_or_else(unknown)?;
        if code == CUSTOM || code == PLACEHOLDER {
            return Err(unknown());
        }
        let next = self.codes.len() as i32;
        let number = *self.numbers.entry((item.op.clone(), version)).or_insert(next);
        if number == next {
            self.codes.push(Fb::Table(vec![
                (operator_code::DEPRECATED_BUILTIN_CODE, Fb::U8(code.min(PLACEHOLDER) as u8)),
                (operator_code::VERSION, Fb::I32(version)),
                (operator_code::BUILTIN_CODE, Fb::I32(code)),
            ]));
        }
        Ok((union, number))
    }
}

/// The number of a tensor's type; a tensor without one is a variable's handle.
fn number(tensor: &ForeignTensor<'_>) -> Result<u8> {
    let name = match tensor.dtype {
        None => "RESOURCE",
        Some(DType::F32) => "FLOAT32",
        Some(DType::F16) => "FLOAT16",
        Some(DType::I32) => "INT32",
        Some(DType::U8) => "UINT8",
        Some(DType::I64) => "INT64",
        Some(DType::Bool) => "BOOL",
        Some(DType::I16) => "INT16",
        Some(DType::I8) => "INT8",
        Some(DType::F64) => "FLOAT64",
        Some(DType::U64) => "UINT64",
        Some(DType::U32) => "UINT32",
        Some(DType::U16) => "UINT16",
        Some(DType::Bf16) => "BFLOAT16",
        Some(other) => {
            let tensor = tensor.name.clone();
            return Err(ExportError::Type { tensor, dtype: other.name() });
        }
    };
    let place = TYPES.iter().position(|own| *own == name);
    place.map(|at| at as u8).ok_or_else(|| ExportError::Bug(format!("no type {name}")))
}
