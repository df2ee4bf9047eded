//! From a picture to a model's input: size, colours, numbers, axes.

use embarca_ir::ops;
use embarca_ir::{Dim, Model, Quant, ValueId};
use embarca_kernels::unary::Kind;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::spec::PictureSpec;
use crate::stage::{Result, Stage};

/// Where a picture's axes lie in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The order of the axes.
    pub axes: Axes,
    /// `None` is open.
    pub height: Option<usize>,
    /// `None` is open.
    pub width: Option<usize>,
    /// 1 or 3.
    pub channels: usize,
}

/// The order of an input's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Height, width, channels.
    Nhwc,
    /// Channels, height, width.
    Nchw,
    /// Channels, width, height.
    Ncwh,
}

impl Axes {
    /// The order of this name.
    fn named(name: &str) -> Result<Self> {
        match name {
            "nhwc" => Ok(Self::Nhwc),
            "nchw" => Ok(Self::Nchw),
            "ncwh" => Ok(Self::Ncwh),
            _ => Err(TaskError::choice("picture.axes", name, &["nhwc", "nchw", "ncwh"])),
        }
    }
}

/// Finds a picture's axes from dimensions; `axes` decides where two readings are possible.
pub fn frame(dims: &[Option<usize>], axes: Option<Axes>) -> Option<Frame> {
    let colours = |dim: Option<usize>| dim.filter(|dim| matches!(dim, 1 | 3));
    let batch = |dim: Option<usize>| dim.is_none_or(|dim| dim == 1);
    let of = |axes, height, width, channels| Some(Frame { axes, height, width, channels });
    let last = |h, w, c| of(Axes::Nhwc, h, w, colours(c)?);
    let first = |c, h, w| of(Axes::Nchw, h, w, colours(c)?);
    let found = |a, b, c| match axes {
        Some(Axes::Nhwc) => last(a, b, c),
        Some(Axes::Nchw) => first(a, b, c),
        Some(Axes::Ncwh) => of(Axes::Ncwh, c, b, colours(a)?),
        None => last(a, b, c).or_else(|| first(a, b, c)),
    };
    match *dims {
        [n, a, b, c] if batch(n) => found(a, b, c),
        [a, b, c] => found(a, b, c),
        [h @ Some(2..), w @ Some(2..)] => of(Axes::Nhwc, h, w, 1),
        // A grey square picture in one row.
        [Some(1), Some(len)] | [Some(len)] => {
            let side = len.isqrt();
            (1 < side && side * side == len)
                .then(|| of(Axes::Nhwc, Some(side), Some(side), 1))
                .flatten()
        }
        _ => None,
    }
}

/// Whether an input is a picture beyond doubt: of three colours, or grey and square or open.
pub fn is_picture(port: &Port) -> bool {
    let Some(frame) = frame(&port.dims, None) else { return false };
    let sides = [frame.height, frame.width].map(|side| side.unwrap_or(usize::MAX));
    let large = sides.iter().all(|&side| 8 <= side);
    3 <= port.dims.len() && large && (frame.channels == 3 || sides[0] == sides[1])
}

/// Height and width of a frame.
fn frame_sides(frame: &Frame) -> [Option<usize>; 2] {
    [frame.height, frame.width]
}

/// The sides of the model's input, as numbers or following the picture's, and whether they follow.
fn sides(spec: &PictureSpec, frame: &Frame, picture: [&Dim; 2]) -> Result<([Dim; 2], bool)> {
    let known = |side: usize| Dim::Known(side as i64);
    let given = frame_sides(frame);
    if let Some(size) = spec.size {
        for (given, size) in given.iter().zip(size) {
            if given.is_some_and(|given| given != size) || size == 0 {
                let shown = |side: &Option<usize>| side.map_or("?".into(), |side| side.to_string());
                let own = frame_sides(frame).each_ref().map(shown).join(", ");
                let what = format!(
                    "size = {:?} is not the model's own, [{own}]",
                    spec.size.unwrap_or_default()
                );
                return Err(TaskError::spec(what).hint("leave it out").key("picture.size"));
            }
        }
        return Ok((size.map(known), false));
    }
    let multiple = |default: usize| known(spec.multiple.unwrap_or(default).max(1));
    let rounded = |side: Dim, to: &Dim| {
        // To the nearest multiple, at least one.
        let half = to.floor_div(&known(2));
        side.add(&half).floor_div(to).larger(&known(1)).mul(to)
    };
    let [h, w] = picture;
    Ok(match given {
        [Some(height), Some(width)] => ([known(height), known(width)], false),
        // The open side keeps the picture's shape.
        [Some(height), None] => {
            let width = w.mul(&known(height)).ceil_div(h);
            ([known(height), rounded(width, &multiple(1))], true)
        }
        [None, Some(width)] => {
            let height = h.mul(&known(width)).ceil_div(w);
            ([rounded(height, &multiple(1)), known(width)], true)
        }
        [None, None] => {
            let to = multiple(32);
            let Some(longest) = spec.longest else {
                // Down to a multiple, so that nothing is enlarged.
                let side = |side: &Dim| side.floor_div(&to).larger(&known(1)).mul(&to);
                return Ok(([side(h), side(w)], true));
            };
            let longer = h.larger(w);
            let limit = longer.smaller(&known(longest));
            let side = |side: &Dim| rounded(side.mul(&limit).floor_div(&longer), &to);
            ([side(h), side(w)], true)
        }
    })
}

/// How a picture is brought into its frame: name, shorter side before a crop, frame.
struct Fit {
    fit: String,
    short: usize,
    frame: [usize; 2],
}

fn fit(spec: &PictureSpec, sides: &[Dim; 2]) -> Result<Fit> {
    let name = spec.fit.as_deref().unwrap_or("stretch");
    let known = ["stretch", "letterbox", "corner", "crop"];
    if !known.contains(&name) {
        return Err(TaskError::choice("picture.fit", name, &known));
    }
    if name == "stretch" {
        return Ok(Fit { fit: name.to_owned(), short: 0, frame: [0; 2] });
    }
    let [Some(height), Some(width)] =
        [0, 1].map(|i| sides[i].known().and_then(|side| usize::try_from(side).ok()))
    else {
        let what = format!("fit = '{name}' needs a size");
        let hint = "add size = [height, width]";
        return Err(TaskError::spec(what).hint(hint).key("picture.fit"));
    };
    let short = match (name, spec.short) {
        ("crop", short) => short.unwrap_or_else(|| height.max(width)),
        (_, Some(_)) => {
            return Err(TaskError::spec("short belongs to fit = 'crop'").key("picture.short"));
        }
        _ => 0,
    };
    Ok(Fit { fit: name.to_owned(), short, frame: [height, width] })
}

/// The front for pictures: takes `picture`, yields the model's input and, where `placement` is
/// asked for, that. Assumptions are added to `notes`.
///
/// # Errors
/// The input is no picture, or the description contradicts it.
pub fn front(
    spec: &PictureSpec,
    net: &Net,
    placement: bool,
    notes: &mut Vec<String>,
) -> Result<Model> {
    let input = spec.input;
    let missing =
        || TaskError::spec(format!("picture: the model has no input {input}")).key("picture.input");
    let port = net.inputs.get(input).ok_or_else(missing)?;
    let axes = spec.axes.as_deref().map(Axes::named).transpose()?;
    let frame = frame(&port.dims, axes).ok_or_else(|| {
        let dims = port.dims.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string()));
        let dims = dims.collect::<Vec<_>>().join("x");
        TaskError::spec(format!(
            "input '{}' is {dims}, which is no picture of 1 or 3 channels",
            port.name
        ))
    })?;
    let mut model = Model::new("front");
    let mut stage = Stage::new(&mut model);
    let picture = stage.picture();
    let of = stage.dims(picture);
    let (sides, follows) = sides(spec, &frame, [&of[1], &of[2]])?;
    if follows {
        notes.push(
            "the model leaves its size open, so it follows the picture; --shapes sets it".into(),
        );
    }
    let fit = fit(spec, &sides)?;
    let filter = spec.filter.as_deref().unwrap_or("pillow-bilinear");
    if !ops::FILTERS.iter().any(|(name, _)| *name == filter) {
        let known = ops::FILTERS.map(|(name, _)| name);
        return Err(TaskError::choice("picture.filter", filter, &known));
    }
    let wide = filter.starts_with("tensorflow") || filter == "opencv-area";

    let mut x = picture;
    if frame.channels == 1 {
        x = stage.op(ops::Luma {}, &[x])?;
    }
    if wide {
        x = stage.cast(x, DType::F32)?;
    }
    for axis in [2, 1] {
        let op = ops::Resample {
            axis,
            size: sides[axis - 1].clone(),
            filter: filter.to_owned(),
            fill: spec.fill.unwrap_or(114),
            fit: fit.fit.clone(),
            short: fit.short,
            frame: fit.frame,
        };
        x = stage.op(op, &[x, picture])?;
    }
    if placement {
        let op = ops::Placement { fit: fit.fit, short: fit.short, frame: fit.frame };
        let placement = stage.op(op, &[picture, x])?;
        stage.yields("placement", placement);
    }
    if filter == "opencv-area" {
        x = stage.op(ops::Unary::plain(Kind::Round), &[x])?;
    }
    x = colours(&mut stage, spec, port, &frame, x, notes)?;
    x = numbers(&mut stage, spec, net, port, &frame, x, notes)?;
    x = arranged(&mut stage, port, &frame, x)?;
    stage.yields(&format!("in{input}"), x);
    Ok(model)
}

/// Red first, or blue first.
fn colours(
    stage: &mut Stage<'_>,
    spec: &PictureSpec,
    port: &Port,
    frame: &Frame,
    x: ValueId,
    notes: &mut Vec<String>,
) -> Result<ValueId> {
    match (spec.colours.as_deref(), frame.channels) {
        (Some("bgr"), 3) => {
            let order = stage.places(&[2, 1, 0]);
            stage.op(ops::Gather { axis: 3, batch_dims: 0 }, &[x, order])
        }
        (Some("rgb"), 3) | (Some("grey"), 1) => Ok(x),
        (None, 3) => {
            // Caffe nets, which mean blue first, are the ones whose inputs are floats without
            // quantization that are called `data`.
            if port.quant.is_none() && port.name == "data" {
                notes.push("channels are fed as red, green, blue; --bgr turns them around".into());
            }
            Ok(x)
        }
        (None, _) => Ok(x),
        (Some(other), channels) => {
            let known = ["rgb", "bgr", "grey"];
            if !known.contains(&other) {
                return Err(TaskError::choice("picture.colours", other, &known));
            }
            let what = format!("colours = '{other}' does not fit an input of {channels} channels");
            let fits = if channels == 3 { "rgb and bgr do" } else { "grey does" };
            Err(TaskError::spec(what).hint(fits).key("picture.colours"))
        }
    }
}

/// Mean and divisor as pixels of 0 to 255: when all are fractions, pixels of 0 to 1 are meant.
fn affine(mean: &[f32], std: &[f32], channels: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let or = |values: &[f32], default: f32| match values {
        [] => vec![default],
        values => values.to_vec(),
    };
    let (mut mean, mut std) = (or(mean, 0.0), or(std, 1.0));
    let all = || mean.iter().chain(&std);
    let fractions = all().any(|x| 0.0 < x.abs() && x.abs() < 1.0) && all().all(|x| x.abs() <= 1.0);
    if std.iter().any(|std| *std == 0.0 || !std.is_finite()) {
        return Err(TaskError::spec("std divides, so it cannot be 0").key("picture.std"));
    }
    if fractions {
        for value in mean.iter_mut().chain(&mut std) {
            *value *= 255.0;
        }
    }
    for (key, values) in [("mean", &mean), ("std", &std)] {
        if values.len() != 1 && values.len() != channels {
            let (given, many) = (values.len(), if channels == 1 { "" } else { " or 3" });
            let what = format!("{key} takes one number{many}, {given} are given");
            return Err(TaskError::spec(what).key(format!("picture.{key}")));
        }
    }
    Ok((mean, std))
}

/// Pixels as the numbers that the input takes.
fn numbers(
    stage: &mut Stage<'_>,
    spec: &PictureSpec,
    net: &Net,
    port: &Port,
    frame: &Frame,
    x: ValueId,
    notes: &mut Vec<String>,
) -> Result<ValueId> {
    let flags = "--mean and --std change it";
    let (mean, std) = if !spec.mean.is_empty() || !spec.std.is_empty() {
        affine(&spec.mean, &spec.std, frame.channels)?
    } else if !net.mean.is_empty() || !net.std.is_empty() {
        let std = if net.std.contains(&0.0) { &[][..] } else { &net.std };
        let or = |values: &[f32], default| match values {
            [] => vec![default],
            values => values.to_vec(),
        };
        (or(&net.mean, 0.0), or(std, 1.0))
    } else {
        match (port.dtype, port.quant) {
            (DType::U8 | DType::I8, Some((scale, zero))) => {
                let low = if port.dtype == DType::U8 { 0 } else { -128 };
                let real = |stored: i32| digits(scale * (stored - zero) as f32);
                let (from, to) = (real(low), real(low + 255));
                notes.push(format!(
                    "pixels 0..255 stand for {from}..{to}, the input's whole range; {flags}"
                ));
                return stored(stage, port, x);
            }
            (DType::U8, None) => {
                notes.push(format!("pixels are fed as they are; {flags}"));
                return stored(stage, port, x);
            }
            _ => {
                notes.push(format!("pixels are scaled to 0..1; {flags}"));
                (vec![0.0], vec![255.0])
            }
        }
    };
    let mut x = stage.cast(x, DType::F32)?;
    if mean.iter().any(|&mean| mean != 0.0) {
        let mean = stage.row(&mean);
        x = stage.op(ops::Sub {}, &[x, mean])?;
    }
    if std.iter().any(|&std| std != 1.0) {
        let std = stage.row(&std);
        x = stage.op(ops::Div {}, &[x, std])?;
    }
    match (port.dtype, port.quant) {
        (DType::F32, _) => Ok(x),
        (DType::I8 | DType::U8 | DType::I16 | DType::I32, Some((scale, zero))) => {
            let op = ops::Requantize { to: port.dtype, rule: "onnx".to_owned() };
            let y = stage.op(op, &[x])?;
            stage.b.set_quant(y, Some(Quant::per_tensor(scale, zero)));
            Ok(y)
        }
        (DType::F16 | DType::F64 | DType::U8 | DType::I32 | DType::I64, None) => {
            stage.cast(x, port.dtype)
        }
        (other, _) => Err(TaskError::spec(format!(
            "input '{}' takes {other}, which pictures do not become",
            port.name
        ))),
    }
}

/// Three digits at least, as people write numbers.
fn digits(x: f32) -> String {
    if x == x.trunc() && x.abs() < 1e6 { format!("{x:.0}") } else { format!("{x:.2}") }
}

/// Pixels in 8 bits as they are; an `i8` is the pixel less 128.
fn stored(stage: &mut Stage<'_>, port: &Port, x: ValueId) -> Result<ValueId> {
    let mut x = x;
    if stage.b.ty(x).dtype == DType::F32 {
        x = stage.op(ops::Unary::plain(Kind::Round), &[x])?;
        x = stage.cast(x, DType::U8)?;
    }
    let Some((scale, zero)) = port.quant.filter(|_| port.dtype == DType::I8) else {
        stage.b.set_quant(x, port.quant.map(|(scale, zero)| Quant::per_tensor(scale, zero)));
        return Ok(x);
    };
    stage.b.set_quant(x, Some(Quant::per_tensor(scale, zero.saturating_add(128))));
    let op = ops::Requantize { to: DType::I8, rule: "tflite".to_owned() };
    let y = stage.op(op, &[x])?;
    stage.b.set_quant(y, Some(Quant::per_tensor(scale, zero)));
    Ok(y)
}

/// From `[1, h, w, c]` to the input's own axes.
fn arranged(stage: &mut Stage<'_>, port: &Port, frame: &Frame, x: ValueId) -> Result<ValueId> {
    let quant = stage.b.ty(x).quant.clone();
    let x = match frame.axes {
        Axes::Nhwc => x,
        Axes::Nchw => stage.b.transpose(x, &[0, 3, 1, 2])?,
        Axes::Ncwh => stage.b.transpose(x, &[0, 3, 2, 1])?,
    };
    let rank = port.dims.len();
    if rank == 4 {
        return Ok(x);
    }
    let dims = if rank == 3 {
        stage.dims(x)[1..].to_vec()
    } else {
        port.dims.iter().map(|dim| Dim::Known(dim.unwrap_or(1) as i64)).collect()
    };
    let x = stage.reshape(x, &dims)?;
    stage.b.set_quant(x, quant);
    Ok(x)
}

/// How the front's operators are called, for tests of what it is made of.
#[cfg(test)]
fn names(model: &Model) -> Vec<&'static str> {
    model.main().nodes.iter().map(|node| node.op.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(dtype: DType, dims: &[Option<usize>], quant: Option<(f32, i32)>) -> Net {
        let port = Port {
            name: "x".into(),
            dtype,
            dims: dims.to_vec(),
            quant,
            finish: crate::Finish::Unknown,
        };
        Net { inputs: vec![port], ..Net::default() }
    }

    #[test]
    fn axes_are_found() {
        let known = |dims: &[usize]| dims.iter().map(|&dim| Some(dim)).collect::<Vec<_>>();
        for (dims, axes, found) in [
            (known(&[1, 224, 200, 3]), None, Some((Axes::Nhwc, 224, 200, 3))),
            (known(&[1, 3, 224, 200]), None, Some((Axes::Nchw, 224, 200, 3))),
            (known(&[1, 3, 224, 200]), Some(Axes::Ncwh), Some((Axes::Ncwh, 200, 224, 3))),
            (known(&[1, 1, 28, 28]), None, Some((Axes::Nchw, 28, 28, 1))),
            (known(&[3, 7, 3]), Some(Axes::Nchw), Some((Axes::Nchw, 7, 3, 3))),
            (known(&[1, 28, 28]), None, Some((Axes::Nchw, 28, 28, 1))),
            (known(&[28, 20]), None, Some((Axes::Nhwc, 28, 20, 1))),
            (known(&[1, 784]), None, Some((Axes::Nhwc, 28, 28, 1))),
            (known(&[1, 1960]), None, None),
            (known(&[1, 49, 10, 2]), None, None),
            (known(&[2, 8, 8, 3]), None, None),
        ] {
            let frame = frame(&dims, axes);
            let frame = frame.map(|f| (f.axes, f.height.unwrap(), f.width.unwrap(), f.channels));
            assert_eq!(frame, found, "{dims:?}");
        }
        for (dims, sure) in [
            (known(&[1, 1, 28, 28]), true),
            (vec![None, Some(3), None, None], true),
            (known(&[1, 49, 10, 1]), false),
            (known(&[1, 3, 40]), false),
            (known(&[1, 784]), false),
            (vec![None, Some(43844), Some(1)], false),
        ] {
            let port = &net(DType::F32, &dims, None).inputs[0];
            assert_eq!(is_picture(port), sure, "{dims:?}");
        }
    }

    #[test]
    fn a_front_is_made_of_operators() {
        let nchw = [Some(1), Some(3), Some(32), Some(48)];
        let mut notes = Vec::new();
        let spec = PictureSpec { colours: Some("bgr".into()), ..PictureSpec::default() };
        let float = net(DType::F32, &nchw, None);
        let model = front(&spec, &float, true, &mut notes).unwrap();
        let want = ["resample", "resample", "placement", "gather", "cast", "div", "transpose"];
        assert_eq!(names(&model), want);
        let main = model.main();
        assert_eq!(main.ty(main.outputs[1].value).to_string(), "f32[1,3,32,48]");
        assert_eq!(notes, ["pixels are scaled to 0..1; --mean and --std change it"]);

        let spec = PictureSpec { filter: Some("tensorflow".into()), ..PictureSpec::default() };
        let grey = net(DType::I8, &[Some(1), Some(96), Some(96), Some(1)], Some((1.0, -128)));
        let model = front(&spec, &grey, false, &mut notes).unwrap();
        let want = ["luma", "cast", "resample", "resample", "unary", "cast", "requantize"];
        assert_eq!(names(&model), want);
    }

    #[test]
    fn open_sizes_follow_the_picture() {
        let open = net(DType::F32, &[None, Some(3), None, None], None);
        let size = |spec: &PictureSpec, net: &Net, height: i64, width: i64| {
            let model = front(spec, net, false, &mut Vec::new()).unwrap();
            let main = model.main();
            let symbols = |id: embarca_ir::SymbolId| Some([height, width][id.index()]);
            let dims = &main.ty(main.outputs[0].value).dims;
            [2, 3].map(|i| dims[i].eval(&symbols).unwrap())
        };
        let plain = PictureSpec::default();
        assert_eq!(size(&plain, &open, 481, 31), [480, 32]);
        let longest = PictureSpec { longest: Some(480), ..PictureSpec::default() };
        assert_eq!(size(&longest, &open, 960, 640), [480, 320]);
        assert_eq!(size(&longest, &open, 100, 50), [96, 64]);
        let line = net(DType::F32, &[None, Some(3), Some(48), None], None);
        assert_eq!(size(&plain, &line, 24, 101), [48, 202]);
    }

    #[test]
    fn contradictions_are_refused() {
        let nchw = net(DType::F32, &[Some(1), Some(3), Some(32), Some(32)], None);
        let plain = PictureSpec::default;
        for (spec, part) in [
            (PictureSpec { size: Some([8, 8]), ..plain() }, "not the model's own"),
            (PictureSpec { fit: Some("bend".into()), ..plain() }, "fit = 'bend'"),
            (PictureSpec { filter: Some("best".into()), ..plain() }, "filter = 'best'"),
            (PictureSpec { axes: Some("hwc".into()), ..plain() }, "axes = 'hwc'"),
            (PictureSpec { colours: Some("grey".into()), ..plain() }, "3 channels"),
            (PictureSpec { std: vec![0.0], ..plain() }, "std divides"),
            (PictureSpec { mean: vec![1.0, 2.0], ..plain() }, "one number or 3"),
            (PictureSpec { short: Some(9), fit: Some("corner".into()), ..plain() }, "crop"),
            (PictureSpec { input: 3, ..plain() }, "no input 3"),
        ] {
            let error = front(&spec, &nchw, false, &mut Vec::new()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
