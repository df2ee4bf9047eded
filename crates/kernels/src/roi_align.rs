//! Regions of pictures brought to one size by bilinear samples.

use embarca_num::DType;
use embarca_num::float::ceil;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32, channels last. Inputs: pictures `[n, height, width, channels]`, regions `[regions, 4]` (left,
/// top, right, bottom), their pictures `[regions]` (i64). Output `[regions, h, w, channels]`.
/// Record [`Params`]. Regions that ask for more than four samples a pixel are refused.
pub const F32: Kernel = Kernel::new("roi_align_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// 1 for the greatest weighted pixel of all samples, 0 for their mean.
    pub max: u32,
    /// Samples along each axis of a bin; 0 for as many as a bin has pixels.
    pub samples: u32,
    /// From the regions' coordinates to pixels.
    pub scale: f32,
    /// Half a pixel where coordinates are those of edges; then regions may be smaller than 1.
    pub offset: f32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { max, .. } = sig.params()?;
    if 1 < max {
        return Err(Fault::Record);
    }
    let (x, regions, pictures) = (sig.input(0)?, sig.input(1)?, sig.input(2)?);
    let y = sig.output(0)?;
    let types = [x.dtype, regions.dtype, pictures.dtype, y.dtype];
    if types != [DType::F32, DType::F32, DType::I64, DType::F32] {
        return Err(Fault::Type);
    }
    check_size(x)?;
    check_size(regions)?;
    check_size(y)?;
    let (&[_, height, width, c], &[count, 4]) = (x.dims, regions.dims) else {
        return Err(Fault::Shape);
    };
    let &[m, h, w, d] = y.dims else { return Err(Fault::Shape) };
    if m != count || pictures.dims != [count] || d != c {
        return Err(Fault::Shape);
    }
    if y.is_empty() {
        return Ok(Needs::split(0));
    }
    if height == 0 || width == 0 {
        return Err(Fault::Shape);
    }
    Ok(Needs::split((m * h * w) as usize))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let (x, regions, pictures) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let &[n, height, width, channels] = x.ty.dims else { return Err(Fault::Shape) };
    let channels = channels as usize;
    let picture = height as usize * width as usize * channels;
    let (x, regions) = (x.elements::<f32>(), regions.elements::<f32>());
    let pictures = pictures.elements::<i64>();
    let units = call.units.clone();
    let y = call.output(0)?;
    let &[_, h, w, _] = y.ty.dims else { return Err(Fault::Shape) };
    for (unit, y) in units.zip(y.elements::<f32>().chunks_exact_mut(channels.max(1))) {
        let bin = unit % (h * w) as usize;
        let (row, column) = (bin as u32 / w, bin as u32 % w);
        let region = unit / (h * w) as usize;
        let number = usize::try_from(pictures[region]).ok().filter(|&number| number < n as usize);
        let x = &x[number.ok_or(Fault::Index)? * picture..][..picture];
        let &[left, top, right, bottom] =
            regions[4 * region..].first_chunk::<4>().ok_or(Fault::Shape)?;
        let down = Side::new(&params, [top, bottom], row, h, height)?;
        let across = Side::new(&params, [left, right], column, w, width)?;
        y.fill(if params.max == 1 { f32::NEG_INFINITY } else { 0.0 });
        for i in 0..down.samples {
            for j in 0..across.samples {
                let (rows, columns) = (down.taps(i), across.taps(j));
                for (at, weight_y) in rows {
                    for (other, weight_x) in columns {
                        let weight = weight_x * weight_y;
                        let start = (at * width as usize + other) * channels;
                        for (y, x) in y.iter_mut().zip(&x[start..][..channels]) {
                            let part = weight * x;
                            *y = if params.max == 1 { y.max(part) } else { *y + part };
                        }
                    }
                }
            }
        }
        let count = (down.samples * across.samples).max(1) as f32;
        for y in y.iter_mut() {
            // No sample at all is zero.
            *y = if params.max == 0 { *y / count } else if y.is_finite() { *y } else { 0.0 };
        }
    }
    Ok(())
}

/// One bin along one axis.
struct Side {
    start: f32,
    bin: f32,
    samples: u32,
    len: u32,
}

impl Side {
    fn new(
        params: &Params,
        ends: [f32; 2],
        bin: u32,
        bins: u32,
        len: u32,
    ) -> Result<Self, Fault> {
        let [start, end] = ends.map(|end| end * params.scale - params.offset);
        let mut size = end - start;
        if params.offset == 0.0 {
            size = size.max(1.0);
        }
        let each = size / bins as f32;
        let wanted = if params.samples == 0 { ceil(each) } else { params.samples as f32 };
        if wanted.is_nan() || 4.0 * len as f32 + 4.0 < wanted {
            return Err(Fault::Index);
        }
        let samples = if wanted <= 0.0 { 0 } else { wanted as u32 };
        Ok(Self { start: start + bin as f32 * each, bin: each, samples, len })
    }

    /// Two pixels and their weights for a sample; weights of 0 where it lies outside.
    fn taps(&self, sample: u32) -> [(usize, f32); 2] {
        let step = self.bin / self.samples as f32;
        let at = self.start + (sample as f32 + 0.5) * step;
        if at < -1.0 || self.len as f32 - at < 0.0 || at.is_nan() {
            return [(0, 0.0); 2];
        }
        let at = at.max(0.0);
        let (low, last) = (at as usize, self.len as usize - 1);
        if last <= low {
            return [(last, 1.0), (last, 0.0)];
        }
        let part = at - low as f32;
        [(low, 1.0 - part), (low + 1, part)]
    }
}
