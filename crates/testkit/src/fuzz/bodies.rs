//! What the fuzz targets do with bytes.

use std::time::{Duration, Instant};

use embarca::task::{Net, Spec, stages};
use embarca::{LoadOptions, Model};
use embarca_cpu::{Limits, Plan};
use embarca_import::onnx::NoExternal;
use embarca_import::{ImportLimits, ReadError, caffe, onnx as onnx_file, tflite as tflite_file};
use embarca_ir::build::{BuildOptions, build};
use embarca_ir::foreign::ForeignModel;
use embarca_ir::{emb as graph_file, text, verify};
use embarca_plan::{Container, FileKind, Unit};

use crate::differential::check;
use crate::outline::outlined;
use crate::random::{self, Case, Style};

/// Bytes that a session may take.
const MEMORY: u64 = 64 << 20;
/// Models of more nodes are imported and not built: a plan takes longer than an import.
const NODES: usize = 64;

/// One of `n` inputs, always the same ones.
fn once_in(n: u32, data: &[u8]) -> bool {
    embarca_plan::crc32(data).is_multiple_of(n)
}

/// Gives a foreign model its meaning; every eighth that has one also becomes a plan that is run, or
/// is refused by the compiler, which proves graphs sound.
fn import(model: Result<ForeignModel<'_>, ReadError>, data: &[u8]) {
    let Ok(foreign) = model else { return };
    let Ok(graph) = build(&foreign, &BuildOptions::default()) else { return };
    let constants: usize = graph.consts.iter().map(|data| data.data.len()).sum();
    let nodes: usize = graph.graphs.iter().map(|graph| graph.nodes.len()).sum();
    if NODES < nodes || 1 << 20 < constants || !once_in(8, data) {
        return;
    }
    let options = embarca_compile::BuildOptions {
        targets: embarca_target::find("cpu").into_iter().collect(),
        vectors: false,
        provenance: Default::default(),
    };
    let Ok(bytes) = embarca_compile::build(graph, &options) else { return };
    // What is built here is opened here, unless it asks for too much.
    survive(&bytes);
}

pub(super) fn onnx(data: &[u8]) {
    import(onnx_file::read(data, &ImportLimits::default(), &mut NoExternal), data);
}

pub(super) fn tflite(data: &[u8]) {
    import(tflite_file::read(data, &ImportLimits::default()), data);
}

/// The text before the first zero byte and what stands behind it, if there is one.
pub(super) fn parts(data: &[u8]) -> (&[u8], Option<&[u8]>) {
    match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], Some(&data[end + 1..])),
        None => (data, None),
    }
}

pub(super) fn caffe(data: &[u8]) {
    let limits = ImportLimits::default();
    match parts(data) {
        ([], Some(weights)) => import(caffe::read_binary(weights, &limits), data),
        (net, weights) => import(caffe::read(net, weights, &limits), data),
    }
}

/// Loads a plan and, when that works, runs it for a moment.
pub fn survive(bytes: &[u8]) {
    let options = LoadOptions { threads: 1, verify: false, max_memory: MEMORY };
    let Ok(plan) = Plan::from_bytes(bytes, options) else { return };
    let Ok(mut session) = plan.session() else { return };
    let deadline = Some(Instant::now() + Duration::from_millis(5));
    // A fault on the data is a legal end too.
    let _ = session.run_limited(Limits { deadline, ..Limits::default() });
    let _ = plan.run_vectors_limited(Limits { deadline, ..Limits::default() });
}

/// Makes the checksums of header and sections of a plan fit the damaged content again.
pub fn repair(bytes: &mut [u8]) {
    repair_kind(bytes, FileKind::Plan);
}

fn repair_kind(bytes: &mut [u8], kind: FileKind) {
    seal(bytes);
    let sections: Vec<(usize, usize, usize)> = {
        let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
        let Some(aligned) = Unit::copy_from(&mut units, bytes) else { return };
        let base = aligned.as_ptr().addr();
        let Ok(container) = Container::open(aligned, kind) else { return };
        let place = |(index, section): (usize, embarca_plan::Section<'_>)| {
            (index, section.bytes.as_ptr().addr() - base, section.bytes.len())
        };
        container.sections().enumerate().map(place).collect()
    };
    for (index, start, len) in sections {
        let crc = embarca_plan::crc32(&bytes[start..start + len]);
        let record = embarca_plan::HEADER_LEN + index * size_of::<embarca_plan::SectionRecord>();
        let at = record + std::mem::offset_of!(embarca_plan::SectionRecord, crc);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
    seal(bytes);
}

/// Makes the checksum of the header fit.
fn seal(bytes: &mut [u8]) {
    if let Some(crc) = embarca_plan::header_crc(bytes) {
        let at = std::mem::offset_of!(embarca_plan::HeaderRecord, crc);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

pub(super) fn plan(data: &[u8]) {
    // Nearly all damage ends at a checksum unless that fits; every 16th input goes in as it is.
    if once_in(16, data) {
        return survive(data);
    }
    let mut data = data.to_vec();
    repair(&mut data);
    survive(&data);
}

pub(super) fn task(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(spec) = Spec::from_toml(text) else { return };
    let written = spec.to_toml().unwrap_or_else(|error| panic!("it is not written: {error}"));
    let again = Spec::from_toml(&written);
    let again = again.unwrap_or_else(|error| panic!("it is not read again: {error}\n{written}"));
    assert_eq!(format!("{again:?}"), format!("{spec:?}"), "written and read it is another");
    for net in NETS.with(Clone::clone).iter() {
        let Ok(stages) = stages(&spec, net) else { continue };
        for stage in [stages.front, stages.back].into_iter().flatten() {
            verify(&stage).unwrap_or_else(|error| panic!("a stage is unsound: {error}"));
        }
    }
}

thread_local! {
    /// Models that tasks are put around: a classifier, a detector, a mask.
    static NETS: std::rc::Rc<[Net]> = [
        "%0 = input f32[1,8,8,3] %1 = reshape(%0) {dims=[1, 192]} output %1",
        "%0 = input f32[1,3,8,8] %1 = reshape(%0) {dims=[1, 6, 32]} output %1",
        "%0 = input i8[1,8,8,1] %1 = input f32[1,4] output %0 output %1",
    ]
    .map(|body| {
        let model = text::parse(&format!("model v1 graph main {{ {body} }}"), &[]);
        Net::of(&model.unwrap_or_else(|error| panic!("{body}: {error}")))
    })
    .into();
}

/// The graph that an input of the target `differential` stands for: seed, nodes, style, calls.
pub fn differential_case(data: &[u8]) -> Case {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(data) {
        *to = *from;
    }
    let seed = u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
    let style = [Style::Float, Style::Quantized, Style::SpelledOut][usize::from(bytes[9] % 3)];
    let case = random::case(seed, 1 + usize::from(bytes[8] % 12), style);
    match bytes[10] % 3 {
        0 => case,
        _ => outlined(&case, seed).unwrap_or(case),
    }
}

pub(super) fn differential(data: &[u8]) {
    let case = differential_case(data);
    match check(&case) {
        Ok(()) => {}
        // A slice may hold at the size that is fed and not at the one that plans are made for.
        Err(refusal) if refusal.contains("has no value at the preferred sizes") => {}
        Err(difference) => panic!("{difference}"),
    }
}

pub(super) fn emb(data: &[u8]) {
    let (text_bytes, weights) = parts(data);
    if let (b"", Some(file)) = (text_bytes, weights) {
        let mut file = file.to_vec();
        repair_kind(&mut file, FileKind::Graph);
        if let Ok(model) = graph_file::read(&file, graph_file::Limits::default()) {
            again(&model);
        }
        return;
    }
    let Ok(graph) = std::str::from_utf8(text_bytes) else { return };
    let blobs: Vec<std::sync::Arc<[u8]>> =
        weights.into_iter().flat_map(|bytes| bytes.chunks(64)).map(Into::into).collect();
    let Ok(model) = text::parse(graph, &blobs) else { return };
    if verify(&model).is_ok() {
        again(&model);
    }
}

/// A sound graph is written, read again and is the same.
fn again(model: &embarca_ir::Model) {
    let file = graph_file::write(model).unwrap_or_else(|error| panic!("not written: {error}"));
    let read = Model::from_bytes(&file, &Default::default());
    let read = read.unwrap_or_else(|error| panic!("not read again: {error}"));
    let same = graph_file::write(read.graph()).unwrap_or_default() == file;
    assert!(same, "written and read it is another");
}
