//! Damaged models of a zoo, by the thousand: each is read or refused in bounded time and memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use embarca_cpu::{LoadOptions, Plan};
use embarca_import::onnx::NoExternal;
use embarca_import::{ImportLimits, caffe, onnx, tflite};
use embarca_ir::build::{BuildOptions, build};

use super::bodies::{parts, repair, survive};
use super::mutate::mutate;
use crate::random::Random;

/// What one file may take to be read or refused.
pub const TIME: Duration = Duration::from_secs(5);

/// Plans of larger models take too long to make.
const MOST_PLANNED: u64 = 700_000;

/// The formats whose files are damaged.
pub const FORMATS: [&str; 4] = ["onnx", "tflite", "caffe", "plan"];

/// The files of a format that are damaged, by name: the project's and the zoo's, small ones first.
/// Caffe's two files are one, with a zero byte between them.
///
/// # Errors
/// When the format is none of [`FORMATS`].
pub fn files(format: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let tour = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour");
    let zoo = crate::zoo::folder().map(|zoo| zoo.join("models"));
    let folders = [Some(PathBuf::from(tour)), zoo.clone(), zoo.map(|zoo| zoo.join("bvlc"))];
    let entries = folders.into_iter().flatten().filter_map(|folder| folder.read_dir().ok());
    let mut paths: Vec<PathBuf> = entries.flatten().flatten().map(|entry| entry.path()).collect();
    let extension = match format {
        "caffe" => "prototxt",
        "plan" => "tflite",
        "onnx" | "tflite" => format,
        other => return Err(format!("no format is called {other}")),
    };
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let bytes = match format {
            "caffe" => {
                let weights = std::fs::read(path.with_extension("caffemodel"));
                [bytes, vec![0], weights.unwrap_or_default()].concat()
            }
            "plan" if MOST_PLANNED < bytes.len() as u64 => continue,
            "plan" => {
                let plan = embarca::Model::open(&path).and_then(|model| model.build(&["cpu"]));
                plan.map_err(|error| error.to_string())?
            }
            _ => bytes,
        };
        files.push((path.display().to_string(), bytes));
    }
    if format == "plan" {
        let small = super::plans().into_iter().enumerate();
        files.extend(small.map(|(seed, plan)| (format!("a small graph, {seed}"), plan)));
    }
    files.sort_by_key(|(_, bytes)| bytes.len());
    Ok(files)
}

/// Damaged bytes, the same for the same number.
pub fn mutant(original: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let mut bytes = original.to_vec();
    for _ in 0..1 << random.below(3) {
        // Half of the damage is aimed at the first part: structure, more than weights.
        let head = if random.once_in(2) { bytes.len() } else { bytes.len().min(4096) };
        let mut front = bytes[..head].to_vec();
        mutate(&mut front, original, &mut random);
        bytes.splice(..head, front);
    }
    bytes
}

/// Reads a file of this format, or refuses it; how long that took. A plan that can be read is also
/// run for a moment, beyond that time.
pub fn open(format: &str, bytes: &[u8]) -> Duration {
    let limits = ImportLimits::default();
    let started = Instant::now();
    let foreign = match format {
        "onnx" => onnx::read(bytes, &limits, &mut NoExternal),
        "tflite" => tflite::read(bytes, &limits),
        "caffe" => {
            let (net, weights) = parts(bytes);
            caffe::read(net, weights.filter(|file| !file.is_empty()), &limits)
        }
        _ => {
            let mut bytes = bytes.to_vec();
            repair(&mut bytes);
            drop(Plan::from_bytes(&bytes, LoadOptions::default()));
            return started.elapsed();
        }
    };
    if let Ok(foreign) = foreign {
        drop(build(&foreign, &BuildOptions::default()));
    }
    started.elapsed()
}

/// Runs a damaged plan that can be opened.
pub fn execute(format: &str, bytes: &[u8]) {
    if format == "plan" {
        let mut bytes = bytes.to_vec();
        repair(&mut bytes);
        survive(&bytes);
    }
}
