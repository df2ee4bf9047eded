//! Models of a zoo over whole data sets: the figures that `dataset_check` in its manifest gives.

use std::path::Path;

use embarca_cpu::{Plan, Session};
use embarca_data::{Array, DataLimits, npz};
use embarca_num::DType;
use serde_json::Value;

use crate::zoo::{Entry, entries, plan};

/// Samples as a model is fed, and what a person says of each.
struct Samples {
    /// Real numbers, or the stored ones where the data set holds these.
    rows: Vec<Vec<f64>>,
    /// Whether they are stored numbers.
    stored: bool,
    truth: Vec<usize>,
}

/// Runs every model that the manifest of `folder` has a figure for: its id, and what was measured
/// or why that is not what the manifest says.
///
/// # Errors
/// When the manifest cannot be read.
pub fn check(folder: &Path) -> Result<Vec<(String, Result<String, String>)>, String> {
    let path = folder.join("manifest.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let models = manifest["models"].as_array().ok_or("the manifest lists no models")?;
    let mut results = Vec::new();
    for (entry, model) in entries(folder)?.iter().zip(models) {
        if let Some(figure) = model.get("dataset_check") {
            results.push((entry.id.clone(), model_over_set(folder, entry, figure)));
        }
    }
    Ok(results)
}

fn read(path: &Path) -> Result<Vec<Array>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    npz::read(&bytes, &DataLimits::default()).map_err(|e| e.to_string())
}

fn find<'a>(arrays: &'a [Array], name: &str) -> Result<&'a Array, String> {
    let found = arrays.iter().find(|array| array.name.as_deref() == Some(name));
    found.ok_or_else(|| format!("there is no array {name}"))
}

fn numbers(arrays: &[Array], name: &str) -> Result<Vec<f64>, String> {
    find(arrays, name)?.to_f64().map_err(|e| e.to_string())
}

/// The samples of a data set, prepared as the manifest's `preprocessing` of the model says.
fn samples(folder: &Path, set: &str, entry: &Entry, plan: &Plan) -> Result<Samples, String> {
    let input = plan.inputs().into_iter().next().ok_or("the model has no input")?;
    let (name, split) = set.split_once(' ').unwrap_or((set, ""));
    let arrays = read(&folder.join(format!("data/{name}.npz")))?;
    let prefixed = |what: &str| match split {
        "" => what.to_owned(),
        split => format!("{split}_{what}"),
    };
    let len = input.preferred.iter().product::<usize>().max(1);
    let rows = |values: Vec<f64>| values.chunks(len).map(<[f64]>::to_vec).collect();
    let (rows, stored): (Vec<Vec<f64>>, bool) = match name {
        "cifar10_subset" => (rows(numbers(&arrays, &prefixed("x"))?), false),
        "mnist_4k" => {
            let pixels = numbers(&arrays, &prefixed("x"))?;
            (rows(pixels.into_iter().map(|pixel| pixel / 256.0).collect()), false)
        }
        "kws_mfcc_a" => {
            let stored = numbers(&arrays, "x")?;
            match input.dtype {
                DType::I8 => (rows(stored), true),
                _ => (rows(stored.into_iter().map(|x| (x - 83.0) * 0.584_702_9).collect()), false),
            }
        }
        "ad_toycar_normal" => {
            let frames = numbers(&arrays, "spectrogram")?;
            let windows = (frames.len() - len) / 128 + 1;
            ((0..windows).map(|i| frames[128 * i..128 * i + len].to_vec()).collect(), false)
        }
        "magic_wand_imu" => {
            let scaled = |(i, value): (usize, f64)| match i % 6 {
                0..3 => (value + 4.0) / 8.0,
                _ => (value + 2000.0) / 4000.0,
            };
            let values = numbers(&arrays, &prefixed("x"))?;
            let mut all: Vec<Vec<f64>> = rows(values.into_iter().enumerate().map(scaled).collect());
            if input.preferred.get(1) == Some(&6) {
                for row in &mut all {
                    *row = (0..len).map(|i| row[i % (len / 6) * 6 + i / (len / 6)]).collect();
                }
            }
            (all, false)
        }
        other => return Err(format!("{}: the data set {other} is not known", entry.id)),
    };
    let truth = match find(&arrays, &prefixed("y")) {
        Ok(_) => numbers(&arrays, &prefixed("y"))?.into_iter().map(|y| y as usize).collect(),
        Err(_) => Vec::new(),
    };
    Ok(Samples { rows, stored, truth })
}

/// What the model answers, as real numbers.
fn answer(
    plan: &Plan,
    session: &mut Session,
    row: &[f64],
    stored: bool,
) -> Result<Vec<f64>, String> {
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let ([input, ..], [output, ..]) = (&*inputs, &*outputs) else {
        return Err("the model has no input or no output".to_owned());
    };
    let place = session.input_bytes(0).ok_or("the input is missing")?;
    if place.len() != row.len() * input.dtype.size() {
        return Err(format!("a sample has {} numbers", row.len()));
    }
    match (input.dtype, input.quant) {
        (DType::F32, _) => {
            for (to, &value) in place.chunks_exact_mut(4).zip(row) {
                to.copy_from_slice(&(value as f32).to_le_bytes());
            }
        }
        (DType::I8, Some((scale, zero))) => {
            for (to, &value) in place.iter_mut().zip(row) {
                let units = (value / f64::from(scale)).round() + f64::from(zero);
                let units = if stored { value } else { units };
                *to = (units.clamp(-128.0, 127.0) as i8).cast_unsigned();
            }
        }
        (other, _) => return Err(format!("inputs of {other} are not fed")),
    }
    session.reset();
    session.run().map_err(|e| e.to_string())?;
    let dims: Vec<usize> = output.preferred.clone();
    let bytes = session.output_bytes(0).ok_or("the output is missing")?.to_vec();
    let array = Array::new(output.dtype, &dims, bytes).map_err(|e| e.to_string())?;
    let (scale, zero) = output.quant.unwrap_or((1.0, 0));
    let real = array.to_f64().map_err(|e| e.to_string())?;
    Ok(real.into_iter().map(|y| (y - f64::from(zero)) * f64::from(scale)).collect())
}

fn model_over_set(folder: &Path, entry: &Entry, figure: &Value) -> Result<String, String> {
    let set = figure["dataset"].as_str().ok_or("the figure names no data set")?;
    let value = figure["value"].as_f64().ok_or("the figure has no value")?;
    let golden = match figure["file"].as_str() {
        Some(file) => read(&folder.join(file))?,
        None => Vec::new(),
    };
    let plan = plan(&entry.model)?;
    let mut session = plan.session().map_err(|e| e.to_string())?;
    let samples = samples(folder, set, entry, &plan)?;
    let (mut guesses, mut scores) = (Vec::new(), Vec::new());
    for row in &samples.rows {
        let real = answer(&plan, &mut session, row, samples.stored)?;
        let best = (0..real.len()).rev().max_by(|&a, &b| real[a].total_cmp(&real[b]));
        guesses.push(best.unwrap_or_default());
        let squares = real.iter().zip(row).map(|(y, x)| (y - x) * (y - x));
        scores.push(squares.sum::<f64>() / row.len() as f64);
    }
    match figure["metric"].as_str() {
        Some("top-1 accuracy") => {
            let inline: Option<Vec<usize>> = figure["pred"].as_array().map(|list| {
                list.iter().filter_map(|class| Some(class.as_u64()? as usize)).collect()
            });
            let stored =
                || numbers(&golden, "pred").map(|list| list.iter().map(|&c| c as usize).collect());
            let expected: Vec<usize> = inline.map_or_else(stored, Ok)?;
            let other =
                (0..expected.len().max(guesses.len())).find(|&i| expected.get(i) != guesses.get(i));
            if let Some(i) = other {
                let (a, b) = (guesses.get(i), expected.get(i));
                return Err(format!("sample {i} is of class {a:?} instead of {b:?}"));
            }
            let pairs = guesses.iter().zip(&samples.truth);
            let accuracy = pairs.filter(|(a, b)| a == b).count() as f64 / guesses.len() as f64;
            match (accuracy - value).abs() < 5e-5 && samples.truth.len() == guesses.len() {
                true => Ok(format!("{} samples, accuracy {accuracy:.4}", guesses.len())),
                false => Err(format!("the accuracy is {accuracy:.4} instead of {value}")),
            }
        }
        Some("mean anomaly score") => {
            let theirs = numbers(&golden, "score")?;
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            // The manifest's advice: LiteRT's dense layers round otherwise than microcontrollers'.
            match (mean - value).abs() <= 1e-2 * value && theirs.len() == scores.len() {
                true => Ok(format!("{} windows, mean score {mean:.4}", scores.len())),
                false => Err(format!("the mean score is {mean} instead of {value}")),
            }
        }
        metric => Err(format!("the metric {metric:?} is not known")),
    }
}

/// The classes that a model of text lines finds along one picture, against `golden`, a file with
/// `c0_in0` and `best_class`. Yields how many steps there are.
///
/// # Errors
/// When a class differs, or what cannot be read.
pub fn best_classes(model: &Path, golden: &Path) -> Result<usize, String> {
    let arrays = read(golden)?;
    let (input, best) = (find(&arrays, "c0_in0")?, numbers(&arrays, "best_class")?);
    let plan = plan(model)?;
    let dims: Vec<u32> = input.dims.iter().map(|&dim| dim as u32).collect();
    let mut session = plan.session_for(&[&dims]).map_err(|e| e.to_string())?;
    let place = session.input_bytes(0).filter(|place| place.len() == input.data.len());
    place.ok_or("the input has another size")?.copy_from_slice(&input.data);
    session.run().map_err(|e| e.to_string())?;
    let scores = session.output::<f32>(0).ok_or("the output is missing")?;
    if best.is_empty() || scores.len() % best.len() != 0 {
        return Err(format!("{} scores for {} steps", scores.len(), best.len()));
    }
    for (step, (row, &best)) in scores.chunks(scores.len() / best.len()).zip(&best).enumerate() {
        let ours = (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
        if ours != Some(best as usize) {
            return Err(format!("step {step} is of class {ours:?} instead of {best}"));
        }
    }
    Ok(best.len())
}
