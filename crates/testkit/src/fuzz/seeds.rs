//! What fuzzing begins with: the hostile files, a small model for each operator that a format names,
//! plans of small graphs, and the small models of the project and of the zoo.

use std::path::{Path, PathBuf};

use embarca_compile::BuildOptions;
use embarca_ir::foreign::Format;
use embarca_ir::text;

use crate::bombs::{self, Reader};
use crate::outline::outlined;
use crate::random::{self, Style};

/// Files beyond this size make executions slow.
const SMALL: u64 = 20_000;

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour");

/// Small files of the zoo and of the project with this extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let folders = crate::zoo::folder().map(|zoo| zoo.join("models"));
    let mut found: Vec<PathBuf> = folders
        .into_iter()
        .chain([PathBuf::from(ASSETS)])
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten())
        .filter(|entry| entry.metadata().is_ok_and(|data| data.is_file() && data.len() <= SMALL))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

fn read(paths: Vec<PathBuf>) -> Vec<Vec<u8>> {
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The hostile files of these readers that are small.
fn hostile(readers: &[Reader]) -> Vec<Vec<u8>> {
    let bombs = bombs::all().into_iter();
    let small = bombs.filter(|bomb| bomb.bytes.len() <= 4096 && readers.contains(&bomb.reader));
    small.map(|bomb| bomb.bytes).collect()
}

/// The names of a format's operators, and their domains.
fn operators(format: Format) -> impl Iterator<Item = (&'static str, &'static str)> {
    let spellings = embarca_ir::ops::IMPORTERS.iter().flat_map(|importer| importer.spellings);
    let of_format = spellings.filter(move |spelling| spelling.format == format);
    of_format.map(|spelling| (spelling.name, spelling.domain))
}

pub(super) fn onnx() -> Vec<Vec<u8>> {
    let samples = operators(Format::Onnx).flat_map(|(op, domain)| bombs::onnx::samples(op, domain));
    [hostile(&[Reader::Onnx]), samples.collect(), read(files("onnx"))].concat()
}

pub(super) fn tflite() -> Vec<Vec<u8>> {
    let samples = (0..210).flat_map(bombs::contradictions::samples);
    let odd = bombs::contradictions::odd().into_iter().map(|odd| odd.bytes);
    [hostile(&[Reader::TfLite]), samples.chain(odd).collect(), read(files("tflite"))].concat()
}

pub(super) fn caffe() -> Vec<Vec<u8>> {
    let binary = |mut file: Vec<u8>| {
        file.insert(0, 0);
        file
    };
    let layers = operators(Format::Caffe).map(|(kind, _)| bombs::caffe::sample(kind));
    let nets = files("prototxt").into_iter().filter_map(|path| {
        let weights = std::fs::read(path.with_extension("caffemodel")).unwrap_or_default();
        let weights = if weights.len() as u64 <= SMALL { weights } else { Vec::new() };
        Some([std::fs::read(&path).ok()?, vec![0], weights].concat())
    });
    let binaries = hostile(&[Reader::CaffeModel]).into_iter().map(binary);
    [hostile(&[Reader::Prototxt]), binaries.chain(layers).chain(nets).collect()].concat()
}

/// Plans of small graphs: straight, with branches and loops, float and int8.
pub fn plans() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for seed in 0..24u64 {
        let style = [Style::Float, Style::Quantized, Style::SpelledOut][seed as usize % 3];
        let case = random::case(seed, 1 + seed as usize % 6, style);
        let case = match seed % 2 {
            0 => outlined(&case, seed).unwrap_or(case),
            _ => case,
        };
        let options = BuildOptions {
            targets: embarca_target::find("cpu").into_iter().collect(),
            vectors: seed % 8 == 0,
            provenance: Default::default(),
        };
        all.extend(embarca_compile::build(case.model, &options));
    }
    all.sort_by_key(Vec::len);
    all
}

pub(super) fn plan() -> Vec<Vec<u8>> {
    [hostile(&[Reader::Plan]), plans()].concat()
}

pub(super) fn task() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tasks");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let words = ["classification", "detection", "segmentation", "pose", "text"];
    let short = words.iter().map(|kind| format!("kind = \"{kind}\"\n").into_bytes());
    read(paths).into_iter().chain(short).collect()
}

pub(super) fn differential() -> Vec<Vec<u8>> {
    let case = |seed: u8| vec![seed, 1, 2, 3, 4, 5, 6, 7, seed, seed / 3, seed / 2];
    (0..36).map(case).collect()
}

pub(super) fn emb() -> Vec<Vec<u8>> {
    let file = |mut bytes: Vec<u8>| {
        bytes.insert(0, 0);
        bytes
    };
    let graphs = (0..24).map(|seed| {
        let style = [Style::Float, Style::Quantized][seed % 2];
        let case = random::case(seed as u64, 1 + seed % 5, style);
        let case = outlined(&case, seed as u64).unwrap_or(case);
        text::print_graphs(&case.model).text.into_bytes()
    });
    hostile(&[Reader::Emb]).into_iter().map(file).chain(graphs).collect()
}
