//! What fast kernels do with integer sums: the tails of the i8, the ONNX and the hybrid form, for
//! many neighbouring channels at a time.

use embarca_num::fixed::{Requant, Rescale};

use crate::{onnx, tail::ClampF32, tail::TailI8};

/// Channels that are finished together, at most.
pub const SPAN: usize = 64;

/// From sums of products to the elements of an output.
pub trait Finish {
    /// Elements of the output.
    type Y: Copy + Default;
    /// The constants of up to [`SPAN`] lanes.
    type Span;

    /// The constants of `count` lanes, each for the channel that `channel` says.
    fn span(&self, count: usize, channel: impl Fn(usize) -> usize) -> Self::Span;

    /// Where the sums of these channels begin.
    fn start(&self, first: usize, sums: &mut [i32]);

    /// Finishes the sums of the first channels of `span`; the sums are not needed afterwards.
    fn store(&self, span: &Self::Span, sums: &mut [i32], y: &mut [Self::Y]);
}

/// The values of the channels of the first `count` lanes, zeros where there are none.
#[inline(always)]
fn lanes<T: Copy + Default>(
    values: &[T],
    count: usize,
    channel: impl Fn(usize) -> usize,
) -> [T; SPAN] {
    let mut some = [T::default(); SPAN];
    for (lane, to) in some.iter_mut().enumerate().take(count) {
        *to = values.get(channel(lane)).copied().unwrap_or_default();
    }
    some
}

/// The sums start at the bias, or at 0.
#[inline(always)]
fn start(bias: Option<&[i32]>, first: usize, sums: &mut [i32]) {
    sums.fill(0);
    for (sum, bias) in sums.iter_mut().zip(bias.and_then(|bias| bias.get(first..)).unwrap_or(&[])) {
        *sum = *bias;
    }
}

/// TFLite's rescaling.
#[derive(Clone, Copy, Debug)]
pub struct FinishI8<'a> {
    /// Zero points and bounds.
    pub tail: &'a TailI8,
    /// Starting sums.
    pub bias: Option<&'a [i32]>,
    /// Rescaling of each channel.
    pub factors: &'a [Requant],
}

impl Finish for FinishI8<'_> {
    type Y = i8;
    type Span = Rescale<SPAN>;

    fn span(&self, count: usize, channel: impl Fn(usize) -> usize) -> Rescale<SPAN> {
        Rescale::new(&lanes(self.factors, count, channel))
    }

    #[inline(always)]
    fn start(&self, first: usize, sums: &mut [i32]) {
        start(self.bias, first, sums);
    }

    #[inline(always)]
    fn store(&self, factors: &Rescale<SPAN>, sums: &mut [i32], y: &mut [i8]) {
        factors.apply(sums);
        let (min, max) = (self.tail.act_min as i16, self.tail.act_max as i16);
        let (low, high) = (i32::from(i16::MIN) + 128, i32::from(i16::MAX) - 128);
        for (y, sum) in y.iter_mut().zip(sums) {
            // Saturating to 16 bits first makes the bounds cheap and changes no result.
            let sum = (*sum).max(low).min(high) as i16 + self.tail.out_zero as i16;
            *y = sum.max(min).min(max) as i8;
        }
    }
}

/// ONNX's rescaling, [`crate::onnx`].
#[derive(Clone, Copy, Debug)]
pub struct FinishOnnx<'a> {
    /// Zero points and bounds.
    pub tail: &'a TailI8,
    /// Starting sums.
    pub bias: Option<&'a [i32]>,
    /// Rescaling of each channel.
    pub scales: &'a [f32],
}

impl Finish for FinishOnnx<'_> {
    type Y = i8;
    type Span = [f32; SPAN];

    fn span(&self, count: usize, channel: impl Fn(usize) -> usize) -> [f32; SPAN] {
        lanes(self.scales, count, channel)
    }

    #[inline(always)]
    fn start(&self, first: usize, sums: &mut [i32]) {
        start(self.bias, first, sums);
    }

    #[inline(always)]
    fn store(&self, scales: &[f32; SPAN], sums: &mut [i32], y: &mut [i8]) {
        for ((y, sum), scale) in y.iter_mut().zip(sums).zip(scales) {
            *y = onnx::store(self.tail, *sum, *scale);
        }
    }
}

/// The hybrid forms: `clamp(f32(sum) * first * second + bias)`.
#[derive(Clone, Copy, Debug)]
pub struct FinishHybrid<'a> {
    /// Fused activation.
    pub clamp: ClampF32,
    /// Added last.
    pub bias: Option<&'a [f32]>,
    /// Scales of the weights of each channel.
    pub scales: &'a [f32],
    /// Scale of the quantized input.
    pub scale: f32,
    /// Whether the two scales are multiplied with each other first.
    pub joined: bool,
}

impl Finish for FinishHybrid<'_> {
    type Y = f32;
    /// Factors and biases.
    type Span = [[f32; SPAN]; 2];

    fn span(&self, count: usize, channel: impl Fn(usize) -> usize) -> [[f32; SPAN]; 2] {
        let mut factors = lanes(self.scales, count, &channel);
        if self.joined {
            factors = factors.map(|factor| factor * self.scale);
        }
        [factors, lanes(self.bias.unwrap_or(&[]), count, channel)]
    }

    #[inline(always)]
    fn start(&self, _: usize, sums: &mut [i32]) {
        sums.fill(0);
    }

    #[inline(always)]
    fn store(&self, [factors, biases]: &[[f32; SPAN]; 2], sums: &mut [i32], y: &mut [f32]) {
        let second = if self.joined { 1.0 } else { self.scale };
        let constants = factors.iter().zip(biases);
        for ((y, sum), (factor, bias)) in y.iter_mut().zip(sums).zip(constants) {
            *y = self.clamp.apply(*sum as f32 * factor * second + bias);
        }
    }
}
