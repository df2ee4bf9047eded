//! ONNX's node tests: `CASE/model.onnx` with `test_data_set_N/{input,output}_J.pb` beside it, and
//! `data.json` where the case has tolerances of its own.
//!
//! Many cases feed as an input what decides over shapes (axes, sizes). Such inputs, and only those
//! that the importer asks for, are fixed when the plan is built; the outcome says how many.

use std::path::Path;

use embarca::{ErrorKind, LoadOptions, Model, OpenOptions};
use embarca_import::ImportLimits;
use embarca_import::onnx::{FileKind, FileValue, read_value};
use embarca_ir::Const;
use embarca_ir::foreign::{ForeignDim, ForeignTensor};

use super::compare::{Tensor, Tolerance, same};
use super::{Outcome, listing};

pub(super) fn cases(folder: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for case in listing(folder)? {
        if case.join("model.onnx").is_file() {
            names.push(case.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

pub(super) fn run(folder: &Path, case: &str) -> Outcome {
    match run_case(&folder.join(case)) {
        Ok(outcome) | Err(outcome) => outcome,
    }
}

fn run_case(folder: &Path) -> Result<Outcome, Outcome> {
    let tolerance = tolerance(folder);
    let mut worst = Outcome::refused("the case has no data");
    for set in 0.. {
        let data = folder.join(format!("test_data_set_{set}"));
        if !data.is_dir() {
            break;
        }
        worst = run_set(&folder.join("model.onnx"), &data, tolerance)?;
        if !matches!(worst, Outcome::Passed { .. }) {
            break;
        }
    }
    Ok(worst)
}

fn tolerance(folder: &Path) -> Tolerance {
    let default = Tolerance::default();
    let Ok(text) = std::fs::read_to_string(folder.join("data.json")) else { return default };
    let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else { return default };
    Tolerance {
        relative: json["rtol"].as_f64().unwrap_or(default.relative),
        absolute: json["atol"].as_f64().unwrap_or(default.absolute),
    }
}

/// Builds the model, with inputs fixed as it asks for them, and runs it once.
fn run_set(model: &Path, data: &Path, tolerance: Tolerance) -> Result<Outcome, Outcome> {
    let mut options = OpenOptions::default();
    let mut inputs: Option<Vec<Tensor>> = None;
    let names = input_names(model)?;
    let model = loop {
        let error = match Model::open_with(model, &options) {
            Ok(model) => break model,
            Err(error) => error,
        };
        let before = options.fixed.len();
        if let ErrorKind::Obstacles(obstacles) = &error.kind {
            for name in obstacles.fixable() {
                if options.fixed.iter().any(|(fixed, _)| fixed == name) {
                    continue;
                }
                let Some(index) = names.iter().position(|known| known == name) else { continue };
                if inputs.is_none() {
                    inputs = Some(read_all(data, "input", names.len())?);
                }
                let Some(tensor) = inputs.as_ref().and_then(|list| list.get(index)) else {
                    continue;
                };
                let value = Const::new(tensor.dtype, tensor.dims.clone(), tensor.data.clone());
                options.fixed.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        if options.fixed.len() == before {
            return Err(refusal(error));
        }
    };
    let inputs = match inputs {
        Some(inputs) => inputs,
        None => read_all(data, "input", names.len())?,
    };
    let fixed = |name: &String| options.fixed.iter().any(|(fixed, _)| fixed == name);
    let fed: Vec<&Tensor> =
        names.iter().zip(&inputs).filter(|(name, _)| !fixed(name)).map(|(_, t)| t).collect();
    let plan = model.plan(LoadOptions::default()).map_err(refusal)?;
    let small = |tensor: &&Tensor| tensor.dims.iter().map(|&dim| dim as u32).collect();
    let shapes: Vec<Vec<u32>> = fed.iter().map(small).collect();
    let shapes: Vec<&[u32]> = shapes.iter().map(Vec::as_slice).collect();
    let mut session = plan.session_for(&shapes).map_err(Outcome::refused)?;
    for (index, tensor) in fed.iter().enumerate() {
        let wanted = session.input_type(index).map(|ty| ty.dtype);
        if wanted != Some(tensor.dtype) {
            let reason = format!("input {index} is {wanted:?}, not {:?}", tensor.dtype);
            return Err(Outcome::refused(reason));
        }
        let place = session.input_bytes(index).filter(|place| place.len() == tensor.data.len());
        place
            .ok_or_else(|| Outcome::refused("an input has another size"))?
            .copy_from_slice(&tensor.data);
    }
    session.run().map_err(Outcome::refused)?;
    let ports = plan.outputs();
    let results: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let expected = read_outputs(data, &results)?;
    for (index, theirs) in expected.iter().enumerate() {
        let missing = || Outcome::Wrong(format!("output {index} is missing"));
        let ty = session.output_type(index).ok_or_else(missing)?;
        let ours = Tensor {
            dtype: ty.dtype,
            dims: ty.dims.iter().map(|&dim| dim as usize).collect(),
            data: session.output_bytes(index).ok_or_else(missing)?.to_vec(),
        };
        if let Err(what) = same(&ours, theirs, tolerance) {
            return Ok(Outcome::Wrong(format!("output {index}: {what}")));
        }
    }
    Ok(Outcome::Passed { fixed: options.fixed.len(), inputs: names.len() })
}

/// The names of the model's inputs, in order.
fn input_names(model: &Path) -> Result<Vec<String>, Outcome> {
    let bytes = std::fs::read(model).map_err(Outcome::refused)?;
    let mut none = embarca_import::onnx::NoExternal;
    let foreign = embarca_import::onnx::read(&bytes, &ImportLimits::default(), &mut none);
    let foreign = foreign.map_err(Outcome::refused)?;
    let Some(graph) = foreign.graphs.first() else { return Ok(Vec::new()) };
    let name = |&index: &usize| graph.tensors.get(index).map(|tensor| tensor.name.clone());
    Ok(graph.inputs.iter().filter_map(name).collect())
}

fn read_all(folder: &Path, what: &str, count: usize) -> Result<Vec<Tensor>, Outcome> {
    let read = |index: usize| {
        let path = folder.join(format!("{what}_{index}.pb"));
        let bytes = std::fs::read(&path).map_err(Outcome::refused)?;
        let limits = ImportLimits::default();
        match read_value(&bytes, FileKind::Tensor, &limits).map_err(Outcome::refused)? {
            FileValue::Tensor(tensor) => {
                to_tensor(tensor).ok_or_else(|| Outcome::refused("a tensor without content"))
            }
            _ => Err(Outcome::refused("a value that is no tensor")),
        }
    };
    (0..count).map(read).collect()
}

/// The results, one file each. The elements of a sequence are outputs `name.0`, `name.1` and so on.
fn read_outputs(folder: &Path, names: &[&str]) -> Result<Vec<Tensor>, Outcome> {
    let mut tensors = Vec::new();
    for index in 0.. {
        let Some(name) = names.get(tensors.len()) else { break };
        let path = folder.join(format!("output_{index}.pb"));
        let bytes = std::fs::read(&path).map_err(Outcome::refused)?;
        let kind = if name.ends_with(".0") { FileKind::Sequence } else { FileKind::Tensor };
        let value = read_value(&bytes, kind, &ImportLimits::default()).map_err(Outcome::refused)?;
        let items = match value {
            FileValue::Sequence(items) => items,
            value => vec![value],
        };
        for item in items {
            tensors.push(match item {
                FileValue::Tensor(tensor) => {
                    to_tensor(tensor).ok_or_else(|| Outcome::refused("a tensor without content"))?
                }
                _ => return Err(Outcome::refused("a value that is no tensor")),
            });
        }
        if tensors.len() > names.len() {
            return Err(Outcome::Wrong("a sequence has another length".to_owned()));
        }
    }
    Ok(tensors)
}

fn to_tensor(tensor: ForeignTensor<'_>) -> Option<Tensor> {
    let dims = tensor.dims?.into_iter().map(|dim| match dim {
        ForeignDim::Known(dim) => usize::try_from(dim).ok(),
        _ => None,
    });
    Some(Tensor {
        dtype: tensor.dtype?,
        dims: dims.collect::<Option<_>>()?,
        data: tensor.data?.into_owned(),
    })
}

/// With the operator to blame, where one is.
fn refusal(error: embarca::Error) -> Outcome {
    let (op, reason) = match &error.kind {
        ErrorKind::Obstacles(obstacles) => match obstacles.list.first() {
            Some(obstacle) => (obstacle.op.clone(), obstacle.error.to_string()),
            None => (String::new(), obstacles.to_string()),
        },
        ErrorKind::Compile(embarca_compile::CompileError::Gaps(error)) => {
            match error.gaps.first() {
                Some(gap) => (gap.op.to_owned(), gap.error.to_string()),
                None => (String::new(), error.to_string()),
            }
        }
        _ => (String::new(), error.to_string()),
    };
    Outcome::Refused { op, reason }
}
