//! Program sections.

use std::collections::{BTreeSet, HashMap};

use embarca_plan::memory::{self, Block};
use embarca_plan::records::{
    FunctionRecord, INPUT_BIT, KernelRecord, MemoryRecord, NONE, ProgramRecord, StateRecord,
    StepRecord, TensorRecord,
};
use embarca_plan::{Dim, Layout, UNIT, evaluate, opcode};

use super::table::{CommonTable, Tables, encode, number};
use super::weights::{Weights, used_blobs};
use super::{
    FunctionSource, Life, ProgramSource, RecordSource, StepSource, StorageSource, TensorSource,
    WriteError, align_log2,
};

/// The section, and what the program needs.
pub fn write(
    source: &ProgramSource,
    weights: &Weights,
) -> Result<(Vec<u8>, MemoryRecord), WriteError> {
    let mut writer = Writer::new(source, weights)?;
    let kernels = writer.kernels()?;
    let (states, state_units) = writer.states()?;
    for (index, function) in source.functions.iter().enumerate() {
        writer.function(index, function)?;
    }
    writer.stacks()?;
    let target = writer.common.strings.optional(&source.target)?;

    let from_data = source.symbols.iter().any(|symbol| symbol.from_data);
    let mut flags = 0;
    for (flag, set) in [
        (ProgramRecord::DYNAMIC, source.is_dynamic()),
        (ProgramRecord::DATA_DEPENDENT, from_data),
        (ProgramRecord::NEEDS_HOST, source.needs_host || from_data),
    ] {
        flags |= if set { flag } else { 0 };
    }
    let mut tables = Tables::behind::<ProgramRecord>();
    let header = ProgramRecord {
        flags,
        family: source.family.0,
        align_log2: align_log2(source.align)?,
        kernel_set: source.kernel_set,
        target,
        state: state_units,
        reserved: 0,
        common: writer.common.write(&mut tables, &source.symbols, &source.exprs)?,
        kernels: tables.push(&kernels)?,
        functions: tables.push(&writer.functions)?,
        states: tables.push(&states)?,
        tensors: tables.push(&writer.tensors)?,
        steps: tables.push(&writer.steps)?,
        lists: tables.push(&writer.lists)?,
        records: tables.push(&writer.records)?,
    };
    let memory = writer.memory(state_units, header.align_log2)?;
    Ok((tables.finish(&header), memory))
}

struct Writer<'s> {
    source: &'s ProgramSource,
    weights: &'s Weights,
    common: CommonTable,
    functions: Vec<FunctionRecord>,
    tensors: Vec<TensorRecord>,
    steps: Vec<StepRecord>,
    lists: Vec<u32>,
    records: Vec<u8>,
    /// Values of the expressions at preferred sizes.
    values: Vec<i64>,
    /// Bytes that the first function needs at least.
    lower_bound: u64,
}

impl<'s> Writer<'s> {
    fn new(source: &'s ProgramSource, weights: &'s Weights) -> Result<Self, WriteError> {
        let preferred: Vec<u32> = source.symbols.iter().map(|symbol| symbol.preferred).collect();
        let exprs: Vec<_> = source.exprs.iter().map(|expr| expr.encode()).collect();
        let mut values = vec![0; exprs.len()];
        evaluate(&exprs, &preferred, &mut values)?;
        Ok(Self {
            source,
            weights,
            common: CommonTable::default(),
            functions: Vec::new(),
            tensors: Vec::new(),
            steps: Vec::new(),
            lists: Vec::new(),
            records: Vec::new(),
            values,
            lower_bound: 0,
        })
    }

    fn kernels(&mut self) -> Result<Vec<KernelRecord>, WriteError> {
        let steps = self.source.functions.iter().flat_map(|function| &function.steps);
        let opcodes: BTreeSet<u16> =
            steps.map(|step| step.opcode).filter(|&code| code < opcode::FIRST).collect();
        let mut kernels = Vec::new();
        for code in opcodes {
            let name = self.source.kernel_names.get(&code).map_or("", String::as_str);
            let name = self.common.strings.optional(name)?;
            kernels.push(KernelRecord { opcode: u32::from(code), name });
        }
        Ok(kernels)
    }

    fn states(&mut self) -> Result<(Vec<StateRecord>, u32), WriteError> {
        let (mut states, mut end) = (Vec::new(), 0);
        for (index, state) in self.source.states.iter().enumerate() {
            let (rank, dims) = self.common.dims(&state.dims)?;
            let bytes = bytes_at(Layout::ROW_MAJOR, state.dtype, &state.dims, &self.values)
                .ok_or(WriteError::Index { what: "size of state", index })?;
            let initial = match state.initial {
                Some(blob) => {
                    let (offset, len) = self.weights.place(blob)?;
                    if u64::from(len) < bytes {
                        return Err(WriteError::Index { what: "initial value of state", index });
                    }
                    offset
                }
                None => NONE,
            };
            states.push(StateRecord {
                name: self.common.strings.optional(&state.name)?,
                dtype: state.dtype.code(),
                rank,
                reset_group: state.reset_group,
                dims,
                offset: if self.source.is_dynamic() { 0 } else { end },
                initial,
            });
            end = units(u64::from(end) * UNIT + bytes)?;
        }
        Ok((states, end))
    }

    fn function(&mut self, index: usize, source: &FunctionSource) -> Result<(), WriteError> {
        let lives = source.lifetimes(index)?;
        let base = number(self.tensors.len())?;
        let order = order(source, &lives);
        let mut numbers = vec![0; order.len()];
        for (&tensor, number) in order.iter().zip(base..) {
            numbers[tensor] = number;
        }
        let local = |tensor: usize| {
            numbers.get(tensor).copied().ok_or(WriteError::Index { what: "tensor", index: tensor })
        };
        let mut outputs = HashMap::new();
        for (output, &tensor) in source.outputs.iter().enumerate() {
            outputs.entry(tensor).or_insert(output);
        }
        let (mut arena, mut blocks) = (0, Vec::new());
        for &tensor in &order {
            let record = self.tensor(source, tensor, lives[tensor], (&numbers, &outputs))?;
            let tensor_source = &source.tensors[tensor];
            if matches!(tensor_source.storage, StorageSource::Arena { .. }) {
                let size = bytes_at(
                    tensor_source.layout,
                    tensor_source.dtype,
                    &tensor_source.dims,
                    &self.values,
                )
                .ok_or(WriteError::Unsized { function: index, tensor })?;
                arena = arena.max(u64::from(record.place) * UNIT + size);
                blocks.push(Block { size, first: record.first, last: record.last, offset: 0 });
            }
            self.tensors.push(record);
        }
        let mut scratch = vec![0; blocks.len() * 2];
        if self.source.is_dynamic() {
            arena = memory::assign(&mut blocks, &mut scratch, UNIT)?;
        }
        if index == 0 {
            self.lower_bound = memory::lower_bound(&blocks, &mut scratch, UNIT)?;
        }
        let record = FunctionRecord {
            name: self.common.strings.optional(&source.name)?,
            tensors: base,
            tensor_count: number(source.tensors.len())?,
            steps: number(self.steps.len())?,
            step_count: number(source.steps.len())?,
            list: number(self.lists.len())?,
            inputs: number(source.inputs.len())?,
            outputs: number(source.outputs.len())?,
            arena: units(arena)?,
            stack: 0,
            scratch: u32::try_from(source.scratch).map_err(|_| WriteError::TooLarge("scratch"))?,
        };
        self.functions.push(record);
        for &tensor in source.inputs.iter().chain(&source.outputs) {
            self.lists.push(local(tensor)?);
        }
        for step in &source.steps {
            let list = number(self.lists.len())?;
            for tensor in &step.inputs {
                self.lists.push(tensor.map_or(Ok(NONE), local)?);
            }
            for &tensor in &step.outputs {
                self.lists.push(local(tensor)?);
            }
            self.step(step, list)?;
        }
        Ok(())
    }

    fn tensor(
        &mut self,
        function: &FunctionSource,
        index: usize,
        life: Life,
        (numbers, outputs): (&[u32], &HashMap<usize, usize>),
    ) -> Result<TensorRecord, WriteError> {
        let source = &function.tensors[index];
        let (rank, dims) = self.common.dims(&source.dims)?;
        let missing = |what| WriteError::Index { what, index };
        let (mut packing, mut extent) = (Default::default(), 0);
        let place = match source.storage {
            StorageSource::Weights { blob, packing: arrangement } => {
                packing = arrangement;
                let (offset, len) = self.weights.place(blob)?;
                extent = len;
                offset
            }
            StorageSource::State(state) => number(state)?,
            StorageSource::Input if life.writer & INPUT_BIT != 0 => life.writer & !INPUT_BIT,
            StorageSource::Input => return Err(missing("input for tensor")),
            StorageSource::Output => {
                number(*outputs.get(&index).ok_or(missing("output for tensor"))?)?
            }
            StorageSource::Arena { .. } if self.source.is_dynamic() => 0,
            StorageSource::Arena { offset } if offset % UNIT == 0 => units(offset)?,
            StorageSource::Arena { .. } => return Err(missing("aligned offset for tensor")),
            StorageSource::Alias { tensor, offset } => {
                extent = encode(offset)?;
                *numbers.get(tensor).ok_or(WriteError::Index { what: "tensor", index: tensor })?
            }
        };
        Ok(TensorRecord {
            dtype: source.dtype.code(),
            rank,
            storage: self.storage(source),
            reserved: 0,
            layout: source.layout.0,
            packing: packing.id,
            packing_version: packing.version,
            reserved2: 0,
            dims,
            place,
            extent,
            quant: self.common.quant(source.quant.as_ref())?,
            name: self.common.strings.optional(&source.name)?,
            writer: life.writer,
            first: life.first,
            last: life.last,
        })
    }

    fn storage(&self, tensor: &TensorSource) -> u8 {
        match tensor.storage {
            StorageSource::Arena { .. } if self.source.is_dynamic() => TensorRecord::DYNAMIC,
            storage => storage_number(storage),
        }
    }

    fn step(&mut self, source: &StepSource, list: u32) -> Result<(), WriteError> {
        let count = |len: usize| {
            u16::try_from(len).map_err(|_| WriteError::TooLarge("a step's list of tensors"))
        };
        let start = self.records.len();
        match &source.record {
            RecordSource::Bytes(bytes) => self.records.extend_from_slice(bytes),
            RecordSource::Words(words) => {
                self.records.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            }
            RecordSource::Custom { name, version, bytes } => {
                let name = self.common.strings.intern(name)?;
                self.records.extend_from_slice(&name.to_le_bytes());
                self.records.extend_from_slice(&version.to_le_bytes());
                self.records.extend_from_slice(bytes);
            }
        }
        let len = self.records.len() - start;
        self.records.resize(self.records.len().next_multiple_of(4), 0);
        self.steps.push(StepRecord {
            opcode: source.opcode,
            algorithm: source.algorithm,
            flags: 0,
            inputs: count(source.inputs.len())?,
            outputs: count(source.outputs.len())?,
            reserved: 0,
            list,
            record: if len == 0 { 0 } else { number(start)? },
            record_len: number(len)?,
            name: self.common.strings.optional(&source.name)?,
        });
        Ok(())
    }

    /// Functions call only later ones, so the last one's stack is its arena.
    fn stacks(&mut self) -> Result<(), WriteError> {
        for index in (0..self.functions.len()).rev() {
            let steps = &self.source.functions[index].steps;
            let deepest = steps
                .iter()
                .flat_map(callees)
                .filter_map(|callee| self.functions.get(callee as usize))
                .map(|function| function.stack)
                .max()
                .unwrap_or(0);
            let function = &mut self.functions[index];
            function.stack =
                function.arena.checked_add(deepest).ok_or(WriteError::TooLarge("the stack"))?;
        }
        Ok(())
    }

    fn memory(&self, state: u32, align_log2: u16) -> Result<MemoryRecord, WriteError> {
        let mut blobs = BTreeSet::new();
        for blob in used_blobs(self.source) {
            blobs.insert(self.weights.place(blob)?);
        }
        let first = self.functions.first();
        Ok(MemoryRecord {
            arena: first.map_or(0, |function| u64::from(function.stack) * UNIT),
            state: u64::from(state) * UNIT,
            scratch: self.functions.iter().map(|f| u64::from(f.scratch)).max().unwrap_or(0),
            weights: blobs.iter().map(|&(_, len)| u64::from(len)).sum(),
            lower_bound: self.lower_bound,
            align: 1 << align_log2,
        })
    }
}

/// By storage; in the arena by when tensors come into use; aliases by the tensor they are part of.
fn order(source: &FunctionSource, lives: &[Life]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..source.tensors.len()).collect();
    let key = |tensor: usize| {
        let storage = source.tensors[tensor].storage;
        let first = match storage {
            StorageSource::Arena { .. } => lives[tensor].first,
            _ => 0,
        };
        (storage_number(storage), first, tensor)
    };
    order.sort_by_key(|&tensor| key(tensor));
    let mut places = vec![0; order.len()];
    for (place, &tensor) in order.iter().enumerate() {
        places[tensor] = place;
    }
    order.sort_by_key(|&tensor| match source.tensors[tensor].storage {
        StorageSource::Alias { tensor: target, .. } => {
            (1, places.get(target).copied().unwrap_or(0), tensor)
        }
        _ => (0, places[tensor], tensor),
    });
    order
}

fn storage_number(storage: StorageSource) -> u8 {
    match storage {
        StorageSource::Weights { .. } => TensorRecord::WEIGHTS,
        StorageSource::State(_) => TensorRecord::STATE,
        StorageSource::Input => TensorRecord::INPUT,
        StorageSource::Output => TensorRecord::OUTPUT,
        StorageSource::Arena { .. } => TensorRecord::ARENA,
        StorageSource::Alias { .. } => TensorRecord::ALIAS,
    }
}

fn callees(step: &StepSource) -> Vec<u32> {
    let count = match step.opcode {
        opcode::IF | opcode::WHILE => 2,
        opcode::LOOP | opcode::SCAN => 1,
        _ => 0,
    };
    match &step.record {
        RecordSource::Words(words) => words.iter().copied().take(count).collect(),
        _ => Vec::new(),
    }
}

fn bytes_at(
    layout: Layout,
    dtype: embarca_num::DType,
    dims: &[Dim],
    values: &[i64],
) -> Option<u64> {
    let dims: Option<Vec<u32>> = dims.iter().map(|dim| dim.value(values)).collect();
    layout.bytes(dtype, &dims?)
}

fn units(bytes: u64) -> Result<u32, WriteError> {
    u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| WriteError::TooLarge("the arena"))
}
