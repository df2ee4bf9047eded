//! Transposed two-dimensional convolution, channels last, in groups, with an optional bias and a
//! fused clamp: every input position adds a window to the output.
//!
//! `y[n, oy, ox, o] = clamp(bias[o] + sum over ky, kx, c of w[o, ky, kx, c] * x[n, iy, ix, g*C/G + c])`
//! over all `iy`, `ix` with `iy * stride - pad + ky * dilation = oy` (likewise `ix`) and `g` the group
//! of `o`. Inputs: x `[N, H, W, C]`, w `[O, KH, KW, C / groups]`, bias `[O]` (optional); i8 adds
//! factors (i32 `[O, 2]`). Output `[N, OH, OW, O]`, split into its rows.

use core::ops::Range;

use embarca_num::DType;

use crate::{
    Call, Fault, Kernel, Needs, Signature, Ty,
    conv2d::{
        ParamsF32, ParamsI8, ParamsI16,
        i8::{Channels, dot},
    },
    spatial::{Window, dims4},
    tail::{ClampF32, TailI8, check_bias, check_factors, check_types, factor},
    wide::{self, Bias, TailI16},
};

/// f32; the sum runs over ky, kx, c, then the bias is added. The record is that of `conv2d_f32`.
pub const F32: Kernel = Kernel::new("conv_transpose2d_f32", check_f32, call_f32);

/// i8: TFLite's `reference_integer_ops::TransposeConv`. The record is that of `conv2d_i8`.
pub const I8: Kernel = Kernel::new("conv_transpose2d_i8", check_i8, call_i8);

/// i16 by i8: the 16x8 form of it. The record is that of `conv2d_i16`.
pub const I16: Kernel = Kernel::new("conv_transpose2d_i16", check_i16, call_i16);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, I16];

/// The sizes of one step, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    n: usize,
    /// Input height, width, channels.
    input: [usize; 3],
    /// Output height, width, channels.
    output: [usize; 3],
    /// Kernel height, width, input channels of a group.
    kernel: [usize; 3],
    /// Output channels of a group.
    group: usize,
    stride: [usize; 2],
    dilation: [usize; 2],
    pad: [isize; 2],
}

impl Shape {
    /// From the dimensions of x, w and y.
    pub fn new(window: &Window, groups: u32, x: Ty, w: Ty, y: Ty) -> Result<Self, Fault> {
        let ([xn, xh, xw, xc], [o, kh, kw, kc]) = (dims4(x)?, dims4(w)?);
        let [yn, yh, yw, yc] = dims4(y)?;
        if groups == 0 {
            return Err(Fault::Record);
        }
        let channels = u64::from(kc) * u64::from(groups);
        if xn != yn || yc != o || o % groups != 0 || channels != u64::from(xc) {
            return Err(Fault::Shape);
        }
        x.len()?;
        w.len()?;
        y.len()?;
        // The window of the convolution that this one transposes: from output to input.
        window.axis(0, yh, kh, xh)?;
        window.axis(1, yw, kw, xw)?;
        Ok(Self {
            n: xn as usize,
            input: [xh, xw, xc].map(|dim| dim as usize),
            output: [yh, yw, yc].map(|dim| dim as usize),
            kernel: [kh, kw, kc].map(|dim| dim as usize),
            group: (o / groups) as usize,
            stride: window.stride.map(|stride| stride as usize),
            dilation: window.dilation.map(|dilation| dilation as usize),
            pad: window.pad.map(|pad| pad as isize),
        })
    }

    fn of(window: &Window, groups: u32, sig: &Signature) -> Result<Self, Fault> {
        Self::new(window, groups, sig.input(0)?, sig.input(1)?, sig.output(0)?)
    }

    fn units(&self) -> usize {
        let [h, w, c] = self.output;
        if w * c == 0 { 0 } else { self.n * h }
    }

    /// Tap and input position of every tap that reaches output position `at`.
    fn taps(&self, axis: usize, at: usize) -> impl Iterator<Item = (usize, usize)> {
        let (stride, input) = (self.stride[axis], self.input[axis]);
        let (dilation, origin) = (self.dilation[axis], at as isize + self.pad[axis]);
        (0..self.kernel[axis]).filter_map(move |tap| {
            let from = usize::try_from(origin - (tap * dilation) as isize).ok()?;
            (from % stride == 0 && from / stride < input).then_some((tap, from / stride))
        })
    }

    /// Calls `each` with the channels and weights of every tap of every output in `units`, after
    /// `begin` and before `end`, which makes the result.
    fn for_each_output<'a, X, W, S, Y>(
        &self,
        units: Range<usize>,
        (x, w, y): (&'a [X], &'a [W], &mut [Y]),
        begin: impl Fn(usize) -> S,
        each: impl Fn(S, &'a [X], &'a [W]) -> S,
        end: impl Fn(S, usize) -> Y,
    ) {
        let ([height, width, channels], [kh, kw, kc]) = (self.input, self.kernel);
        let [rows, row_len, outputs] = self.output;
        let mut pixels = y.chunks_exact_mut(outputs.max(1));
        for unit in units {
            let (image, oy) = (unit / rows.max(1) * height, unit % rows.max(1));
            for (ox, pixel) in pixels.by_ref().take(row_len).enumerate() {
                for (o, y) in pixel.iter_mut().enumerate() {
                    let group = o / self.group * kc;
                    let mut sum = begin(o);
                    for (ky, iy) in self.taps(0, oy) {
                        for (kx, ix) in self.taps(1, ox) {
                            let x = &x[((image + iy) * width + ix) * channels + group..][..kc];
                            let w = &w[((o * kh + ky) * kw + kx) * kc..][..kc];
                            sum = each(sum, x, w);
                        }
                    }
                    *y = end(sum, o);
                }
            }
        }
    }
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsF32 = sig.params()?;
    check_types(sig, [DType::F32; 3], 3)?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    check_bias(sig, 2, DType::F32, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn check_i8(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI8 = sig.params()?;
    params.tail.check()?;
    check_types(sig, [DType::I8; 3], 4)?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    let channels = shape.output[2] as u32;
    check_bias(sig, 2, DType::I32, channels)?;
    check_factors(sig, 3, channels)?;
    Ok(Needs::split(shape.units()))
}

fn check_i16(sig: &Signature) -> Result<Needs, Fault> {
    let params: ParamsI16 = sig.params()?;
    let shape = Shape::of(&params.window, params.groups, sig)?;
    wide::check(sig, &params.tail, shape.output[2] as u32)?;
    Ok(Needs::split(shape.units()))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsF32 = call.params()?;
    let (x, w, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    run_f32(params.clamp, &shape, units, x.elements(), w.elements(), bias, y.elements());
    Ok(())
}

fn call_i8(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI8 = call.params()?;
    let (x, w, bias, factors) = (call.input(0)?, call.input(1)?, call.optional(2), call.input(3)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let bias = bias.as_ref().map(|bias| bias.elements());
    let channels = Channels { w: w.elements(), bias, factors: factors.elements() };
    run_i8(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

fn call_i16(call: &mut Call) -> Result<(), Fault> {
    let params: ParamsI16 = call.params()?;
    let (x, w, factors) = (call.input(0)?, call.input(1)?, call.input(3)?);
    let bias = Bias::new(&params.tail, call.optional(2));
    let units = call.units.clone();
    let y = call.output(0)?;
    let shape = Shape::new(&params.window, params.groups, x.ty, w.ty, y.ty)?;
    let channels = wide::Channels { w: w.elements(), bias, factors: factors.elements() };
    run_i16(&params.tail, &shape, units, x.elements(), &channels, y.elements());
    Ok(())
}

/// Rows `units` of the output.
pub fn run_f32(
    clamp: ClampF32,
    shape: &Shape,
    units: Range<usize>,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let each =
        |sum: f32, x: &[f32], w: &[f32]| x.iter().zip(w).fold(sum, |sum, (x, w)| sum + x * w);
    let end = |sum: f32, o: usize| clamp.apply(sum + bias.map_or(0.0, |bias| bias[o]));
    shape.for_each_output(units, (x, w, y), |_| 0.0, each, end);
}

/// Rows `units` of the output.
pub fn run_i8(
    tail: &TailI8,
    shape: &Shape,
    units: Range<usize>,
    x: &[i8],
    channels: &Channels,
    y: &mut [i8],
) {
    let (x_zero, w_zero) = (tail.in_zero as i16, tail.w_zero as i16);
    let begin = |o: usize| channels.bias.map_or(0, |bias| bias[o]);
    let each = |sum: i32, x: &[i8], w: &[i8]| sum.wrapping_add(dot(x, x_zero, w, w_zero));
    let end = |sum: i32, o: usize| tail.apply(sum, factor(channels.factors, o));
    shape.for_each_output(units, (x, channels.w, y), begin, each, end);
}

/// Rows `units` of the output.
pub fn run_i16(
    tail: &TailI16,
    shape: &Shape,
    units: Range<usize>,
    x: &[i16],
    channels: &wide::Channels,
    y: &mut [i16],
) {
    let each = |sum: i64, x: &[i16], w: &[i8]| sum.wrapping_add(wide::dot(x, w));
    let end = |sum: i64, o: usize| tail.apply(sum, factor(channels.factors, o));
    shape.for_each_output(units, (x, channels.w, y), |o| channels.bias.get(o), each, end);
}
