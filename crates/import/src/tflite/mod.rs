//! TFLite files, schema version 3.
//!
//! Names are the schema's: an operator is called `CONV_2D`, its attributes `stride_w` and so on,
//! enumerations are given by name. Attributes are always present, with the schema's defaults
//! where the file leaves them out. A custom operator has its own name, the domain `custom` and the
//! options of its FlexBuffers map as attributes; options in another form are the attribute
//! `custom_options` (bytes).

mod metadata;
pub mod operators;
pub mod options;
pub mod schema;
mod tensor;
#[cfg(test)]
mod tests;

use embarca_ir::foreign::{AttrValue, ForeignGraph, ForeignModel, ForeignNode, Format};

use self::operators::operator;
use self::options::Union;
use self::schema::{CUSTOM, IDENTIFIER, PLACEHOLDER};
use self::schema::{model, node, operator_code, subgraph};
use crate::error::{ReadError, shown};
use crate::limits::{Budget, ImportLimits};
use crate::wire::flatbuffer::{Table, Tables, Vector};
use crate::wire::flexbuffer;

/// The domain of custom operators.
pub const CUSTOM_DOMAIN: &str = "custom";

/// Whether `bytes` begin like a TFLite file.
pub fn detect(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(IDENTIFIER)
}

/// Reads a TFLite file.
///
/// # Errors
/// The file is broken, over a limit, or uses what is not read: sparse tensors, external buffers,
/// blockwise quantization, operators newer than the schema.
pub fn read<'a>(bytes: &'a [u8], limits: &ImportLimits) -> Result<ForeignModel<'a>, ReadError> {
    let mut budget = Budget::new(limits, bytes.len())?;
    if !detect(bytes) {
        return Err(ReadError::malformed_at(4, "no TFL3 mark: this is not a TFLite file"));
    }
    let root = Table::root(bytes)?;
    let version = root.u32(model::VERSION, 0)?;
    if version != 3 {
        return Err(ReadError::unsupported(format!(
            "schema version {version}; convert the model with a current TFLite converter"
        )));
    }
    let mut file = File {
        bytes,
        codes: read_codes(root.tables(model::OPERATOR_CODES)?, &mut budget)?,
        buffers: root.tables(model::BUFFERS)?,
        graphs: root.tables(model::SUBGRAPHS)?.len(),
        budget,
    };

    let mut graphs = Vec::new();
    for (index, table) in root.tables(model::SUBGRAPHS)?.iter().enumerate() {
        let graph = table
            .and_then(|table| file.graph(table))
            .map_err(|error| error.within(|| format!("graph {index}")))?;
        graphs.push(graph);
    }
    if graphs.is_empty() {
        return Err(ReadError::malformed("the file holds no graph"));
    }
    crate::check_calls(&graphs, limits)?;

    let meta = metadata::read(
        bytes,
        root.text(model::DESCRIPTION)?,
        root.tables(model::METADATA)?,
        file.buffers,
        &mut file.budget,
    )
    .map_err(|error| error.within(|| "metadata".to_owned()))?;
    Ok(ForeignModel { format: Format::TfLite, graphs, meta })
}

/// An operator that nodes refer to.
struct Code<'a> {
    name: &'a str,
    domain: &'static str,
    version: u32,
    options: Option<Union>,
}

fn read_codes<'a>(tables: Tables<'a>, budget: &mut Budget<'_>) -> Result<Vec<Code<'a>>, ReadError> {
    budget.list::<Code<'_>>(tables.len())?;
    let mut codes = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let code = table
            .and_then(read_code)
            .map_err(|error| error.within(|| format!("operator code {index}")))?;
        // Many codes may share one long name.
        budget.items::<u8>(code.name.len())?;
        codes.push(code);
    }
    Ok(codes)
}

fn read_code(table: Table<'_>) -> Result<Code<'_>, ReadError> {
    // Codes up to 126 fit the old field of one byte; newer files write both.
    let old = i32::from(table.i8(operator_code::DEPRECATED_BUILTIN_CODE, 0)?);
    let code = old.max(table.i32(operator_code::BUILTIN_CODE, 0)?);
    let version = table.i32(operator_code::VERSION, 1)?;
    let version = u32::try_from(version)
        .map_err(|_| ReadError::malformed(format!("operator version {version}")))?;
    if code == CUSTOM {
        let name = table.text(operator_code::CUSTOM_CODE)?;
        return Ok(Code { name, domain: CUSTOM_DOMAIN, version, options: None });
    }
    match operator(code) {
        Some((name, options)) if code != PLACEHOLDER => {
            Ok(Code { name, domain: "", version, options })
        }
        _ => Err(ReadError::unsupported(format!(
            "built-in operator {code} is not in the schema; the file is newer than this reader"
        ))),
    }
}

/// What reading a graph needs to know of the file.
struct File<'a, 'l> {
    bytes: &'a [u8],
    codes: Vec<Code<'a>>,
    buffers: Tables<'a>,
    /// How many graphs there are.
    graphs: usize,
    budget: Budget<'l>,
}

impl<'a> File<'a, '_> {
    fn graph(&mut self, table: Table<'a>) -> Result<ForeignGraph<'a>, ReadError> {
        self.budget.graph()?;
        let name = self.budget.text(table.text(subgraph::NAME)?)?;

        let mut tensors = Vec::new();
        for (index, table) in table.tables(subgraph::TENSORS)?.iter().enumerate() {
            let tensor = table
                .and_then(|table| tensor::read(table, self.bytes, self.buffers, &mut self.budget))
                .map_err(|error| error.within(|| format!("tensor {index}")))?;
            tensors.push(tensor);
        }

        let inputs = self.boundary(table.vector(subgraph::INPUTS)?, tensors.len())?;
        let outputs = self.boundary(table.vector(subgraph::OUTPUTS)?, tensors.len())?;

        let mut nodes = Vec::new();
        for (index, table) in table.tables(subgraph::OPERATORS)?.iter().enumerate() {
            let node = table
                .and_then(|table| self.node(table, tensors.len()))
                .map_err(|error| error.within(|| format!("node {index}")))?;
            nodes.push(node);
        }

        let mut graph =
            ForeignGraph { name, tensors, nodes, inputs, outputs, ..ForeignGraph::default() };
        graph.shrink();
        tensor::settle(&mut graph, &mut self.budget)?;
        Ok(graph)
    }

    /// The inputs or outputs of a graph.
    fn boundary(&mut self, vector: Vector<'_, 4>, tensors: usize) -> Result<Vec<usize>, ReadError> {
        self.indices(vector, tensors)?
            .into_iter()
            .map(|index| {
                let what = "a graph's input or output is no tensor";
                index.ok_or_else(|| ReadError::malformed_at(vector.at, what))
            })
            .collect()
    }

    /// Indices of tensors; -1 stands for none.
    fn indices(
        &mut self,
        vector: Vector<'_, 4>,
        tensors: usize,
    ) -> Result<Vec<Option<usize>>, ReadError> {
        self.budget.list::<Option<usize>>(vector.items.len())?;
        vector
            .items
            .iter()
            .map(|&item| match i32::from_le_bytes(item) {
                -1 => Ok(None),
                index => match usize::try_from(index).ok().filter(|&index| index < tensors) {
                    Some(index) => Ok(Some(index)),
                    None => {
                        let what = format!("there is no tensor {index}, the graph has {tensors}");
                        Err(ReadError::malformed_at(vector.at, what))
                    }
                },
            })
            .collect()
    }

    fn node(&mut self, table: Table<'a>, tensors: usize) -> Result<ForeignNode, ReadError> {
        self.budget.node()?;
        let index = table.u32(node::OPCODE_INDEX, 0)?;
        let Some(code) = usize::try_from(index).ok().and_then(|index| self.codes.get(index)) else {
            let what = format!("there is no operator code {index}");
            return Err(ReadError::malformed_at(table.at(), what));
        };
        let (name, domain, version, options) = (code.name, code.domain, code.version, code.options);
        let place = || shown(name);

        let inputs = self.indices(table.vector(node::INPUTS)?, tensors);
        let inputs = inputs.map_err(|error| error.within(place))?;
        let outputs = self.indices(table.vector(node::OUTPUTS)?, tensors);
        let outputs = outputs.map_err(|error| error.within(place))?;
        let mut attrs = match domain.is_empty() {
            true => self.builtin_attrs(table, name, options),
            false => self.custom_attrs(table),
        }
        .map_err(|error| error.within(place))?;

        let intermediates = self.indices(table.vector(node::INTERMEDIATES)?, tensors)?;
        if !intermediates.is_empty() {
            let indices = intermediates
                .into_iter()
                .map(|index| index.map_or(-1, |index| i64::try_from(index).unwrap_or(-1)));
            attrs.push(("intermediates".to_owned(), AttrValue::Ints(indices.collect())));
        }

        Ok(ForeignNode {
            op: self.budget.text(name)?,
            domain: domain.to_owned(),
            version,
            name: String::new(),
            inputs,
            blobs: Vec::new(),
            outputs,
            attrs,
        })
    }

    fn builtin_attrs(
        &mut self,
        table: Table<'a>,
        name: &str,
        expected: Option<Union>,
    ) -> Result<Vec<(String, AttrValue)>, ReadError> {
        let first = table.u8(node::BUILTIN_OPTIONS_TYPE, 0)?;
        let second = table.u8(node::BUILTIN_OPTIONS_2_TYPE, 0)?;
        let (found, options) = match (first, second) {
            (0, 0) => (None, None),
            (first, 0) => (Some(Union::First(first)), table.table(node::BUILTIN_OPTIONS)?),
            (0, second) => (Some(Union::Second(second)), table.table(node::BUILTIN_OPTIONS_2)?),
            _ => return Err(ReadError::malformed("two tables of options")),
        };
        if let Some(found) = found {
            if !options::is_known(found) {
                return Err(ReadError::unsupported(format!(
                    "{found:?} is no table of options of the schema; \
                     the file is newer than this reader"
                )));
            }
            let has_fields =
                options::has_fields(found) || expected.is_some_and(options::has_fields);
            if expected != Some(found) && has_fields {
                return Err(ReadError::malformed(format!(
                    "{name} carries options of another operator ({found:?})"
                )));
            }
        }
        match expected {
            Some(union) => options::read(union, options, self.graphs, &mut self.budget),
            None => Ok(Vec::new()),
        }
    }

    fn custom_attrs(&mut self, table: Table<'a>) -> Result<Vec<(String, AttrValue)>, ReadError> {
        let offset = table.u64(node::LARGE_CUSTOM_OPTIONS_OFFSET, 0)?;
        let size = table.u64(node::LARGE_CUSTOM_OPTIONS_SIZE, 0)?;
        // As for buffers, offsets 0 and 1 mean that there are none.
        let bytes = match offset > 1 && size > 0 {
            true => slice(self.bytes, offset, size)?,
            false => table.bytes(node::CUSTOM_OPTIONS)?,
        };
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        match flexbuffer::map(bytes, &mut self.budget) {
            Ok(Some(options)) => return Ok(options),
            // What is no map may look like one.
            Ok(None) | Err(ReadError::Malformed(_)) => {}
            Err(error) => return Err(error),
        }
        self.budget.items::<u8>(bytes.len())?;
        Ok(vec![("custom_options".to_owned(), AttrValue::Bytes(bytes.to_vec()))])
    }
}

/// The `size` bytes at `offset` of the file.
fn slice(bytes: &[u8], offset: u64, size: u64) -> Result<&[u8], ReadError> {
    let start = usize::try_from(offset).ok();
    let size = usize::try_from(size).ok();
    match start.zip(size).and_then(|(start, size)| bytes.get(start..)?.get(..size)) {
        Some(slice) => Ok(slice),
        None => Err(ReadError::malformed(format!(
            "data of {} bytes at byte {offset} lies beyond the file's {} bytes",
            size.map_or(u64::MAX, |size| size as u64),
            bytes.len()
        ))),
    }
}
