//! Steps for cores that multiply pairs of 16-bit numbers (the DSP extension).

use embarca_kernels::device::{Conv, Dense, Depthwise, RECTIFIED, REVERSE, UNIFORM, pack};
use embarca_kernels::spatial::Window;
use embarca_kernels::tail::TailI8;
use embarca_kernels::{conv2d, depthwise_conv2d};
use zerocopy::{FromBytes, IntoBytes};

use super::layer::Layer;
use super::{Chosen, Form, Site};
use crate::CompileError;
use crate::device::constants::Constants;

/// Multiplier, addend and shift as [`rescale`](embarca_kernels::device::rescale) takes them.
pub(super) struct Factors {
    pub(super) factors: Vec<[i32; 3]>,
    /// As [`Block::rectified`](embarca_kernels::device::Block::rectified).
    rectified: u8,
}

impl Factors {
    /// Nothing where a sum leaves the range in which the short form is exact. A channel with one
    /// result loses its bias.
    pub(super) fn new(layer: &mut Layer) -> Option<Self> {
        let mut factors = Vec::with_capacity(layer.factors.len());
        for (index, factor) in layer.factors.iter().enumerate() {
            let [least, most] = layer.bounds[index];
            let left = factor.shift().max(0);
            if least == most {
                let result = (factor.apply(most) + layer.out_zero).clamp(-128, 127);
                factors.push([0, 1 + (result << 1), 1]);
                layer.biases[index] = 0;
                continue;
            }
            if 1 << (30 - left) <= least.unsigned_abs().max(most.unsigned_abs()) {
                return None;
            }
            if factor.shift() < -22 {
                return None;
            }
            let right = (-factor.shift()).max(0);
            let half = if right == 0 { 0 } else { 1 << (right - 1) };
            let addend = half + (layer.out_zero << right);
            let twice = factor.multiplier().cast_unsigned() << 1;
            factors.push([twice.cast_signed(), addend, -factor.shift()]);
        }
        let right = factors.iter().all(|factor| 0 < factor[2]);
        let rectified = u8::from(right && layer.out_zero <= i32::from(layer.act[0]));
        Some(Self { factors, rectified })
    }
}

/// Chooses the block of a convolution so that its scratch fits `most` bytes, or the least one, and
/// returns the scratch.
pub(super) fn take_scratch(conv: &mut Conv, most: u32) -> u32 {
    let positions = u32::from(conv.output[0]) * u32::from(conv.output[1]);
    let scratch = |block: u32| Conv { block: block as u16, ..*conv }.scratch().ok();
    let fits = |block: u32| scratch(block).is_some_and(|scratch| scratch <= most);
    // All positions at once, or blocks of nearly equal sizes.
    let blocks = |count: u32| positions.div_ceil(count).next_multiple_of(4);
    let most_blocks = positions.div_ceil(4);
    let chosen = (1..=most_blocks).map(blocks).find(|&block| block < 1 << 16 && fits(block));
    let block = chosen.unwrap_or(4);
    let scratch = scratch(block).unwrap_or(0);
    conv.block = block as u16;
    scratch
}

/// How many bytes before its input the output of a convolution may begin: each block writes its
/// results when it has read its windows, and must leave what later ones read.
pub(super) fn lead(conv: &Conv) -> u32 {
    if conv.flags & REVERSE != 0 {
        // Earlier positions are read from before where this block's results go.
        return 0;
    }
    let [_, width, channels] = conv.input.map(u64::from);
    let [out_h, out_w, out_c] = conv.output.map(u64::from);
    let stride = conv.stride.map(u64::from);
    let mut lead = 0;
    let mut done = u64::from(conv.block);
    while done < out_h * out_w {
        let (row, column) = (done / out_w, done % out_w);
        let line = (row * stride[0]).saturating_sub(conv.pad[0].into());
        // Of a single kernel row, only what stands to the right of the window is still read.
        let column = if conv.kernel[0] == 1 { column * stride[1] } else { 0 };
        let needed = (line * width + column.saturating_sub(conv.pad[1].into())) * channels;
        lead = lead.max((done * out_c).saturating_sub(needed));
        done += u64::from(conv.block);
    }
    lead.next_multiple_of(16) as u32
}

/// A depthwise step takes this much scratch at least: short bands read many lines again.
const DEPTHWISE_SCRATCH: u32 = 2048;

/// With a stride of 2, bands have at most this many lines: the output lies before the input by one
/// band.
const BAND: u16 = 8;

/// Chooses the bands of a depthwise convolution so that its scratch fits `most` bytes.
pub(super) fn take_bands(step: &mut Depthwise, most: u32) -> u32 {
    let lines = step.output[usize::from(step.upright == 1)].max(1);
    let longest = if step.stride == 1 { lines } else { lines.div_ceil(2).min(BAND) };
    let most = most.max(DEPTHWISE_SCRATCH);
    let bands = (1..=lines).map(|count| lines.div_ceil(count)).filter(|&band| band <= longest);
    let mut fitting = bands.filter(|&band| Depthwise { band, ..*step }.scratch() <= most);
    step.band = fitting.next().unwrap_or(1);
    step.scratch()
}

/// How many bytes before its input the output of a depthwise convolution may begin.
pub(super) fn bands_lead(step: &Depthwise) -> Option<u32> {
    let [height, width, channels] = step.input.map(u64::from);
    let [out_h, out_w] = step.output.map(u64::from);
    let band = u64::from(step.band);
    let across = if step.upright == 1 { out_w } else { out_h };
    if across <= band {
        return ([height, width] == [out_h, out_w]).then_some(0);
    }
    if step.upright == 1 {
        return None;
    }
    let needed = |first: u64| {
        (first * u64::from(step.stride)).saturating_sub(step.pad[0].into()) * width * channels
    };
    // Before the last channels of a band are read, the results of the others are written.
    let leads = (0..out_h).step_by(step.band.into()).map(|first| {
        let end = (first + band).min(out_h) * out_w * channels;
        end.saturating_sub(needed(first))
    });
    leads.max().and_then(|lead| u32::try_from(lead.next_multiple_of(16)).ok())
}

impl Site<'_> {
    pub(super) fn dsp_conv(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(params) = conv2d::ParamsI8::read_from_bytes(self.record) else { return Ok(None) };
        let Some(w) = self.input(1) else { return Ok(None) };
        let &[outputs, kernel_h, kernel_w, inputs] = self.dims(w) else { return Ok(None) };
        let taps = (kernel_h * kernel_w * inputs) as usize;
        if params.groups != 1 {
            return Ok(None);
        }
        let layer = self.layer(&params.tail, outputs as usize, |index| index / taps.max(1));
        let Some(layer) = layer else { return Ok(None) };
        self.dsp_conv_form(&params.window, &params.tail, [kernel_h, kernel_w], layer, constants)
    }

    /// A convolution whose weights are `[outputs][kernel_h][kernel_w][inputs]`.
    fn dsp_conv_form(
        &self,
        window: &Window,
        tail: &TailI8,
        [kernel_h, kernel_w]: [u32; 2],
        mut layer: Layer,
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
        // Positions of a 1x1 convolution are one line.
        let flat = (u32::from(h) * u32::from(wide)).try_into().ok();
        let (h, wide, oh, ow) = match ((kernel_h, kernel_w), (h, wide), (stride_h, stride_w), flat)
        {
            ((1, 1), size, (1, 1), Some(flat)) if size == (oh, ow) => (1, flat, 1, flat),
            _ => (h, wide, oh, ow),
        };
        if [h, wide, c, oh, ow, oc, kernel_h.into(), kernel_w.into()].contains(&0) {
            return Ok(None);
        }
        let Some(scale) = Factors::new(&mut layer) else { return Ok(None) };
        let (rows, row) = (usize::from(kernel_h), usize::from(kernel_w) * usize::from(c));
        let channels = usize::from(oc);
        let mut packed = vec![0; pack::pairs_len(rows, row, channels)];
        pack::pairs(&layer.weights, rows, row, channels, &mut packed);
        let mut params = Vec::new();
        for (biases, factors) in layer.biases.chunks(2).zip(scale.factors.chunks(2)) {
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
            block: 4,
            kernel: [kernel_h, kernel_w],
            stride: [stride_h, stride_w],
            pad: [top, left],
            zero: tail.in_zero as i8,
            act: [tail.act_min as i8, tail.act_max as i8],
            flags: if scale.rectified == 1 { RECTIFIED } else { 0 },
        };
        // Where results are larger than what they replace, the last ones are made first.
        let last_first = (kernel_h, kernel_w) == (1, 1) && h == 1 && c < oc;
        let conv = Conv { flags: conv.flags | if last_first { REVERSE } else { 0 }, ..conv };
        Ok(conv.scratch().ok().map(|scratch| (Form::Conv(conv), scratch, false)))
    }

    pub(super) fn dsp_depthwise(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
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
        let Some(mut layer) = layer else { return Ok(None) };
        let (window, tail) = (&params.window, &params.tail);
        if c == 1 {
            // One input channel: an ordinary convolution with the weights transposed.
            let taps = (kernel_h * kernel_w) as usize;
            let weights = (0..channels * taps)
                .map(|index| layer.weights[index % taps * channels + index / taps])
                .collect();
            let layer = Layer { weights, ..layer };
            return self.dsp_conv_form(window, tail, [kernel_h, kernel_w], layer, constants);
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
        let Some(scale) = Factors::new(&mut layer) else { return Ok(None) };
        let mut packed = vec![0; layer.weights.len()];
        pack::fours(&layer.weights, channels, &mut packed);
        let params: Vec<i32> = layer
            .biases
            .iter()
            .zip(&scale.factors)
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
            band: 1,
            stride: stride as u8,
            pad: [top, left],
            zero: tail.in_zero as i8,
            act: [tail.act_min as i8, tail.act_max as i8],
            upright: u8::from(ow < oh),
            rectified: scale.rectified,
        };
        let scratch = step.scratch();
        Ok(Some((Form::Depthwise(step), scratch, false)))
    }

    pub(super) fn dsp_dense(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let Ok(tail) = TailI8::read_from_bytes(self.record) else { return Ok(None) };
        let (Some(x), Some(w)) = (self.input(0), self.input(1)) else { return Ok(None) };
        let &[outputs, inputs] = self.dims(w) else { return Ok(None) };
        let all: u32 = self.dims(x).iter().product();
        let taps = inputs.max(1);
        let layer = self.layer(&tail, outputs as usize, |index| index / taps as usize);
        let sizes = [all / taps, inputs, outputs].map(|size| u16::try_from(size).ok());
        let (Some(mut layer), [Some(rows), Some(inputs), Some(outputs)]) = (layer, sizes) else {
            return Ok(None);
        };
        if inputs == 0 || outputs == 0 {
            return Ok(None);
        }
        let Some(scale) = Factors::new(&mut layer) else { return Ok(None) };
        let mut packed = vec![0; pack::quads_len(inputs.into(), outputs.into())];
        let fits = pack::quads(&layer.weights, inputs.into(), &mut packed);
        // The loops find the second of two sums in 24 bits, a part of the vector at a time.
        let narrow = layer.biases.iter().all(|bias| (-1 << 22..1 << 22).contains(bias));
        if !fits || !narrow {
            return Ok(None);
        }
        let first = scale.factors.first().copied().unwrap_or_default();
        let uniform = scale.factors.iter().all(|factor| *factor == first);
        let mut params = Vec::new();
        for (biases, factors) in layer.biases.chunks(4).zip(scale.factors.chunks(4)) {
            let side = |i| biases.get(i).copied().unwrap_or(0);
            let both = |i: usize| side(i + 1).wrapping_mul(256).wrapping_add(side(i));
            params.extend([side(0), both(0), side(2), both(2)]);
            for i in (0..4).filter(|_| !uniform) {
                params.extend(factors.get(i).copied().unwrap_or([0, 0, 1]));
            }
        }
        let flags = match (uniform, scale.rectified) {
            (true, 1) => UNIFORM | u32::from(RECTIFIED),
            (true, _) => UNIFORM,
            _ => 0,
        };
        let dense = Dense {
            x: 0,
            y: 0,
            weights: constants.add(packed.as_bytes())?,
            params: constants.add(params.as_bytes())?,
            factor: if uniform { first } else { [0; 3] },
            rows,
            inputs,
            outputs,
            act: layer.act,
            flags,
        };
        Ok(Some((Form::Dense(dense), 0, false)))
    }
}
