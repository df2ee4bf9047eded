//! From a picture to a tensor.

use embarca::Port;
use embarca_data::image::{Anchor, Filter, Fit, fit};
use embarca_data::{Array, DataLimits, Image};
use embarca_num::DType;

use crate::args::{FitArg, Layout, Prepare};
use crate::engine::dims_of;
use crate::failure::{Failure, Result};
use crate::show;

/// Where a picture's axes lie in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    layout: Layout,
    /// `None` is open.
    height: Option<usize>,
    width: Option<usize>,
    channels: usize,
    /// Whether the input names the channels as an axis, and the batch.
    rank: usize,
}

/// Finds a picture's axes from the dimensions; `layout` decides where two readings are possible.
fn frame(dims: &[Option<usize>], layout: Option<Layout>) -> Option<Frame> {
    let colours = |dim: Option<usize>| dim.filter(|dim| matches!(dim, 1 | 3));
    let batch = |dim: Option<usize>| dim.is_none_or(|dim| dim == 1);
    let of = |layout, height, width, channels| {
        Some(Frame { layout, height, width, channels, rank: dims.len() })
    };
    let last = |h, w, c| of(Layout::Nhwc, h, w, colours(c)?);
    let first = |c, h, w| of(Layout::Nchw, h, w, colours(c)?);
    match *dims {
        [n, a, b, c] if batch(n) => match layout {
            Some(Layout::Nhwc) => last(a, b, c),
            Some(Layout::Nchw) => first(a, b, c),
            None => last(a, b, c).or_else(|| first(a, b, c)),
        },
        [a, b, c] => match layout {
            Some(Layout::Nhwc) => last(a, b, c),
            Some(Layout::Nchw) => first(a, b, c),
            None => last(a, b, c).or_else(|| first(a, b, c)),
        },
        [h @ Some(2..), w @ Some(2..)] => of(Layout::Nhwc, h, w, 1),
        // A grey square picture in one row.
        [Some(1), Some(len)] | [Some(len)] => {
            let side = len.isqrt();
            (1 < side && side * side == len)
                .then(|| of(Layout::Nhwc, Some(side), Some(side), 1))
                .flatten()
        }
        _ => None,
    }
}

/// How pixels become numbers.
#[derive(Clone, Debug, PartialEq)]
enum Scaling {
    /// `(pixel - mean) / std`, then quantized where the input is.
    Affine { mean: Vec<f32>, std: Vec<f32> },
    /// 8-bit inputs take the pixel as it is (i8: less 128).
    Stored,
}

/// The scaling of an input and, where it is an assumption, what to tell the user.
fn scaling(port: &Port, task: &embarca::Task, given: &Prepare) -> Result<(Scaling, String)> {
    let or = |values: &[f32], default: f32| match values {
        [] => vec![default],
        values => values.to_vec(),
    };
    if !given.mean.is_empty() || !given.std.is_empty() {
        let (mut mean, mut std) = (or(&given.mean, 0.0), or(&given.std, 1.0));
        let all = || mean.iter().chain(&std);
        let fractions =
            all().any(|x| 0.0 < x.abs() && x.abs() < 1.0) && all().all(|x| x.abs() <= 1.0);
        if std.iter().any(|std| *std == 0.0 || !std.is_finite()) {
            return Err(Failure::usage("--std divides, so it cannot be 0"));
        }
        if fractions {
            for value in mean.iter_mut().chain(&mut std) {
                *value *= 255.0;
            }
        }
        return Ok((Scaling::Affine { mean, std }, String::new()));
    }
    if !task.mean.is_empty() || !task.std.is_empty() {
        let (mean, std) = (or(&task.mean, 0.0), or(&task.std, 1.0));
        if std.iter().all(|std| *std != 0.0) {
            return Ok((Scaling::Affine { mean, std }, String::new()));
        }
    }
    let flags = "--mean and --std change it";
    match (port.dtype, port.quant) {
        (DType::U8 | DType::I8, Some((scale, zero))) => {
            let low = if port.dtype == DType::U8 { 0 } else { -128 };
            let real = |stored: i32| show::digits(f64::from(scale) * f64::from(stored - zero));
            let (from, to) = (real(low), real(low + 255));
            Ok((
                Scaling::Stored,
                format!("pixels 0..255 stand for {from}..{to}, the input's whole range; {flags}"),
            ))
        }
        (DType::U8, None) => Ok((Scaling::Stored, format!("pixels are fed as they are; {flags}"))),
        _ => {
            let unit = Scaling::Affine { mean: vec![0.0], std: vec![255.0] };
            Ok((unit, format!("pixels are scaled to 0..1; {flags}")))
        }
    }
}

/// A picture as a tensor for `port`, and the assumptions made on the way.
pub fn tensor(
    image: &Image,
    port: &Port,
    task: &embarca::Task,
    given: &Prepare,
) -> Result<(Array, Vec<String>)> {
    let Some(frame) = frame(&port.dims, given.layout) else {
        return Err(Failure::refused(format!(
            "input '{}' is {}, which is no picture of 1 or 3 channels",
            port.name,
            dims_of(port)
        ))
        .next("embarca run MODEL --tensors in.npz      feeds it raw numbers")
        .next("--layout nhwc or --layout nchw      says which axes are height and width"));
    };
    let limits = DataLimits::default();
    let mut notes = Vec::new();
    let open = |side: usize| (side / 32).max(1) * 32;
    let width = frame.width.unwrap_or_else(|| open(image.width));
    let height = frame.height.unwrap_or_else(|| open(image.height));
    if frame.width.is_none() || frame.height.is_none() {
        notes.push(format!(
            "the model leaves its size open, so it follows the picture: {width}x{height}; \
             --shapes {}:... sets it",
            port.name
        ));
    }
    let how = match given.fit {
        FitArg::Stretch => Fit::Stretch,
        FitArg::Crop => Fit::CenterCrop,
        FitArg::Letterbox => Fit::Letterbox { fill: 114, anchor: Anchor::Center },
    };
    let distorted = image.width * height != image.height * width;
    if distorted && given.fit == FitArg::Stretch {
        notes.push(format!(
            "the picture of {}x{} is stretched to {width}x{height}; --fit crop or --fit letterbox \
             keeps its shape",
            image.width, image.height
        ));
    }
    let filter = Filter::from_name(&given.filter).unwrap_or_default();
    let image = image.to_channels(frame.channels)?;
    let (image, _) = fit(&image, width, height, how, filter, &limits)?;

    let (scaling, note) = scaling(port, task, given)?;
    if !note.is_empty() {
        notes.push(note);
    }
    if frame.channels == 3 && !given.bgr && frame.layout == Layout::Nchw && note_bgr(port) {
        notes.push("channels are fed as red, green, blue; --bgr turns them around".into());
    }
    let pixels = arranged(&image, frame.layout, given.bgr);
    let channel = |i: usize| match frame.layout {
        Layout::Nhwc => i % frame.channels,
        Layout::Nchw => i / (width * height),
    };
    let dims = filled_dims(frame, height, width, &port.dims);
    let array = match scaling {
        Scaling::Stored => {
            let flip = if port.dtype == DType::I8 { 0x80 } else { 0 };
            let data = pixels.iter().map(|pixel| pixel ^ flip).collect();
            Array::new(port.dtype, &dims, data)?
        }
        Scaling::Affine { mean, std } => {
            for values in [&mean, &std] {
                if !matches!(values.len(), 1) && values.len() != frame.channels {
                    let (given, channels) = (values.len(), frame.channels);
                    return Err(Failure::usage(format!(
                        "--mean and --std take one number or {channels}, {given} are given"
                    )));
                }
            }
            let pick = |values: &[f32], i: usize| values[channel(i) % values.len()];
            let real = pixels.iter().enumerate();
            let real = real.map(|(i, &pixel)| (f32::from(pixel) - pick(&mean, i)) / pick(&std, i));
            stored(port, &dims, real)?
        }
    };
    Ok((array, notes))
}

/// Whether the order of colours is worth a remark: Caffe nets, which mean blue first, are the ones
/// whose inputs are floats without quantization.
fn note_bgr(port: &Port) -> bool {
    port.quant.is_none() && port.name == "data"
}

/// Real numbers as elements of an input: quantized where it is, rounded where it holds integers.
pub fn stored(port: &Port, dims: &[usize], real: impl Iterator<Item = f32>) -> Result<Array> {
    let whole = |low: f32, high: f32| {
        let (scale, zero) = port.quant.unwrap_or((1.0, 0));
        move |x: f32| ((x / scale).round_ties_even() + zero as f32).clamp(low, high)
    };
    Ok(match port.dtype {
        DType::F32 => Array::from_slice(dims, &real.collect::<Vec<f32>>())?,
        DType::F64 => Array::from_slice(dims, &real.map(f64::from).collect::<Vec<f64>>())?,
        DType::I8 => {
            let values = real.map(whole(-128.0, 127.0)).map(|x| x as i8);
            Array::from_slice(dims, &values.collect::<Vec<i8>>())?
        }
        DType::U8 => {
            let values = real.map(whole(0.0, 255.0)).map(|x| x as u8);
            Array::from_slice(dims, &values.collect::<Vec<u8>>())?
        }
        DType::I16 => {
            let values = real.map(whole(-32768.0, 32767.0)).map(|x| x as i16);
            Array::from_slice(dims, &values.collect::<Vec<i16>>())?
        }
        DType::I32 => {
            let values = real.map(whole(i32::MIN as f32, i32::MAX as f32)).map(|x| x as i32);
            Array::from_slice(dims, &values.collect::<Vec<i32>>())?
        }
        DType::I64 => {
            let values = real.map(whole(i64::MIN as f32, i64::MAX as f32)).map(|x| x as i64);
            Array::from_slice(dims, &values.collect::<Vec<i64>>())?
        }
        other => {
            let what = format!("input '{}' takes {other}, which pictures do not become", port.name);
            return Err(Failure::refused(what).next("--tensors in.npz feeds it raw numbers"));
        }
    })
}

/// The pixels in the order of the input's axes.
fn arranged(image: &Image, layout: Layout, bgr: bool) -> Vec<u8> {
    let mut pixels = image.pixels.clone();
    if bgr && image.channels == 3 {
        for pixel in pixels.as_chunks_mut::<3>().0 {
            pixel.reverse();
        }
    }
    match layout {
        Layout::Nhwc => pixels,
        Layout::Nchw => {
            let plane = |channel: usize| pixels.iter().skip(channel).step_by(image.channels);
            (0..image.channels).flat_map(plane).copied().collect()
        }
    }
}

fn filled_dims(frame: Frame, height: usize, width: usize, dims: &[Option<usize>]) -> Vec<usize> {
    let channels = frame.channels;
    match (frame.rank, frame.layout) {
        (4, Layout::Nhwc) => vec![1, height, width, channels],
        (4, Layout::Nchw) => vec![1, channels, height, width],
        (3, Layout::Nhwc) => vec![height, width, channels],
        (3, Layout::Nchw) => vec![channels, height, width],
        _ => dims.iter().map(|dim| dim.unwrap_or(1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use embarca::Task;

    use super::*;

    fn port(dtype: DType, dims: &[Option<usize>], quant: Option<(f32, i32)>) -> Port {
        let preferred = dims.iter().map(|dim| dim.unwrap_or(1)).collect();
        Port { name: "x".into(), dtype, dims: dims.to_vec(), preferred, quant }
    }

    fn given() -> Prepare {
        Prepare { filter: "nearest".into(), ..Prepare::default() }
    }

    #[test]
    fn axes_are_found() {
        let known = |dims: &[usize]| dims.iter().map(|&dim| Some(dim)).collect::<Vec<_>>();
        for (dims, layout, found) in [
            (known(&[1, 224, 200, 3]), None, Some((Layout::Nhwc, 224, 200, 3))),
            (known(&[1, 3, 224, 200]), None, Some((Layout::Nchw, 224, 200, 3))),
            (known(&[1, 1, 28, 28]), None, Some((Layout::Nchw, 28, 28, 1))),
            (known(&[3, 7, 3]), Some(Layout::Nchw), Some((Layout::Nchw, 7, 3, 3))),
            (known(&[1, 28, 28]), None, Some((Layout::Nchw, 28, 28, 1))),
            (known(&[28, 20]), None, Some((Layout::Nhwc, 28, 20, 1))),
            (known(&[1, 784]), None, Some((Layout::Nhwc, 28, 28, 1))),
            (known(&[1, 1960]), None, None),
            (known(&[1, 49, 10, 2]), None, None),
            (known(&[2, 8, 8, 3]), None, None),
        ] {
            let frame = frame(&dims, layout);
            let frame = frame.map(|f| (f.layout, f.height.unwrap(), f.width.unwrap(), f.channels));
            assert_eq!(frame, found, "{dims:?}");
        }
        let open = frame(&[None, Some(3), None, None], None).unwrap();
        assert_eq!((open.layout, open.height, open.width), (Layout::Nchw, None, None));
    }

    #[test]
    fn pixels_become_numbers() {
        let image = Image::new(1, 2, 3, vec![0, 51, 255, 10, 20, 30]).unwrap();
        let nhwc = [Some(1), Some(2), Some(1), Some(3)];
        let nchw = [Some(1), Some(3), Some(2), Some(1)];
        let task = Task::default();
        let run = |port: &Port, given: &Prepare, task: &Task| {
            tensor(&image, port, task, given).unwrap().0
        };

        let unit = run(&port(DType::F32, &nhwc, None), &given(), &task).as_f32().unwrap();
        assert_eq!(unit[..3], [0.0, 0.2, 1.0]);
        let planar = Prepare { layout: Some(Layout::Nchw), ..given() };
        let planes = run(&port(DType::F32, &nchw, None), &planar, &task).as_f32().unwrap();
        assert_eq!(planes[1], 10.0 / 255.0);
        let i8 = run(&port(DType::I8, &nhwc, Some((1.0 / 255.0, -128))), &given(), &task);
        assert_eq!(i8.as_i8().unwrap()[..3], [-128, -77, 127]);
        let u8 = run(&port(DType::U8, &nhwc, Some((1.0 / 128.0, 128))), &given(), &task);
        assert_eq!(u8.as_u8().unwrap(), image.pixels);

        let bgr = Prepare { bgr: true, mean: vec![1.0, 2.0, 3.0], std: vec![2.0], ..given() };
        let bgr = run(&port(DType::F32, &nhwc, None), &bgr, &task).as_f32().unwrap();
        assert_eq!(bgr[..3], [127.0, 24.5, -1.5]);
        let torch = Prepare { mean: vec![0.5], std: vec![0.5], ..given() };
        let torch_f32 = run(&port(DType::F32, &nhwc, None), &torch, &task).as_f32().unwrap();
        assert_eq!((torch_f32[0], torch_f32[2]), (-1.0, 1.0));
        let torch_i8 = run(&port(DType::I8, &nhwc, Some((1.0 / 127.0, 0))), &torch, &task);
        assert_eq!(torch_i8.as_i8().unwrap()[..3], [-127, -76, 127]);

        let meta = Task { mean: vec![10.0], std: vec![10.0], ..Task::default() };
        let meta = run(&port(DType::F32, &nhwc, None), &given(), &meta).as_f32().unwrap();
        assert_eq!(meta[0], -1.0);
    }

    #[test]
    fn assumptions_name_the_flag_that_changes_them() {
        let image = Image::filled(40, 20, &[1, 2, 3], &DataLimits::default()).unwrap();
        let open = port(DType::F32, &[None, Some(3), None, None], None);
        let (array, notes) = tensor(&image, &open, &Task::default(), &given()).unwrap();
        assert_eq!(array.dims, [1, 3, 32, 32]);
        for flag in ["--mean", "--shapes", "--fit"] {
            assert!(notes.iter().any(|note| note.contains(flag)), "{notes:?}");
        }
        let zero = Prepare { std: vec![0.0], ..given() };
        assert!(tensor(&image, &open, &Task::default(), &zero).is_err());
        let two = Prepare { mean: vec![1.0, 2.0], ..given() };
        assert!(tensor(&image, &open, &Task::default(), &two).is_err());
    }
}
