//! Pictures on their way into a model: resampled as the libraries do that models were trained with,
//! placed in a frame, turned grey.
//!
//! Resampling takes two steps, width first, each along one axis of `[N, H, W, C]`. Their second
//! input is the picture as it came, of which only the dimensions are read: how large a picture
//! becomes along one axis depends on both. Pixels of the frame beside the picture get the fill.

pub mod place;
pub mod taps;

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature, Ty};

pub use place::{Fit, Place};
use taps::{Pillow, lerp};

/// Pillow's filters in its own fixed point, u8 to u8, rounded after each axis; record [`Resample`].
pub const RESAMPLE_U8: Kernel = Kernel::new("picture_resample_u8", check_u8, call_u8);

/// TensorFlow's filters and OpenCV's area, f32 to f32; record [`Resample`].
pub const RESAMPLE_F32: Kernel = Kernel::new("picture_resample_f32", check_f32, call_f32);

/// The first step of OpenCV's linear filter, along the width, u8 to i32 of 11 fractional bits;
/// record [`Resample`].
pub const LINEAR_WIDTH: Kernel = Kernel::new(
    "picture_linear_width",
    |sig| check_linear(sig, 2, DType::U8, DType::I32),
    call_linear_width,
);

/// The second step, along the height, i32 to u8; record [`Resample`].
pub const LINEAR_HEIGHT: Kernel = Kernel::new(
    "picture_linear_height",
    |sig| check_linear(sig, 1, DType::I32, DType::U8),
    call_linear_height,
);

/// Where the picture lies in its frame: f32 `[3, 4]` of scales, offsets and the picture's size, each
/// as x, y, x, y. A point of the frame is `scale * point + offset`. Record [`Fit`].
pub const PLACEMENT: Kernel = Kernel::new("picture_placement", check_placement, call_placement);

/// Luma by ITU-R 601-2 in the fixed point of Pillow's mode `L`: u8 `[.., 3]` to `[.., 1]`; no record.
pub const LUMA: Kernel = Kernel::new("picture_luma", check_luma, call_luma);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] =
    &[RESAMPLE_U8, RESAMPLE_F32, LINEAR_WIDTH, LINEAR_HEIGHT, PLACEMENT, LUMA];

/// The record of a step of resampling.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Resample {
    /// 1: the height; 2: the width.
    pub axis: u32,
    /// [`taps::PILLOW_NEAREST`] to [`taps::TENSORFLOW_CORNERS`].
    pub filter: u32,
    /// What the frame holds beside the picture, 0 to 255.
    pub fill: u32,
    /// How the picture is brought into its frame. A stretched one takes the output's dimensions.
    pub fit: Fit,
}

/// Scratch of one call never exceeds this, so that hostile sizes are refused.
const MOST_SCRATCH: usize = 1 << 28;

/// The place of the picture along the record's axis.
fn place_of(params: &Resample, picture: Ty<'_>, output: Ty<'_>) -> Result<Place, Fault> {
    let side = |ty: Ty<'_>, axis: usize| ty.dims.get(axis).map_or(0, |&dim| dim as usize);
    let axis = params.axis as usize;
    if params.fit.fit == place::STRETCH {
        return Ok(Place { from: side(picture, axis).max(1), to: side(output, axis), offset: 0 });
    }
    let frame = params.fit.frame.map(|side| side as usize);
    let places = params.fit.places([side(picture, 1), side(picture, 2)], frame)?;
    Ok(places[axis - 1])
}

/// The place and the number of output rows; 0 where there is nothing to compute.
fn check(sig: &Signature, from: DType, to: DType) -> Result<(Resample, Place, usize), Fault> {
    let params: Resample = sig.params()?;
    let (x, picture, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 || sig.inputs.len() != 2 {
        return Err(Fault::Arity);
    }
    if x.dtype != from || y.dtype != to {
        return Err(Fault::Type);
    }
    if !matches!(params.axis, 1 | 2)
        || taps::TENSORFLOW_CORNERS < params.filter
        || 255 < params.fill
    {
        return Err(Fault::Record);
    }
    params.fit.check()?;
    let axis = params.axis as usize;
    if [x.dims.len(), y.dims.len(), picture.dims.len()] != [4; 3] {
        return Err(Fault::Shape);
    }
    let same = (0..4).all(|i| i == axis || x.dims[i] == y.dims[i]);
    let framed = params.fit.fit == place::STRETCH || params.fit.frame[axis - 1] == y.dims[axis];
    if !same || !framed || x.dims[axis] != picture.dims[axis] {
        return Err(Fault::Shape);
    }
    check_size(x)?;
    let empty = check_size(y)? == 0;
    if !empty && (x.is_empty() || picture.is_empty()) {
        return Err(Fault::Shape);
    }
    let place = place_of(&params, picture, y)?;
    let rows = if empty { 0 } else { (y.dims[0] * y.dims[1]) as usize };
    Ok((params, place, rows))
}

fn check_u8(sig: &Signature) -> Result<Needs, Fault> {
    let (params, place, rows) = check(sig, DType::U8, DType::U8)?;
    if taps::PILLOW_BICUBIC < params.filter {
        return Err(Fault::Record);
    }
    let y = sig.output(0)?;
    let row = y.dims[2] as usize * y.dims[3] as usize;
    if rows == 0 {
        return Ok(Needs::split(0));
    }
    let scratch = match (params.filter, params.axis) {
        (taps::PILLOW_NEAREST, 1) => Some(0),
        (taps::PILLOW_NEAREST, _) => y.dims[2].checked_mul(4).map(|len| len as usize),
        // Sums of a row, and the weights of its pixels.
        (_, 1) => row.checked_add(Pillow::new(params.filter, &place).most()).map(|len| 4 * len),
        _ => Pillow::new(params.filter, &place)
            .most()
            .checked_add(2)
            .and_then(|len| len.checked_mul(4 * y.dims[2] as usize)),
    };
    let scratch = scratch.filter(|&bytes| bytes <= MOST_SCRATCH).ok_or(Fault::TooLarge)?;
    Ok(Needs { units: rows, scratch })
}

fn check_f32(sig: &Signature) -> Result<Needs, Fault> {
    let (params, _, rows) = check(sig, DType::F32, DType::F32)?;
    if params.filter < taps::OPENCV_AREA { Err(Fault::Record) } else { Ok(Needs::split(rows)) }
}

fn check_linear(sig: &Signature, axis: u32, from: DType, to: DType) -> Result<Needs, Fault> {
    let (params, _, rows) = check(sig, from, to)?;
    if params.filter != taps::OPENCV_LINEAR || params.axis != axis {
        return Err(Fault::Record);
    }
    Ok(Needs::split(rows))
}

/// What the rows of a call have in common.
struct Rows<'a> {
    params: Resample,
    place: Place,
    /// Rows of input and output, their widths, and the channels.
    height: [usize; 2],
    width: [usize; 2],
    channels: usize,
    first: usize,
    x: crate::Src<'a>,
}

impl<'a> Rows<'a> {
    fn new(call: &mut Call<'_, 'a>) -> Result<Self, Fault> {
        let params: Resample = call.params()?;
        let (x, picture) = (call.input(0)?, call.input(1)?);
        let y = call.output(0)?.ty;
        let place = place_of(&params, picture.ty, y)?;
        let side = |i: usize| [x.ty.dims[i] as usize, y.dims[i] as usize];
        let (height, width, channels) = (side(1), side(2), y.dims[3] as usize);
        Ok(Self { params, place, height, width, channels, first: call.units.start, x })
    }

    /// Elements of an output row.
    fn len(&self) -> usize {
        self.width[1] * self.channels
    }

    /// Image and row of the output's row `i` of this call.
    fn at(&self, i: usize) -> (usize, usize) {
        let row = self.first + i;
        (row / self.height[1], row % self.height[1])
    }

    /// Where row `row` of image `image` of the input starts.
    fn start(&self, image: usize, row: usize) -> usize {
        (image * self.height[0] + row) * self.width[0] * self.channels
    }

    /// The position in the picture of position `at` of the frame.
    fn inside(&self, at: usize) -> Option<usize> {
        let at = at as i64 - self.place.offset;
        usize::try_from(at).ok().filter(|&at| at < self.place.to)
    }
}

fn clip8(sum: i32) -> u8 {
    (sum >> taps::PRECISION_BITS).clamp(0, 255) as u8
}

fn call_u8(call: &mut Call) -> Result<(), Fault> {
    if call.units.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(call)?;
    let fill = rows.params.fill as u8;
    let x = rows.x.data;
    let scratch = &mut *call.scratch;
    let whole = scratch.len() / 4 * 4;
    let scratch = scratch.get_mut(..whole).unwrap_or_default();
    let scratch = <[i32]>::mut_from_bytes(scratch).map_err(|_| Fault::TooLarge)?;
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?.data.chunks_exact_mut(rows.len());
    match (rows.params.axis, rows.params.filter) {
        (1, taps::PILLOW_NEAREST) => {
            for (i, y) in y.enumerate() {
                let (image, at) = rows.at(i);
                let from = rows.inside(at).and_then(|at| taps::nearest(&rows.place).nth(at));
                match from.map(|from| rows.start(image, from)) {
                    Some(start) => y.copy_from_slice(&x[start..start + rows.len()]),
                    None => y.fill(fill),
                }
            }
        }
        (1, filter) => {
            let pillow = Pillow::new(filter, &rows.place);
            let (sums, weights) = scratch.split_at_mut_checked(rows.len()).ok_or(Fault::TooLarge)?;
            for (i, y) in y.enumerate() {
                let (image, at) = rows.at(i);
                let Some(at) = rows.inside(at) else {
                    y.fill(fill);
                    continue;
                };
                let (start, count) = pillow.taps(at, weights);
                sums.fill(1 << (taps::PRECISION_BITS - 1));
                for (k, &weight) in weights[..count].iter().enumerate() {
                    let from = rows.start(image, start + k);
                    for (sum, &x) in sums.iter_mut().zip(&x[from..from + rows.len()]) {
                        *sum += i32::from(x) * weight;
                    }
                }
                for (y, &sum) in y.iter_mut().zip(&*sums) {
                    *y = clip8(sum);
                }
            }
        }
        (_, taps::PILLOW_NEAREST) => {
            let width = rows.width[1];
            let columns = scratch.get_mut(..width).ok_or(Fault::TooLarge)?;
            columns.fill(-1);
            for (at, from) in taps::nearest(&rows.place).enumerate() {
                let at = at as i64 + rows.place.offset;
                if let Some(to) = usize::try_from(at).ok().and_then(|at| columns.get_mut(at)) {
                    *to = from as i32;
                }
            }
            for (i, y) in y.enumerate() {
                let (image, row) = rows.at(i);
                let start = rows.start(image, row);
                for (y, &from) in y.chunks_exact_mut(rows.channels).zip(&*columns) {
                    match usize::try_from(from) {
                        Ok(from) => {
                            let from = start + from * rows.channels;
                            y.copy_from_slice(&x[from..from + rows.channels]);
                        }
                        Err(_) => y.fill(fill),
                    }
                }
            }
        }
        (_, filter) => widths(&rows, filter, scratch, y)?,
    }
    Ok(())
}

/// Pillow's filters along the width: the weights of all columns are formed once.
fn widths<'y>(
    rows: &Rows,
    filter: u32,
    scratch: &mut [i32],
    y: impl Iterator<Item = &'y mut [u8]>,
) -> Result<(), Fault> {
    let pillow = Pillow::new(filter, &rows.place);
    let stride = pillow.most() + 2;
    let columns = scratch.get_mut(..stride * rows.width[1]).ok_or(Fault::TooLarge)?;
    for (at, column) in columns.chunks_exact_mut(stride).enumerate() {
        let (head, weights) = column.split_at_mut(2);
        let taps = rows.inside(at).map(|at| pillow.taps(at, weights));
        let (start, count) = taps.unwrap_or((0, 0));
        (head[0], head[1]) = (start as i32, count as i32);
    }
    let half = 1 << (taps::PRECISION_BITS - 1);
    let (fill, channels) = (rows.params.fill as u8, rows.channels);
    for (i, y) in y.enumerate() {
        let (image, row) = rows.at(i);
        let start = rows.start(image, row);
        for (y, column) in y.chunks_exact_mut(channels).zip(columns.chunks_exact(stride)) {
            let (first, count) = (column[0] as usize, column[1] as usize);
            if count == 0 {
                y.fill(fill);
                continue;
            }
            let from = start + first * channels;
            let x = &rows.x.data[from..from + count * channels];
            let weights = &column[2..2 + count];
            if let (3, [r, g, b]) = (channels, &mut *y) {
                let mut sums = [half; 3];
                for (x, &weight) in x.as_chunks::<3>().0.iter().zip(weights) {
                    for (sum, &x) in sums.iter_mut().zip(x) {
                        *sum += i32::from(x) * weight;
                    }
                }
                [*r, *g, *b] = sums.map(clip8);
                continue;
            }
            for (channel, y) in y.iter_mut().enumerate() {
                let column = x.iter().skip(channel).step_by(channels);
                let sum = column.zip(weights).fold(half, |sum, (&x, &w)| sum + i32::from(x) * w);
                *y = clip8(sum);
            }
        }
    }
    Ok(())
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    if call.units.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(call)?;
    let x = rows.x.elements::<f32>();
    let (fill, filter, channels) = (rows.params.fill as f32, rows.params.filter, rows.channels);
    let y = call.output(0)?.elements::<f32>();
    for (i, y) in y.chunks_exact_mut(rows.len()).enumerate() {
        let (image, row) = rows.at(i);
        if rows.params.axis == 1 {
            let Some(at) = rows.inside(row) else {
                y.fill(fill);
                continue;
            };
            let line = |row: usize| {
                let start = rows.start(image, row);
                &x[start..start + rows.len()]
            };
            mix(filter, &rows.place, at, y, line);
        } else {
            let start = rows.start(image, row);
            for (at, y) in y.chunks_exact_mut(channels).enumerate() {
                let Some(at) = rows.inside(at) else {
                    y.fill(fill);
                    continue;
                };
                let pixel = |column: usize| &x[start + column * channels..][..channels];
                mix(filter, &rows.place, at, y, pixel);
            }
        }
    }
    Ok(())
}

/// One row or pixel of the result from those of the input.
fn mix<'x>(
    filter: u32,
    place: &Place,
    at: usize,
    y: &mut [f32],
    x: impl Fn(usize) -> &'x [f32],
) {
    if filter == taps::OPENCV_AREA {
        y.fill(0.0);
        return taps::area(place, at, |from, weight| {
            for (y, x) in y.iter_mut().zip(x(from)) {
                *y += x * weight;
            }
        });
    }
    let (near, far, share) = lerp(filter, place, at);
    for ((y, near), far) in y.iter_mut().zip(x(near)).zip(x(far)) {
        *y = near + (far - near) * share;
    }
}

fn call_linear_width(call: &mut Call) -> Result<(), Fault> {
    if call.units.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(call)?;
    let (x, channels) = (rows.x.data, rows.channels);
    let fill = (rows.params.fill << taps::COEF_BITS) as i32;
    let y = call.output(0)?.elements::<i32>();
    for (i, y) in y.chunks_exact_mut(rows.len()).enumerate() {
        let (image, row) = rows.at(i);
        let start = rows.start(image, row);
        for (at, y) in y.chunks_exact_mut(channels).enumerate() {
            let Some(at) = rows.inside(at) else {
                y.fill(fill);
                continue;
            };
            let (near, far, [a, b]) = taps::pair(&rows.place, at);
            // At the edges one pixel counts fully.
            let (a, b) = if near == far { (1 << taps::COEF_BITS, 0) } else { (a, b) };
            for (channel, y) in y.iter_mut().enumerate() {
                let pixel = |at: usize| i32::from(x[start + at * channels + channel]);
                *y = pixel(near) * a + pixel(far) * b;
            }
        }
    }
    Ok(())
}

fn call_linear_height(call: &mut Call) -> Result<(), Fault> {
    if call.units.is_empty() {
        return Ok(());
    }
    let rows = Rows::new(call)?;
    let x = rows.x.elements::<i32>();
    let fill = rows.params.fill as u8;
    let first = call.outputs.first_mut().ok_or(Fault::Arity)?;
    for (i, y) in first.data.chunks_exact_mut(rows.len()).enumerate() {
        let (image, row) = rows.at(i);
        let Some(at) = rows.inside(row) else {
            y.fill(fill);
            continue;
        };
        let (near, far, [a, b]) = taps::pair(&rows.place, at);
        let line = |row: usize| &x[rows.start(image, row)..][..rows.len()];
        for ((y, &near), &far) in y.iter_mut().zip(line(near)).zip(line(far)) {
            // Each product loses 16 bits of its own: OpenCV's order of operations.
            let sum = ((a * (near >> 4)) >> 16) + ((b * (far >> 4)) >> 16);
            *y = ((sum + 2) >> 2).clamp(0, 255) as u8;
        }
    }
    Ok(())
}

fn check_placement(sig: &Signature) -> Result<Needs, Fault> {
    let fit: Fit = sig.params()?;
    let (x, frame, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.outputs.len() != 1 || sig.inputs.len() != 2 {
        return Err(Fault::Arity);
    }
    if y.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    fit.check()?;
    if x.dims.len() != 4 || frame.dims.len() != 4 || y.dims != [3, 4] {
        return Err(Fault::Shape);
    }
    fit.places([1, 2].map(|i| x.dims[i] as usize), [1, 2].map(|i| frame.dims[i] as usize))?;
    Ok(Needs::WHOLE)
}

fn call_placement(call: &mut Call) -> Result<(), Fault> {
    let fit: Fit = call.params()?;
    let size = |ty: Ty<'_>| [1, 2].map(|i| ty.dims.get(i).map_or(1, |&dim| dim as usize));
    let (picture, frame) = (size(call.input(0)?.ty), size(call.input(1)?.ty));
    let [height, width] = fit.places(picture, frame)?;
    let [x, y] = [width, height];
    let scale = |place: Place| place.to as f32 / place.from as f32;
    let rows = [
        [scale(x), scale(y), scale(x), scale(y)],
        [x, y, x, y].map(|place| place.offset as f32),
        [x, y, x, y].map(|place| place.from as f32),
    ];
    let out = call.output(0)?.elements::<f32>();
    for (out, row) in out.chunks_exact_mut(4).zip(rows) {
        out.copy_from_slice(&row);
    }
    Ok(())
}

fn check_luma(sig: &Signature) -> Result<Needs, Fault> {
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 || !sig.record.is_empty() {
        return Err(Fault::Arity);
    }
    if x.dtype != DType::U8 || y.dtype != DType::U8 {
        return Err(Fault::Type);
    }
    let ([x @ .., 3], [y @ .., 1]) = (x.dims, y.dims) else { return Err(Fault::Shape) };
    if x != y {
        return Err(Fault::Shape);
    }
    check_size(sig.input(0)?)?;
    Ok(Needs::split(crate::element_count(y)?))
}

fn call_luma(call: &mut Call) -> Result<(), Fault> {
    let units = call.units.clone();
    let x = call.input(0)?.data.as_chunks::<3>().0;
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?;
    for (y, &[r, g, b]) in y.data.iter_mut().zip(x.get(units).unwrap_or_default()) {
        let sum = u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471;
        *y = ((sum + 0x8000) >> 16) as u8;
    }
    Ok(())
}
