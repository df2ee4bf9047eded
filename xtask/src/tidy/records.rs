//! The layouts of parameter records and the opcodes, compared with `records.lock`.
//!
//! Plans store both, so they are append-only: a record that must change becomes a new record under
//! a new opcode, behind the existing ones.

use std::collections::BTreeMap;

use crate::source;
use crate::tidy::{Finding, Project};

/// Where the layouts are kept, relative to the workspace.
pub const LOCK: &str = "crates/kernels/records.lock";

/// The folders whose `#[repr(C)]` structs stand in plans.
const FOLDERS: &[&str] = &["crates/kernels/src/", "crates/num/src/"];

const HEADER: &str = "\
# What plans rely on, written by `cargo xtask bless`, checked by `cargo xtask tidy`.
# `record` lines hash the fields of each parameter record; `kernels` lines list kernels in opcode order.
# Lines are added, never changed: a plan written today opens tomorrow.
";

/// The lines of the lock by their key: `record conv2d::ParamsF32`, `kernels conv2d`.
pub type Lines = BTreeMap<String, String>;

/// FNV-1a, 64 bits: short, and the same everywhere.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The module path of a file: `crates/kernels/src/conv2d/i8.rs` is `conv2d::i8`.
fn module(path: &str, folder: &str) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
}

/// Names and fields (`stride:[u32;2],pad:i32`) of the `#[repr(C)]` structs of a file.
fn records(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for at in source::positions(code, "repr") {
        if !code[at..].starts_with("repr(C") {
            continue;
        }
        let Some(word) = source::positions(&code[at..], "struct").next() else { continue };
        let head = &code[at + word + "struct".len()..];
        let name: String =
            head.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(fields) = source::braces(head, 0) else { continue };
        let fields: String = fields
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("#["))
            .flat_map(|line| line.split_whitespace())
            .filter(|word| *word != "pub" && *word != "pub(crate)" && *word != "pub(super)")
            .collect();
        found.push((name, fields.trim_end_matches(',').into()));
    }
    found
}

/// The constants that `KERNELS` lists, in order.
fn kernels(code: &str) -> Option<Vec<&str>> {
    let at = code.find("pub const KERNELS:")?;
    let value = code[at..].split_once('=')?.1;
    let list = value.split_once('[')?.1.split_once(']')?.0;
    Some(list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
}

/// What the sources say now.
pub fn current(project: &Project) -> Lines {
    let mut lines = Lines::new();
    for folder in FOLDERS {
        for (path, text) in project.tree.files(folder, ".rs") {
            let code = source::without_tests(&source::code_only(text));
            let module = module(path, folder);
            for (name, fields) in records(&code) {
                let key = format!("record {module}::{name}");
                lines.insert(key, format!("{:016x}", hash(&fields)));
            }
            if let Some(kernels) = kernels(&code) {
                lines.insert(format!("kernels {module}"), kernels.join(" "));
            }
        }
    }
    lines
}

/// The lines of the lock file.
pub fn locked(text: &str) -> Lines {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| line.split_once(" = ").map(|(key, value)| (key.into(), value.into()));
    lines.filter_map(pair).collect()
}

/// The text of a lock file.
pub fn text(lines: &Lines) -> String {
    let lines = lines.iter().map(|(key, value)| format!("{key} = {value}\n"));
    HEADER.chars().chain(lines.collect::<String>().chars()).collect()
}

/// What plans written before could no longer be read for.
pub fn broken(locked: &Lines, current: &Lines) -> Vec<String> {
    let mut broken = Vec::new();
    for (key, old) in locked {
        let Some(new) = current.get(key) else {
            broken.push(format!("{key} is gone; plans name it, so it stays"));
            continue;
        };
        let appended = key.starts_with("kernels ") && new.starts_with(&format!("{old} "));
        if new != old && !appended {
            broken.push(format!(
                "{key} has changed; keep the old one and append a new one with its own opcode"
            ));
        }
    }
    broken
}

/// Locked lines hold, and new ones are locked.
pub fn check(project: &Project) -> Vec<Finding> {
    let (locked, current) = (locked(project.tree.text(LOCK).unwrap_or_default()), current(project));
    let mut findings: Vec<Finding> =
        broken(&locked, &current).into_iter().map(|what| Finding::in_file(LOCK, what)).collect();
    let appended = |key: &String, new: &String| {
        locked.get(key).is_some_and(|old| new.starts_with(&format!("{old} ")))
    };
    let is_new = |(key, new): &(&String, &String)| !locked.contains_key(*key) || appended(key, new);
    let new: Vec<&str> = current.iter().filter(is_new).map(|(key, _)| key.as_str()).collect();
    if !new.is_empty() {
        let what = format!("new: {}; run `cargo xtask bless`", new.join(", "));
        findings.push(Finding::in_file(LOCK, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    const KERNEL: &str = "
/// Parameters.
#[derive(Clone, FromBytes)]
#[repr(C)]
pub struct Params {
    /// Doc, with commas.
    pub stride: [u32; 2],
    pub keep: Requant,
}
pub struct Other { a: u8 }
pub const KERNELS: &[Kernel] = &[F32, I8];
";

    fn project(kernel: &str) -> Project {
        let lock = text(&current(&Project::of(&[("crates/kernels/src/conv/mod.rs", KERNEL)])));
        Project::of(&[("crates/kernels/src/conv/mod.rs", kernel), (LOCK, &lock)])
    }

    #[test]
    fn a_changed_record_or_opcode_is_found() {
        let good = project(KERNEL);
        assert_eq!(
            current(&good).keys().collect::<Vec<_>>(),
            ["kernels conv", "record conv::Params"]
        );
        shown_failing(check, &project(&KERNEL.replace("Doc, with", "Another")), &project(""), 2);
        for (old, new) in [
            ("pub keep: Requant,", "pub keep: Requant, pub leak: Requant,"),
            ("[u32; 2]", "[u32; 3]"),
            ("stride", "step"),
            ("F32, I8", "I8, F32"),
            ("F32, I8", "F32"),
            ("F32, I8", "F32, I8, U8"),
            ("pub struct Other", "#[repr(C)]\npub struct Other"),
        ] {
            shown_failing(check, &good, &project(&KERNEL.replace(old, new)), 1);
        }
        assert_eq!(broken(&locked(""), &current(&good)), [""; 0]);
    }

    #[test]
    fn the_lock_reads_back() {
        let lines = current(&project(KERNEL));
        assert_eq!(locked(&text(&lines)), lines);
    }
}
