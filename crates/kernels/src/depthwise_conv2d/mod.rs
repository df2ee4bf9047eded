//! Depthwise convolution, channels last: every input channel feeds `M` output channels of its own.
//!
//! `y[n, oy, ox, c*M + m] = clamp(bias + sum over ky, kx of w[0, ky, kx, c*M + m] * x[n, iy, ix, c])`
//! with `iy = oy * stride - pad + ky * dilation` (likewise `ix`); taps outside the input are left
//! out. Inputs: x `[N, H, W, C]`, w `[1, KH, KW, C*M]`, bias `[C*M]` (optional); the other types add
//! an input each. Output `[N, OH, OW, C*M]`, split into its rows.

pub mod f32;
pub mod fast;
pub mod fast_i8;
pub mod hybrid;
pub mod i16;
pub mod i8;
pub mod int;
pub mod onnx;

pub use self::f32::{F32, ParamsF32};
pub use i16::{I16, ParamsI16};
pub use hybrid::HYBRID;
pub use i8::{I8, ParamsI8};
pub use int::I32;
pub use onnx::ONNX;

use core::ops::Range;

use crate::{
    Fault, Kernel, Signature, Ty,
    spatial::{Axis, Window, dims4},
};

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, HYBRID, ONNX, I32, I16];

/// Output channels that are summed at a time.
const LANES: usize = 16;

/// The sizes of one depthwise convolution, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Input height, width, channels.
    pub input: [usize; 3],
    /// Output height, width, channels.
    pub output: [usize; 3],
    /// Output channels of an input channel.
    pub multiplier: usize,
    /// The window along height and width.
    pub axes: [Axis; 2],
}

impl Shape {
    /// From the dimensions of x, w and y.
    pub fn new(window: &Window, x: Ty, w: Ty, y: Ty) -> Result<Self, Fault> {
        let ([xn, xh, xw, xc], [one, kh, kw, wc]) = (dims4(x)?, dims4(w)?);
        let [yn, yh, yw, yc] = dims4(y)?;
        let multiplier = yc.checked_div(xc).unwrap_or(0);
        if xn != yn || one != 1 || yc != wc || u64::from(multiplier) * u64::from(xc) != yc.into() {
            return Err(Fault::Shape);
        }
        x.len()?;
        w.len()?;
        y.len()?;
        Ok(Self {
            n: xn as usize,
            input: [xh, xw, xc].map(|dim| dim as usize),
            output: [yh, yw, yc].map(|dim| dim as usize),
            multiplier: multiplier as usize,
            axes: [window.axis(0, xh, kh, yh)?, window.axis(1, xw, kw, yw)?],
        })
    }

    /// From the first two inputs and the output of a step.
    pub fn of(window: &Window, sig: &Signature) -> Result<Self, Fault> {
        Self::new(window, sig.input(0)?, sig.input(1)?, sig.output(0)?)
    }

    /// Output rows of all images; 0 when a row is empty.
    pub fn units(&self) -> usize {
        let [h, w, c] = self.output;
        if w * c == 0 { 0 } else { self.n * h }
    }

    /// Elements of an output row.
    pub fn row(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Elements of an input image.
    pub fn image(&self) -> usize {
        self.input.iter().product()
    }

    /// Calls `finish` with the first channel, the sums and the results-to-be of every group of up
    /// to 16 output channels in `units`. A sum begins at 0 and runs over ky, kx.
    #[inline(always)]
    pub fn for_each_sum<X: Copy, W: Copy, S: Copy + Default, Y>(
        &self,
        units: Range<usize>,
        x: &[X],
        w: &[W],
        y: &mut [Y],
        add: impl Fn(S, X, W) -> S,
        mut finish: impl FnMut(usize, &[S], &mut [Y]),
    ) {
        let ([height, width, channels], [rows, row_len, outputs]) = (self.input, self.output);
        let mut pixels = y.chunks_exact_mut(outputs.max(1));
        for unit in units {
            let image = unit / rows.max(1) * height;
            let down = self.axes[0].taps(unit % rows.max(1));
            for (ox, pixel) in pixels.by_ref().take(row_len).enumerate() {
                let across = self.axes[1].taps(ox);
                for (group, y) in pixel.chunks_mut(LANES).enumerate() {
                    let first = group * LANES;
                    let mut sums = [S::default(); LANES];
                    for (ky, iy) in down.iter() {
                        for (kx, ix) in across.iter() {
                            let x = &x[((image + iy) * width + ix) * channels..][..channels];
                            let w = &w[(ky * self.axes[1].len() + kx) * outputs..][..outputs];
                            self.add_tap(&mut sums, first, y.len(), x, w, &add);
                        }
                    }
                    finish(first, &sums[..y.len()], y);
                }
            }
        }
    }

    /// Adds one tap to the sums of `count` output channels from `first` on.
    #[inline(always)]
    fn add_tap<X: Copy, W: Copy, S: Copy>(
        &self,
        sums: &mut [S; LANES],
        first: usize,
        count: usize,
        x: &[X],
        w: &[W],
        add: impl Fn(S, X, W) -> S,
    ) {
        let w = &w[first..first + count];
        if self.multiplier != 1 {
            for (lane, (sum, &w)) in sums.iter_mut().zip(w).enumerate() {
                *sum = add(*sum, x[(first + lane) / self.multiplier], w);
            }
            return;
        }
        let x = &x[first..first + count];
        if let (Ok(x), Ok(w)) = (<&[X; LANES]>::try_from(x), <&[W; LANES]>::try_from(w)) {
            for lane in 0..LANES {
                sums[lane] = add(sums[lane], x[lane], w[lane]);
            }
        } else {
            for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
                *sum = add(*sum, x, w);
            }
        }
    }
}
