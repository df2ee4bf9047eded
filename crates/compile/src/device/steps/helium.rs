//! Steps for cores with Helium.

use embarca_kernels::binary::{Kind, ParamsSumI8};
use embarca_kernels::device::helium::pack::{self, BLOCK_PARAMS, COLUMN_PARAMS};
use embarca_kernels::device::helium::{HeliumAdd, HeliumConv, HeliumDense, HeliumDepthwise};
use embarca_kernels::spatial::Window;
use embarca_kernels::tail::TailI8;
use embarca_kernels::{conv2d, depthwise_conv2d};
use embarca_num::fixed::Requant;
use zerocopy::{FromBytes, IntoBytes};

use super::layer::Layer;
use super::{Chosen, Form, Site};
use crate::CompileError;
use crate::device::constants::Constants;

/// As `Scale::exact`; nothing where a shift to the left could push bits out.
fn exactness(layer: &Layer) -> Option<u8> {
    let mut exact = u8::from(i32::from(layer.act[0]) < layer.out_zero);
    for (factor, [least, most]) in layer.factors.iter().zip(&layer.bounds) {
        let left = factor.shift().max(0);
        if i32::MAX as u32 >> left < least.unsigned_abs().max(most.unsigned_abs()) {
            return None;
        }
        if 0 < left {
            exact = 2;
        }
    }
    Some(exact)
}

/// Bias, multiplier and shift of a channel; zeros where there is none.
fn lane(layer: &Layer, channel: usize) -> [i32; 3] {
    match (layer.biases.get(channel), layer.factors.get(channel)) {
        (Some(&bias), Some(factor)) => [bias, factor.multiplier(), factor.shift()],
        _ => [0; 3],
    }
}

/// The parameters of channels in fours.
fn params(layer: &Layer, constants: &mut Constants) -> Result<u32, CompileError> {
    let mut bytes = vec![0; layer.biases.len().div_ceil(4) * BLOCK_PARAMS];
    for (block, out) in bytes.chunks_exact_mut(BLOCK_PARAMS).enumerate() {
        pack::params(4, |i| lane(layer, block * 4 + i), out);
    }
    constants.add(&bytes)
}

/// Sizes of a convolution.
#[derive(Clone, Copy)]
struct Shape {
    input: [u32; 3],
    output: [u32; 3],
    kernel: [u32; 2],
    stride: [u32; 2],
    pad: [u32; 2],
}

impl Shape {
    /// With one row where all windows have the same distance and their lines follow each other.
    fn flat(self) -> Self {
        let [h, w, c] = self.input;
        let [oh, ow, oc] = self.output;
        let ([kernel_h, kernel_w], [stride_h, _]) = (self.kernel, self.stride);
        if (self.kernel, self.stride, self.pad, h, w) == ([1, 1], [1, 1], [0, 0], oh, ow) {
            return Self { input: [1, h * w, c], output: [1, oh * ow, oc], ..self };
        }
        if kernel_w == w && ow == 1 && self.pad == [0, 0] && (oh - 1) * stride_h + kernel_h <= h {
            return Self {
                input: [1, h, w * c],
                output: [1, oh, oc],
                kernel: [1, kernel_h],
                stride: [1, stride_h],
                pad: [0, 0],
            };
        }
        self
    }
}

fn bytes<const N: usize>(values: [u32; N]) -> Option<[u8; N]> {
    let small = values.map(u8::try_from);
    small.iter().all(Result::is_ok).then(|| small.map(|value| value.unwrap_or(0)))
}

fn halves<const N: usize>(values: [u32; N]) -> Option<[u16; N]> {
    let small = values.map(u16::try_from);
    small.iter().all(Result::is_ok).then(|| small.map(|value| value.unwrap_or(0)))
}

/// How many bytes before its input the output of a convolution may begin; nothing where it must lie
/// apart.
pub(super) fn lead(step: &HeliumConv) -> Option<u32> {
    let [height, width, channels] = step.input.map(u64::from);
    let [out_h, out_w, out_c] = step.output.map(u64::from);
    let [stride_h, stride_w] = step.stride.map(u64::from);
    let Ok([scratch, _]) = step.scratch() else { return None };
    let (mut lead, row) = (0u64, width * channels);
    if scratch == 0 {
        // Three windows at a time are read, for four channels after the other, and written.
        for line in 0..out_h {
            for first in (0..out_w).step_by(if out_w < 3 { 1 } else { 3 }) {
                let first = if out_w < 3 { first } else { first.min(out_w - 3) };
                let end = (line * out_w + (first + 3).min(out_w)) * out_c;
                let read = line * stride_h * row + first * stride_w * channels;
                lead = lead.max(end.saturating_sub(read));
            }
        }
    } else if step.upright == 1 {
        // Lines are columns: each result takes the place of its input.
        let alike = step.input == step.output && step.stride == [1, 1];
        return (alike && step.pad[1] < step.kernel[1]).then_some(0);
    } else {
        for line in 0..out_h {
            let read = line * stride_h + u64::from(step.kernel[0]);
            let read = read.saturating_sub(step.pad[0].into());
            if read < height {
                lead = lead.max(((line + 1) * out_w * out_c).saturating_sub(read * row));
            }
        }
    }
    u32::try_from(lead.next_multiple_of(16)).ok()
}

impl Site<'_> {
    fn helium_shape(&self, window: &Window, kernel: [u32; 2]) -> Option<Shape> {
        let (Some(x), [y]) = (self.input(0), self.step.outputs.as_slice()) else { return None };
        let (&[1, h, w, c], &[_, oh, ow, oc]) = (self.dims(x), self.dims(*y)) else { return None };
        // A kernel with holes is one with zeros in them.
        let spread =
            |axis: usize| (kernel[axis].checked_sub(1)?).checked_mul(window.dilation[axis]);
        let [top, left] = window.pad.map(u32::try_from);
        let shape = Shape {
            input: [h, w, c],
            output: [oh, ow, oc],
            kernel: [spread(0)? + 1, spread(1)? + 1],
            stride: window.stride,
            pad: [top.ok()?, left.ok()?],
        };
        let sizes = [h, w, c, oh, ow, oc, shape.stride[0], shape.stride[1]];
        (!sizes.contains(&0) && !shape.kernel.contains(&0)).then_some(shape)
    }

    pub(super) fn helium_conv(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(params) = conv2d::ParamsI8::read_from_bytes(self.record) else { return Ok(None) };
        let Some(w) = self.input(1) else { return Ok(None) };
        let &[outputs, kernel_h, kernel_w, inputs] = self.dims(w) else { return Ok(None) };
        let taps = (kernel_h * kernel_w * inputs) as usize;
        if params.groups != 1 {
            return Ok(None);
        }
        let kernel = [kernel_h, kernel_w];
        let layer = self.layer(&params.tail, outputs as usize, |index| index / taps.max(1));
        let (Some(layer), Some(shape)) = (layer, self.helium_shape(&params.window, kernel)) else {
            return Ok(None);
        };
        helium_conv_form(
            shape,
            &params.tail,
            kernel,
            window_holes(&params.window),
            layer,
            constants,
        )
    }

    pub(super) fn helium_depthwise(
        &self,
        constants: &mut Constants,
    ) -> Result<Chosen, CompileError> {
        let Ok(params) = depthwise_conv2d::ParamsI8::read_from_bytes(self.record) else {
            return Ok(None);
        };
        let Some(w) = self.input(1) else { return Ok(None) };
        let &[_, kernel_h, kernel_w, outputs] = self.dims(w) else { return Ok(None) };
        let kernel = [kernel_h, kernel_w];
        let channels = outputs as usize;
        let taps = (kernel_h * kernel_w) as usize;
        let layer = self.layer(&params.tail, channels, |index| index % channels.max(1));
        let (Some(layer), Some(shape)) = (layer, self.helium_shape(&params.window, kernel)) else {
            return Ok(None);
        };
        let holes = window_holes(&params.window);
        if shape.input[2] == 1 {
            // One input channel: an ordinary convolution with the weights transposed.
            let weights = (0..channels * taps)
                .map(|index| layer.weights[index % taps * channels + index / taps])
                .collect();
            let layer = Layer { weights, ..layer };
            return helium_conv_form(shape, &params.tail, kernel, holes, layer, constants);
        }
        let tail = &params.tail;
        let upright = shape.output[1] < shape.output[0];
        let (Some(exact), Some(input), Some(output), Some(sizes), Some(pad)) = (
            exactness(&layer),
            halves(shape.input),
            halves([shape.output[0], shape.output[1]]),
            bytes(shape.kernel),
            bytes(shape.pad),
        ) else {
            return Ok(None);
        };
        let Some(stride) = bytes(shape.stride) else { return Ok(None) };
        let along = if upright { 0 } else { 1 };
        let step = if upright { shape.input[1] * shape.input[2] } else { shape.input[2] };
        // Two products are added in 16 bits.
        let fits = layer.weights.iter().all(|&w| w != i8::MIN) && step <= pack::MOST_STEP;
        if shape.output[2] != shape.input[2] || !fits || shape.kernel.contains(&0) {
            return Ok(None);
        }
        let spread = |[ky, kx]: [u32; 2], c: u32| -> i8 {
            let [y, x] = [ky, kx].map(|k| k as usize);
            if ky % holes[0] != 0 || kx % holes[1] != 0 {
                return 0;
            }
            let (y, x) = (y / holes[0] as usize, x / holes[1] as usize);
            layer.weights[(y * kernel_w as usize + x) * channels + c as usize]
        };
        let [across_len, along_len] = [shape.kernel[1 - along], shape.kernel[along]];
        let mut ordered = Vec::new();
        for a in 0..along_len {
            for b in 0..across_len {
                let place = if upright { [a, b] } else { [b, a] };
                ordered.extend((0..outputs).map(|c| spread(place, c)));
            }
        }
        let taps = (along_len * across_len) as usize;
        let blocks = channels.div_ceil(16);
        let mut packed = vec![0; blocks * taps * 16];
        pack::columns(&ordered, taps, channels, &mut packed);
        let mut lanes = vec![0; blocks * COLUMN_PARAMS];
        for (block, out) in lanes.chunks_exact_mut(COLUMN_PARAMS).enumerate() {
            let channel_of = |lane: usize| {
                (0..16).find(|&channel| pack::column_lane(channel) == lane).unwrap_or(0)
            };
            pack::params(16, |i| lane(&layer, block * 16 + channel_of(i)), out);
        }
        let step = HeliumDepthwise {
            x: 0,
            y: 0,
            scratch: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(&lanes)?,
            input,
            output,
            kernel: sizes,
            stride,
            pad,
            zero: tail.in_zero as i8,
            out_zero: tail.out_zero as i8,
            act: layer.act,
            exact,
            upright: u8::from(upright),
            reserved: [0; 2],
        };
        let Ok(scratch) = step.scratch() else { return Ok(None) };
        let before = shape.pad[0] < shape.kernel[0] && shape.pad[1] < shape.kernel[1];
        let in_place = shape.input == shape.output && shape.stride == [1, 1] && before;
        Ok(Some((Form::HeliumDepthwise(step), scratch, in_place)))
    }

    pub(super) fn helium_add(&self) -> Chosen {
        let params = ParamsSumI8::read_from_bytes(self.record).ok()?;
        let (a, b, [y]) = (self.input(0)?, self.input(1)?, self.step.outputs.as_slice()) else {
            return None;
        };
        let same = self.dims(a) == self.dims(*y) && self.dims(b) == self.dims(*y);
        let stored = self.constant(0).is_none() && self.constant(1).is_none();
        if !same || !stored || params.kind != Kind::Add as u32 {
            return None;
        }
        let input = |i: usize| {
            let (factor, zero) = (params.in_scale[i], -params.in_zero[i]);
            // One half is exact: one bit more to the left, and a shift to the right.
            let half = factor.multiplier() == 1 << 30 && factor.shift() == 0;
            let [left, multiplier, shift] = match rightward(factor) {
                Some([multiplier, shift]) => [20, multiplier, shift],
                None if half => [21, 1 << 30, -1],
                None => return None,
            };
            Some([zero, left, multiplier, shift])
        };
        let step = HeliumAdd {
            a: 0,
            b: 0,
            y: 0,
            len: self.dims(*y).iter().product(),
            inputs: [input(0)?, input(1)?],
            factor: rightward(params.out_scale)?,
            zero: params.out_zero as i8,
            act: [params.act_min as i8, params.act_max as i8],
            reserved: 0,
        };
        Some((Form::HeliumAdd(step), 0, true))
    }

    pub(super) fn helium_dense(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(tail) = TailI8::read_from_bytes(self.record) else { return Ok(None) };
        let (Some(x), Some(w)) = (self.input(0), self.input(1)) else { return Ok(None) };
        let &[outputs, inputs] = self.dims(w) else { return Ok(None) };
        let all: u32 = self.dims(x).iter().product();
        let taps = inputs.max(1);
        let layer = self.layer(&tail, outputs as usize, |index| index / taps as usize);
        let Some(layer) = layer else { return Ok(None) };
        helium_dense_form(&layer, [all / taps, inputs, outputs], constants)
    }
}

/// Multiplier and shift to the right as a negative number; nothing without such a shift.
fn rightward(factor: Requant) -> Option<[i32; 2]> {
    (factor.shift() < 0).then(|| [factor.multiplier(), factor.shift()])
}

/// Distances of the taps of a kernel with holes.
fn window_holes(window: &Window) -> [u32; 2] {
    window.dilation.map(|dilation| dilation.max(1))
}

fn helium_dense_form(
    layer: &Layer,
    sizes: [u32; 3],
    constants: &mut Constants,
) -> Result<Chosen, CompileError> {
    let (Some(exact), Some([rows, inputs, outputs])) = (exactness(layer), halves(sizes)) else {
        return Ok(None);
    };
    if inputs == 0 || outputs == 0 {
        return Ok(None);
    }
    let dense = HeliumDense {
        x: 0,
        y: 0,
        weights: constants.add(layer.weights.as_bytes())?,
        params: params(layer, constants)?,
        rows,
        inputs,
        outputs,
        act: layer.act,
        out_zero: layer.out_zero as i8,
        exact,
        reserved: [0; 2],
    };
    Ok(Some((Form::HeliumDense(dense), 0, false)))
}

/// A convolution whose weights are `[outputs][kernel_h][kernel_w][inputs]`.
fn helium_conv_form(
    given: Shape,
    tail: &TailI8,
    [kernel_h, kernel_w]: [u32; 2],
    holes: [u32; 2],
    layer: Layer,
    constants: &mut Constants,
) -> Result<Chosen, CompileError> {
    let channels = given.input[2] as usize;
    // The weights with holes filled, then in the order in which the windows lie in memory.
    let [filled_h, filled_w] = given.kernel.map(|size| size as usize);
    let outputs = given.output[2] as usize;
    let shape = given.flat();
    let upright = shape.output[1] < shape.output[0];
    let flat = shape.kernel != given.kernel;
    let mut ordered = vec![0; outputs * filled_h * filled_w * channels];
    for (index, &w) in layer.weights.iter().enumerate() {
        let (rest, c) = (index / channels, index % channels);
        let (rest, kx) = (rest / kernel_w as usize, rest % kernel_w as usize);
        let (output, ky) = (rest / kernel_h as usize, rest % kernel_h as usize);
        let (y, x) = (ky * holes[0] as usize, kx * holes[1] as usize);
        // A flattened kernel lies row by row.
        let place = if upright || flat { y * filled_w + x } else { x * filled_h + y };
        ordered[(output * filled_h * filled_w + place) * channels + c] = w;
    }
    let len = filled_h * filled_w * channels;
    let whole = shape.kernel == [shape.input[0], shape.input[1]];
    if shape.output[0] * shape.output[1] == 1 && shape.pad == [0, 0] && whole {
        let layer = Layer { weights: ordered, ..layer };
        return helium_dense_form(&layer, [1, len as u32, outputs as u32], constants);
    }
    let (Some(exact), Some(input), Some(output)) =
        (exactness(&layer), halves(shape.input), halves(shape.output))
    else {
        return Ok(None);
    };
    let (Some(kernel), Some(stride), Some(pad)) =
        (bytes(shape.kernel), bytes(shape.stride), bytes(shape.pad))
    else {
        return Ok(None);
    };
    let mut packed = vec![0; pack::matrix_len(len, outputs)];
    pack::matrix(&ordered, len, &mut packed);
    let mut step = HeliumConv {
        x: 0,
        y: 0,
        scratch: 0,
        weights: 0,
        params: 0,
        input,
        output,
        kernel,
        stride,
        pad,
        zero: tail.in_zero as i8,
        out_zero: tail.out_zero as i8,
        act: layer.act,
        exact,
        upright: u8::from(upright),
    };
    let Ok([scratch, _]) = step.scratch() else { return Ok(None) };
    step.weights = constants.add(packed.as_bytes())?;
    step.params = params(&layer, constants)?;
    Ok(Some((Form::HeliumConv(step), scratch, false)))
}
