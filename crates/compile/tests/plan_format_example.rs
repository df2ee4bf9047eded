//! The tables and the example of `docs/plan-format.md` are what the code says.

mod plans;

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use embarca_compile::plan_writer::*;
use embarca_num::DType;
use embarca_plan::Plan;
use plans::{ARENA, Buffer, f32s, fixed, port, step};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn size(kind: &str) -> usize {
    match kind {
        "u8" => 1,
        "u16" => 2,
        "u32" | "f32" => 4,
        "u64" => 8,
        "TableRecord" => 8,
        "CommonRecord" => 64,
        array => {
            let (kind, len) = array.trim_matches(['[', ']']).split_once("; ").unwrap();
            size(kind) * len.parse::<usize>().unwrap()
        }
    }
}

/// A table of the fields of a record, with the comments that stand above them.
fn record(sources: &str, name: &str) -> String {
    let head = format!("pub struct {name} {{\n");
    let start = sources.find(&head).unwrap_or_else(|| panic!("no {name}")) + head.len();
    let end = start + sources[start..].find("\n}").unwrap();
    let mut table = format!("| byte | `{name}` | type | meaning |\n|---|---|---|---|\n");
    let (mut meaning, mut at) = (String::new(), 0);
    for line in sources[start..end].lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            meaning += if meaning.is_empty() { "" } else { " " };
            meaning += text;
        } else if let Some((field, kind)) =
            line.strip_prefix("pub ").and_then(|f| f.trim_end_matches(',').split_once(": "))
        {
            let shown = meaning.replace("[`", "`").replace("`]", "`").replace("`crate::", "`");
            let shown = shown.replace("embarca_num::", "").replace("`TensorRecord::", "`");
            let shown = shown.replace("`ProgramRecord::", "`");
            let kind_shown = match kind {
                "TableRecord" => "table",
                "CommonRecord" => "8 tables",
                kind => kind,
            };
            writeln!(table, "| {at} | `{field}` | {kind_shown} | {shown} |").unwrap();
            at += size(kind);
            meaning.clear();
        }
    }
    table
}

fn example() -> Vec<u8> {
    let function = FunctionSource {
        tensors: vec![f32s(&[1, 10], ARENA), f32s(&[1, 10], ARENA)],
        steps: vec![step(16, &[0], &[1])],
        inputs: vec![0],
        outputs: vec![1],
        ..Default::default()
    };
    let mut program = ProgramSource { functions: vec![function], ..Default::default() };
    program.place().unwrap();
    let port = |name| port(name, DType::F32, &fixed(&[1, 10]));
    write(&PlanSource {
        interface: InterfaceSource {
            inputs: vec![port("x")],
            outputs: vec![port("y")],
            ..Default::default()
        },
        programs: vec![program],
        ..Default::default()
    })
    .unwrap()
}

fn dump(bytes: &[u8]) -> String {
    let mut text = String::from("```text\n");
    for (row, chunk) in bytes.chunks(16).enumerate() {
        write!(text, "{:04x} ", row * 16).unwrap();
        for word in chunk.chunks(4) {
            let hex: Vec<String> = word.iter().map(|byte| format!("{byte:02x}")).collect();
            write!(text, " {} ", hex.join(" ")).unwrap();
        }
        let shown = |&byte: &u8| if byte.is_ascii_graphic() { byte as char } else { '.' };
        let pad = " ".repeat((16 - chunk.len()) / 4 * 13);
        writeln!(text, "{pad} |{}|", chunk.iter().map(shown).collect::<String>()).unwrap();
    }
    text + "```\n"
}

#[test]
fn the_document_is_true() {
    let bytes = example();
    let buffer = Buffer::new(&bytes);
    let plan = Plan::open(buffer.bytes()).unwrap();
    assert_eq!(plan.program(0).unwrap().function(0).unwrap().arena_bytes(), 96);

    let source =
        |name: &str| fs::read_to_string(root().join(format!("crates/plan/src/{name}.rs"))).unwrap();
    let sources = source("records") + &source("container") + &source("device");
    let path = root().join("docs/plan-format.md");
    let document = fs::read_to_string(&path).unwrap();
    let (mut wanted, mut rest) = (String::new(), document.as_str());
    while let Some((before, after)) = rest.split_once("<!-- ") {
        let (mark, after) = after.split_once(" -->\n").unwrap();
        let content = match mark.strip_prefix("record ") {
            Some(name) => record(&sources, name),
            None => dump(&bytes),
        };
        let (_, after) = after.split_once("<!-- end -->").unwrap();
        write!(wanted, "{before}<!-- {mark} -->\n{content}<!-- end -->").unwrap();
        rest = after;
    }
    wanted += rest;
    if wanted == document {
        return;
    }
    assert!(
        env::var_os("EMBARCA_BLESS").is_some(),
        "docs/plan-format.md differs from the code; `cargo xtask bless` rewrites it"
    );
    fs::write(path, wanted).unwrap();
}

/// Every record of the format stands in the document.
#[test]
fn the_document_is_complete() {
    let source =
        |name: &str| fs::read_to_string(root().join(format!("crates/plan/src/{name}.rs"))).unwrap();
    let records = source("records") + &source("device");
    let document = fs::read_to_string(root().join("docs/plan-format.md")).unwrap();
    for name in records.split("pub struct ").skip(1).filter_map(|text| text.split(' ').next()) {
        // What borrows is how records are read, none of them.
        if name.contains('<') {
            continue;
        }
        assert!(document.contains(&format!("<!-- record {name} -->")), "{name}");
    }
}
