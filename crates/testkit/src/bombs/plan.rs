//! Plans and portable graphs: sound ones with a word changed under sound checksums.

use embarca::Model;
use embarca_plan::records::{
    FunctionRecord, InterfaceRecord, PortRecord, ProgramRecord, StepRecord, TableRecord,
    TensorRecord,
};
use embarca_plan::{
    Container, FileKind, HEADER_LEN, Section, SectionKind, SectionSpec, Unit, container_len,
    write_container,
};
use std::mem::offset_of;

use super::{Bomb, Reader};

/// A matrix product and a bias.
const NET: &str = "model v1 graph main { %0 \"x\" = input f32[1,4,4,2] \
    %1 = const #0 f32[3] [1.0, 2.0, 3.0] %2 = reshape(%0) {dims=[1, 16, 2]} \
    %3 = const #1 f32[3,2] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] \
    %4 = transpose(%3) {perm=[1, 0]} %5 = matmul(%2, %4) {transpose_a=false, transpose_b=false} %6 = add(%5, %1) \
    output %6 \"y\" }";

/// A plan for `cpu`.
fn sound() -> Vec<u8> {
    let model = embarca_ir::text::parse(NET, &[]).expect("the text is right");
    let file = embarca_ir::emb::write(&model).expect("the model is sound");
    let model = Model::from_bytes(&file, &Default::default()).expect("what is written is read");
    model.build(&["cpu"]).expect("the model is supported")
}

/// Kind, first byte and length of each section.
fn sections(file: &[u8], kind: FileKind) -> Vec<(SectionKind, usize, usize)> {
    let mut units = vec![Unit::ZERO; Unit::count(file.len())];
    let aligned = Unit::copy_from(&mut units, file).expect("there is room");
    let container = Container::open(aligned, kind).expect("the file is sound");
    let base = aligned.as_ptr().addr();
    let place = |section: Section<'_>| {
        (section.kind, section.bytes.as_ptr().addr() - base, section.bytes.len())
    };
    container.sections().map(place).collect()
}

fn word(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]])
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Makes the header's checksum fit, not those of the sections.
fn seal(file: &mut [u8]) {
    if let Some(crc) = embarca_plan::header_crc(file) {
        put(file, offset_of!(embarca_plan::HeaderRecord, crc), &crc.to_le_bytes());
    }
}

/// The file with bytes of its header replaced.
fn header(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = sound();
    put(&mut file, at, bytes);
    seal(&mut file);
    file
}

/// The file with bytes of the first section's entry replaced.
fn entry(at: usize, bytes: &[u8]) -> Vec<u8> {
    header(HEADER_LEN + at, bytes)
}

/// The file with bytes of a section replaced at the place that `find` names, counted from the
/// section's first byte.
fn inside(kind: SectionKind, find: impl Fn(&[u8]) -> usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = sound();
    let list = sections(&file, FileKind::Plan);
    let index = list.iter().position(|(found, _, _)| *found == kind).expect("it is there");
    let (_, start, len) = list[index];
    let at = find(&file[start..start + len]);
    put(&mut file, start + at, bytes);
    let crc = embarca_plan::crc32(&file[start..start + len]);
    let record = HEADER_LEN * (index + 1);
    put(&mut file, record + offset_of!(embarca_plan::SectionRecord, crc), &crc.to_le_bytes());
    seal(&mut file);
    file
}

/// A plan whose program has this field of the first entry of a table replaced.
fn program(table: usize, field: usize, bytes: &[u8]) -> Vec<u8> {
    inside(SectionKind::PROGRAM, |section| word(section, table) as usize + field, bytes)
}

fn tensor(field: usize, bytes: &[u8]) -> Vec<u8> {
    program(offset_of!(ProgramRecord, tensors), field, bytes)
}

fn step(field: usize, bytes: &[u8]) -> Vec<u8> {
    program(offset_of!(ProgramRecord, steps), field, bytes)
}

fn function(field: usize, bytes: &[u8]) -> Vec<u8> {
    program(offset_of!(ProgramRecord, functions), field, bytes)
}

/// A plan of which this table of the program has another place or length.
fn table(at: usize, field: usize, value: u32) -> Vec<u8> {
    inside(SectionKind::PROGRAM, |_| at + field, &value.to_le_bytes())
}

fn port(field: usize, bytes: &[u8]) -> Vec<u8> {
    let table = offset_of!(InterfaceRecord, ports);
    inside(SectionKind::INTERFACE, |section| word(section, table) as usize + field, bytes)
}

pub(super) fn bombs() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Plan, name, stands_for, bytes, refusal)
    };
    let half = |file: Vec<u8>| file[..file.len() / 2].to_vec();
    const MOST: [u8; 4] = u32::MAX.to_le_bytes();
    const LONG: [u8; 8] = (1u64 << 62).to_le_bytes();
    const OFFSET: usize = offset_of!(TableRecord, offset);
    const COUNT: usize = offset_of!(TableRecord, count);
    vec![
        bomb("nothing", "no bytes at all", vec![], "file: the bytes end too early"),
        bomb(
            "magic alone",
            "tract PR 2766",
            b"EMBARCA\x1a".to_vec(),
            "file: the bytes end too early",
        ),
        bomb(
            "another magic",
            "a file of another kind",
            header(0, b"EMBARCA!"),
            "file: these are not the first bytes of an Embarca file",
        ),
        bomb(
            "cut in half",
            "a download that broke off",
            half(sound()),
            "file: the length in the header is not the file's",
        ),
        bomb(
            "one byte more",
            "safetensors: no polyglots",
            [sound(), vec![0]].concat(),
            "file: the length in the header is not the file's",
        ),
        bomb(
            "a later version",
            "a format of the future",
            header(10, &[2, 0]),
            "file: format version 2 is newer than 1; use a newer Embarca or",
        ),
        bomb(
            "another kind",
            "type confusion",
            header(8, &[9, 0]),
            "file: the file is of kind 9, not the one asked for",
        ),
        bomb(
            "other semantics",
            "a format of the future",
            header(12, &MOST),
            "file: numbers mean 4294967295 here, this reader knows 1",
        ),
        bomb(
            "length of 2^62",
            "candle 3533",
            header(16, &LONG),
            "file: the length in the header is not the file's",
        ),
        bomb(
            "2^32 - 1 sections",
            "burn 5651",
            header(24, &MOST),
            "file: 4294967295 is not allowed here",
        ),
        bomb(
            "4000 sections",
            "tract PR 2766",
            header(24, &4000u32.to_le_bytes()),
            "file: the bytes end too early",
        ),
        bomb(
            "no sections",
            "openvino PR 35607: absent parts",
            header(24, &[0; 4]),
            "file: the length in the header is not the file's",
        ),
        bomb(
            "one bit of the header",
            "tensorrt: a modified engine that passes",
            {
                let mut file = sound();
                file[25] ^= 1;
                file
            },
            "file: the bytes end too early",
        ),
        bomb(
            "one bit of the weights",
            "tensorrt: a modified engine that passes",
            {
                let mut file = sound();
                let at = file.len() - 1;
                file[at] ^= 1;
                file
            },
            "the weights are damaged; build or copy the plan again",
        ),
        bomb(
            "section behind the file",
            "tensorrt: an overwritten field",
            entry(8, &LONG),
            "file, section 0: it is not where order and alignment put it",
        ),
        bomb(
            "section before the table",
            "safetensors: no overlap",
            entry(8, &[0; 8]),
            "file, section 0: it is not where order and alignment put it",
        ),
        bomb(
            "section of 2^62 bytes",
            "tensorrt: an overwritten field",
            entry(16, &LONG),
            "file, section 0: the bytes end too early",
        ),
        bomb(
            "section of wrapping length",
            "triton CVE-2025-23323",
            entry(16, &[0xff; 8]),
            "file, section 0: the bytes end too early",
        ),
        bomb(
            "section of no bytes",
            "safetensors: no holes",
            entry(16, &[0; 8]),
            "file, section 1: it is not where order and alignment put it",
        ),
        bomb(
            "section of alignment 2^65535",
            "tensorflow 121217: misaligned",
            entry(6, &[0xff, 0xff]),
            "file, section 0: alignment 2^65535 is not allowed here",
        ),
        bomb(
            "section of an unknown kind",
            "a part that is silently skipped",
            entry(0, &99u32.to_le_bytes()),
            "file, section 0: kind 99 is required and unknown; use a newer",
        ),
        bomb(
            "reserved bits",
            "room for a polyglot",
            entry(24, &[1, 0, 0, 0]),
            "file, section 0: padding or a reserved field is not zero",
        ),
        bomb(
            "tensors behind the section",
            "tensorrt: an overwritten field",
            table(offset_of!(ProgramRecord, tensors), OFFSET, 0x7fff_fff0),
            "section 4 (program), tensor 4294967295: it is not where order",
        ),
        bomb(
            "2^32 - 1 tensors",
            "tensorrt: an overwritten field",
            table(offset_of!(ProgramRecord, tensors), COUNT, u32::MAX),
            "section 4 (program), tensor 4294967295: the bytes end too early",
        ),
        bomb(
            "2^32 - 1 steps",
            "tensorrt: an overwritten field",
            table(offset_of!(ProgramRecord, steps), COUNT, u32::MAX),
            "section 4 (program), step 4294967295: the bytes end too early",
        ),
        bomb(
            "misplaced steps",
            "tensorflow 121217: misaligned",
            table(offset_of!(ProgramRecord, steps), OFFSET, 2),
            "section 4 (program), step 4294967295: it is not where order and",
        ),
        bomb(
            "no functions",
            "openvino PR 35607: absent parts",
            table(offset_of!(ProgramRecord, functions), COUNT, 0),
            "section 4 (program), state 4294967295: it is not where order",
        ),
        bomb(
            "an unknown operator",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, opcode), &[0xff, 0x7f]),
            "section 4 (program), step 0: opcode 0x7fff is unknown or not in",
        ),
        bomb(
            "another operator",
            "type confusion",
            step(offset_of!(StepRecord, opcode), &[1, 0]),
            "section 4 (program), step 0: opcode 0x0001 is unknown or not in",
        ),
        bomb(
            "an unknown algorithm",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, algorithm), &[0xff, 0xff]),
            "this runtime does not run algorithms other than the direct one",
        ),
        bomb(
            "65,535 operands",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, inputs), &[0xff, 0xff]),
            "section 4 (program), step 0: 65536 goes beyond its table",
        ),
        bomb(
            "operands behind the list",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, list), &MOST),
            "section 4 (program), step 0: it is not where order and",
        ),
        bomb(
            "parameters behind the records",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, record), &0x7fff_fff0u32.to_le_bytes()),
            "section 4 (program), step 0: 2147483632 goes beyond its table",
        ),
        bomb(
            "parameters of 2^32 - 1 bytes",
            "tensorrt: an overwritten field",
            step(offset_of!(StepRecord, record_len), &MOST),
            "section 4 (program), step 0: 0 goes beyond its table",
        ),
        bomb(
            "a tensor of an unknown type",
            "an enum out of range",
            tensor(offset_of!(TensorRecord, dtype), &[0xee]),
            "section 4 (program), tensor 0: element type 238 cannot be stored",
        ),
        bomb(
            "a tensor of 255 axes",
            "tflm 3389",
            tensor(offset_of!(TensorRecord, rank), &[0xff]),
            "section 4 (program), tensor 0: rank 255 does not fit",
        ),
        bomb(
            "a tensor stored nowhere",
            "an enum out of range",
            tensor(offset_of!(TensorRecord, storage), &[0xee]),
            "section 4 (program), tensor 0: padding or a reserved field is",
        ),
        bomb(
            "dimensions behind the table",
            "tflm 3389",
            tensor(offset_of!(TensorRecord, dims), &MOST),
            "section 4 (program), tensor 0: 4294967295 goes beyond its table",
        ),
        bomb(
            "a function without end",
            "tensorrt: an overwritten field",
            function(offset_of!(FunctionRecord, step_count), &MOST),
            "section 4 (program), function 0: 4294967295 goes beyond its",
        ),
        bomb(
            "tensors of another function",
            "tensorrt: an overwritten field",
            function(offset_of!(FunctionRecord, tensors), &7u32.to_le_bytes()),
            "section 4 (program), function 0: it is not where order and",
        ),
        bomb(
            "inputs beyond the list",
            "tensorrt: an overwritten field",
            function(offset_of!(FunctionRecord, inputs), &MOST),
            "section 4 (program), function 0: 4294967295 goes beyond its",
        ),
        bomb(
            "an arena of 4 GiB",
            "candle PR 3713",
            function(offset_of!(FunctionRecord, arena), &0xffff_fff0u32.to_le_bytes()),
            "section 4 (program), function 0: 12 is not allowed here",
        ),
        bomb(
            "an arena of nothing",
            "tflm 3389: writes behind the arena",
            function(offset_of!(FunctionRecord, arena), &[0; 4]),
            "section 4 (program), function 0: 12 is not allowed here",
        ),
        bomb(
            "2^32 - 1 inputs",
            "tensorrt: an overwritten field",
            inside(SectionKind::INTERFACE, |_| 0, &MOST),
            "section 0 (interface): 4294967295 goes beyond its table",
        ),
        bomb(
            "an input of an unknown type",
            "an enum out of range",
            port(offset_of!(PortRecord, dtype), &[0xee]),
            "section 0 (interface), port 0: element type 238 cannot be stored",
        ),
        bomb(
            "an input of 200 axes",
            "tflm 3389",
            port(offset_of!(PortRecord, rank), &[200]),
            "section 0 (interface), port 0: rank 200 does not fit",
        ),
        bomb(
            "an input of another shape",
            "triton: sizes from the request",
            port(offset_of!(PortRecord, dims), &1u32.to_le_bytes()),
            "section 4 (program), tensor 2: 1 is not allowed here",
        ),
    ]
}

/// The portable graph of this text.
fn emb(graph: &str, weights: &[u8]) -> Vec<u8> {
    let section = |kind, bytes| SectionSpec { kind, required: true, align_log2: 6, bytes };
    let sections =
        [section(SectionKind::GRAPH, graph.as_bytes()), section(SectionKind::WEIGHTS, weights)];
    let len = container_len(&sections).expect("it is small");
    let mut file = vec![0; len];
    write_container(FileKind::Graph, &sections, &mut file).expect("it is small");
    file
}

pub(super) fn graphs() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Emb, name, stands_for, bytes, refusal)
    };
    let none = 0u64.to_le_bytes();
    let of = |body: &str| emb(&format!("model v1 graph main {{ {body} }}"), &none);
    let blobs = |words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        emb("model v1 graph main { %0 = input f32[1] output %0 }", &bytes)
    };
    vec![
        bomb(
            "header alone",
            "tract PR 2766",
            of("")[..32].to_vec(),
            "file: the bytes end too early",
        ),
        bomb(
            "10,000 lists in each other",
            "triton CVE-2025-23325",
            of(&format!("%0 = input f32[1] %1 = relu(%0) {{a={}", "[".repeat(10_000))),
            "section graph, 1:107: lists are nested too deeply",
        ),
        bomb(
            "10,000 sums in each other",
            "triton CVE-2025-23325",
            of(&format!("%0 = input f32[{}", "div(".repeat(10_000))),
            "section graph, 1:234: the dimension is nested too deeply",
        ),
        bomb(
            "a number beyond 64 bits",
            "triton CVE-2025-23323",
            of("%0 = input f32[99999999999999999999]"),
            "section graph, 1:38: 99999999999999999999 is not a whole number",
        ),
        bomb(
            "dimensions wrap",
            "tract CVE-2026-55093",
            of("%0 = input f32[4294967296,4294967296,4294967296] output %0"),
            "tensor '': a dimension of 4294967296 does not fit a plan",
        ),
        bomb(
            "value 2^32 - 1",
            "tflm 3389",
            of("%4294967295 = input f32[1]"),
            "section graph, 1:23: %0 is nowhere written, and values have no",
        ),
        bomb(
            "constant 2^32 - 1",
            "tflm 3389",
            of("%0 = const #4294967295 f32[1] [1.0] output %0"),
            "section graph, 1:70: constant #0 is nowhere given",
        ),
        bomb(
            "a value from nowhere",
            "opencv 24316",
            of("%0 = input f32[1] %1 = add(%0, %7) output %1"),
            "section graph, 1:54: %7 is read before it is written",
        ),
        bomb(
            "fewer elements than the shape",
            "tract 2390",
            of("%0 = const #0 f32[1000000000000] [1.0] output %0"),
            "section graph, 1:56: the content of #0 has another size than",
        ),
        bomb(
            "a blob that is not there",
            "onnx CVE-2024-27319",
            of("%0 = const #0 f32[64] @9 output %0"),
            "section graph, 1:45: the content of @9 is not at hand",
        ),
        bomb(
            "a text without end",
            "text format",
            of("%0 \"x = input f32[1]"),
            "section graph, 1:26: the string does not end on its line",
        ),
        bomb(
            "no weights",
            "openvino PR 35607: absent parts",
            blobs(&[])[..].to_vec(),
            "section weights: it is cut off",
        ),
        bomb("2^60 blobs", "burn 5651", blobs(&[1 << 60]), "section weights: it is cut off"),
        bomb(
            "a blob behind the section",
            "tensorrt: an overwritten field",
            blobs(&[1, 64, 1 << 60]),
            "section weights: it is cut off",
        ),
        bomb(
            "a blob of wrapping length",
            "triton CVE-2025-23323",
            blobs(&[1, 64, u64::MAX]),
            "section weights: it is cut off",
        ),
        bomb(
            "a blob over another",
            "safetensors: no overlap",
            blobs(&[2, 64, 0, 0, 0]),
            "section weights: it is cut off",
        ),
        bomb(
            "something behind the blobs",
            "safetensors: no holes",
            blobs(&[0, 1]),
            "section weights: there is something behind the blobs",
        ),
    ]
}

/// Graphs that reach themselves by calls.
pub(super) fn endless() -> Vec<Bomb> {
    let graphs = |name, callees: &[usize], refusal| {
        let graph = |(index, callee): (usize, &usize)| {
            format!(
                "graph g{index} {{ %0 = input bool[] %1 = if_else(%0, %0) {{then=graph({callee}), \
                 otherwise=graph({callee}), dtypes=[bool], dims=[[]]}} output %1 }}\n"
            )
        };
        let text: String = callees.iter().enumerate().map(graph).collect();
        let bytes = emb(&format!("model v1 {text}"), &0u64.to_le_bytes());
        super::bomb(Reader::Emb, name, "endless recursion", bytes, refusal)
    };
    vec![
        graphs("a graph that calls itself", &[0], "graph(0) has states or is the main graph"),
        graphs("a graph whose callee calls itself", &[1, 1], "a graph calls itself"),
        graphs(
            "two graphs that call each other",
            &[1, 0],
            "graph(0) has states or is the main graph",
        ),
        graphs("a ring of four graphs", &[1, 2, 3, 0], "graph(0) has states or is the main graph"),
        graphs("a ring behind the main graph", &[1, 2, 3, 1], "a graph calls itself"),
    ]
}
