//! Convolutions, depthwise convolutions and dense layers for any core.

use embarca_kernels::device::plain::{self, PlainConv, Taps};
use embarca_kernels::spatial::Window;
use embarca_kernels::tail::TailI8;
use embarca_kernels::{conv2d, depthwise_conv2d};
use zerocopy::{FromBytes, IntoBytes};

use super::dsp::Factors;
use super::layer::Layer;
use super::{Chosen, Form, Site};
use crate::CompileError;
use crate::device::constants::Constants;

/// Bias, multiplier, addend, shift of each channel; nothing where a sum leaves the range in which
/// the short form is exact.
fn params(layer: &mut Layer) -> Option<Vec<i32>> {
    let scale = Factors::new(layer)?;
    let channels = layer.biases.iter().zip(&scale.factors);
    Some(channels.flat_map(|(&bias, &[m, addend, shift])| [bias, m, addend, shift]).collect())
}

/// A window in the widths of the records.
struct Small {
    kernel: [u8; 2],
    stride: [u8; 2],
    dilation: [u8; 2],
    pad: [u8; 2],
}

impl Small {
    fn new(window: &Window, kernel: [u32; 2]) -> Option<Self> {
        let small = |[a, b]: [u32; 2]| Some([u8::try_from(a).ok()?, u8::try_from(b).ok()?]);
        let pad = window.pad.map(|pad| u32::try_from(pad).unwrap_or(u32::MAX));
        Some(Self {
            kernel: small(kernel)?,
            stride: small(window.stride)?,
            dilation: small(window.dilation)?,
            pad: small(pad)?,
        })
    }
}

/// Sizes in the widths of the records; none of them zero.
fn sizes<const N: usize>(sizes: [u32; N]) -> Option<[u16; N]> {
    let mut small = [0; N];
    for (small, size) in small.iter_mut().zip(sizes) {
        *small = u16::try_from(size).ok().filter(|size| *size != 0)?;
    }
    Some(small)
}

impl Site<'_> {
    pub(super) fn plain_conv(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(params) = conv2d::ParamsI8::read_from_bytes(self.record) else { return Ok(None) };
        let Some(w) = self.input(1) else { return Ok(None) };
        let &[outputs, kernel_h, kernel_w, inputs] = self.dims(w) else { return Ok(None) };
        let taps = (kernel_h * kernel_w * inputs) as usize;
        if params.groups != 1 {
            return Ok(None);
        }
        let layer = self.layer(&params.tail, outputs as usize, |index| index / taps.max(1));
        let Some(layer) = layer else { return Ok(None) };
        self.plain_form(&params.window, &params.tail, [kernel_h, kernel_w], layer, constants)
    }

    /// A convolution whose weights are `[outputs][kernel_h][kernel_w][inputs]`.
    fn plain_form(
        &self,
        window: &Window,
        tail: &TailI8,
        kernel: [u32; 2],
        layer: Layer,
        constants: &mut Constants,
    ) -> Result<Chosen, CompileError> {
        let (Some(x), [y]) = (self.input(0), self.step.outputs.as_slice()) else { return Ok(None) };
        let (&[1, h, w, c], &[_, oh, ow, oc]) = (self.dims(x), self.dims(*y)) else {
            return Ok(None);
        };
        self.products(window, tail, kernel, [[h, w, c], [oh, ow, oc]], layer, constants)
    }

    fn products(
        &self,
        window: &Window,
        tail: &TailI8,
        kernel: [u32; 2],
        [input, output]: [[u32; 3]; 2],
        mut layer: Layer,
        constants: &mut Constants,
    ) -> Result<Chosen, CompileError> {
        let (Some(input), Some(output)) = (sizes(input), sizes(output)) else { return Ok(None) };
        let Some(Small { kernel, stride, dilation, pad }) = Small::new(window, kernel) else {
            return Ok(None);
        };
        let Some(params) = params(&mut layer) else { return Ok(None) };
        let step = PlainConv {
            x: 0,
            y: 0,
            scratch: 0,
            weights: constants.add(layer.weights.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            input,
            output,
            kernel,
            stride,
            dilation,
            pad,
            zero: tail.in_zero as i8,
            act: [tail.act_min as i8, tail.act_max as i8],
            reserved: 0,
        };
        let scratch = step.scratch();
        Ok(Some((Form::PlainConv(step), scratch, false)))
    }

    pub(super) fn plain_dense(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(tail) = TailI8::read_from_bytes(self.record) else { return Ok(None) };
        let (Some(x), Some(w)) = (self.input(0), self.input(1)) else { return Ok(None) };
        let &[outputs, inputs] = self.dims(w) else { return Ok(None) };
        let rows = self.dims(x).iter().product::<u32>() / inputs.max(1);
        let taps = inputs.max(1) as usize;
        let layer = self.layer(&tail, outputs as usize, |index| index / taps);
        let Some(layer) = layer else { return Ok(None) };
        let sizes = [[1, rows, inputs], [1, rows, outputs]];
        self.products(&Window::DENSE, &tail, [1, 1], sizes, layer, constants)
    }

    pub(super) fn taps(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(record) = depthwise_conv2d::ParamsI8::read_from_bytes(self.record) else {
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
        let layer = self.layer(&record.tail, channels, |index| index % channels.max(1));
        let Some(mut layer) = layer else { return Ok(None) };
        let kernel = [kernel_h, kernel_w];
        if c == 1 {
            // One input channel: an ordinary convolution with the weights transposed.
            let taps = (kernel_h * kernel_w) as usize;
            let weights = (0..channels * taps)
                .map(|index| layer.weights[index % taps * channels + index / taps])
                .collect();
            let layer = Layer { weights, ..layer };
            return self.plain_form(&record.window, &record.tail, kernel, layer, constants);
        }
        let (Some([h, wide, c]), Some(output), Some(small)) =
            (sizes([h, wide, c]), sizes([oh, ow]), Small::new(&record.window, kernel))
        else {
            return Ok(None);
        };
        if u32::from(c) != outputs {
            return Ok(None);
        }
        let Some(params) = params(&mut layer) else { return Ok(None) };
        let mut packed = vec![0; layer.weights.len()];
        plain::fours(&layer.weights, channels, &mut packed);
        let tail = &record.tail;
        let step = Taps {
            x: 0,
            y: 0,
            scratch: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            input: [h, wide, c],
            zero: tail.in_zero as i8,
            reserved: 0,
            output,
            kernel: small.kernel,
            stride: small.stride,
            dilation: small.dilation,
            pad: small.pad,
            act: [tail.act_min as i8, tail.act_max as i8],
            spare: [0; 2],
        };
        let scratch = step.scratch();
        Ok(Some((Form::Taps(step), scratch, false)))
    }
}
