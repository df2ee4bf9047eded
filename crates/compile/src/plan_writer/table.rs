//! Sections made of tables: interning of strings, lists and quantizations.

use std::collections::HashMap;
use std::mem::size_of;

use embarca_plan::records::{CommonRecord, NONE, QuantRecord, SymbolRecord, TableRecord};
use embarca_plan::{Dim, Expr};
use zerocopy::{Immutable, IntoBytes};

use super::{QuantSource, SymbolSource, WriteError};

/// A section that grows table by table behind its header.
pub struct Tables {
    bytes: Vec<u8>,
}

impl Tables {
    /// Leaves room for the header.
    pub fn behind<H>() -> Self {
        Self { bytes: vec![0; size_of::<H>()] }
    }

    pub fn push<T: IntoBytes + Immutable>(
        &mut self,
        entries: &[T],
    ) -> Result<TableRecord, WriteError> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let record =
            TableRecord { offset: number(self.bytes.len())?, count: number(entries.len())? };
        self.bytes.extend_from_slice(entries.as_bytes());
        number(self.bytes.len())?;
        Ok(record)
    }

    /// Puts the header in front.
    pub fn finish<H: IntoBytes + Immutable>(mut self, header: &H) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes[..size_of::<H>()].copy_from_slice(header.as_bytes());
        self.bytes
    }
}

/// A count or offset inside a section.
pub fn number(value: usize) -> Result<u32, WriteError> {
    match u32::try_from(value) {
        Ok(number) if number != NONE => Ok(number),
        _ => Err(WriteError::TooLarge("a section")),
    }
}

/// Strings by number, each stored once.
#[derive(Default)]
pub struct StringTable {
    numbers: HashMap<String, u32>,
    pub ends: Vec<u32>,
    pub bytes: Vec<u8>,
}

impl StringTable {
    pub fn intern(&mut self, text: &str) -> Result<u32, WriteError> {
        if let Some(&known) = self.numbers.get(text) {
            return Ok(known);
        }
        let index = number(self.ends.len())?;
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(number(self.bytes.len())?);
        self.numbers.insert(text.to_owned(), index);
        Ok(index)
    }

    /// [`NONE`] for the empty text.
    pub fn optional(&mut self, text: &str) -> Result<u32, WriteError> {
        if text.is_empty() { Ok(NONE) } else { self.intern(text) }
    }

    pub fn write(&self, tables: &mut Tables) -> Result<(TableRecord, TableRecord), WriteError> {
        Ok((tables.push(&self.ends)?, tables.push(&self.bytes)?))
    }
}

/// What interface and programs have in common.
#[derive(Default)]
pub struct CommonTable {
    pub strings: StringTable,
    dims: Vec<u32>,
    dim_lists: HashMap<Vec<u32>, u32>,
    quants: Vec<QuantRecord>,
    known_quants: HashMap<QuantKey, u32>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
}

/// Axis, block, bits of the scales, zero points.
type QuantKey = (u32, u32, Vec<u32>, Vec<i32>);

impl CommonTable {
    /// The first of the dimensions in the table; equal lists are stored once.
    pub fn dims(&mut self, dims: &[Dim]) -> Result<(u8, u32), WriteError> {
        let words = dims.iter().map(|&dim| encode(dim)).collect::<Result<Vec<_>, _>>()?;
        let rank = u8::try_from(dims.len()).map_err(|_| WriteError::TooLarge("a rank"))?;
        if words.is_empty() {
            return Ok((0, 0));
        }
        if let Some(&known) = self.dim_lists.get(&words) {
            return Ok((rank, known));
        }
        let start = number(self.dims.len())?;
        self.dims.extend_from_slice(&words);
        self.dim_lists.insert(words, start);
        Ok((rank, start))
    }

    pub fn quant(&mut self, quant: Option<&QuantSource>) -> Result<u32, WriteError> {
        let Some(quant) = quant else { return Ok(NONE) };
        if quant.scales.len() != quant.zeros.len() {
            return Err(WriteError::Index { what: "zero point", index: quant.scales.len() });
        }
        let axis = quant.axis.unwrap_or(NONE);
        let bits = quant.scales.iter().map(|scale| scale.to_bits()).collect();
        let key = (axis, quant.block, bits, quant.zeros.clone());
        if let Some(&known) = self.known_quants.get(&key) {
            return Ok(known);
        }
        let index = number(self.quants.len())?;
        self.quants.push(QuantRecord {
            axis,
            block: quant.block,
            start: number(self.scales.len())?,
            count: number(quant.scales.len())?,
        });
        self.scales.extend_from_slice(&quant.scales);
        self.zeros.extend_from_slice(&quant.zeros);
        self.known_quants.insert(key, index);
        Ok(index)
    }

    pub fn write(
        &mut self,
        tables: &mut Tables,
        symbols: &[SymbolSource],
        exprs: &[Expr],
    ) -> Result<CommonRecord, WriteError> {
        let symbols = symbols
            .iter()
            .map(|symbol| {
                Ok(SymbolRecord {
                    name: self.strings.optional(&symbol.name)?,
                    flags: if symbol.from_data { SymbolRecord::FROM_DATA } else { 0 },
                    min: symbol.min,
                    preferred: symbol.preferred,
                    max: symbol.max,
                })
            })
            .collect::<Result<Vec<_>, WriteError>>()?;
        let exprs: Vec<_> = exprs.iter().map(|expr| expr.encode()).collect();
        let (string_ends, strings) = self.strings.write(tables)?;
        Ok(CommonRecord {
            string_ends,
            strings,
            symbols: tables.push(&symbols)?,
            exprs: tables.push(&exprs)?,
            dims: tables.push(&self.dims)?,
            quants: tables.push(&self.quants)?,
            scales: tables.push(&self.scales)?,
            zeros: tables.push(&self.zeros)?,
        })
    }
}

pub fn encode(dim: Dim) -> Result<u32, WriteError> {
    dim.encode().ok_or(WriteError::TooLarge("a dimension"))
}
