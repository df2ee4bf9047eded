//! What a TFLite file says for people: the `TFLITE_METADATA` buffer and the label file in the
//! archive behind the model.
//!
//! Source: `metadata_schema.fbs` of TFLite Support, version 1.1.0.

use embarca_ir::foreign::ForeignMeta;

use crate::error::ReadError;
use crate::limits::Budget;
use crate::wire::flatbuffer::{Table, Tables};
use crate::wire::zip::Archive;

const NAME: &[u8] = b"TFLITE_METADATA";
const IDENTIFIER: &[u8] = b"M001";
const TENSOR_AXIS_LABELS: i8 = 2;
const TENSOR_VALUE_LABELS: i8 = 3;
const NORMALIZATION_OPTIONS: u8 = 1;

/// How many outputs, and files of each, are looked at in search of labels.
const MOST_FILES: usize = 100;

/// Fields of `Metadata` in the model's schema.
mod entry {
    pub const NAME: usize = 0;
    pub const BUFFER: usize = 1;
}

/// Fields of `ModelMetadata`.
mod model {
    pub const NAME: usize = 0;
    pub const DESCRIPTION: usize = 1;
    pub const SUBGRAPH_METADATA: usize = 3;
}

/// Fields of `SubGraphMetadata`.
mod subgraph {
    pub const INPUTS: usize = 2;
    pub const OUTPUTS: usize = 3;
}

/// Fields of `TensorMetadata`.
mod tensor {
    pub const PROCESS_UNITS: usize = 4;
    pub const ASSOCIATED_FILES: usize = 6;
}

/// Fields of `ProcessUnit` and `NormalizationOptions`.
mod unit {
    pub const OPTIONS_TYPE: usize = 0;
    pub const OPTIONS: usize = 1;
    pub const MEAN: usize = 0;
    pub const STD: usize = 1;
}

/// Fields of `AssociatedFile`.
mod associated {
    pub const NAME: usize = 0;
    pub const TYPE: usize = 2;
}

/// Reads what there is; a file without metadata yields the model's own description.
pub fn read(
    file: &[u8],
    description: &str,
    entries: Tables<'_>,
    buffers: Tables<'_>,
    budget: &mut Budget<'_>,
) -> Result<ForeignMeta, ReadError> {
    let mut meta = ForeignMeta { description: budget.text(description)?, ..ForeignMeta::default() };
    let Some(content) = content(entries, buffers)? else { return Ok(meta) };
    // Another mark is another schema, which says nothing that is needed to run the model.
    if content.get(4..8) != Some(IDENTIFIER) {
        return Ok(meta);
    }
    let root = Table::root(content)?;
    for id in [model::DESCRIPTION, model::NAME] {
        let text = root.text(id)?;
        if !text.is_empty() {
            meta.description = budget.text(text)?;
            break;
        }
    }
    let Some(graph) = root.tables(model::SUBGRAPH_METADATA)?.get(0)? else { return Ok(meta) };
    if let Some(input) = graph.tables(subgraph::INPUTS)?.get(0)? {
        normalization(input, &mut meta, budget)?;
    }
    if let Some(name) = label_file(graph.tables(subgraph::OUTPUTS)?)?
        && let Some(archive) = Archive::find(file)?
        && let Some(text) = archive.read(name, budget)?
    {
        let text = String::from_utf8(text)
            .map_err(|_| ReadError::malformed(format!("{name:?} is not UTF-8")))?;
        let text = text.trim_end();
        budget.list::<String>(text.lines().count())?;
        let lines = text.lines().map(|line| budget.text(line.trim_end()));
        meta.labels = lines.collect::<Result<_, _>>()?;
    }
    Ok(meta)
}

/// The metadata's buffer, if there is one.
fn content<'a>(entries: Tables<'a>, buffers: Tables<'a>) -> Result<Option<&'a [u8]>, ReadError> {
    for entry in entries.iter() {
        let entry = entry?;
        if entry.bytes(entry::NAME)? == NAME {
            let index = usize::try_from(entry.u32(entry::BUFFER, 0)?).ok();
            let buffer = index.map(|index| buffers.get(index)).transpose()?.flatten();
            return buffer.map(|buffer| buffer.bytes(0)).transpose();
        }
    }
    Ok(None)
}

fn normalization(
    input: Table<'_>,
    meta: &mut ForeignMeta,
    budget: &mut Budget<'_>,
) -> Result<(), ReadError> {
    for unit in input.tables(tensor::PROCESS_UNITS)?.iter() {
        let unit = unit?;
        if unit.u8(unit::OPTIONS_TYPE, 0)? != NORMALIZATION_OPTIONS {
            continue;
        }
        let Some(options) = unit.table(unit::OPTIONS)? else { continue };
        for (id, values) in [(unit::MEAN, &mut meta.mean), (unit::STD, &mut meta.std)] {
            let items = options.vector(id)?.items;
            budget.list::<f32>(items.len())?;
            *values = items.iter().map(|&item| f32::from_le_bytes(item)).collect();
        }
        return Ok(());
    }
    Ok(())
}

/// The first label file of the outputs; of several languages the first, as TFLite Support does.
fn label_file<'a>(outputs: Tables<'a>) -> Result<Option<&'a str>, ReadError> {
    for output in outputs.iter().take(MOST_FILES) {
        for file in output?.tables(tensor::ASSOCIATED_FILES)?.iter().take(MOST_FILES) {
            let file = file?;
            let kind = file.i8(associated::TYPE, 0)?;
            if matches!(kind, TENSOR_AXIS_LABELS | TENSOR_VALUE_LABELS) {
                return Ok(Some(file.text(associated::NAME)?));
            }
        }
    }
    Ok(None)
}
