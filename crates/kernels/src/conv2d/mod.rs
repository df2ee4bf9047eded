//! Two-dimensional convolution, channels last, in groups, with an optional bias and a fused clamp.
//!
//! `y[n, oy, ox, o] = clamp(bias[o] + sum over ky, kx, c of w[o, ky, kx, c] * x[n, iy, ix, g*C/G + c])`
//! with `iy = oy * stride - pad + ky * dilation` (likewise `ix`) and `g` the group of `o`; taps
//! outside the input are left out. Inputs: x `[N, H, W, C]`, w `[O, KH, KW, C / groups]`, bias `[O]`
//! (optional); the other types add an input each. Output `[N, OH, OW, O]`, split into its rows.

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
pub use hybrid::{HYBRID, ParamsHybrid};
pub use i8::{I8, ParamsI8};
pub use int::{I32, ParamsI32};
pub use onnx::ONNX;

use core::ops::Range;

use crate::{
    Fault, Kernel, Signature, Ty,
    spatial::{Axis, Window, dims4},
};

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I8, HYBRID, ONNX, I32, I16];

/// The sizes of one convolution, checked against each other.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Batch.
    pub n: usize,
    /// Input height, width, channels.
    pub input: [usize; 3],
    /// Output height, width, channels.
    pub output: [usize; 3],
    /// Kernel height, width, input channels of a group.
    pub kernel: [usize; 3],
    /// Output channels of a group.
    pub group: usize,
    /// The window along height and width.
    pub axes: [Axis; 2],
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
        Ok(Self {
            n: xn as usize,
            input: [xh, xw, xc].map(|dim| dim as usize),
            output: [yh, yw, yc].map(|dim| dim as usize),
            kernel: [kh, kw, kc].map(|dim| dim as usize),
            group: (o / groups) as usize,
            axes: [window.axis(0, xh, kh, yh)?, window.axis(1, xw, kw, yw)?],
        })
    }

    /// From the first two inputs and the output of a step.
    pub fn of(window: &Window, groups: u32, sig: &Signature) -> Result<Self, Fault> {
        Self::new(window, groups, sig.input(0)?, sig.input(1)?, sig.output(0)?)
    }

    /// Weights of an output channel.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
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

    /// Calls `each` with image, row and column of every output position of `units` and with its
    /// output channels.
    pub fn for_each_pixel<T>(
        &self,
        units: Range<usize>,
        y: &mut [T],
        mut each: impl FnMut([usize; 3], &mut [T]),
    ) {
        let [height, width, channels] = self.output;
        let mut pixels = y.chunks_exact_mut(channels.max(1));
        for unit in units {
            for (ox, pixel) in pixels.by_ref().take(width).enumerate() {
                each([unit / height.max(1), unit % height.max(1), ox], pixel);
            }
        }
    }

    /// Calls `each` with the input channels and the weights of every tap of output channel `o` at
    /// a position that meets the input.
    #[inline(always)]
    pub fn for_each_tap<'a, X, W>(
        &self,
        x: &'a [X],
        w: &'a [W],
        [n, oy, ox]: [usize; 3],
        o: usize,
        mut each: impl FnMut(&'a [X], &'a [W]),
    ) {
        let ([height, width, channels], [kh, kw, kc]) = (self.input, self.kernel);
        let group = (o / self.group) * kc;
        let columns = self.axes[1].taps(ox);
        for (ky, iy) in self.axes[0].taps(oy).iter() {
            for (kx, ix) in columns.iter() {
                let x_at = ((n * height + iy) * width + ix) * channels + group;
                let w_at = ((o * kh + ky) * kw + kx) * kc;
                each(&x[x_at..x_at + kc], &w[w_at..w_at + kc]);
            }
        }
    }
}
