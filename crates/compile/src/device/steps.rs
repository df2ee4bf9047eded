//! The steps of a device program: which form of a kernel, packed constants, records.

use std::collections::HashMap;

use embarca_kernels::device::{
    self, Conv, Dense, Depthwise, GeneralHead, TensorHead, opcode, pack,
};
use embarca_kernels::tail::TailI8;
use embarca_kernels::{Signature, Ty, conv2d, depthwise_conv2d, spatial::Window};
use embarca_num::fixed::Requant;
use embarca_target::Target;
use zerocopy::{FromBytes, IntoBytes};

use super::Sized;
use super::constants::Constants;
use super::memory::Memory;
use crate::CompileError;
use crate::schedule::{self, Action, Place, TensorIndex};

/// A step, but for the places of its tensors.
#[derive(Debug)]
pub(crate) struct Step {
    /// The author's name of the node.
    pub name: String,
    pub inputs: Vec<Option<TensorIndex>>,
    pub outputs: Vec<TensorIndex>,
    /// Bytes.
    pub scratch: u32,
    /// Whether the output may lie where the first input is.
    pub in_place: bool,
    number: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Conv(Conv),
    Depthwise(Depthwise),
    Dense(Dense),
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
            ("cortex-m4", "conv2d_i8") => site.conv(constants)?,
            ("cortex-m4", "depthwise_conv2d_i8") => site.depthwise(constants)?,
            ("cortex-m4", "dense_i8") => site.dense(constants)?,
            _ => None,
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
            Form::General { .. } => opcode::GENERAL,
        }
    }

    /// The record.
    pub fn encode(&self, sized: &Sized<'_>, memory: &Memory) -> Result<Vec<u32>, CompileError> {
        let at = |tensor: TensorIndex| memory.at(sized, tensor);
        let x = self.inputs.first().copied().flatten().map_or(0, at);
        let y = self.outputs.first().copied().map_or(0, at);
        let scratch = memory.scratch(self.number);
        Ok(match &self.form {
            Form::Conv(conv) => words(&Conv { x, y, scratch, ..*conv }),
            Form::Depthwise(step) => words(&Depthwise { x, y, scratch, ..*step }),
            Form::Dense(dense) => words(&Dense { x, y, ..*dense }),
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

/// Constants of a layer with 8-bit weights, output by output.
struct Layer {
    /// Weights in their canonical order.
    weights: Vec<i8>,
    /// With the input's zero point folded in.
    biases: Vec<i32>,
    /// Multiplier, addend, shift: as [`device::rescale`] takes them.
    factors: Vec<[i32; 3]>,
    /// As [`device::Tile::rectified`].
    rectified: u8,
}

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

    /// The layer's constants, where every sum of an output stays where [`device::rescale`] and its
    /// twins are exact. `taps_of(i)` is the output that weight `i` belongs to.
    fn layer(
        &self,
        tail: &TailI8,
        outputs: usize,
        output_of: impl Fn(usize) -> usize,
    ) -> Option<Layer> {
        if tail.w_zero != 0 {
            return None;
        }
        let mut weights: Vec<i8> = self.constant(1)?.iter().map(|&w| w.cast_signed()).collect();
        let mut biases = match self.input(2) {
            Some(_) => {
                let bias = self.constant(2)?;
                bias.chunks_exact(4).map(|bytes| word(bytes).cast_signed()).collect()
            }
            None => vec![0; outputs],
        };
        let factors = self.constant(3)?.chunks_exact(size_of::<Requant>());
        let factors = factors.map(Requant::read_from_bytes).collect::<Result<Vec<_>, _>>().ok()?;
        if biases.len() != outputs || factors.len() != outputs {
            return None;
        }
        let (mut sums, mut sizes) = (vec![0i64; outputs], vec![0i64; outputs]);
        for (index, &w) in weights.iter().enumerate() {
            let output = output_of(index);
            *sums.get_mut(output)? += i64::from(w);
            sizes[output] += i64::from(w).abs() * 128;
        }
        let mut rescale = Vec::with_capacity(outputs);
        let mut switched_off = vec![false; outputs];
        for (output, factor) in factors.iter().enumerate() {
            let bias = i64::from(biases[output]) - i64::from(tail.in_zero) * sums[output];
            let (least, most) = (bias - sizes[output], bias + sizes[output]);
            let (least, most) = (i32::try_from(least).ok()?, i32::try_from(most).ok()?);
            biases[output] = bias as i32;
            // A channel whose sums all give one result, as those that training has switched off.
            if factor.shift() <= 0 && factor.apply(least) == factor.apply(most) {
                let result = (factor.apply(most) + tail.out_zero).clamp(-128, 127);
                rescale.push([0, 1 + (result << 1), 1]);
                switched_off[output] = true;
                continue;
            }
            let left = factor.shift().max(0);
            if 1 << (30 - left) <= least.unsigned_abs().max(most.unsigned_abs()) {
                return None;
            }
            if factor.shift() < -22 {
                return None;
            }
            let right = (-factor.shift()).max(0);
            let half = if right == 0 { 0 } else { 1 << (right - 1) };
            let addend = half + (tail.out_zero << right);
            let twice = factor.multiplier().cast_unsigned() << 1;
            rescale.push([twice.cast_signed(), addend, -factor.shift()]);
        }
        for (index, w) in weights.iter_mut().enumerate() {
            *w = if switched_off[output_of(index)] { 0 } else { *w };
        }
        for (bias, _) in biases.iter_mut().zip(&switched_off).filter(|(_, off)| **off) {
            *bias = 0;
        }
        let right = rescale.iter().all(|factor| 0 < factor[2]);
        let rectified = u8::from(right && tail.out_zero <= tail.act_min);
        Some(Layer { weights, biases, factors: rescale, rectified })
    }

    fn conv(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(params) = conv2d::ParamsI8::read_from_bytes(self.record) else { return Ok(None) };
        let Some(w) = self.input(1) else { return Ok(None) };
        let &[outputs, kernel_h, kernel_w, inputs] = self.dims(w) else { return Ok(None) };
        let taps = (kernel_h * kernel_w * inputs) as usize;
        if params.groups != 1 {
            return Ok(None);
        }
        let layer = self.layer(&params.tail, outputs as usize, |index| index / taps.max(1));
        let Some(layer) = layer else { return Ok(None) };
        self.conv_form(&params.window, &params.tail, [kernel_h, kernel_w], &layer, constants)
    }

    /// A convolution whose weights are `[outputs][kernel_h][kernel_w][inputs]`.
    fn conv_form(
        &self,
        window: &Window,
        tail: &TailI8,
        [kernel_h, kernel_w]: [u32; 2],
        layer: &Layer,
        constants: &mut Constants,
    ) -> Result<Chosen, CompileError> {
        let (Some(x), [y]) = (self.input(0), self.step.outputs.as_slice()) else { return Ok(None) };
        let (&[1, h, wide, c], &[_, oh, ow, oc]) = (self.dims(x), self.dims(*y)) else {
            return Ok(None);
        };
        let small = |values: [u32; 2]| values.map(|value| u8::try_from(value).ok());
        let pads = window.pad.map(|pad| u8::try_from(pad).ok());
        let sizes = [h, wide, c, oh, ow, oc].map(|size| u16::try_from(size).ok());
        let (
            [Some(h), Some(wide), Some(c), Some(oh), Some(ow), Some(oc)],
            [Some(kernel_h), Some(kernel_w)],
            [Some(stride_h), Some(stride_w)],
            [Some(top), Some(left)],
            [1, 1],
        ) = (sizes, small([kernel_h, kernel_w]), small(window.stride), pads, window.dilation)
        else {
            return Ok(None);
        };
        if [h, wide, c, oh, ow, oc, kernel_h.into(), kernel_w.into()].contains(&0) {
            return Ok(None);
        }
        let (rows, row) = (usize::from(kernel_h), usize::from(kernel_w) * usize::from(c));
        let channels = usize::from(oc);
        let mut packed = vec![0; pack::pairs_len(rows, row, channels)];
        pack::pairs(&layer.weights, rows, row, channels, &mut packed);
        let mut params = Vec::new();
        for (biases, factors) in layer.biases.chunks(2).zip(layer.factors.chunks(2)) {
            params.extend([biases[0], biases.get(1).copied().unwrap_or(0)]);
            let none = [0, 0, 1];
            params.extend(factors[0].into_iter().chain(factors.get(1).copied().unwrap_or(none)));
        }
        let conv = Conv {
            x: 0,
            y: 0,
            scratch: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            input: [h, wide, c],
            output: [oh, ow, oc],
            kernel: [kernel_h, kernel_w],
            stride: [stride_h, stride_w],
            pad: [top, left],
            zero: tail.in_zero as i8,
            act: [tail.act_min as i8, tail.act_max as i8],
            rectified: layer.rectified,
            reserved: [0; 2],
        };
        let scratch = (rows * row.next_multiple_of(4) * 8) as u32;
        Ok(Some((Form::Conv(conv), scratch, false)))
    }

    fn depthwise(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(params) = depthwise_conv2d::ParamsI8::read_from_bytes(self.record) else {
            return Ok(None);
        };
        let (Some(x), Some(w), [y]) = (self.input(0), self.input(1), self.step.outputs.as_slice())
        else {
            return Ok(None);
        };
        let (&[1, h, wide, c], &[_, kernel_h, kernel_w, outputs], &[_, oh, ow, _]) =
            (self.dims(x), self.dims(w), self.dims(*y))
        else {
            return Ok(None);
        };
        let channels = outputs as usize;
        let layer = self.layer(&params.tail, channels, |index| index % channels.max(1));
        let Some(layer) = layer else { return Ok(None) };
        let (window, tail) = (&params.window, &params.tail);
        if c == 1 {
            // One input channel: an ordinary convolution with the weights transposed.
            let taps = (kernel_h * kernel_w) as usize;
            let weights = (0..channels * taps)
                .map(|index| layer.weights[index % taps * channels + index / taps])
                .collect();
            let layer = Layer { weights, ..layer };
            return self.conv_form(window, tail, [kernel_h, kernel_w], &layer, constants);
        }
        let stride = window.stride[0];
        let pads = window.pad.map(|pad| u8::try_from(pad).ok().filter(|pad| *pad <= 1));
        let sizes = [h, wide, c, oh, ow].map(|size| u16::try_from(size).ok());
        let (
            [Some(h), Some(wide), Some(c), Some(oh), Some(ow)],
            [Some(top), Some(left)],
            true,
            [1, 1],
        ) = (sizes, pads, (kernel_h, kernel_w, outputs) == (3, 3, c), window.dilation)
        else {
            return Ok(None);
        };
        let square = window.stride == [stride, stride] && matches!(stride, 1 | 2);
        if !square || c % 4 != 0 || h < oh || wide < ow || [h, wide, c, oh, ow].contains(&0) {
            return Ok(None);
        }
        let mut packed = vec![0; layer.weights.len()];
        pack::fours(&layer.weights, channels, &mut packed);
        let params: Vec<i32> = layer
            .biases
            .iter()
            .zip(&layer.factors)
            .flat_map(|(&bias, &[multiplier, addend, shift])| [bias, multiplier, addend, shift])
            .collect();
        let step = Depthwise {
            x: 0,
            y: 0,
            scratch: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            input: [h, wide, c],
            output: [oh, ow],
            stride: stride as u8,
            pad: [top, left],
            zero: tail.in_zero as i8,
            act: [tail.act_min as i8, tail.act_max as i8],
            upright: u8::from(ow < oh),
            rectified: layer.rectified,
            reserved: [0; 2],
        };
        let in_place = (h, wide) == (oh, ow);
        let scratch = step.scratch();
        Ok(Some((Form::Depthwise(step), scratch, in_place)))
    }

    fn dense(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(tail) = TailI8::read_from_bytes(self.record) else { return Ok(None) };
        let (Some(x), Some(w)) = (self.input(0), self.input(1)) else { return Ok(None) };
        let &[outputs, inputs] = self.dims(w) else { return Ok(None) };
        let all: u32 = self.dims(x).iter().product();
        let taps = inputs.max(1);
        let layer = self.layer(&tail, outputs as usize, |index| index / taps as usize);
        let sizes = [all / taps, inputs, outputs].map(|size| u16::try_from(size).ok());
        let (Some(layer), [Some(rows), Some(inputs), Some(outputs)]) = (layer, sizes) else {
            return Ok(None);
        };
        if inputs == 0 || outputs == 0 {
            return Ok(None);
        }
        let mut packed = vec![0; pack::quads_len(inputs.into(), outputs.into())];
        pack::quads(&layer.weights, inputs.into(), &mut packed);
        let mut params = Vec::new();
        for (biases, factors) in layer.biases.chunks(4).zip(layer.factors.chunks(4)) {
            let side = |i| biases.get(i).copied().unwrap_or(0);
            params.extend([0, 1, 2, 3].map(side));
            for i in 0..4 {
                params.extend(factors.get(i).copied().unwrap_or([0, 0, 1]));
            }
        }
        let dense = Dense {
            x: 0,
            y: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            rows,
            inputs,
            outputs,
            act: [tail.act_min as i8, tail.act_max as i8],
        };
        Ok(Some((Form::Dense(dense), 0, false)))
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
