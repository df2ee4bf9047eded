//! One-operator TFLite models with flat golden arrays beside them: `ops/NAME/*.tflite` and
//! `ops/NAME_golden.npz` of the zoo, whose keys are `CASE_in0`, `CASE_out0`, ... Integers are equal.

use std::path::{Path, PathBuf};

use embarca::{LoadOptions, Model};
use embarca_data::{DataLimits, npz};

use super::{Outcome, listing};

/// The sets of models below `ops`.
fn sets(folder: &Path) -> Result<Vec<PathBuf>, String> {
    Ok(listing(&folder.join("ops"))?.into_iter().filter(|path| path.is_dir()).collect())
}

pub(super) fn cases(folder: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for set in sets(folder)? {
        let set_name = set.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for model in listing(&set)? {
            if model.extension().is_some_and(|extension| extension == "tflite") {
                let stem = model.file_stem().unwrap_or_default().to_string_lossy();
                names.push(format!("{set_name}/{stem}"));
            }
        }
    }
    Ok(names)
}

pub(super) fn run(folder: &Path, case: &str) -> Outcome {
    run_case(folder, case).unwrap_or_else(|reason| Outcome::refused_in(folder, &reason))
}

fn run_case(folder: &Path, case: &str) -> Result<Outcome, String> {
    let (set, name) = case.split_once('/').ok_or("a case is SET/NAME")?;
    let golden = folder.join("ops").join(format!("{set}_golden.npz"));
    let bytes = std::fs::read(&golden).map_err(|e| e.to_string())?;
    let arrays = npz::read(&bytes, &DataLimits::default()).map_err(|e| e.to_string())?;
    let find = |key: String| arrays.iter().find(|array| array.name.as_deref() == Some(&key));
    let model = Model::open(folder.join("ops").join(format!("{case}.tflite")));
    let plan = model.and_then(|model| model.plan(LoadOptions::default()));
    let plan = plan.map_err(|e| e.to_string())?;
    let mut session = plan.session().map_err(|e| e.to_string())?;
    let inputs = plan.inputs().len();
    for index in 0..inputs {
        let array = find(format!("{name}_in{index}")).ok_or("an input has no golden array")?;
        let wanted = session.input_type(index).map(|ty| ty.dtype);
        if wanted != Some(array.dtype) {
            return Err(format!("input {index} is {wanted:?}, not {:?}", array.dtype));
        }
        let place = session.input_bytes(index).ok_or("an input is missing")?;
        if place.len() != array.data.len() {
            return Err(format!("input {index} has another size"));
        }
        place.copy_from_slice(&array.data);
    }
    session.run().map_err(|e| e.to_string())?;
    for index in 0..plan.outputs().len() {
        let array = find(format!("{name}_out{index}")).ok_or("an output has no golden array")?;
        let ours = session.output_bytes(index).ok_or("an output is missing")?;
        if session.output_type(index).map(|ty| ty.dtype) != Some(array.dtype) {
            return Ok(Outcome::Wrong(format!("output {index} has another type")));
        }
        if ours != &*array.data {
            let size = array.dtype.size().max(1);
            let differ = |(a, b): &(&[u8], &[u8])| a != b;
            let pairs = || ours.chunks(size).zip(array.data.chunks(size));
            let (wrong, first) = (pairs().filter(differ).count(), pairs().position(|p| differ(&p)));
            return Ok(Outcome::Wrong(format!(
                "output {index}: {wrong} of {} elements differ, first {first:?}",
                array.data.len() / size
            )));
        }
    }
    Ok(Outcome::Passed { fixed: 0, inputs })
}
