//! Convolution and matrix products: two positions and two output channels at a time.
//!
//! The input's zero point is part of the biases, so what lies outside the input counts as the zero
//! point itself. Windows whose bytes follow each other are read where they are, others are gathered.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::gather::{Sizes, part};
use super::{Param, Sums};
use crate::Fault;
use crate::device::frame::product;
use crate::device::{Bytes, Frame, clamp};

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PlainConv {
    /// Offset of the input in the arena.
    pub x: u32,
    /// Offset of the output.
    pub y: u32,
    /// Offset of the scratch: two windows, none when every window is read in place.
    pub scratch: u32,
    /// Offset of the weights in the constants: `[outputs][kernel_h][kernel_w][inputs]`.
    pub weights: u32,
    /// Offset of the parameters, a [`Param`] for each channel.
    pub params: u32,
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width, channels.
    pub output: [u16; 3],
    /// Height, width.
    pub kernel: [u8; 2],
    /// Along height, width.
    pub stride: [u8; 2],
    /// Along height, width.
    pub dilation: [u8; 2],
    /// Above, to the left.
    pub pad: [u8; 2],
    /// Zero point of the input.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// Zero.
    pub reserved: u8,
}

impl PlainConv {
    /// Whether the bytes of a window within the input follow each other.
    fn joined(&self) -> bool {
        let line = self.kernel[1] == 1 || self.dilation[1] == 1;
        let whole = u16::from(self.kernel[1]) == self.input[1] && self.dilation[0] == 1;
        line && (self.kernel[0] == 1 || whole)
    }

    fn sizes(&self) -> Sizes {
        let &Self { input, kernel, stride, dilation, pad, zero, .. } = self;
        Sizes { input, kernel, stride, dilation, pad, zero }
    }

    /// Bytes of scratch.
    pub fn scratch(&self) -> u32 {
        let inside = self.sizes().all_inside([self.output[0], self.output[1]]);
        if self.joined() && inside { 0 } else { self.sizes().window().saturating_mul(2) }
    }
}

/// Runs or checks the step.
pub fn plain_conv<P: Sums>(frame: &Frame<'_>) -> Result<(), Fault> {
    let step: &PlainConv = frame.params()?;
    let [height, width, channels] = step.input.map(u32::from);
    let [out_h, out_w, out_c] = step.output.map(u32::from);
    let [kernel_h, kernel_w] = step.kernel.map(u32::from);
    let len = product(&[kernel_h, kernel_w, channels])?;
    if len == 0 || out_c == 0 || step.reserved != 0 || step.dilation.contains(&0) {
        return Err(Fault::Record);
    }
    let x = frame.arena(step.x, product(&[height, width, channels])?)?;
    let y = frame.arena(step.y, product(&[out_h, out_w, out_c])?)?;
    let scratch = frame.arena(step.scratch, step.scratch())?;
    let weights = frame.constants(step.weights, product(&[out_c, len])?)?;
    let params = Param::list(frame, step.params, out_c)?;
    if frame.dry {
        return Ok(());
    }
    let len = len as usize;
    let run = Run { sizes: step.sizes(), x, joined: step.joined(), len };
    let layer = Layer { weights, params, len };
    let (first, second) = scratch.split_at_checked(len).unwrap_or_default();
    let mut place = (0, 0);
    let mut next = || {
        let now = place;
        place.1 += 1;
        if place.1 == step.output[1] {
            place = (place.0 + 1, 0);
        }
        now
    };
    let channels = usize::from(step.output[2]);
    let mut pairs = y.chunks_exact(2 * channels.max(1));
    for y in pairs.by_ref() {
        let x = [run.window::<P>(next(), first), run.window::<P>(next(), second)];
        layer.two::<P>(x, y);
    }
    let rest = pairs.remainder();
    if !rest.is_empty() {
        layer.one::<P>(run.window::<P>(next(), first), rest);
    }
    clamp(y, step.act);
    Ok(())
}

struct Run<'a> {
    sizes: Sizes,
    x: Bytes<'a>,
    joined: bool,
    /// Bytes of a window.
    len: usize,
}

impl<'a> Run<'a> {
    /// The window of an output position: in the input, or gathered in `scratch`.
    fn window<P: Sums>(&self, (y, x): (u16, u16), scratch: Bytes<'a>) -> Bytes<'a> {
        let (y, x, inside) = self.sizes.corner(y, x);
        if self.joined && inside {
            return part(self.x, self.sizes.place(y, x), self.len);
        }
        self.sizes.gather::<P>(self.x, (y, x), scratch);
        scratch
    }
}

struct Layer<'a> {
    weights: &'a [u8],
    params: &'a [Param],
    /// Bytes of a window.
    len: usize,
}

impl<'a> Layer<'a> {
    /// Weights and parameters of two outputs at a time; where one is left, that one twice.
    fn pairs(&self) -> impl Iterator<Item = ([&'a [u8]; 2], &'a [Param])> {
        let (len, mut weights, mut params) = (self.len, self.weights, self.params);
        core::iter::from_fn(move || {
            let (first, rest) = weights.split_at_checked(len).filter(|_| !params.is_empty())?;
            let (second, rest) = rest.split_at_checked(len).unwrap_or((first, rest));
            let (now, later) = params.split_at_checked(2).unwrap_or((params, &[]));
            (weights, params) = (rest, later);
            Some(([first, second], now))
        })
    }

    /// All output channels of two positions, which follow each other in `y`.
    fn two<P: Sums>(&self, x: [Bytes<'_>; 2], y: Bytes<'_>) {
        let (a, b) = y.split_at_checked(y.len() / 2).unwrap_or_default();
        for (((weights, params), a), b) in self.pairs().zip(a.chunks(2)).zip(b.chunks(2)) {
            let mut sums = [biases(params); 2];
            P::two(x, weights, &mut sums);
            P::finish(&sums[0], params, a);
            P::finish(&sums[1], params, b);
        }
    }

    /// All output channels of one position.
    fn one<P: Sums>(&self, x: Bytes<'_>, y: Bytes<'_>) {
        for ((weights, params), y) in self.pairs().zip(y.chunks(2)) {
            let mut sums = biases(params);
            P::one(x, weights, &mut sums);
            P::finish(&sums, params, y);
        }
    }
}

/// Those of two outputs, or of one.
fn biases(params: &[Param]) -> [i32; 2] {
    [0, 1].map(|index| params.get(index).map_or(0, |param| param.bias))
}
