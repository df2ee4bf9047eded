//! Tables inside a section: strings, symbols, expressions, dimensions, quantization.

use core::mem::size_of;

use zerocopy::{FromBytes, Immutable, KnownLayout};

use embarca_num::DType;

use crate::error::{At, OpenError, Problem, Table};
use crate::expr::{Dim, Expr};
use crate::records::{
    CommonRecord, EXPR_BIT, ExprRecord, NONE, QuantRecord, SymbolRecord, TableRecord,
};

/// Cuts a section into its header and the tables that follow it without gaps.
pub(crate) struct Cutter<'a> {
    at: At,
    bytes: &'a [u8],
    end: usize,
}

impl<'a> Cutter<'a> {
    /// Reads the header record.
    pub fn new<T: FromBytes>(at: At, bytes: &'a [u8]) -> Result<(T, Self), OpenError> {
        let (header, _) = T::read_from_prefix(bytes).map_err(|_| at.header(Problem::Truncated))?;
        Ok((header, Self { at, bytes, end: size_of::<T>() }))
    }

    /// The next table, which starts at the first multiple of four after the one before.
    pub fn take<T: FromBytes + Immutable + KnownLayout>(
        &mut self,
        table: Table,
        record: TableRecord,
    ) -> Result<&'a [T], OpenError> {
        let err = |problem| self.at.err(table, NONE, problem);
        let start = self.end.checked_next_multiple_of(4).ok_or(err(Problem::Truncated))?;
        let padding = self.bytes.get(self.end..start).ok_or(err(Problem::Truncated))?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(err(Problem::Padding));
        }
        if record.offset as usize != start {
            return Err(err(Problem::Place));
        }
        let end = (record.count as usize)
            .checked_mul(size_of::<T>())
            .and_then(|len| start.checked_add(len))
            .ok_or(err(Problem::Truncated))?;
        let bytes = self.bytes.get(start..end).ok_or(err(Problem::Truncated))?;
        self.end = end;
        <[T]>::ref_from_bytes(bytes).map_err(|_| err(Problem::Misaligned))
    }

    /// Nothing but padding to a multiple of four follows the last table.
    pub fn finish(&mut self) -> Result<(), OpenError> {
        let len = self.end.checked_next_multiple_of(4);
        if len != Some(self.bytes.len()) {
            return Err(self.at.header(Problem::Length));
        }
        if self.bytes[self.end..].iter().any(|&byte| byte != 0) {
            return Err(self.at.header(Problem::Padding));
        }
        Ok(())
    }
}

/// The names of ports, and the texts of properties, are together at most this many times as long as
/// all strings of their section.
pub const MAX_REPEATS: u64 = 16;

/// Numbered UTF-8 strings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings<'a> {
    ends: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    pub(crate) fn cut(
        cutter: &mut Cutter<'a>,
        ends: TableRecord,
        bytes: TableRecord,
    ) -> Result<Self, OpenError> {
        let ends = cutter.take(Table::Strings, ends)?;
        Ok(Self { ends, bytes: cutter.take(Table::Strings, bytes)? })
    }

    fn raw(&self, index: u32) -> Option<&'a [u8]> {
        let index = index as usize;
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// The string with this number; `None` for [`NONE`].
    pub fn get(&self, index: u32) -> Option<&'a str> {
        core::str::from_utf8(self.raw(index)?).ok()
    }

    /// Readers copy the strings with these numbers: together they are at most [`MAX_REPEATS`] times
    /// as long as all strings.
    pub(crate) fn check_repeats(
        &self,
        mut indices: impl Iterator<Item = u32>,
    ) -> Result<(), Problem> {
        let most = self.bytes.len() as u64 * MAX_REPEATS;
        let len = |index| self.raw(index).map_or(0, |text| text.len() as u64);
        match indices.try_fold(most, |left, index| left.checked_sub(len(index))) {
            Some(_) => Ok(()),
            None => Err(Problem::Repeats),
        }
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each string is UTF-8, and together they are all the bytes.
    pub(crate) fn check(&self, at: At) -> Result<(), OpenError> {
        let used = self.ends.last().map_or(0, |&end| end as usize);
        if used != self.bytes.len() {
            return Err(at.err(Table::Strings, self.ends.len(), Problem::Length));
        }
        for index in 0..self.ends.len() {
            if self.get(index as u32).is_none() {
                return Err(at.err(Table::Strings, index, Problem::Text));
            }
        }
        Ok(())
    }

    /// `index` is a string or [`NONE`].
    pub(crate) fn check_optional(&self, index: u32) -> Result<(), Problem> {
        if index == NONE { Ok(()) } else { in_range(index, self.ends.len()) }
    }
}

/// What interface and programs have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Common<'a> {
    /// Names.
    pub strings: Strings<'a>,
    /// Named sizes.
    pub symbols: &'a [SymbolRecord],
    /// Nodes of expressions over them.
    pub exprs: &'a [ExprRecord],
    /// Dimensions, see [`Dim::decode`].
    pub dims: &'a [u32],
    /// Quantizations.
    pub quants: &'a [QuantRecord],
    /// Their scales.
    pub scales: &'a [f32],
    /// Their zero points.
    pub zeros: &'a [i32],
}

/// How a tensor's integers stand for real numbers: `real = scale * (stored - zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quant<'a> {
    /// The axis along which scales differ; `None` for one scale.
    pub axis: Option<u32>,
    /// Elements along the axis that share a scale; 0 for one scale per index.
    pub block: u32,
    /// At least one.
    pub scales: &'a [f32],
    /// As many as scales.
    pub zeros: &'a [i32],
}

impl<'a> Common<'a> {
    pub(crate) fn cut(cutter: &mut Cutter<'a>, record: &CommonRecord) -> Result<Self, OpenError> {
        Ok(Self {
            strings: Strings::cut(cutter, record.string_ends, record.strings)?,
            symbols: cutter.take(Table::Symbols, record.symbols)?,
            exprs: cutter.take(Table::Exprs, record.exprs)?,
            dims: cutter.take(Table::Dims, record.dims)?,
            quants: cutter.take(Table::Quants, record.quants)?,
            scales: cutter.take(Table::Values, record.scales)?,
            zeros: cutter.take(Table::Values, record.zeros)?,
        })
    }

    /// The dimensions of a list that was checked.
    pub(crate) fn dims(&self, start: u32, rank: u8) -> &'a [u32] {
        let start = start as usize;
        self.dims.get(start..start.saturating_add(usize::from(rank))).unwrap_or(&[])
    }

    /// The quantization with this number; `None` for [`NONE`].
    pub fn quant(&self, index: u32) -> Option<Quant<'a>> {
        let record = self.quants.get(index as usize)?;
        let start = record.start as usize;
        let range = start..start.checked_add(record.count as usize)?;
        Some(Quant {
            axis: (record.axis != NONE).then_some(record.axis),
            block: record.block,
            scales: self.scales.get(range.clone())?,
            zeros: self.zeros.get(range)?,
        })
    }

    pub(crate) fn check(&self, at: At) -> Result<(), OpenError> {
        self.strings.check(at)?;
        for (index, symbol) in self.symbols.iter().enumerate() {
            let err = |problem| at.err(Table::Symbols, index, problem);
            self.strings.check_optional(symbol.name).map_err(err)?;
            if symbol.flags & !SymbolRecord::FROM_DATA != 0 {
                return Err(err(Problem::Flags(symbol.flags)));
            }
            if symbol.min > symbol.preferred || symbol.preferred > symbol.max {
                return Err(err(Problem::Order));
            }
            if symbol.max & EXPR_BIT != 0 {
                return Err(err(Problem::Value(symbol.max)));
            }
        }
        for (index, &record) in self.exprs.iter().enumerate() {
            let err = |problem| at.err(Table::Exprs, index, problem);
            match Expr::decode(record).ok_or(err(Problem::Value(record.op)))? {
                Expr::Const(_) => {}
                Expr::Symbol(symbol) => {
                    in_range(symbol, self.symbols.len()).map_err(err)?;
                    zero(record.b).map_err(err)?;
                }
                Expr::Binary(_, a, b) => {
                    in_range(a, index).map_err(err)?;
                    in_range(b, index).map_err(err)?;
                }
            }
        }
        for (index, &word) in self.dims.iter().enumerate() {
            self.check_dim(word).map_err(|problem| at.err(Table::Dims, index, problem))?;
        }
        self.check_quants(at)
    }

    fn check_quants(&self, at: At) -> Result<(), OpenError> {
        let mut start = 0u32;
        for (index, quant) in self.quants.iter().enumerate() {
            let err = |problem| at.err(Table::Quants, index, problem);
            if quant.start != start {
                return Err(err(Problem::Place));
            }
            let per_tensor = quant.axis == NONE;
            if quant.count == 0 || per_tensor && (quant.count != 1 || quant.block != 0) {
                return Err(err(Problem::Value(quant.count)));
            }
            start = start.checked_add(quant.count).ok_or(err(Problem::Range(quant.count)))?;
        }
        if start as usize != self.scales.len() || self.scales.len() != self.zeros.len() {
            return Err(at.err(Table::Quants, self.quants.len(), Problem::Length));
        }
        match self.scales.iter().position(|&scale| !(scale.is_finite() && scale >= 0.0)) {
            Some(index) => {
                Err(at.err(Table::Values, index, Problem::Value(self.scales[index].to_bits())))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn check_dim(&self, word: u32) -> Result<(), Problem> {
        match Dim::decode(word) {
            Dim::Fixed(_) => Ok(()),
            Dim::Expr(index) => in_range(index, self.exprs.len()),
        }
    }

    /// A type: a known element type of fixed size, a legal rank, dimensions inside the table.
    pub(crate) fn check_type(&self, dtype: u8, rank: u8, dims: u32) -> Result<DType, Problem> {
        let dtype = DType::from_code(dtype)
            .filter(|dtype| dtype.size() != 0)
            .ok_or(Problem::DType(dtype))?;
        if usize::from(rank) > MAX_RANK {
            return Err(Problem::Rank(rank));
        }
        let end = (dims as usize).checked_add(usize::from(rank));
        if end.is_none_or(|end| end > self.dims.len()) {
            return Err(Problem::Range(dims));
        }
        Ok(dtype)
    }

    /// A quantization or [`NONE`]; its axis exists and has as many indices as there are scales.
    pub(crate) fn check_quant(&self, index: u32, rank: u8, dims: u32) -> Result<(), Problem> {
        if index == NONE {
            return Ok(());
        }
        let quant = self.quants.get(index as usize).ok_or(Problem::Range(index))?;
        if quant.axis == NONE {
            return Ok(());
        }
        let dim = self.dims(dims, rank).get(quant.axis as usize);
        let dim = Dim::decode(*dim.ok_or(Problem::Range(quant.axis))?);
        match dim {
            Dim::Fixed(dim) if quant.block == 0 && dim != quant.count => {
                Err(Problem::Value(quant.count))
            }
            _ => Ok(()),
        }
    }
}

/// Tensors have at most this many dimensions.
pub const MAX_RANK: usize = 8;

pub(crate) fn in_range(index: u32, len: usize) -> Result<(), Problem> {
    if (index as usize) < len { Ok(()) } else { Err(Problem::Range(index)) }
}

pub(crate) fn zero(value: u32) -> Result<(), Problem> {
    if value == 0 { Ok(()) } else { Err(Problem::Padding) }
}
