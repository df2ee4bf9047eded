//! The C header declares the same records, and C code reads a plan with it.

mod plans;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::mem::{align_of, size_of};
use std::path::Path;
use std::process::Command;

use embarca_compile::plan_writer::write;
use embarca_plan::records::*;
use embarca_plan::{HeaderRecord, SectionRecord};

/// C name, Rust name, file with the declaration, size and alignment in Rust.
const RECORDS: &[(&str, &str, &str, usize, usize)] = &[
    ("emb_header", "HeaderRecord", "container", size_of::<HeaderRecord>(), 8),
    ("emb_section", "SectionRecord", "container", size_of::<SectionRecord>(), 8),
    ("emb_table", "TableRecord", "records", size_of::<TableRecord>(), 4),
    ("emb_common", "CommonRecord", "records", size_of::<CommonRecord>(), 4),
    ("emb_symbol", "SymbolRecord", "records", size_of::<SymbolRecord>(), 4),
    ("emb_expr", "ExprRecord", "records", size_of::<ExprRecord>(), 4),
    ("emb_quant", "QuantRecord", "records", size_of::<QuantRecord>(), 4),
    ("emb_program", "ProgramRecord", "records", size_of::<ProgramRecord>(), 4),
    ("emb_kernel", "KernelRecord", "records", size_of::<KernelRecord>(), 4),
    ("emb_function", "FunctionRecord", "records", size_of::<FunctionRecord>(), 4),
    ("emb_state", "StateRecord", "records", size_of::<StateRecord>(), 4),
    ("emb_tensor", "TensorRecord", "records", size_of::<TensorRecord>(), 4),
    ("emb_step", "StepRecord", "records", size_of::<StepRecord>(), 4),
    ("emb_interface", "InterfaceRecord", "records", size_of::<InterfaceRecord>(), 4),
    ("emb_port", "PortRecord", "records", size_of::<PortRecord>(), 4),
    ("emb_profile", "ProfileRecord", "records", size_of::<ProfileRecord>(), 4),
    ("emb_properties", "PropertiesRecord", "records", size_of::<PropertiesRecord>(), 4),
    ("emb_property", "PropertyRecord", "records", size_of::<PropertyRecord>(), 4),
    ("emb_vectors", "VectorsRecord", "records", size_of::<VectorsRecord>(), 4),
    ("emb_vector", "VectorRecord", "records", size_of::<VectorRecord>(), 4),
    ("emb_memory", "MemoryRecord", "records", size_of::<MemoryRecord>(), 8),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The fields of a C structure as `name: type`, with Rust's names for the types.
fn c_fields(header: &str, name: &str) -> Vec<String> {
    let end = header.find(&format!("}} {name};")).unwrap_or_else(|| panic!("no {name}"));
    let start = header[..end].rfind("typedef struct {").unwrap();
    let renamed: HashMap<&str, &str> = RECORDS.iter().map(|(c, rust, ..)| (*c, *rust)).collect();
    let fields = header[start..end].lines().skip(1).filter(|line| !line.trim().is_empty());
    fields
        .map(|line| {
            let (kind, field) = line.trim().trim_end_matches(';').split_once(' ').unwrap();
            let kind = match kind {
                "uint8_t" => "u8",
                "uint16_t" => "u16",
                "uint32_t" => "u32",
                "uint64_t" => "u64",
                "float" => "f32",
                other => renamed[other],
            };
            match field.split_once('[') {
                Some((field, len)) => format!("{field}: [{kind}; {}", len),
                None => format!("{field}: {kind}"),
            }
        })
        .collect()
}

fn rust_fields(source: &str, name: &str) -> Vec<String> {
    let head = format!("pub struct {name} {{");
    let start = source.find(&head).unwrap_or_else(|| panic!("no {name}")) + head.len();
    let end = start + source[start..].find("\n}").unwrap();
    let lines = source[start..end].lines().map(str::trim);
    let fields = lines.filter_map(|line| line.strip_prefix("pub "));
    fields.map(|field| field.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn declares_the_same_records() {
    let header = fs::read_to_string(root().join("docs/embarca_plan.h")).unwrap();
    for &(c, rust, file, size, align) in RECORDS {
        let path = root().join(format!("crates/plan/src/{file}.rs"));
        let source = fs::read_to_string(path).unwrap();
        let fields = c_fields(&header, c);
        assert_eq!(fields, rust_fields(&source, rust), "{c}");
        assert!(size % align == 0 && !fields.is_empty(), "{c}");
    }
    let declared = header.matches("typedef struct {").count();
    assert_eq!(declared, RECORDS.len(), "each structure is compared");
    assert_eq!(align_of::<MemoryRecord>(), 8);
}

const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include "embarca_plan.h"

int main(int argc, char **argv) {
    FILE *in = fopen(argv[argc - 1], "rb");
    static _Alignas(16) unsigned char bytes[1 << 20];
    size_t len = fread(bytes, 1, sizeof bytes, in);
    const emb_header *file = emb_open(bytes, len, EMB_FILE_PLAN);
    if (file == NULL) return 2;
    const emb_section *section = emb_find(file, EMB_PROGRAM, 0);
    if (section == NULL || !emb_verify(file, section)) return 3;
    const emb_program *program = emb_content(file, section);
    const emb_step *steps = emb_entries(file, section, program->steps, sizeof *steps);
    const emb_function *main = emb_entries(file, section, program->functions, sizeof *main);
    uint32_t name = 0;
    const char *target = emb_string(file, section, program->common.string_ends,
                                    program->common.strings, program->target, &name);
    printf("%.*s %u", (int)name, target, (unsigned)main->arena * EMB_UNIT);
    for (uint32_t i = 0; i < program->steps.count; i++) printf(" %u", (unsigned)steps[i].opcode);
    bytes[len - 1] ^= 1;
    if (emb_verify(file, emb_find(file, EMB_WEIGHTS, 0))) return 4;
    bytes[40] ^= 1;
    return emb_open(bytes, len, EMB_FILE_PLAN) == NULL ? 0 : 5;
}
"#;

#[test]
fn c_code_reads_a_plan() {
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: there is no C compiler `cc`");
        return;
    }
    let folder = env::temp_dir().join(format!("embarca-plan-c-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut sizes = String::new();
    for (c, _, _, size, _) in RECORDS {
        sizes += &format!("_Static_assert(sizeof({c}) == {size}, \"{c}\");\n");
    }
    fs::write(folder.join("read.c"), format!("{PROGRAM}{sizes}")).unwrap();
    fs::write(folder.join("a.plan"), write(&plans::classifier()).unwrap()).unwrap();
    let built = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-main", "-o"])
        .arg(folder.join("read"))
        .arg(folder.join("read.c"))
        .arg(format!("-I{}", root().join("docs").display()))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(folder.join("read")).arg(folder.join("a.plan")).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(ran.status.success(), "{:?}", ran.status);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "nano33ble 320 33 49 16");
}
