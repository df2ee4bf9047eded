//! Runs the models of a zoo (a folder with `manifest.json`) against their golden outputs.

use std::path::{Path, PathBuf};

use embarca_compile::BuildOptions;
use embarca_cpu::{LoadOptions, Plan, Session};
use embarca_data::{Array, DataLimits, npz};
use embarca_num::DType;
use serde_json::Value;

/// The folder that `EMBARCA_ZOO` names, if it is set.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("EMBARCA_ZOO").map(PathBuf::from).filter(|path| !path.as_os_str().is_empty())
}

/// How far outputs may be from the golden ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Not at all.
    Equal,
    /// `|a - b| <= absolute + relative * |b|`
    Near {
        /// Absolute part.
        absolute: f64,
        /// Relative part.
        relative: f64,
    },
}

/// A model of the zoo.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// The model's main file.
    pub model: PathBuf,
    /// The golden inputs and outputs.
    pub golden: PathBuf,
    /// Names of the inputs, in the order of the golden file.
    pub inputs: Vec<String>,
    /// Names of the outputs, in the order of the golden file.
    pub outputs: Vec<String>,
    /// How far outputs may be from the golden ones.
    pub tolerance: Tolerance,
    /// Whether a case finds the states that the one before has left.
    pub stateful: bool,
    /// Cases that begin afresh nonetheless.
    pub fresh: Vec<usize>,
}

/// All models of a zoo.
///
/// # Errors
/// When the manifest cannot be read; the text says why.
pub fn entries(folder: &Path) -> Result<Vec<Entry>, String> {
    let path = folder.join("manifest.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let models = manifest["models"].as_array().ok_or("the manifest lists no models")?;
    models.iter().map(|model| entry(folder, model)).collect()
}

fn entry(folder: &Path, model: &Value) -> Result<Entry, String> {
    let id = model["id"].as_str().ok_or("a model has no id")?.to_owned();
    let text = |value: &Value| value.as_str().map(|text| folder.join(text));
    let golden = text(&model["golden"]).ok_or_else(|| format!("{id} has no golden file"))?;
    let file = text(&model["files"][0]).ok_or_else(|| format!("{id} has no file"))?;
    let names = |key: &str| -> Vec<String> {
        let ports = model[key].as_array().into_iter().flatten();
        ports.map(|port| port["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let number = |key: &str| model["tolerance"][key].as_f64().unwrap_or(0.0);
    let tolerance = match model["tolerance"]["kind"].as_str() {
        Some("integer") => Tolerance::Equal,
        // The manifest states what a person would accept; boxes and scores are to be the same ones.
        Some("detections") => Tolerance::Near { absolute: 1e-5, relative: 0.0 },
        _ => Tolerance::Near { absolute: number("atol"), relative: number("rtol") },
    };
    let (inputs, outputs) = (names("inputs"), names("outputs"));
    let stateful = model.get("stateful").is_some();
    let cases = model["cases"].as_array().into_iter().flatten().enumerate();
    let fresh = cases.filter(|(_, case)| case["new_stream"].as_bool() == Some(true));
    let fresh = fresh.map(|(index, _)| index).collect();
    Ok(Entry { id, model: file, golden, inputs, outputs, tolerance, stateful, fresh })
}

/// What became of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every case matches; how many there are and the largest difference.
    Match {
        /// Cases.
        cases: usize,
        /// The largest absolute difference.
        worst: f64,
    },
    /// It was refused; the text says why.
    Refused(String),
    /// It ran and was wrong; the text says where.
    Wrong(String),
}

/// Imports, builds and runs a model on all its golden inputs.
pub fn check(entry: &Entry, threads: usize) -> Outcome {
    match run(entry, threads) {
        Ok(outcome) => outcome,
        Err(message) => Outcome::Refused(message),
    }
}

fn run(entry: &Entry, threads: usize) -> Result<Outcome, String> {
    let bytes = std::fs::read(&entry.golden).map_err(|e| e.to_string())?;
    let arrays = npz::read(&bytes, &DataLimits::default()).map_err(|e| e.to_string())?;
    let find = |key: &str| arrays.iter().find(|array| array.name.as_deref() == Some(key));
    let model = match embarca::Model::open(&entry.model) {
        Ok(model) => model,
        // Some models only make sense at sizes that the file leaves open.
        Err(error) => {
            let named = entry.inputs.iter().zip(0..);
            let given = named.filter_map(|(name, index)| {
                let input = find(&format!("c0_in{index}"))?;
                Some((name.clone(), input.dims.iter().map(|&dim| dim as u64).collect()))
            });
            let options = embarca::OpenOptions { shapes: given.collect(), ..Default::default() };
            embarca::Model::open_with(&entry.model, &options)
                .map_err(|second| format!("{error}; with shapes: {second}"))?
        }
    };
    let targets = vec![embarca_target::find("cpu").ok_or("there is no target cpu")?];
    let options = BuildOptions { targets, vectors: false, provenance: Default::default() };
    let build = |model: embarca::Model| {
        embarca_compile::build(model.into_graph(), &options).map_err(|e| e.to_string())
    };
    let mut plan_bytes = build(model)?;
    let load = LoadOptions { threads, ..LoadOptions::default() };
    let mut plan = Plan::from_bytes(&plan_bytes, load).map_err(|e| e.to_string())?;
    let mut open: Option<(Vec<Vec<usize>>, Session)> = None;
    let (mut cases, mut worst) = (0, 0.0f64);
    while let Some(first) = find(&format!("c{cases}_in0")) {
        let mut inputs = vec![first];
        while let Some(next) = find(&format!("c{cases}_in{}", inputs.len())) {
            inputs.push(next);
        }
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.dims.clone()).collect();
        // Only at the sizes that are fed: a model need not run at those it is planned for.
        let in_use = open.take().filter(|(own, _)| *own == shapes);
        let mut session = if let Some((_, session)) = in_use {
            session
        } else {
            let small: Vec<Vec<u32>> =
                shapes.iter().map(|dims| dims.iter().map(|&dim| dim as u32).collect()).collect();
            let small: Vec<&[u32]> = small.iter().map(Vec::as_slice).collect();
            match plan.session_for(&small) {
                Ok(session) => session,
                Err(_) => {
                    // The file fixes another size: build it again for the one that is fed.
                    let names = plan.inputs().into_iter().map(|port| port.name);
                    let given = names.zip(&shapes).map(|(name, dims)| {
                        (name, dims.iter().map(|&dim| dim as u64).collect::<Vec<u64>>())
                    });
                    let options =
                        embarca::OpenOptions { shapes: given.collect(), ..Default::default() };
                    let model = embarca::Model::open_with(&entry.model, &options);
                    plan_bytes = build(model.map_err(|e| e.to_string())?)?;
                    plan = Plan::from_bytes(&plan_bytes, load).map_err(|e| e.to_string())?;
                    plan.session_for(&small).map_err(|e| e.to_string())?
                }
            }
        };
        for (index, input) in inputs.iter().enumerate() {
            let wanted = session.input_type(index).map(|ty| ty.dtype);
            if wanted != Some(input.dtype) {
                return Err(format!("input {index} is {wanted:?}, not {:?}", input.dtype));
            }
            let place = session.input_bytes(index).ok_or("an input is missing")?;
            if place.len() != input.data.len() {
                return Err(format!("input {index} has another size"));
            }
            place.copy_from_slice(&input.data);
        }
        if !entry.stateful || entry.fresh.contains(&cases) {
            session.reset();
        }
        session.run().map_err(|e| e.to_string())?;
        let mut index = 0;
        while let Some(golden) = find(&format!("c{cases}_out{index}")) {
            // Formats without an order of outputs are compared by name.
            let named = entry.outputs.get(index);
            let port = plan.outputs().iter().position(|port| Some(&port.name) == named);
            let port = port.unwrap_or(index);
            let ty = session.output_type(port).ok_or("an output is missing")?;
            let mut dims: Vec<usize> = ty.dims.iter().map(|&dim| dim as usize).collect();
            let place = format!("case {cases}, output {index}");
            let mut bytes = session.output_bytes(port).ok_or("an output is missing")?.to_vec();
            if dims.len() == 4 && golden.dims.len() == 4 && golden.dims[2] < dims[2] {
                // A table of detections: rows that no detection fills are -1.
                let used = 4 * golden.len();
                if bytes[used.min(bytes.len())..]
                    .chunks(4)
                    .any(|chunk| *chunk != (-1f32).to_le_bytes())
                {
                    return Ok(Outcome::Wrong(format!("{place}: more rows are used")));
                }
                bytes.truncate(used);
                dims[2] = golden.dims[2];
            }
            if dims != golden.dims || ty.dtype != golden.dtype {
                return Ok(Outcome::Wrong(format!(
                    "{place}: {:?}{dims:?} instead of {:?}{:?}",
                    ty.dtype, golden.dtype, golden.dims
                )));
            }
            let ours = Array::new(ty.dtype, &dims, bytes).map_err(|e| e.to_string())?;
            match difference(&ours, golden, entry.tolerance) {
                Ok(distance) => worst = worst.max(distance),
                Err(message) => return Ok(Outcome::Wrong(format!("{place}: {message}"))),
            }
            index += 1;
        }
        open = Some((shapes, session));
        cases += 1;
    }
    if cases == 0 {
        return Err("the golden file has no cases".to_owned());
    }
    Ok(Outcome::Match { cases, worst })
}

/// The plan of a model for the host.
///
/// # Errors
/// When it is refused; the text says why.
pub fn plan(model: &Path) -> Result<Plan, String> {
    let model = embarca::Model::open(model).map_err(|e| e.to_string())?;
    let targets = vec![embarca_target::find("cpu").ok_or("there is no target cpu")?];
    let options = BuildOptions { targets, vectors: false, provenance: Default::default() };
    let bytes = embarca_compile::build(model.into_graph(), &options).map_err(|e| e.to_string())?;
    Plan::from_bytes(&bytes, LoadOptions::default()).map_err(|e| e.to_string())
}

/// The one-operator models in `folder` (a zoo's `ops/seanet`) against the arrays `NAME_in0`,
/// `NAME_in1`, `NAME_out0` of `golden`, flat in the models' order; each equal or not.
///
/// # Errors
/// When the folder or the file cannot be read.
pub fn operators(folder: &Path, golden: &Path) -> Result<Vec<(String, Outcome)>, String> {
    let bytes = std::fs::read(golden).map_err(|e| format!("{}: {e}", golden.display()))?;
    let arrays = npz::read(&bytes, &DataLimits::default()).map_err(|e| e.to_string())?;
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "tflite"));
    files.sort();
    let check = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let outcome = operator(&file, &name, &arrays).unwrap_or_else(Outcome::Refused);
        (name, outcome)
    };
    Ok(files.into_iter().map(check).collect())
}

fn operator(file: &Path, name: &str, arrays: &[Array]) -> Result<Outcome, String> {
    let find = |key: String| arrays.iter().find(|array| array.name.as_ref() == Some(&key));
    let plan = plan(file)?;
    let mut session = plan.session().map_err(|e| e.to_string())?;
    for index in 0..plan.inputs().len() {
        let fed = find(format!("{name}_in{index}")).ok_or("an input is missing")?;
        let place = session.input_bytes(index).ok_or("an input is missing")?;
        if place.len() != fed.data.len() {
            return Err(format!("input {index} has another size"));
        }
        place.copy_from_slice(&fed.data);
    }
    session.run().map_err(|e| e.to_string())?;
    let golden = find(format!("{name}_out0")).ok_or("the golden output is missing")?;
    let ours = session.output_bytes(0).ok_or("an output is missing")?;
    if ours == &*golden.data {
        return Ok(Outcome::Match { cases: 1, worst: 0.0 });
    }
    let apart = ours.iter().zip(&*golden.data).filter(|(a, b)| a != b).count();
    Ok(Outcome::Wrong(format!("{apart} of {} bytes differ", ours.len())))
}

/// The largest absolute difference, or where the tolerance is left.
fn difference(ours: &Array, golden: &Array, tolerance: Tolerance) -> Result<f64, String> {
    let (a, b) = (ours.to_f64(), golden.to_f64());
    let (a, b) = (a.map_err(|e| e.to_string())?, b.map_err(|e| e.to_string())?);
    let (mut worst, mut outside, mut first) = (0.0f64, 0usize, None);
    for (index, (&a, &b)) in a.iter().zip(&b).enumerate() {
        let distance = (a - b).abs();
        let bound = match tolerance {
            Tolerance::Near { absolute, relative } if golden.dtype == DType::F32 => {
                absolute + relative * b.abs()
            }
            _ => 0.0,
        };
        let same = a == b || (a.is_nan() && b.is_nan());
        // A NaN on one side counts as outside.
        if !same && (distance.is_nan() || bound < distance) {
            outside += 1;
            first.get_or_insert((index, a, b));
        }
        worst = if distance.is_nan() { worst } else { worst.max(distance) };
    }
    match first {
        None => Ok(worst),
        Some((index, a, b)) => Err(format!(
            "{outside} of {} elements differ, up to {worst}; first at {index}: {a} instead of {b}",
            golden.len()
        )),
    }
}
