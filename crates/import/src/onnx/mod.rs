//! ONNX files.
//!
//! Nodes come out in the order of the file, which is the order of execution. Values have become
//! indices; a subgraph's use of an outer value is a capture; functions of the model are inlined.
//! `Constant` stays a node whose tensor is one of its graph's constants.

mod attribute;
mod external;
mod graph;
mod labels;
mod tensor;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;

use embarca_ir::foreign::{ForeignMeta, ForeignModel, Format};

use self::attribute::Attribute;
use self::external::Files;
pub use self::external::{ExternalData, Folder, NoExternal};
use self::graph::Reader;
pub use self::value::{FileKind, FileValue, read_value};
use crate::error::{ReadError, shown};
use crate::limits::{Budget, ImportLimits};
use crate::wire::protobuf::{Message, Value};

/// Fields of `ModelProto`.
mod model {
    pub const IR_VERSION: u32 = 1;
    pub const PRODUCER_NAME: u32 = 2;
    pub const PRODUCER_VERSION: u32 = 3;
    pub const DOC_STRING: u32 = 6;
    pub const GRAPH: u32 = 7;
    pub const OPSET_IMPORT: u32 = 8;
    pub const METADATA_PROPS: u32 = 14;
    pub const FUNCTIONS: u32 = 25;
}

/// Fields of `FunctionProto`.
mod function {
    pub const NAME: u32 = 1;
    pub const INPUT: u32 = 4;
    pub const OUTPUT: u32 = 5;
    pub const NODE: u32 = 7;
    pub const OPSET_IMPORT: u32 = 9;
    pub const DOMAIN: u32 = 10;
    pub const ATTRIBUTE_PROTO: u32 = 11;
    pub const OVERLOAD: u32 = 13;
}

/// Domain and name of an operator, and which of several functions of that name.
type Key<'a> = (&'a str, &'a str, &'a str);

/// What nodes anywhere in the model refer to.
struct Library<'a> {
    ir_version: i64,
    opsets: HashMap<&'a str, u32>,
    functions: HashMap<Key<'a>, Function<'a>>,
}

/// A function of the model.
struct Function<'a> {
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    /// Attributes that a call may leave out.
    defaults: Vec<Attribute<'a>>,
    nodes: Vec<Message<'a>>,
    opsets: HashMap<&'a str, u32>,
    /// Bytes that each call reads again.
    cost: u64,
}

/// Whether `bytes` begin like an ONNX file: with the version of its format, a small number, or
/// else with fields of a model, a graph among them.
pub fn detect(bytes: &[u8]) -> bool {
    const VERSIONS: u64 = 1000;
    const MOST_FIELDS: usize = 10_000;
    let mut message = Message::new(bytes, 0);
    for index in 0..MOST_FIELDS {
        let Ok(Some(field)) = message.next_field() else { return false };
        match (field.number, field.value) {
            (model::IR_VERSION, Value::Varint(version))
                if index == 0 && (1..VERSIONS).contains(&version) =>
            {
                return true;
            }
            (model::IR_VERSION, Value::Varint(_)) => {}
            (model::GRAPH, Value::Bytes(_)) => return true,
            (model::IR_VERSION, _) | (model::GRAPH, _) => return false,
            _ => {}
        }
    }
    false
}

/// Reads an ONNX file; `external` opens the files that hold tensors too large for it.
///
/// # Errors
/// The file is broken or over a limit, its nodes are not in order, or it uses what is not read.
pub fn read<'a>(
    bytes: &'a [u8],
    limits: &ImportLimits,
    external: &mut dyn ExternalData,
) -> Result<ForeignModel<'a>, ReadError> {
    let mut budget = Budget::new(limits, bytes.len())?;
    let mut library = Library { ir_version: 0, opsets: HashMap::new(), functions: HashMap::new() };
    let mut graph = None;
    let mut meta = ForeignMeta::default();
    let mut producer_version = "";

    let mut message = Message::new(bytes, limits.nesting);
    while let Some(field) = message.next_field()? {
        match field.number {
            model::IR_VERSION => library.ir_version = field.int()?,
            model::PRODUCER_NAME => meta.producer = budget.text(field.text()?)?,
            model::PRODUCER_VERSION => producer_version = field.text()?,
            model::DOC_STRING if meta.description.is_empty() => {
                meta.description = budget.text(field.text()?)?;
            }
            model::GRAPH if graph.is_some() => {
                return Err(ReadError::malformed_at(field.at, "a second graph"));
            }
            model::GRAPH => graph = Some(field.message()?),
            model::OPSET_IMPORT => opset(field.message()?, &mut library.opsets, &mut budget)?,
            model::METADATA_PROPS => {
                let (key, value) = entry(field.message()?)?;
                labels::property(key, value, &mut meta, &mut budget)?;
            }
            model::FUNCTIONS => {
                let length = field.bytes()?.len() as u64;
                let (key, function) = read_function(field.message()?, length, &mut budget)?;
                if library.functions.insert(key, function).is_some() {
                    let what = format!("two functions are called '{}'", shown(key.1));
                    return Err(ReadError::malformed_at(field.at, what));
                }
            }
            _ => {}
        }
    }
    let Some(graph) = graph else {
        return Err(ReadError::malformed("the file holds no graph: this is not an ONNX model"));
    };
    if !producer_version.is_empty() {
        budget.text(producer_version)?;
        meta.producer = format!("{} {producer_version}", meta.producer).trim_start().to_owned();
    }

    let mut reader = Reader::new(budget, Files::new(external), &library);
    reader.graph(graph)?;
    let graphs = reader.finish();
    Ok(ForeignModel { format: Format::Onnx, graphs, meta })
}

/// The name under which a domain is known: the standard one has two.
fn standard(domain: &str) -> &str {
    match domain {
        "ai.onnx" => "",
        domain => domain,
    }
}

/// An `OperatorSetIdProto`.
fn opset<'a>(
    mut message: Message<'a>,
    opsets: &mut HashMap<&'a str, u32>,
    budget: &mut Budget<'_>,
) -> Result<(), ReadError> {
    let (mut domain, mut version) = ("", 0);
    while let Some(field) = message.next_field()? {
        match field.number {
            1 => domain = standard(field.text()?),
            2 => {
                version = u32::try_from(field.int()?)
                    .map_err(|_| ReadError::malformed_at(field.at, "an opset out of range"))?;
            }
            _ => {}
        }
    }
    budget.items::<[u64; 8]>(1)?;
    opsets.insert(domain, version);
    Ok(())
}

/// A `StringStringEntryProto`.
fn entry(mut message: Message<'_>) -> Result<(&str, &str), ReadError> {
    let (mut key, mut value) = ("", "");
    while let Some(field) = message.next_field()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn read_function<'a>(
    mut message: Message<'a>,
    length: u64,
    budget: &mut Budget<'_>,
) -> Result<(Key<'a>, Function<'a>), ReadError> {
    let (mut name, mut domain, mut overload) = ("", "", "");
    let mut borrowed = 0;
    let mut function = Function {
        inputs: Vec::new(),
        outputs: Vec::new(),
        defaults: Vec::new(),
        nodes: Vec::new(),
        opsets: HashMap::new(),
        cost: 0,
    };
    budget.items::<(Key<'_>, Function<'_>)>(2)?;
    while let Some(field) = message.next_field()? {
        match field.number {
            function::NAME => name = field.text()?,
            function::DOMAIN => domain = standard(field.text()?),
            function::OVERLOAD => overload = field.text()?,
            function::INPUT => {
                budget.longer_list::<&str>(function.inputs.len(), 1)?;
                function.inputs.push(field.text()?);
            }
            function::OUTPUT => {
                budget.longer_list::<&str>(function.outputs.len(), 1)?;
                function.outputs.push(field.text()?);
            }
            function::ATTRIBUTE_PROTO => {
                budget.longer_list::<Attribute<'_>>(function.defaults.len(), 1)?;
                function.defaults.push(Attribute::new(field.message()?)?);
            }
            function::NODE => {
                budget.longer_list::<Message<'_>>(function.nodes.len(), 1)?;
                let node = field.message()?;
                borrowed += borrowed_bytes(node.clone())?;
                function.nodes.push(node);
            }
            function::OPSET_IMPORT => opset(field.message()?, &mut function.opsets, budget)?,
            _ => {}
        }
    }
    function.cost = length.saturating_sub(borrowed);
    Ok(((domain, name, overload), function))
}

/// Bytes of weights in the attributes of a node.
fn borrowed_bytes(mut node: Message<'_>) -> Result<u64, ReadError> {
    let mut bytes = 0;
    while let Some(field) = node.next_field()? {
        // `NodeProto.attribute`
        if field.number == 5 {
            bytes += Attribute::new(field.message()?)?.borrowed_bytes()?;
        }
    }
    Ok(bytes)
}
