//! A program: functions of steps over tensors, as one target runs them.

use crate::error::{At, OpenError, Table};
use crate::expr::{self, Dim, Expr, SizeError};
use crate::family::Family;
use crate::function::{Function, Step};
use crate::records::{
    FunctionRecord, KernelRecord, NONE, ProgramRecord, StateRecord, StepRecord, TensorRecord,
};
use crate::tables::{Common, Cutter};
use crate::tensor::{State, Tensor};

/// A program section that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Strings, symbols, expressions, dimensions, quantization.
    pub common: Common<'a>,
    pub(crate) header: ProgramRecord,
    pub(crate) kernels: &'a [KernelRecord],
    pub(crate) functions: &'a [FunctionRecord],
    pub(crate) states: &'a [StateRecord],
    pub(crate) tensors: &'a [TensorRecord],
    pub(crate) steps: &'a [StepRecord],
    pub(crate) lists: &'a [u32],
    pub(crate) records: &'a [u8],
}

impl<'a> Program<'a> {
    /// Cuts the section into tables without looking at their entries.
    pub(crate) fn cut(at: At, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, mut cutter) = Cutter::new::<ProgramRecord>(at, bytes)?;
        let program = Self {
            common: Common::cut(&mut cutter, &header.common)?,
            header,
            kernels: cutter.take(Table::Kernels, header.kernels)?,
            functions: cutter.take(Table::Functions, header.functions)?,
            states: cutter.take(Table::States, header.states)?,
            tensors: cutter.take(Table::Tensors, header.tensors)?,
            steps: cutter.take(Table::Steps, header.steps)?,
            lists: cutter.take(Table::Lists, header.lists)?,
            records: cutter.take(Table::Records, header.records)?,
        };
        cutter.finish()?;
        Ok(program)
    }

    /// Name of the target that the program was built for.
    pub fn target(&self) -> Option<&'a str> {
        self.common.strings.get(self.header.target)
    }

    /// The kind of machine it runs on.
    pub fn family(&self) -> Family {
        Family(self.header.family)
    }

    /// The lowest revision of the operator list that has every kernel used here.
    pub fn kernel_set(&self) -> u32 {
        self.header.kernel_set
    }

    /// Whether sizes depend on symbols and the runtime places tensors.
    pub fn is_dynamic(&self) -> bool {
        self.header.flags & ProgramRecord::DYNAMIC != 0
    }

    /// Whether some sizes are known only while the program runs.
    pub fn is_data_dependent(&self) -> bool {
        self.header.flags & ProgramRecord::DATA_DEPENDENT != 0
    }

    /// Whether it runs only where memory can be allocated.
    pub fn needs_host(&self) -> bool {
        self.header.flags & ProgramRecord::NEEDS_HOST != 0
    }

    /// Alignment in bytes of the arena and the state area.
    pub fn align(&self) -> u64 {
        1 << self.header.align_log2
    }

    /// Bytes of the state area; at preferred sizes when the program is dynamic.
    pub fn state_bytes(&self) -> u64 {
        u64::from(self.header.state) * crate::UNIT
    }

    /// The kernels used, by ascending opcode, each with its name when the plan has names.
    pub fn kernels(&self) -> impl ExactSizeIterator<Item = (u16, Option<&'a str>)> + use<'a> {
        let strings = self.common.strings;
        self.kernels.iter().map(move |k| (k.opcode as u16, strings.get(k.name)))
    }

    /// Number of functions, at least one.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// The function with this number; 0 is where a run starts.
    pub fn function(&self, index: usize) -> Option<Function<'_>> {
        let record = self.functions.get(index)?;
        Some(Function { program: self, index: index as u32, record })
    }

    /// All functions.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> {
        self.functions.iter().enumerate().map(|(index, record)| Function {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// Number of tensors of all functions.
    pub fn tensor_count(&self) -> usize {
        self.tensors.len()
    }

    /// The tensor with this number.
    pub fn tensor(&self, index: u32) -> Option<Tensor<'_>> {
        let record = self.tensors.get(index as usize)?;
        Some(Tensor { program: self, index, record })
    }

    /// All tensors of all functions.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = Tensor<'_>> {
        self.tensors.iter().enumerate().map(|(index, record)| Tensor {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// All steps of all functions.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'_>> {
        self.steps.iter().enumerate().map(|(index, record)| Step {
            program: self,
            index: index as u32,
            record,
        })
    }

    /// The tensors whose values outlive a run.
    pub fn states(&self) -> impl ExactSizeIterator<Item = State<'_>> {
        self.states.iter().map(|record| State { program: self, record })
    }

    /// The values of the symbols that the inputs' shapes give, into the front of `symbols`.
    /// Symbols that come from data get their largest value, those that nothing uses the preferred
    /// one. Input dimensions that are more than a symbol are left to [`Program::matches`].
    ///
    /// `shapes` holds the dimensions of each input of the first function.
    ///
    /// # Errors
    /// The shapes contradict the program or each other, or leave a symbol open.
    pub fn bind(&self, shapes: &[&[u32]], symbols: &mut [u32]) -> Result<(), SizeError> {
        let symbols = symbols.get_mut(..self.common.symbols.len()).ok_or(SizeError::Buffer)?;
        symbols.fill(NONE);
        let inputs = self.functions.first().map_or(&[][..], |f| self.list(f.list, f.inputs));
        for (input, &tensor) in inputs.iter().enumerate() {
            let (tensor, input) = (self.tensor(tensor), input as u32);
            let shape = shapes.get(input as usize).copied().unwrap_or(&[]);
            let Some(tensor) = tensor.filter(|t| t.rank() == shape.len()) else {
                return Err(SizeError::Rank { input });
            };
            for (axis, (dim, &given)) in tensor.dims().zip(shape).enumerate() {
                match dim {
                    Dim::Fixed(dim) if dim != given => {
                        return Err(SizeError::Dim { input, axis: axis as u32, given });
                    }
                    Dim::Fixed(_) => {}
                    Dim::Expr(index) => self.bind_one(index, given, symbols)?,
                }
            }
        }
        for (value, symbol) in symbols.iter_mut().zip(self.common.symbols) {
            if expr::from_data(symbol) {
                *value = symbol.max;
            }
        }
        let is_open = |&symbol: &u32| symbols.get(symbol as usize) == Some(&NONE);
        let mut used = self.common.exprs.iter().filter_map(|&record| match Expr::decode(record) {
            Some(Expr::Symbol(symbol)) => Some(symbol),
            _ => None,
        });
        if let Some(symbol) = used.find(is_open) {
            return Err(SizeError::Unbound { symbol });
        }
        for (value, symbol) in symbols.iter_mut().zip(self.common.symbols) {
            if *value == NONE {
                *value = symbol.preferred;
            }
        }
        Ok(())
    }

    fn bind_one(&self, expr: u32, given: u32, symbols: &mut [u32]) -> Result<(), SizeError> {
        let Some(Expr::Symbol(symbol)) =
            self.common.exprs.get(expr as usize).and_then(|&record| Expr::decode(record))
        else {
            return Ok(());
        };
        let (slot, record) =
            (symbols.get_mut(symbol as usize), self.common.symbols.get(symbol as usize));
        let (Some(slot), Some(record)) = (slot, record) else {
            return Err(SizeError::Buffer);
        };
        let fits = (record.min..=record.max).contains(&given);
        if !fits || *slot != NONE && *slot != given {
            return Err(SizeError::Symbol { symbol, given });
        }
        *slot = given;
        Ok(())
    }

    /// The values of all expressions at these values of the symbols, into the front of `values`.
    ///
    /// # Errors
    /// An expression has no value there, or `values` is too short.
    pub fn evaluate(&self, symbols: &[u32], values: &mut [i64]) -> Result<(), SizeError> {
        expr::evaluate(self.common.exprs, symbols, values)
    }

    /// Whether the inputs' dimensions are the given ones at these values of the expressions.
    ///
    /// # Errors
    /// The first dimension that is not.
    pub fn matches(&self, shapes: &[&[u32]], values: &[i64]) -> Result<(), SizeError> {
        let inputs = self.functions.first().map_or(&[][..], |f| self.list(f.list, f.inputs));
        for (input, &tensor) in (0u32..).zip(inputs) {
            let shape = shapes.get(input as usize).copied().unwrap_or(&[]);
            let Some(tensor) = self.tensor(tensor).filter(|t| t.rank() == shape.len()) else {
                return Err(SizeError::Rank { input });
            };
            let axes = (0u32..).zip(tensor.dims().zip(shape));
            for (axis, (dim, &given)) in axes {
                if dim.value(values) != Some(given) {
                    return Err(SizeError::Dim { input, axis, given });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn list(&self, start: u32, len: u32) -> &'a [u32] {
        let start = start as usize;
        self.lists.get(start..start.saturating_add(len as usize)).unwrap_or(&[])
    }
}
