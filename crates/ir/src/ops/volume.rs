//! Windows over three spatial axes, made of windows over two: a convolution is a sum over the depth
//! of the kernel, a maximum or mean over a box is one over its depth of those over its slices.

use embarca_kernels::pad::Mode;

use super::conv2d::convolution;
use super::pad::PadMode;
use super::pooling::Pooling;
use super::prelude::*;
use super::spatial::Window;
use super::{Add, Pad, Rescale, Slice};

/// Kernels deeper than this are refused: each slice of a kernel is a node.
const DEEPEST: usize = 64;

/// How a window moves over depth, height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Depth, height, width.
    pub size: [usize; 3],
    /// Depth, height, width.
    pub strides: [usize; 3],
    /// Depth, height, width.
    pub dilations: [usize; 3],
    /// Front, top, left, back, bottom, right.
    pub pads: [i32; 6],
}

impl Span {
    /// From the attributes of an ONNX node; `input` is channels-last of rank 5.
    ///
    /// # Errors
    /// When they are not those of three axes.
    pub fn onnx(
        node: &NodeView<'_>,
        input: &TensorType,
        size: [usize; 3],
    ) -> Result<Self, ImportError> {
        let three = |name: &str| -> Result<[usize; 3], ImportError> {
            let values = node.opt_ints(name)?.unwrap_or_else(|| vec![1; 3]);
            triple(&values).ok_or_else(|| wrong(&values).attribute(name))
        };
        let (strides, dilations) = (three("strides")?, three("dilations")?);
        let mut span = Self { size, strides, dilations, pads: [0; 6] };
        let pads = node.opt_ints("pads")?;
        match node.text("auto_pad", "NOTSET")? {
            "NOTSET" => {
                let pads = pads.unwrap_or_else(|| vec![0; 6]);
                let narrow = pads
                    .iter()
                    .map(|&pad| i32::try_from(pad).ok().filter(|pad| pad.unsigned_abs() < 1 << 30));
                let narrow = narrow.collect::<Option<Vec<i32>>>();
                let narrow = narrow.and_then(|pads| pads.try_into().ok());
                span.pads = narrow.ok_or_else(|| wrong(&pads).attribute("pads"))?;
            }
            _ if pads.iter().flatten().any(|&pad| pad != 0) => {
                return Err(ImportError::malformed("is given beside auto_pad").attribute("pads"));
            }
            "VALID" => {}
            "SAME_UPPER" => span.pad_same(input, false)?,
            "SAME_LOWER" => span.pad_same(input, true)?,
            other => {
                let message = format!("{other} is not known");
                return Err(ImportError::malformed(message).attribute("auto_pad"));
            }
        }
        Ok(span)
    }

    /// Pads so that the result has `ceil(input / stride)` positions along each axis.
    ///
    /// # Errors
    /// When the padding depends on a size that is not a number.
    pub fn pad_same(&mut self, input: &TensorType, more_before: bool) -> Result<(), ImportError> {
        let [_, depth, height, width, _] = input.dims.as_slice() else {
            return Err(ImportError::malformed(format!("{input} has no depth")));
        };
        let mut plane = self.plane();
        plane.pad_same([height, width], [self.size[1], self.size[2]], more_before)?;
        let mut along = self.depth();
        along.pad_same([depth, &Dim::Known(1)], [self.size[0], 1], more_before)?;
        let [top, left, bottom, right] = plane.pads;
        self.pads = [along.pads[0], top, left, along.pads[2], bottom, right];
        Ok(())
    }

    /// The part over height and width.
    fn plane(&self) -> Window {
        let [_, top, left, _, bottom, right] = self.pads;
        Window {
            strides: [self.strides[1], self.strides[2]],
            dilations: [self.dilations[1], self.dilations[2]],
            pads: [top, left, bottom, right],
        }
    }

    /// The part over depth, as the height of windows one position wide.
    fn depth(&self) -> Window {
        Window {
            strides: [self.strides[0], 1],
            dilations: [self.dilations[0], 1],
            pads: [self.pads[0], 0, self.pads[3], 0],
        }
    }
}

/// Three numbers that are not negative.
pub fn triple(values: &[i64]) -> Option<[usize; 3]> {
    let sizes: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
    sizes?.try_into().ok()
}

fn wrong(values: &impl std::fmt::Debug) -> ImportError {
    ImportError::malformed(format!("{values:?} does not fit 3 spatial axes"))
}

/// The five dimensions of a channels-last volume.
fn volume(b: &Builder<'_>, x: ValueId) -> Result<[Dim; 5], ImportError> {
    let dims = b.ty(x).dims.clone();
    dims.try_into().map_err(|_| ImportError::malformed(format!("{} has no depth", b.ty(x))))
}

/// A volume as many pictures.
fn slices(b: &mut Builder<'_>, x: ValueId) -> Result<ValueId, ImportError> {
    let [n, depth, height, width, channels] = volume(b, x)?;
    Ok(b.reshape(x, vec![n.mul(&depth), height, width, channels])?)
}

/// A convolution of a channels-last volume with weights `[depth, outputs, height, width, channels
/// of a group]`.
///
/// # Errors
/// When shapes do not fit or the kernel is deeper than is supported.
pub fn convolve(
    b: &mut Builder<'_>,
    x: ValueId,
    w: ValueId,
    bias: Option<ValueId>,
    span: &Span,
    groups: usize,
) -> Result<ValueId, ImportError> {
    if b.ty(x).is_quantized() || b.ty(x).dtype != DType::F32 {
        let message = format!("a convolution of {} over three axes", b.ty(x));
        return Err(ImportError::unsupported(message));
    }
    let taps = span.size[0];
    if taps == 0 || DEEPEST < taps {
        let message = format!("kernels of depth {taps} are not supported; up to {DEEPEST} are");
        return Err(ImportError::unsupported(message));
    }
    let [n, depth, height, width, channels] = volume(b, x)?;
    let along = span.depth().output([&depth, &Dim::Known(1)], [taps, 1], false)?[0].clone();
    let (front, back) = (i64::from(span.pads[0]), i64::from(span.pads[3]));
    let mut padded = x;
    if front != 0 || back != 0 {
        let (mode, value) = (PadMode(Mode::Constant), 0.0);
        let (before, after) = (vec![0, front, 0, 0, 0], vec![0, back, 0, 0, 0]);
        padded = b.op(Pad { mode, before, after, value }, &[x])?;
    }
    let kernel = b.ty(w).dims[1..].to_vec();
    let mut sum = None;
    for tap in 0..taps {
        let (start, step) = ((tap * span.dilations[0]) as i64, span.strides[0] as i64);
        let dims = [&n, &along, &height, &width, &channels].map(Dim::clone).to_vec();
        let (starts, steps) = (vec![0, start, 0, 0, 0], vec![1, step, 1, 1, 1]);
        let part = b.op(Slice { starts, steps, dims }, &[padded])?;
        let part = slices(b, part)?;
        let mut dims = kernel.clone();
        dims.insert(0, Dim::Known(1));
        let starts = vec![tap as i64, 0, 0, 0, 0];
        let plane = b.op(Slice { starts, steps: vec![1; 5], dims }, &[w])?;
        let plane = b.reshape(plane, kernel.clone())?;
        let bias = bias.filter(|_| tap == 0);
        let y = convolution(b, [part, plane], bias, span.plane(), groups, Rescale::default())?;
        sum = Some(match sum {
            None => y,
            Some(sum) => b.op(Add {}, &[sum, y])?,
        });
    }
    let y = sum.ok_or_else(|| ImportError::malformed("the kernel is empty"))?;
    unfold(b, y, n, along)
}

/// Many pictures as a volume again.
fn unfold(b: &mut Builder<'_>, y: ValueId, n: Dim, depth: Dim) -> Result<ValueId, ImportError> {
    let mut dims = vec![n, depth];
    dims.extend_from_slice(&b.ty(y).dims[1..]);
    Ok(b.reshape(y, dims)?)
}

/// Pooling of a channels-last volume by `make`, which pools pictures; `size` 0 is the whole volume.
///
/// # Errors
/// When shapes do not fit.
pub fn pool(
    b: &mut Builder<'_>,
    x: ValueId,
    span: &Span,
    (ceil, count_pad): (bool, bool),
    make: impl Fn(&mut Builder<'_>, ValueId, Pooling) -> Result<ValueId, ShapeError>,
) -> Result<ValueId, ImportError> {
    let [n, depth, ..] = volume(b, x)?;
    let [deep, high, wide] = span.size;
    let pictures = slices(b, x)?;
    let plane = Pooling { size: [high, wide], window: span.plane(), ceil, count_pad };
    let y = make(b, pictures, plane)?;
    // Each column of a picture becomes one position of the width.
    let [_, height, width, channels] = <[Dim; 4]>::try_from(b.ty(y).dims.clone())
        .map_err(|_| ImportError::malformed("pooling has yielded no picture"))?;
    let columns = vec![n.clone(), depth, height.mul(&width), channels.clone()];
    let columns = b.reshape(y, columns)?;
    let size = if deep == 0 { [0, 0] } else { [deep, 1] };
    let y = if deep == 0 {
        // The whole depth, but not the columns beside it.
        let dims = b.ty(columns).dims.clone();
        let apart =
            vec![n.mul(&Dim::Known(1)), dims[1].clone(), Dim::Known(1), dims[2].mul(&channels)];
        let apart = b.reshape(columns, apart)?;
        make(b, apart, Pooling { size, window: span.depth(), ceil, count_pad })?
    } else {
        make(b, columns, Pooling { size, window: span.depth(), ceil, count_pad })?
    };
    let depth = b.ty(y).dims[1].clone();
    Ok(b.reshape(y, vec![n, depth, height, width, channels])?)
}
