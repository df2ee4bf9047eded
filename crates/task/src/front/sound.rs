//! From sound to a model's input: samples, frames, spectra, bands, coefficients.
//!
//! A front takes `samples`, f32 of a fixed number at the task's rate. How often it runs stands in the
//! section's values: `sound-rate`, `sound-window` (samples that it takes), `sound-step` (samples from
//! one run to the next), `sound-rows` (runs before the model's first), `sound-every` (runs between
//! the model's) and `sound-lead` (zeros in front of the sound).

use embarca_ir::ops::{self, Reduction};
use embarca_ir::{Const, Dim, Model, Quant, TensorType, ValueId};
use embarca_kernels::reduce;
use embarca_kernels::unary::Kind;
use embarca_num::DType;

use super::mel::{self, Filters, Scale};
use super::micro::Micro;
use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::sound_spec::{MOST, SoundSpec};
use crate::spec::Spec;
use crate::stage::{Result, Stage};

/// The least number that a logarithm or a quotient is taken of, where nothing else is said.
const TINY: f32 = 1e-30;

/// How often a front and its model run, in samples and in runs of the front.
struct Pace {
    window: usize,
    step: usize,
    rows: usize,
    every: usize,
}

/// Where frames and features lie in an input.
#[derive(Debug, PartialEq)]
struct Layout {
    frames: usize,
    features_first: bool,
    dims: Vec<usize>,
}

fn layout(spec: &SoundSpec, port: &Port, features: usize) -> Result<Layout> {
    let shown = || {
        let dims = port.dims.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string()));
        dims.collect::<Vec<_>>().join("x")
    };
    let rank = port.dims.len();
    let open = |axis: usize| port.dims[axis].is_none() && (axis != 0 || rank == 1);
    let mut dims: Vec<usize> = Vec::with_capacity(rank);
    for (axis, dim) in port.dims.iter().enumerate() {
        dims.push(match (dim, spec.frames) {
            (Some(dim), _) => *dim,
            (None, Some(frames)) if open(axis) => frames,
            (None, None) if open(axis) => {
                let what = format!(
                    "sound: input '{}' is {} and leaves the frames open",
                    port.name,
                    shown()
                );
                return Err(TaskError::spec(what).hint("frames = N says how many"));
            }
            _ => 1,
        });
    }
    let total = dims.iter().try_fold(1usize, |total, &dim| total.checked_mul(dim));
    let frames =
        total.filter(|&total| 0 < total && total <= MOST && total.is_multiple_of(features));
    let Some(frames) = frames.map(|total| total / features) else {
        let what = format!(
            "sound: input '{}' is {}, which holds no frames of {features}",
            port.name,
            shown()
        );
        return Err(TaskError::spec(what).hint("[sound] says what a frame is made of"));
    };
    if spec.frames.is_some_and(|given| given != frames) {
        return Err(TaskError::spec(format!(
            "sound: frames = {:?}, the model takes {frames}",
            spec.frames
        )));
    }
    let long: Vec<usize> = dims.iter().copied().filter(|&dim| dim != 1).collect();
    let features_first = match (spec.first.as_deref(), &long[..]) {
        (Some("time"), _) => false,
        (Some("features"), _) => true,
        (Some(other), _) => {
            return Err(TaskError::choice("sound.first", other, &["time", "features"]));
        }
        (None, [_] | []) => false,
        (None, [.., last]) if *last == features => false,
        (None, [a, _]) => *a == features,
        _ => {
            let what = format!(
                "sound: input '{}' is {}, which is not frames of {features}",
                port.name,
                shown()
            );
            return Err(TaskError::spec(what).hint("[sound] says what a frame is made of"));
        }
    };
    Ok(Layout { frames, features_first, dims })
}

/// The front for sound: takes `samples`, yields the model's input.
pub fn front(task: &Spec, net: &Net, section: &mut Section) -> Result<Model> {
    let missing = || TaskError::spec("a [sound] table is missing");
    let spec = task.sound.as_ref().ok_or_else(missing)?;
    spec.check()?;
    let input = spec.input;
    let missing = || TaskError::spec(format!("sound: the model has no input {input}"));
    let port = net.inputs.get(input).ok_or_else(missing)?;
    let mut model = Model::new("front");
    let mut stage = Stage::new(&mut model);
    let features = spec.features.as_deref().unwrap_or("samples");
    spec.check_keys(features)?;
    let (x, pace) = match features {
        "samples" => raw(spec, port, &mut stage)?,
        "micro" => micro(spec, port, &mut stage)?,
        "spectrogram" | "mel" | "mfcc" => spectral(spec, port, features, &mut stage)?,
        other => return Err(unknown(other)),
    };
    stage.yields(&format!("in{input}"), x);
    rates(task, net, spec, &mut stage)?;
    for (name, value) in [
        ("sound-rate", spec.rate() as usize),
        ("sound-window", pace.window),
        ("sound-step", pace.step),
        ("sound-rows", pace.rows),
        ("sound-every", pace.every),
        ("sound-lead", spec.lead.unwrap_or(0)),
    ] {
        section.values.push((name.to_owned(), value as f32));
    }
    Ok(model)
}

fn unknown(features: &str) -> TaskError {
    let known = ["samples", "spectrogram", "mel", "mfcc", "micro"];
    TaskError::choice("sound.features", features, &known)
}

/// The edges of bands in Hz, between 0 and half the rate.
fn edges(spec: &SoundSpec, low: f32, high: f32) -> Result<[f32; 2]> {
    let [low, high] = [spec.low.unwrap_or(low), spec.high.unwrap_or(high)];
    let rate = spec.rate();
    if !(0.0..high).contains(&low) || f64::from(rate) / 2.0 < f64::from(high) {
        return Err(TaskError::spec(format!("sound: bands from {low} to {high} Hz at {rate} Hz")));
    }
    Ok([low, high])
}

/// Inputs that ask for the rate are told.
fn rates(task: &Spec, net: &Net, spec: &SoundSpec, stage: &mut Stage<'_>) -> Result<()> {
    for (at, port) in net.inputs.iter().enumerate() {
        let carried = task.carry.iter().any(|carry| carry.to == at);
        let asks = ["sr", "rate", "sample_rate", "sampling_rate"].contains(&port.name.as_str());
        let one = port.dims.iter().all(|dim| dim.unwrap_or(1) == 1);
        if at == spec.input || carried || !asks || !one || !port.dtype.is_int() {
            continue;
        }
        let rate = stage.b.constant(Const::from_i64(&[1], &[spec.rate().into()]), None);
        let rate = stage.cast(rate, port.dtype)?;
        let rate = stage.reshape(rate, &vec![Dim::Known(1); port.dims.len()])?;
        stage.yields(&format!("in{at}"), rate);
    }
    Ok(())
}

/// Samples in the first place: gain, level, preemphasis.
fn leveled(spec: &SoundSpec, stage: &mut Stage<'_>, len: usize) -> Result<ValueId> {
    let mut x = stage.samples(len);
    match spec.level.as_deref() {
        None | Some("none") => {}
        Some("peak") => {
            let by = Reduction(reduce::Kind::Max);
            let peak = stage.op(ops::Reduce { by, axes: vec![0], keep: true }, &[x])?;
            // Silence stays silent.
            let tiny = stage.b.scalar(TINY);
            let peak = stage.op(ops::Maximum {}, &[peak, tiny])?;
            x = stage.op(ops::Div {}, &[x, peak])?;
        }
        Some(other) => return Err(TaskError::choice("sound.level", other, &["peak", "none"])),
    }
    if let Some(gain) = spec.gain.filter(|&gain| gain != 1.0) {
        let gain = stage.b.scalar(gain);
        x = stage.op(ops::Mul {}, &[x, gain])?;
    }
    if let Some(share) = spec.preemphasis.filter(|&share| share != 0.0 && 1 < len) {
        let before = stage.slice(x, 0, 0, len - 1)?;
        let share = stage.b.scalar(share);
        let before = stage.op(ops::Mul {}, &[before, share])?;
        let zero = stage.row(&[0.0]);
        let before = stage.concat(&[zero, before], 0)?;
        x = stage.op(ops::Sub {}, &[x, before])?;
    }
    Ok(x)
}

fn raw(spec: &SoundSpec, port: &Port, stage: &mut Stage<'_>) -> Result<(ValueId, Pace)> {
    let rank = port.dims.len();
    let context = spec.context.unwrap_or(0);
    let known: Vec<usize> = port.dims.iter().flatten().copied().filter(|&dim| dim != 1).collect();
    // Open axes in front are batches; the last open one is time.
    let open = (0..rank).rev().find(|&axis| port.dims[axis].is_none() && known.is_empty());
    let total = match (&known[..], open, spec.window) {
        ([total], ..) => *total,
        ([], Some(_), Some(window)) => window.saturating_add(context),
        ([], Some(_), None) => spec.rate() as usize + context,
        _ => {
            let what = format!("sound: input '{}' does not take a row of samples", port.name);
            return Err(TaskError::spec(what).hint("features = \"mel\" and others make frames"));
        }
    };
    let window = total.checked_sub(context).filter(|&window| 0 < window && window <= MOST);
    let Some(window) = window.filter(|&window| spec.window.is_none_or(|given| given == window))
    else {
        let what = format!("sound: input '{}' takes {total} samples, context included", port.name);
        return Err(TaskError::spec(what).hint("leave out window"));
    };
    let mut x = leveled(spec, stage, window)?;
    let mut dims: Vec<Dim> =
        port.dims.iter().map(|dim| Dim::Known(dim.unwrap_or(1) as i64)).collect();
    if let Some(axis) = open {
        dims[axis] = Dim::Known(total as i64);
    }
    if 0 < context {
        let before = stage.state("context", TensorType::of(DType::F32, &[context]))?;
        x = stage.concat(&[before, x], 0)?;
        let next = stage.slice(x, 0, total - context, total)?;
        stage.keep(before, next);
    }
    x = spread(spec, stage, x, 1)?;
    x = stage.reshape(x, &dims)?;
    let x = stored(stage, port, x)?;
    let step = spec.hop.unwrap_or(match () {
        // Long clips are looked at eight times, so that no word lies across an edge.
        () if context == 0 && spec.rate() as usize / 2 <= window => (window / 8).max(1),
        () => window,
    });
    Ok((x, Pace { window, step, rows: 1, every: 1 }))
}

fn micro(spec: &SoundSpec, port: &Port, stage: &mut Stage<'_>) -> Result<(ValueId, Pace)> {
    let rate = spec.rate();
    let front = Micro {
        rate,
        window: spec.window.unwrap_or(rate as usize * 3 / 100),
        bands: spec.bands.unwrap_or(40),
        edges: edges(spec, 125.0, 7500.0)?,
    };
    let step = spec.step.unwrap_or(rate as usize / 50);
    if let Some(hop) = spec.hop.filter(|&hop| hop == 0 || !hop.is_multiple_of(step)) {
        let what = format!("sound: hop = {hop} is no multiple of step = {step}");
        return Err(TaskError::spec(what).hint("micro features are asked after whole steps"));
    }
    let layout = layout(spec, port, front.bands)?;
    if MOST < layout.frames.saturating_mul(step) {
        return Err(TaskError::spec("sound: the frames are too large"));
    }
    let exact = match spec.rounding.as_deref() {
        None | Some("input") => false,
        Some("tflm") => true,
        Some(other) => return Err(TaskError::choice("sound.rounding", other, &["tflm", "input"])),
    };
    let samples = stage.samples(front.window);
    let row = front.row(stage, samples, port, exact)?;
    let frames = layout.frames;
    let x = if frames == 1 {
        row
    } else {
        let ty = TensorType::of(stage.b.ty(row).dtype, &[frames, front.bands]);
        let ty = ty.with_quant(stage.b.ty(row).quant.clone());
        let before = stage.state("rows", ty)?;
        let kept = stage.slice(before, 0, 1, frames)?;
        let quant = stage.b.ty(row).quant.clone();
        stage.b.set_quant(kept, quant.clone());
        let all = stage.concat(&[kept, row], 0)?;
        stage.b.set_quant(all, quant);
        stage.keep(before, all);
        all
    };
    let x = arranged(stage, x, &layout)?;
    let every = match spec.hop {
        Some(hop) => hop / step,
        None if 20 <= frames => frames / 8,
        None => frames,
    };
    Ok((x, Pace { window: front.window, step, rows: frames, every }))
}

fn spectral(
    spec: &SoundSpec,
    port: &Port,
    features: &str,
    stage: &mut Stage<'_>,
) -> Result<(ValueId, Pace)> {
    let plain = features == "spectrogram";
    let rate = spec.rate();
    let window = spec.window.unwrap_or(rate as usize / 40);
    let step = spec.step.unwrap_or(rate as usize / 100).max(1);
    let fft = spec.fft.unwrap_or_else(|| window.next_power_of_two());
    if fft < window {
        return Err(TaskError::spec(format!(
            "sound: fft = {fft} is shorter than window = {window}"
        )));
    }
    let bands = spec.bands.unwrap_or(40);
    let coefficients = spec.coefficients.unwrap_or(13);
    if features == "mfcc" && bands < coefficients {
        let what = format!("sound: {coefficients} coefficients of {bands} bands");
        return Err(TaskError::spec(what));
    }
    let width = match features {
        "spectrogram" => fft / 2 + 1,
        "mel" => bands,
        _ => coefficients,
    };
    // Two tables: from the spectrum to bands, from bands to coefficients.
    let longest = if features == "mfcc" { fft.max(coefficients) } else { fft };
    if !plain && MOST < bands.saturating_mul(longest) {
        return Err(TaskError::spec("sound: fft or coefficients times bands is too large"));
    }
    let layout = layout(spec, port, width)?;
    let frames = layout.frames;
    let clip = step.checked_mul(frames - 1).and_then(|rest| rest.checked_add(window));
    let clip = clip.filter(|&clip| clip <= MOST && frames.saturating_mul(window) <= MOST);
    let clip = clip.ok_or_else(|| TaskError::spec("sound: the frames are too large"))?;

    let x = leveled(spec, stage, clip)?;
    let places: Vec<i32> =
        (0..frames * window).map(|i| (i / window * step + i % window) as i32).collect();
    let places = stage.b.constant(Const::from_i32(&[frames, window], &places), None);
    let x = stage.op(ops::Gather { axis: 0, batch_dims: 0 }, &[x, places])?;
    let shape = stage.row(&mel::window(spec.shape.as_deref().unwrap_or("hann"), window)?);
    let x = stage.op(ops::Mul {}, &[x, shape])?;
    let power = match spec.spectrum.as_deref() {
        None | Some("power") => 2,
        Some("magnitude") => 1,
        Some(other) => {
            return Err(TaskError::choice("sound.spectrum", other, &["power", "magnitude"]));
        }
    };
    let mut x = stage.op(ops::Spectrum { length: fft, power }, &[x])?;
    if !plain {
        let edges = edges(spec, 0.0, rate as f32 / 2.0)?.map(f64::from);
        let equal_area = match spec.area.as_deref() {
            None | Some("none") => false,
            Some("slaney") => true,
            Some(other) => return Err(TaskError::choice("sound.area", other, &["none", "slaney"])),
        };
        let scale = Scale::named(spec.mel.as_deref().unwrap_or("htk"))?;
        let filters = Filters { scale, fft, rate, bands, edges, equal_area };
        let filters = stage.b.f32s(&[fft / 2 + 1, bands], &filters.matrix());
        x = stage.op(ops::Matmul { transpose_a: false, transpose_b: false }, &[x, filters])?;
    }
    x = logarithm(spec, stage, x, plain)?;
    if features == "mfcc" {
        let ortho = match spec.dct.as_deref() {
            None | Some("ortho") => true,
            Some("tensorflow") => false,
            Some(other) => {
                return Err(TaskError::choice("sound.dct", other, &["ortho", "tensorflow"]));
            }
        };
        let matrix = mel::cosines(bands, coefficients, ortho);
        let matrix = stage.b.f32s(&[bands, coefficients], &matrix);
        x = stage.op(ops::Matmul { transpose_a: false, transpose_b: false }, &[x, matrix])?;
    }
    x = normalized(spec, stage, x)?;
    x = spread(spec, stage, x, width)?;
    x = arranged(stage, x, &layout)?;
    let x = stored(stage, port, x)?;
    let hop = spec.hop.unwrap_or(match () {
        () if rate as usize / 2 <= clip => (frames / 8).max(1) * step,
        () => frames * step,
    });
    Ok((x, Pace { window: clip, step: hop, rows: 1, every: 1 }))
}

fn logarithm(
    spec: &SoundSpec,
    stage: &mut Stage<'_>,
    mut x: ValueId,
    plain: bool,
) -> Result<ValueId> {
    if let Some(offset) = spec.offset {
        let offset = stage.b.scalar(offset);
        x = stage.op(ops::Add {}, &[x, offset])?;
    }
    let factor = match spec.log.as_deref() {
        Some("none") => None,
        None if plain => None,
        None | Some("natural") => Some(1.0),
        Some("ten") => Some(std::f32::consts::LOG10_E),
        Some("decibel") => Some(10.0 * std::f32::consts::LOG10_E),
        Some(other) => {
            return Err(TaskError::choice(
                "sound.log",
                other,
                &["natural", "ten", "decibel", "none"],
            ));
        }
    };
    let least = spec.floor.or(factor.filter(|_| spec.offset.is_none()).map(|_| TINY));
    if let Some(least) = least {
        x = stage.op(ops::Clip { min: least, max: f32::INFINITY }, &[x])?;
    }
    let Some(factor) = factor else { return Ok(x) };
    x = stage.op(ops::Unary::plain(Kind::Log), &[x])?;
    if factor != 1.0 {
        let factor = stage.b.scalar(factor);
        x = stage.op(ops::Mul {}, &[x, factor])?;
    }
    Ok(x)
}

/// Mean 0 and deviation 1 over a clip.
fn normalized(spec: &SoundSpec, stage: &mut Stage<'_>, x: ValueId) -> Result<ValueId> {
    let axes = match spec.normalize.as_deref() {
        None | Some("none") => return Ok(x),
        Some("clip") => vec![0, 1],
        Some("bands") => vec![0],
        Some(other) => {
            return Err(TaskError::choice("sound.normalize", other, &["clip", "bands", "none"]));
        }
    };
    let mean = |stage: &mut Stage<'_>, x: ValueId| {
        let by = Reduction(reduce::Kind::Mean);
        stage.op(ops::Reduce { by, axes: axes.clone(), keep: true }, &[x])
    };
    let centre = mean(stage, x)?;
    let x = stage.op(ops::Sub {}, &[x, centre])?;
    let squares = stage.op(ops::Unary::plain(Kind::Square), &[x])?;
    let variance = mean(stage, squares)?;
    let tiny = stage.b.scalar(1e-10);
    let variance = stage.op(ops::Add {}, &[variance, tiny])?;
    let deviation = stage.op(ops::Unary::plain(Kind::Sqrt), &[variance])?;
    stage.op(ops::Div {}, &[x, deviation])
}

/// Less the mean, over the deviation, as the description gives them.
fn spread(
    spec: &SoundSpec,
    stage: &mut Stage<'_>,
    mut x: ValueId,
    width: usize,
) -> Result<ValueId> {
    for (name, values) in [("mean", &spec.mean), ("std", &spec.std)] {
        if values.is_empty() {
            continue;
        }
        if values.len() != 1 && values.len() != width {
            let what =
                format!("sound: {name} takes one number or {width}, {} are given", values.len());
            return Err(TaskError::spec(what));
        }
        let row = stage.row(values);
        x = if name == "mean" {
            stage.op(ops::Sub {}, &[x, row])?
        } else if values.contains(&0.0) {
            return Err(TaskError::spec("sound: std divides, so it cannot be 0"));
        } else {
            stage.op(ops::Div {}, &[x, row])?
        };
    }
    Ok(x)
}

/// From `[frames, features]` to the input's own axes.
fn arranged(stage: &mut Stage<'_>, x: ValueId, layout: &Layout) -> Result<ValueId> {
    let quant = stage.b.ty(x).quant.clone();
    let x = if layout.features_first { stage.b.transpose(x, &[1, 0])? } else { x };
    let dims: Vec<Dim> = layout.dims.iter().map(|&dim| Dim::Known(dim as i64)).collect();
    let x = stage.reshape(x, &dims)?;
    stage.b.set_quant(x, quant);
    Ok(x)
}

/// Real numbers as the elements of an input.
pub(crate) fn stored(stage: &mut Stage<'_>, port: &Port, x: ValueId) -> Result<ValueId> {
    match (port.dtype, port.quant) {
        (DType::F32, _) => Ok(x),
        (DType::I8 | DType::U8 | DType::I16 | DType::I32, Some((scale, zero))) => {
            let op = ops::Requantize { to: port.dtype, rule: "onnx".to_owned() };
            let y = stage.op(op, &[x])?;
            stage.b.set_quant(y, Some(Quant::per_tensor(scale, zero)));
            Ok(y)
        }
        (DType::F16 | DType::F64, None) => stage.cast(x, port.dtype),
        // Plain integers are PCM.
        (DType::I16, None) => {
            let full = stage.b.scalar(32768.0);
            let x = stage.op(ops::Mul {}, &[x, full])?;
            let x = stage.op(ops::Unary::plain(Kind::Round), &[x])?;
            let x = stage.op(ops::Clip { min: -32768.0, max: 32767.0 }, &[x])?;
            stage.cast(x, DType::I16)
        }
        (other, _) => Err(TaskError::spec(format!(
            "sound: input '{}' takes {other}, which sound does not become",
            port.name
        ))),
    }
}
