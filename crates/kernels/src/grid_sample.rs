//! Samples of a picture at places that a grid gives.

use embarca_num::DType;
use embarca_num::float::{floor, round_half_even};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32, channels last. Inputs: pictures `[n, height, width, channels]`, places `[n, h, w, 2]` (x, y
/// from -1 to 1). Output `[n, h, w, channels]`. Record [`Params`].
pub const F32: Kernel = Kernel::new("grid_sample_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// [`Params::mode`]: the nearest pixel, halves to even.
pub const NEAREST: u32 = 0;
/// [`Params::mode`]: four pixels.
pub const LINEAR: u32 = 1;
/// [`Params::mode`]: sixteen pixels, with the cubic of parameter -0.75.
pub const CUBIC: u32 = 2;
/// [`Params::padding`]: zero outside.
pub const ZEROS: u32 = 0;
/// [`Params::padding`]: the nearest pixel of the border.
pub const BORDER: u32 = 1;
/// [`Params::padding`]: mirrored at the borders.
pub const REFLECTION: u32 = 2;

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// [`NEAREST`], [`LINEAR`] or [`CUBIC`].
    pub mode: u32,
    /// [`ZEROS`], [`BORDER`] or [`REFLECTION`].
    pub padding: u32,
    /// 1 when -1 and 1 are the centers of the outermost pixels, 0 when their outer edges.
    pub align_corners: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { mode, padding, align_corners } = sig.params()?;
    if CUBIC < mode || REFLECTION < padding || 1 < align_corners {
        return Err(Fault::Record);
    }
    let (x, grid, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if [x, grid, y].iter().any(|ty| ty.dtype != DType::F32) {
        return Err(Fault::Type);
    }
    check_size(x)?;
    check_size(grid)?;
    check_size(y)?;
    let (&[n, height, width, c], &[m, h, w, 2]) = (x.dims, grid.dims) else {
        return Err(Fault::Shape);
    };
    if n != m || y.dims != [n, h, w, c] {
        return Err(Fault::Shape);
    }
    if y.is_empty() {
        return Ok(Needs::split(0));
    }
    if height == 0 || width == 0 {
        return Err(Fault::Shape);
    }
    Ok(Needs::split((n * h * w) as usize))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let &[_, height, width, channels] = x.ty.dims else { return Err(Fault::Shape) };
    let &[_, h, w, _] = grid.ty.dims else { return Err(Fault::Shape) };
    let (height, width, channels) = (height as usize, width as usize, channels as usize);
    let picture = height * width * channels;
    let (x, grid) = (x.elements::<f32>(), grid.elements::<f32>());
    let units = call.units.clone();
    let y = call.output(0)?.elements::<f32>();
    for (unit, y) in units.zip(y.chunks_exact_mut(channels.max(1))) {
        let n = unit / ((h * w) as usize).max(1);
        let x = &x[n * picture..][..picture];
        let across = Axis::new(&params, grid[2 * unit], width);
        let down = Axis::new(&params, grid[2 * unit + 1], height);
        y.fill(0.0);
        for (row, weight_y) in down.taps() {
            for (column, weight_x) in across.taps() {
                let weight = weight_x * weight_y;
                let pixel = &x[(row * width + column) * channels..][..channels];
                for (y, x) in y.iter_mut().zip(pixel) {
                    *y += weight * x;
                }
            }
        }
    }
    Ok(())
}

/// The pixels that one coordinate meets along its axis.
struct Axis {
    len: usize,
    weights: [(Option<usize>, f32); 4],
}

impl Axis {
    fn new(params: &Params, place: f32, len: usize) -> Self {
        let size = len as f32;
        let aligned = params.align_corners == 1;
        let (low, high) = if aligned { (0.0, size - 1.0) } else { (-0.5, size - 0.5) };
        let mut at = if aligned {
            (place + 1.0) / 2.0 * (size - 1.0)
        } else {
            ((place + 1.0) * size - 1.0) / 2.0
        };
        if params.mode == NEAREST {
            at = round_half_even(at);
        }
        if at < low || high < at {
            at = match params.padding {
                BORDER => at.clamp(0.0, size - 1.0),
                REFLECTION => reflect(at, low, high),
                _ => at,
            };
        }
        let pixel = |index: f32| {
            let index = match params.padding {
                BORDER => index.clamp(0.0, size - 1.0),
                // Halfway between two pixels the one is as good as the other.
                REFLECTION => floor(reflect(index, low, high)).clamp(0.0, size - 1.0),
                _ => index,
            };
            let inside = 0.0 <= index && index < size;
            inside.then_some(index as usize)
        };
        let first = floor(at);
        let t = at - first;
        let none = (None, 0.0);
        let weights = match params.mode {
            NEAREST => [(pixel(at), 1.0), none, none, none],
            LINEAR => [(pixel(first), 1.0 - t), (pixel(first + 1.0), t), none, none],
            _ => {
                let weights = cubic(t);
                let each = |i: usize| (pixel(first + i as f32 - 1.0), weights[i]);
                [each(0), each(1), each(2), each(3)]
            }
        };
        Self { len, weights }
    }

    fn taps(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let inside = |&(index, weight): &(Option<usize>, f32)| {
            index.filter(|&index| index < self.len).map(|index| (index, weight))
        };
        self.weights.iter().filter_map(inside)
    }
}

/// `at` mirrored at `low` and `high` until it lies between them.
fn reflect(at: f32, low: f32, high: f32) -> f32 {
    let range = high - low;
    if range <= 0.0 || !at.is_finite() {
        return low;
    }
    let beyond = if at < low { low - at } else { at - high };
    if beyond <= 0.0 {
        return at;
    }
    let turns = floor(beyond / range);
    let rest = beyond - turns * range;
    let even = floor(turns / 2.0) * 2.0 == turns;
    if (at < low) == even { low + rest } else { high - rest }
}

/// The weights of four pixels at a distance `t` behind the second.
fn cubic(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let far = |d: f32| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let near = |d: f32| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}
