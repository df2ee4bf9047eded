//! What must hold of a program whatever its sizes are: indices, order, who writes what when.

use core::mem::size_of;

use crate::calls;
use crate::control::opcode;
use crate::error::{At, OpenError, Problem, Table};
use crate::expr::from_data;
use crate::program::Program;
use crate::records::{
    FunctionRecord, INPUT_BIT, NONE, ProgramRecord, StateRecord, StepRecord, TensorRecord,
};
use crate::tables::zero;
use crate::tensor::Layout;

/// Comparisons that the check of a program may spend per byte of its tensors, steps and lists.
/// Real programs need few; the limit keeps hostile ones from taking long.
pub const WORK_PER_BYTE: u64 = 32;

/// Comparisons left.
pub(crate) struct Work(u64);

impl Work {
    pub fn new(program: &Program) -> Self {
        let bytes =
            size_of_val(program.tensors) + size_of_val(program.steps) + size_of_val(program.lists);
        Self((bytes as u64).saturating_mul(WORK_PER_BYTE).saturating_add(1 << 16))
    }

    pub fn spend(&mut self, comparisons: usize) -> Result<(), Problem> {
        self.0 = self.0.checked_sub(comparisons as u64).ok_or(Problem::Work)?;
        Ok(())
    }
}

/// One function under examination.
pub(crate) struct Scope<'s, 'a> {
    pub at: At,
    pub program: &'s Program<'a>,
    pub function: &'s FunctionRecord,
    pub index: u32,
    pub steps: &'a [StepRecord],
}

impl<'s, 'a> Scope<'s, 'a> {
    pub fn new(at: At, program: &'s Program<'a>, index: usize) -> Option<Self> {
        let function = program.functions.get(index)?;
        let start = function.steps as usize;
        let end = start.checked_add(function.step_count as usize)?;
        let steps = program.steps.get(start..end)?;
        Some(Self { at, program, function, index: index as u32, steps })
    }

    /// The function's tensors with their numbers.
    pub fn tensors(&self) -> impl Iterator<Item = (u32, &'a TensorRecord)> + use<'a> {
        self.tensors_from(self.function.tensors)
    }

    /// The function's tensors with their numbers, from this number on.
    pub fn tensors_from(
        &self,
        start: u32,
    ) -> impl Iterator<Item = (u32, &'a TensorRecord)> + use<'a> {
        let end = self.function.tensors.saturating_add(self.function.tensor_count);
        let tensors = self.program.tensors.get(start as usize..end as usize).unwrap_or(&[]);
        tensors.iter().enumerate().map(move |(index, tensor)| (start + index as u32, tensor))
    }

    /// A tensor of this function.
    pub fn tensor(&self, index: u32) -> Result<&'a TensorRecord, Problem> {
        let local = index.checked_sub(self.function.tensors);
        if local.is_none_or(|local| local >= self.function.tensor_count) {
            return Err(Problem::Range(index));
        }
        self.program.tensors.get(index as usize).ok_or(Problem::Range(index))
    }

    /// The step at a position that a tensor names as its writer.
    pub fn writer(&self, tensor: &TensorRecord) -> Option<&'a StepRecord> {
        if tensor.writer & INPUT_BIT != 0 {
            return None;
        }
        self.steps.get((tensor.writer as usize).checked_sub(1)?)
    }

    pub fn inputs(&self) -> &'a [u32] {
        self.program.list(self.function.list, self.function.inputs)
    }

    pub fn outputs(&self) -> &'a [u32] {
        let start = self.function.list.saturating_add(self.function.inputs);
        self.program.list(start, self.function.outputs)
    }

    /// The inputs and outputs of a step.
    pub fn step_lists(&self, step: &StepRecord) -> (&'a [u32], &'a [u32]) {
        let (inputs, outputs) = (u32::from(step.inputs), u32::from(step.outputs));
        let all = self.program.list(step.list, inputs + outputs);
        all.split_at_checked(inputs as usize).unwrap_or((&[], &[]))
    }

    /// The position after the last step.
    fn exit(&self) -> u32 {
        self.function.step_count.saturating_add(1)
    }

    /// Whether the tensor holds a value before the step at `position` runs.
    fn is_available(&self, tensor: &TensorRecord, position: u32) -> bool {
        let tensor = match tensor.storage {
            TensorRecord::ALIAS if tensor.writer == 0 => match self.tensor(tensor.place) {
                Ok(target) => target,
                Err(_) => return false,
            },
            _ => tensor,
        };
        match tensor.writer {
            0 => matches!(tensor.storage, TensorRecord::WEIGHTS | TensorRecord::STATE),
            writer => writer & INPUT_BIT != 0 || writer < position,
        }
    }
}

/// Checks a program; what depends on sizes is left to [`crate::extents`].
pub(crate) fn check(program: &Program, at: At, weights: u64) -> Result<(), OpenError> {
    check_header(program, at)?;
    program.common.check(at)?;
    let strings = program.common.strings;
    for (index, symbol) in program.common.symbols.iter().enumerate() {
        if from_data(symbol) && !program.is_data_dependent() {
            return Err(at.err(Table::Symbols, index, Problem::Flags(symbol.flags)));
        }
    }
    let mut next = 0;
    for (index, kernel) in program.kernels.iter().enumerate() {
        let err = |problem| at.err(Table::Kernels, index, problem);
        if kernel.opcode < next || kernel.opcode >= u32::from(opcode::FIRST) {
            return Err(err(Problem::Order));
        }
        next = kernel.opcode + 1;
        strings.check_optional(kernel.name).map_err(err)?;
    }
    for (index, state) in program.states.iter().enumerate() {
        check_state(program, state, weights)
            .map_err(|problem| at.err(Table::States, index, problem))?;
    }
    check_functions(program, at, weights)
}

fn check_header(program: &Program, at: At) -> Result<(), OpenError> {
    let header = &program.header;
    let known = ProgramRecord::DYNAMIC | ProgramRecord::DATA_DEPENDENT | ProgramRecord::NEEDS_HOST;
    let host = !program.is_data_dependent() || program.is_dynamic() && program.needs_host();
    if header.flags & !known != 0 || !host {
        return Err(at.header(Problem::Flags(header.flags)));
    }
    if !(4..=16).contains(&header.align_log2) {
        return Err(at.header(Problem::Alignment(header.align_log2)));
    }
    zero(header.reserved).map_err(|problem| at.header(problem))?;
    program.common.strings.check_optional(header.target).map_err(|problem| at.header(problem))?;
    let symbolic = program.common.symbols.len() + program.common.exprs.len() > 0;
    if symbolic && !program.is_dynamic() {
        return Err(at.header(Problem::Symbolic));
    }
    Ok(())
}

fn check_state(program: &Program, state: &StateRecord, weights: u64) -> Result<(), Problem> {
    program.common.strings.check_optional(state.name)?;
    program.common.check_type(state.dtype, state.rank, state.dims)?;
    if program.is_dynamic() {
        zero(state.offset)?;
    }
    if state.initial != NONE && u64::from(state.initial) * crate::UNIT > weights {
        return Err(Problem::Range(state.initial));
    }
    Ok(())
}

fn check_functions(program: &Program, at: At, weights: u64) -> Result<(), OpenError> {
    if program.functions.is_empty() {
        return Err(at.err(Table::Functions, 0u32, Problem::Arity));
    }
    let mut work = Work::new(program);
    let (mut tensors, mut steps, mut lists) = (0u32, 0u32, 0u32);
    for (index, function) in program.functions.iter().enumerate() {
        let err = |problem| at.err(Table::Functions, index, problem);
        if (function.tensors, function.steps, function.list) != (tensors, steps, lists) {
            return Err(err(Problem::Place));
        }
        program.common.strings.check_optional(function.name).map_err(err)?;
        tensors = advance(tensors, function.tensor_count, program.tensors.len()).map_err(err)?;
        steps = advance(steps, function.step_count, program.steps.len()).map_err(err)?;
        lists = advance(lists, function.inputs, program.lists.len()).map_err(err)?;
        lists = advance(lists, function.outputs, program.lists.len()).map_err(err)?;
        let scope = Scope::new(at, program, index).ok_or(err(Problem::Range(steps)))?;
        for (step, record) in (function.steps..).zip(scope.steps) {
            let err = |problem| at.err(Table::Steps, step, problem);
            if record.list != lists {
                return Err(err(Problem::Place));
            }
            let len = u32::from(record.inputs) + u32::from(record.outputs);
            lists = advance(lists, len, program.lists.len()).map_err(err)?;
        }
    }
    let covered = tensors as usize == program.tensors.len()
        && steps as usize == program.steps.len()
        && lists as usize == program.lists.len();
    if !covered {
        return Err(at.header(Problem::Length));
    }
    for index in 0..program.functions.len() {
        if let Some(scope) = Scope::new(at, program, index) {
            check_function(&scope, weights, &mut work)?;
        }
    }
    Ok(())
}

fn advance(from: u32, by: u32, limit: usize) -> Result<u32, Problem> {
    from.checked_add(by).filter(|&end| end as usize <= limit).ok_or(Problem::Range(by))
}

fn check_function(scope: &Scope, weights: u64, work: &mut Work) -> Result<(), OpenError> {
    let function_err = |problem| scope.at.err(Table::Functions, scope.index, problem);
    let (mut written, mut inputs) = (0usize, 0usize);
    let mut before: Option<&TensorRecord> = None;
    for (index, tensor) in scope.tensors() {
        let err = |problem| scope.at.err(Table::Tensors, index, problem);
        check_tensor(scope, index, tensor, weights).map_err(err)?;
        if before.is_some_and(|before| sort_key(before) > sort_key(tensor)) {
            return Err(err(Problem::Order));
        }
        before = Some(tensor);
        if tensor.writer & INPUT_BIT != 0 {
            inputs += 1;
        } else if tensor.writer != 0 {
            written += 1;
        }
    }
    if inputs != scope.inputs().len() {
        return Err(function_err(Problem::Arity));
    }
    for (number, &tensor) in (0u32..).zip(scope.inputs()) {
        let record = scope.tensor(tensor).map_err(function_err)?;
        if record.writer != number | INPUT_BIT {
            return Err(function_err(Problem::NotWritable(tensor)));
        }
    }
    let (mut outputs, mut deepest) = (0usize, 0u32);
    for (position, step) in (1u32..).zip(scope.steps) {
        let index = scope.function.steps.saturating_add(position - 1);
        let err = |problem| scope.at.err(Table::Steps, index, problem);
        outputs += check_step(scope, position, step, work).map_err(err)?;
        deepest = deepest.max(calls::check(scope, step).map_err(err)?);
    }
    // Every output entry names its own step as the tensor's writer, and within a step they differ,
    // so equal numbers mean that each writer named by a tensor does write it.
    if outputs != written {
        return Err(function_err(Problem::NotWritten));
    }
    let exit = scope.exit();
    for &tensor in scope.outputs() {
        let record = scope.tensor(tensor).map_err(function_err)?;
        if !scope.is_available(record, exit) {
            return Err(function_err(Problem::ReadBeforeWritten(tensor)));
        }
        if record.last != exit {
            return Err(scope.at.err(Table::Tensors, tensor, Problem::Lifetime));
        }
    }
    if scope.function.arena.checked_add(deepest) != Some(scope.function.stack) {
        return Err(function_err(Problem::Value(scope.function.stack)));
    }
    Ok(())
}

/// Tensors are sorted by storage, those in the arena then by when they come into use, aliases by
/// the tensor they are part of.
fn sort_key(tensor: &TensorRecord) -> (u8, u32) {
    match tensor.storage {
        TensorRecord::ARENA | TensorRecord::DYNAMIC => (tensor.storage, tensor.first),
        TensorRecord::ALIAS => (tensor.storage, tensor.place),
        storage => (storage, 0),
    }
}

fn check_tensor(
    scope: &Scope,
    index: u32,
    tensor: &TensorRecord,
    weights: u64,
) -> Result<(), Problem> {
    let (program, common) = (scope.program, &scope.program.common);
    common.check_type(tensor.dtype, tensor.rank, tensor.dims)?;
    common.check_quant(tensor.quant, tensor.rank, tensor.dims)?;
    common.strings.check_optional(tensor.name)?;
    zero(u32::from(tensor.reserved) | u32::from(tensor.reserved2))?;
    if Layout(tensor.layout).block().is_none() {
        return Err(Problem::Layout(tensor.layout));
    }
    let exit = scope.exit();
    if tensor.first > tensor.last || tensor.last > exit {
        return Err(Problem::Lifetime);
    }
    let (is_input, is_written) = (tensor.writer & INPUT_BIT != 0, scope.writer(tensor).is_some());
    if tensor.writer != 0 && !is_input && !is_written {
        return Err(Problem::Range(tensor.writer));
    }
    if is_input && scope.inputs().get((tensor.writer & !INPUT_BIT) as usize) != Some(&index) {
        return Err(Problem::NotWritten);
    }
    let writes = tensor.first..=tensor.last;
    if is_input && tensor.first != 0 || is_written && !writes.contains(&tensor.writer) {
        return Err(Problem::Lifetime);
    }
    if tensor.storage != TensorRecord::WEIGHTS {
        zero(u32::from(tensor.packing) | u32::from(tensor.packing_version))?;
    }
    if !matches!(tensor.storage, TensorRecord::WEIGHTS | TensorRecord::ALIAS) {
        zero(tensor.extent)?;
    }
    let wrong_storage = Err(Problem::Storage(tensor.storage));
    let has_storage = match tensor.storage {
        TensorRecord::WEIGHTS => {
            let end = u64::from(tensor.place) * crate::UNIT + u64::from(tensor.extent);
            if end > weights {
                return Err(Problem::Bounds);
            }
            tensor.writer == 0
        }
        TensorRecord::STATE => {
            let state = program.states.get(tensor.place as usize);
            let state = state.ok_or(Problem::Range(tensor.place))?;
            let same = (state.dtype, state.rank) == (tensor.dtype, tensor.rank)
                && tensor.layout == 0
                && common.dims(state.dims, state.rank) == common.dims(tensor.dims, tensor.rank);
            tensor.writer == 0 && same
        }
        TensorRecord::INPUT => tensor.writer == tensor.place | INPUT_BIT,
        TensorRecord::OUTPUT => {
            is_written && scope.outputs().get(tensor.place as usize) == Some(&index)
        }
        TensorRecord::ARENA => !program.is_dynamic() && tensor.writer != 0,
        TensorRecord::DYNAMIC => {
            zero(tensor.place)?;
            program.is_dynamic() && tensor.writer != 0
        }
        TensorRecord::ALIAS => return check_alias(scope, tensor),
        _ => return wrong_storage,
    };
    if !has_storage {
        return wrong_storage;
    }
    let always = matches!(tensor.storage, TensorRecord::WEIGHTS | TensorRecord::STATE);
    if always && (tensor.first, tensor.last) != (0, exit) {
        return Err(Problem::Lifetime);
    }
    Ok(())
}

/// An alias without a writer shows what its target holds. One with a writer is a piece of a target
/// that a later join completes.
fn check_alias(scope: &Scope, tensor: &TensorRecord) -> Result<(), Problem> {
    let wrong_storage = Err(Problem::Storage(tensor.storage));
    scope.program.common.check_dim(tensor.extent)?;
    let target = scope.tensor(tensor.place)?;
    if target.storage == TensorRecord::ALIAS || target.packing != 0 {
        return wrong_storage;
    }
    if tensor.first < target.first || target.last < tensor.last {
        return Err(Problem::Lifetime);
    }
    if tensor.writer & INPUT_BIT != 0 {
        return wrong_storage;
    }
    if tensor.writer == 0 {
        return Ok(());
    }
    let joined = scope.writer(target).is_some_and(|step| step.opcode == opcode::JOIN);
    if !joined || target.writer <= tensor.writer {
        return Err(Problem::NotWritable(tensor.place));
    }
    Ok(())
}

/// Returns how many tensors other than states the step writes.
fn check_step(
    scope: &Scope,
    position: u32,
    step: &StepRecord,
    work: &mut Work,
) -> Result<usize, Problem> {
    let program = scope.program;
    if step.flags != 0 {
        return Err(Problem::Flags(u32::from(step.flags)));
    }
    zero(u32::from(step.reserved))?;
    program.common.strings.check_optional(step.name)?;
    let end = u64::from(step.record) + u64::from(step.record_len);
    if !step.record.is_multiple_of(4) || end > program.records.len() as u64 {
        return Err(Problem::Range(step.record));
    }
    if step.opcode < opcode::FIRST {
        let wanted = u32::from(step.opcode);
        if program.kernels.binary_search_by_key(&wanted, |k| k.opcode).is_err() {
            return Err(Problem::Opcode(step.opcode));
        }
    }
    let (inputs, outputs) = scope.step_lists(step);
    for &tensor in inputs.iter().filter(|&&tensor| tensor != NONE) {
        let record = scope.tensor(tensor)?;
        if !scope.is_available(record, position) {
            return Err(Problem::ReadBeforeWritten(tensor));
        }
        if position > record.last {
            return Err(Problem::Lifetime);
        }
    }
    let mut written = 0;
    work.spend(outputs.len().saturating_mul(outputs.len()) / 2)?;
    for (number, &tensor) in outputs.iter().enumerate() {
        let record = scope.tensor(tensor)?;
        let is_state = record.storage == TensorRecord::STATE;
        let repeated = outputs[..number].contains(&tensor);
        if repeated || !is_state && record.writer != position {
            return Err(Problem::NotWritable(tensor));
        }
        written += usize::from(!is_state);
    }
    Ok(written)
}

/// Size of a record in a C program.
const _: () = assert!(size_of::<TensorRecord>() == 44 && size_of::<StepRecord>() == 28);
