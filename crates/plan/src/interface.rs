//! Inputs and outputs as the model's author names and shapes them.

use embarca_num::DType;

use crate::error::{At, OpenError, Problem, Table};
use crate::expr::{Dim, from_data};
use crate::program::Program;
use crate::records::{InterfaceRecord, NONE, PortRecord, ProfileRecord};
use crate::tables::{Common, Cutter, Quant, zero};

/// An interface section that was checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interface<'a> {
    /// Strings, symbols, expressions, dimensions, quantization.
    pub common: Common<'a>,
    inputs: u32,
    ports: &'a [PortRecord],
    axes: &'a [u32],
    profiles: &'a [ProfileRecord],
    values: &'a [u32],
}

impl<'a> Interface<'a> {
    pub(crate) fn cut(at: At, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, mut cutter) = Cutter::new::<InterfaceRecord>(at, bytes)?;
        let interface = Self {
            common: Common::cut(&mut cutter, &header.common)?,
            inputs: header.inputs,
            ports: cutter.take(Table::Ports, header.ports)?,
            axes: cutter.take(Table::Axes, header.axes)?,
            profiles: cutter.take(Table::Profiles, header.profiles)?,
            values: cutter.take(Table::Values, header.values)?,
        };
        cutter.finish()?;
        zero(header.reserved).map_err(|problem| at.header(problem))?;
        Ok(interface)
    }

    pub(crate) fn check(&self, at: At) -> Result<(), OpenError> {
        self.common.check(at)?;
        if self.inputs as usize > self.ports.len() {
            return Err(at.header(Problem::Range(self.inputs)));
        }
        for (index, &axis) in self.axes.iter().enumerate() {
            let checked = self.common.strings.check_optional(axis);
            checked.map_err(|problem| at.err(Table::Axes, index, problem))?;
        }
        for (index, port) in self.ports.iter().enumerate() {
            self.check_port(port).map_err(|problem| at.err(Table::Ports, index, problem))?;
        }
        let names = self.ports.iter().map(|port| port.name);
        self.common.strings.check_repeats(names).map_err(|problem| at.header(problem))?;
        self.check_profiles(at)
    }

    fn check_port(&self, port: &PortRecord) -> Result<(), Problem> {
        let common = &self.common;
        common.strings.check_optional(port.name)?;
        common.strings.check_optional(port.role)?;
        common.check_type(port.dtype, port.rank, port.dims)?;
        common.check_quant(port.quant, port.rank, port.dims)?;
        zero(u32::from(port.reserved))?;
        let end = (port.axes as usize).saturating_add(usize::from(port.rank));
        if port.axes != NONE && end > self.axes.len() {
            return Err(Problem::Range(port.axes));
        }
        Ok(())
    }

    fn check_profiles(&self, at: At) -> Result<(), OpenError> {
        let symbols = self.common.symbols;
        let mut start = 0;
        for (index, profile) in self.profiles.iter().enumerate() {
            let err = |problem| at.err(Table::Profiles, index, problem);
            self.common.strings.check_optional(profile.name).map_err(err)?;
            if profile.start as usize != start {
                return Err(err(Problem::Place));
            }
            start += symbols.len();
            let values =
                self.values.get(start - symbols.len()..start).ok_or(err(Problem::Truncated))?;
            for (&value, symbol) in values.iter().zip(symbols) {
                if !(symbol.min..=symbol.max).contains(&value) {
                    return Err(err(Problem::Value(value)));
                }
            }
            if symbols.is_empty() {
                // A profile without symbols says nothing, and a table of such would have no end.
                return Err(err(Problem::Arity));
            }
        }
        if start == self.values.len() { Ok(()) } else { Err(at.header(Problem::Length)) }
    }

    /// The program's first function takes and yields what the interface says.
    pub(crate) fn check_program(&self, program: &Program, at: At) -> Result<(), OpenError> {
        let err = |problem| at.err(Table::Functions, 0u32, problem);
        let function = program.function(0).ok_or(err(Problem::Arity))?;
        let tensors = function.inputs().iter().chain(function.outputs());
        let count = function.inputs().len() + function.outputs().len();
        if function.inputs().len() != self.inputs as usize || count != self.ports.len() {
            return Err(err(Problem::Arity));
        }
        for (&index, port) in tensors.zip(self.ports()) {
            let err = |problem| at.err(Table::Tensors, index, problem);
            let tensor = program.tensor(index).ok_or(err(Problem::Range(index)))?;
            if tensor.dtype() != port.dtype() {
                return Err(err(Problem::DType(tensor.dtype().code())));
            }
            if tensor.rank() != port.rank() || tensor.layout().0 != 0 {
                return Err(err(Problem::Rank(tensor.rank() as u8)));
            }
            for (ours, theirs) in tensor.dims().zip(port.dims()) {
                if let (Dim::Fixed(ours), Dim::Fixed(theirs)) = (ours, theirs)
                    && ours != theirs
                {
                    return Err(err(Problem::Value(ours)));
                }
            }
        }
        Ok(())
    }

    fn ports(&self) -> impl ExactSizeIterator<Item = Port<'_>> {
        self.ports.iter().map(|record| Port { interface: self, record })
    }

    /// The inputs in order.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = Port<'_>> {
        self.ports().take(self.inputs as usize)
    }

    /// The outputs in order.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = Port<'_>> {
        self.ports().skip(self.inputs as usize)
    }

    /// Names with the values they stand for, one per symbol: sizes worth preparing for.
    pub fn profiles(
        &self,
    ) -> impl ExactSizeIterator<Item = (Option<&'a str>, &'a [u32])> + use<'a> {
        let (strings, values) = (self.common.strings, self.values);
        let len = self.common.symbols.len();
        self.profiles.iter().map(move |profile| {
            let start = profile.start as usize;
            (strings.get(profile.name), values.get(start..start.saturating_add(len)).unwrap_or(&[]))
        })
    }

    /// Whether a size of an output is known only while the program runs.
    pub fn is_data_dependent(&self) -> bool {
        self.common.symbols.iter().any(from_data)
    }
}

/// An input or output.
#[derive(Clone, Copy, Debug)]
pub struct Port<'p> {
    interface: &'p Interface<'p>,
    record: &'p PortRecord,
}

impl<'p> Port<'p> {
    /// Its name.
    pub fn name(&self) -> Option<&'p str> {
        self.interface.common.strings.get(self.record.name)
    }

    /// What it is for, such as `image`, `scores`, `boxes`.
    pub fn role(&self) -> Option<&'p str> {
        self.interface.common.strings.get(self.record.role)
    }

    /// Where only a part of an output counts: the axis along which it lies at the front, and which
    /// output holds the number of its elements. Its role says `counted AXIS OUTPUT` then.
    pub fn counted(&self) -> Option<(usize, usize)> {
        let (axis, output) = self.role()?.strip_prefix("counted ")?.split_once(' ')?;
        Some((axis.parse().ok()?, output.parse().ok()?))
    }

    /// Whether it holds the number of elements of another output that count: its role is `count`.
    pub fn is_count(&self) -> bool {
        self.role() == Some("count")
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        DType::from_code(self.record.dtype).unwrap_or(DType::U8)
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        usize::from(self.record.rank)
    }

    /// The author's dimensions, outermost first; expressions are the interface's.
    pub fn dims(&self) -> impl ExactSizeIterator<Item = Dim> + use<'p> {
        let dims = self.interface.common.dims(self.record.dims, self.record.rank);
        dims.iter().map(|&word| Dim::decode(word))
    }

    /// The names of the axes; an empty list when none is named.
    pub fn axes(&self) -> impl ExactSizeIterator<Item = Option<&'p str>> + use<'p> {
        let strings = self.interface.common.strings;
        let start = self.record.axes as usize;
        let range = start..start.saturating_add(self.rank());
        let axes = self.interface.axes.get(range).unwrap_or(&[]);
        axes.iter().map(move |&name| strings.get(name))
    }

    /// How its integers stand for real numbers.
    pub fn quant(&self) -> Option<Quant<'p>> {
        self.interface.common.quant(self.record.quant)
    }
}
