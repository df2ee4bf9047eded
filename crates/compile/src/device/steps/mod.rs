//! The steps of a device program: which form of a kernel, packed constants, records.

mod dsp;
mod helium;
mod layer;
mod plain;
mod small;

use std::collections::HashMap;

use embarca_kernels::device::helium::{HeliumAdd, HeliumConv, HeliumDense, HeliumDepthwise};
use embarca_kernels::device::plain::{PlainConv, Taps};
use embarca_kernels::device::small::{Add, Mul, Pool, Softmax, Table};
use embarca_kernels::device::{self, Conv, Dense, Depthwise, GeneralHead, TensorHead, opcode};
use embarca_kernels::{Signature, Ty};
use embarca_target::Target;
use zerocopy::IntoBytes;

use crate::CompileError;
use crate::device::Sized;
use crate::device::constants::Constants;
use crate::device::memory::Memory;
use crate::schedule::{self, Action, Place, TensorIndex};

/// A step, but for the places of its tensors.
#[derive(Debug)]
pub(crate) struct Step {
    /// The author's name of the node.
    pub name: String,
    pub inputs: Vec<Option<TensorIndex>>,
    pub outputs: Vec<TensorIndex>,
    scratch: u32,
    /// Whether the output may lie where an input is.
    in_place: bool,
    number: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Conv(Conv),
    Depthwise(Depthwise),
    Dense(Dense),
    HeliumConv(HeliumConv),
    HeliumDepthwise(HeliumDepthwise),
    HeliumDense(HeliumDense),
    HeliumAdd(HeliumAdd),
    PlainConv(PlainConv),
    Taps(Taps),
    Add(Add),
    Mul(Mul),
    Pool(Pool),
    Softmax(Softmax),
    Table(Table),
    General { opcode: u16, record: Vec<u32>, units: u32, constants: HashMap<TensorIndex, u32> },
}

/// Chooses the form of every step and packs its constants.
pub(crate) fn choose(
    sized: &Sized<'_>,
    target: &Target,
    constants: &mut Constants,
) -> Result<Vec<Step>, CompileError> {
    let mut steps = Vec::new();
    for step in &sized.schedule.steps {
        let (name, record) = match &step.action {
            // What is joined was computed in place.
            Action::Join => continue,
            Action::Call { .. } => {
                return Err(CompileError::Limit(format!(
                    "node '{}' calls another graph, which microcontrollers do not yet",
                    step.name
                )));
            }
            Action::Kernel { name, record, .. } => (*name, record),
        };
        let site = Site { sized, step, record };
        let special = match (target.family.as_str(), name) {
            ("cortex-m4", "conv2d_i8") => site.dsp_conv(constants)?,
            ("cortex-m4", "depthwise_conv2d_i8") => site.dsp_depthwise(constants)?,
            ("cortex-m4", "dense_i8") => site.dsp_dense(constants)?,
            ("cortex-m55", "conv2d_i8") => site.helium_conv(constants)?,
            ("cortex-m55", "depthwise_conv2d_i8") => site.helium_depthwise(constants)?,
            ("cortex-m55", "dense_i8") => site.helium_dense(constants)?,
            ("cortex-m55", "sum_i8") => site.helium_add(),
            _ => None,
        };
        let special = match (special, name) {
            (None, "conv2d_i8") => site.plain_conv(constants)?,
            (None, "depthwise_conv2d_i8") => site.taps(constants)?,
            (None, "dense_i8") => site.plain_dense(constants)?,
            (None, "sum_i8") => site.add(),
            (None, "mul_i8") => site.mul(),
            (None, "max_pool_i8") => site.pool(true),
            (None, "average_pool_i8") => site.pool(false),
            (None, "mean_i8") => site.mean(),
            (None, "softmax_i8") => site.softmax(),
            (None, "table_b8") => site.table(constants)?,
            (special, _) => special,
        };
        let (form, scratch, in_place) = match special {
            Some(special) => special,
            None => site.general(name, constants)?,
        };
        steps.push(Step {
            name: step.name.clone(),
            inputs: step.inputs.clone(),
            outputs: step.outputs.clone(),
            scratch,
            in_place,
            number: steps.len(),
            form,
        });
    }
    Ok(steps)
}

impl Step {
    /// The number of the form.
    pub fn opcode(&self) -> u16 {
        match self.form {
            Form::Conv(_) => opcode::CONV,
            Form::Depthwise(_) => opcode::DEPTHWISE,
            Form::Dense(_) => opcode::DENSE,
            Form::HeliumConv(_) => opcode::HELIUM_CONV,
            Form::HeliumDepthwise(_) => opcode::HELIUM_DEPTHWISE,
            Form::HeliumDense(_) => opcode::HELIUM_DENSE,
            Form::HeliumAdd(_) => opcode::HELIUM_ADD,
            Form::PlainConv(_) => opcode::PLAIN_CONV,
            Form::Taps(_) => opcode::TAPS,
            Form::Add(_) => opcode::ADD,
            Form::Mul(_) => opcode::MUL,
            Form::Pool(_) => opcode::POOL,
            Form::Softmax(_) => opcode::SOFTMAX,
            Form::Table(_) => opcode::TABLE,
            Form::General { .. } => opcode::GENERAL,
        }
    }

    /// Bytes of scratch.
    pub fn scratch(&self) -> u32 {
        self.scratch
    }

    /// Takes as much scratch as helps, of `most` bytes; at least what the step needs.
    pub fn take_scratch(&mut self, most: u32) {
        match &mut self.form {
            Form::Conv(conv) => self.scratch = dsp::take_scratch(conv, most),
            Form::Depthwise(step) => self.scratch = dsp::take_bands(step, most),
            _ => {}
        }
    }

    /// How many bytes before an input the output may begin, where it may lie over an input that no
    /// later step reads.
    pub fn lead(&self) -> Option<u32> {
        match &self.form {
            Form::Conv(conv) => Some(dsp::lead(conv)),
            Form::Depthwise(step) => dsp::bands_lead(step),
            Form::HeliumConv(step) => helium::lead(step),
            _ => self.in_place.then_some(0),
        }
    }

    /// Bytes that the step reads behind its first input.
    pub fn behind(&self) -> u32 {
        match &self.form {
            Form::HeliumConv(step) => step.scratch().map_or(0, |[_, behind]| behind),
            _ => 0,
        }
    }

    /// The record.
    pub fn encode(&self, sized: &Sized<'_>, memory: &Memory) -> Result<Vec<u32>, CompileError> {
        let at = |tensor: TensorIndex| memory.at(sized, tensor);
        let x = self.inputs.first().copied().flatten().map_or(0, at);
        let second = self.inputs.get(1).copied().flatten().map_or(0, at);
        let y = self.outputs.first().copied().map_or(0, at);
        let scratch = memory.scratch(self.number);
        Ok(match &self.form {
            Form::Conv(conv) => words(&Conv { x, y, scratch, ..*conv }),
            Form::Depthwise(step) => words(&Depthwise { x, y, scratch, ..*step }),
            Form::Dense(dense) => words(&Dense { x, y, ..*dense }),
            Form::HeliumConv(step) => words(&HeliumConv { x, y, scratch, ..*step }),
            Form::HeliumDepthwise(step) => words(&HeliumDepthwise { x, y, scratch, ..*step }),
            Form::HeliumDense(step) => words(&HeliumDense { x, y, ..*step }),
            Form::HeliumAdd(step) => {
                let b = self.inputs.get(1).copied().flatten().map_or(0, at);
                words(&HeliumAdd { a: x, b, y, ..*step })
            }
            Form::PlainConv(step) => words(&PlainConv { x, y, scratch, ..*step }),
            Form::Taps(step) => words(&Taps { x, y, scratch, ..*step }),
            Form::Add(step) => words(&Add { a: x, b: second, y, ..*step }),
            Form::Mul(step) => words(&Mul { a: x, b: second, y, ..*step }),
            Form::Pool(step) => words(&Pool { x, y, ..*step }),
            Form::Softmax(step) => words(&Softmax { x, y, scratch, ..*step }),
            Form::Table(step) => words(&Table { x, y, ..*step }),
            Form::General { opcode, record, units, constants } => {
                let count = |n: usize| {
                    u8::try_from(n).ok().filter(|n| usize::from(*n) <= device::MOST_TENSORS)
                };
                let counts = count(self.inputs.len()).zip(count(self.outputs.len()));
                let (inputs, outputs) = counts.ok_or_else(|| {
                    CompileError::Limit(format!(
                        "step '{}' has more than {} inputs or outputs",
                        self.name,
                        device::MOST_TENSORS
                    ))
                })?;
                let mut list = words(&GeneralHead {
                    opcode: *opcode,
                    inputs,
                    outputs,
                    words: record.len() as u32,
                    units: *units,
                    scratch,
                    scratch_len: self.scratch,
                });
                list.extend_from_slice(record);
                let tensors = self.inputs.iter().copied();
                for tensor in tensors.chain(self.outputs.iter().copied().map(Some)) {
                    let Some(tensor) = tensor else {
                        let place = device::ABSENT;
                        list.extend(words(&TensorHead {
                            dtype: 3,
                            rank: 0,
                            place,
                            reserved: 0,
                            at: 0,
                        }));
                        continue;
                    };
                    let dims = &sized.tensors[tensor].dims;
                    let (place, at) = match constants.get(&tensor) {
                        Some(&at) => (device::CONSTANTS, at),
                        None => (device::ARENA, at(tensor)),
                    };
                    let dtype = sized.schedule.tensors[tensor].ty.dtype.code();
                    let rank = dims.len() as u8;
                    list.extend(words(&TensorHead { dtype, rank, place, reserved: 0, at }));
                    list.extend_from_slice(dims);
                }
                list
            }
        })
    }
}

fn words<T: IntoBytes + zerocopy::Immutable>(record: &T) -> Vec<u32> {
    record.as_bytes().chunks_exact(4).map(word).collect()
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// A step of the schedule with what it refers to.
struct Site<'a> {
    sized: &'a Sized<'a>,
    step: &'a schedule::Step,
    record: &'a [u8],
}

type Chosen = Option<(Form, u32, bool)>;

impl Site<'_> {
    fn dims(&self, tensor: TensorIndex) -> &[u32] {
        &self.sized.tensors[tensor].dims
    }

    fn input(&self, index: usize) -> Option<TensorIndex> {
        self.step.inputs.get(index).copied().flatten()
    }

    fn constant(&self, index: usize) -> Option<&[u8]> {
        match &self.sized.schedule.tensors[self.input(index)?].place {
            Place::Const(data) => Some(&data.data),
            _ => None,
        }
    }

    /// The portable kernel on described tensors.
    fn general(
        &self,
        name: &str,
        constants: &mut Constants,
    ) -> Result<(Form, u32, bool), CompileError> {
        let bug = || CompileError::Bug(format!("kernel {name} is not listed"));
        let opcode = embarca_kernels::opcode(name).ok_or_else(bug)?;
        let kernel = embarca_kernels::portable(opcode).ok_or_else(bug)?;
        let ty = |tensor: TensorIndex| Ty {
            dtype: self.sized.schedule.tensors[tensor].ty.dtype,
            dims: self.dims(tensor),
        };
        let inputs: Vec<_> = self.step.inputs.iter().map(|input| input.map(ty)).collect();
        let outputs: Vec<_> = self.step.outputs.iter().map(|&output| ty(output)).collect();
        let signature = Signature { record: self.record, inputs: &inputs, outputs: &outputs };
        let needs = (kernel.check)(&signature).map_err(|fault| CompileError::Kernel {
            step: format!("step '{}' ({name})", self.step.name),
            fault,
            types: format!("{inputs:?} -> {outputs:?}"),
        })?;
        let limit = || CompileError::Limit(format!("step '{}' is too large", self.step.name));
        let mut places = HashMap::new();
        for tensor in self.step.inputs.iter().flatten() {
            let (root, offset) = self.sized.tensors[*tensor].root;
            if let Place::Const(data) = &self.sized.schedule.tensors[root].place {
                places.insert(*tensor, constants.add(&data.data)? + offset);
            }
        }
        let form = Form::General {
            opcode: opcode.0,
            record: self.record.chunks_exact(4).map(word).collect(),
            units: u32::try_from(needs.units).map_err(|_| limit())?,
            constants: places,
        };
        Ok((form, u32::try_from(needs.scratch).map_err(|_| limit())?, false))
    }
}
