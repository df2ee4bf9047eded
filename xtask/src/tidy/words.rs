//! Words that may stand in some places only.

use crate::source;
use crate::tidy::{Finding, Project};

/// Files outside `simd` that hold `unsafe` code, each the border to something Rust cannot see.
const UNSAFE_BORDERS: &[(&str, &str)] = &[
    ("crates/simd/src/", "instruction sets"),
    ("crates/kernels/src/device/borrow.rs", "a board's arena as plain bytes"),
    ("crates/cpu/src/pool.rs", "threads that borrow the caller's stack"),
    ("fuzz/driver/src/coverage.rs", "counters that the compiler puts into a program"),
];

/// This folder quotes the words that it looks for.
const SELF: &str = "xtask/src/";

/// Only `simd` names an instruction set.
pub fn instruction_sets(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.tree.rust() {
        if path.starts_with("crates/simd/") || path.starts_with(SELF) {
            continue;
        }
        let code = source::code_only(text);
        for word in ["target_arch", "target_feature", "std::arch", "core::arch"] {
            for line in source::lines_with(&code, word) {
                let what = format!("`{word}` belongs to crates/simd");
                findings.push(Finding::at(path, line, what));
            }
        }
    }
    findings
}

/// `num::fixed` defines integers with integers.
pub fn floats(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.tree.files("crates/num/src/fixed", ".rs") {
        let code = source::without_tests(&source::code_only(text));
        for word in ["f16", "f32", "f64"] {
            for line in source::lines_with(&code, word) {
                findings.push(Finding::at(path, line, format!("num::fixed has no `{word}`")));
            }
        }
    }
    findings
}

/// `unsafe` stands at named borders, and each use is explained.
pub fn unsafe_borders(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.tree.rust() {
        let code = source::code_only(text);
        let allowed = UNSAFE_BORDERS.iter().any(|(border, _)| path.starts_with(border));
        for line in source::lines_with(&code, "unsafe") {
            if !allowed {
                let what = "`unsafe` outside the borders that ARCHITECTURE.md names";
                findings.push(Finding::at(path, line, what));
            } else if !is_explained(text, line) {
                let what = "say why this is safe: `// SAFETY:` above it, or `# Safety` in the docs";
                findings.push(Finding::at(path, line, what));
            }
        }
    }
    findings
}

/// Whether the comment block above line `line` (attributes and the start of the statement may stand
/// between) or the line itself says why.
fn is_explained(text: &str, line: usize) -> bool {
    let says = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    let lines: Vec<&str> = text.lines().take(line).collect();
    let Some((own, above)) = lines.split_last() else { return false };
    if says(own) {
        return true;
    }
    let mut code_lines = 0;
    for line in above.iter().rev() {
        let line = line.trim_start();
        if says(line) {
            return true;
        }
        // A statement may begin a line or two before its unsafe block.
        code_lines += usize::from(!line.starts_with("//") && !line.starts_with("#["));
        if 2 < code_lines || line.ends_with(';') || line.ends_with('}') || line.is_empty() {
            return false;
        }
    }
    false
}

/// Nothing is left to do.
pub fn unfinished(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.tree.rust() {
        let code = source::code_only(text);
        for word in ["todo", "unimplemented"] {
            for (i, line) in code.lines().enumerate() {
                let calls = |at: usize| line[at + word.len()..].starts_with('!');
                if source::positions(line, word).any(calls) {
                    findings.push(Finding::at(path, i + 1, format!("`{word}!` is not code")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    #[test]
    fn an_instruction_set_outside_simd_is_found() {
        let twin = ("crates/simd/src/x86.rs", "use core::arch::x86_64::*;");
        let good = Project::of(&[twin, ("crates/cpu/src/lib.rs", "// not target_arch\nfn f() {}")]);
        for planted in [
            "#[cfg(target_arch = \"x86_64\")]",
            "#[target_feature(enable = \"avx2\")]",
            "use std::arch::x86_64 as x;",
        ] {
            let bad = Project::of(&[("crates/cpu/src/lib.rs", planted)]);
            shown_failing(instruction_sets, &good, &bad, 1);
        }
    }

    #[test]
    fn a_float_in_fixed_is_found() {
        let tests = "pub fn a(x: i32) {}\n#[cfg(test)]\nmod tests { fn oracle(x: f64) {} }";
        let build = ("crates/num/src/build.rs", "pub fn b(x: f64) {}");
        let good = Project::of(&[("crates/num/src/fixed/mod.rs", tests), build]);
        let bad = Project::of(&[("crates/num/src/fixed/exp.rs", "pub fn a(x: f32) {}"), build]);
        shown_failing(floats, &good, &bad, 1);
    }

    #[test]
    fn unsafe_without_a_reason_or_a_border_is_found() {
        let explained = "// SAFETY: the caller keeps it alive.\nlet a =\n    unsafe { b() };\n\n/// # Safety\n/// x\n#[inline]\npub unsafe fn c() {}";
        let good = Project::of(&[("crates/cpu/src/pool.rs", explained)]);
        let bare = "// SAFETY: this one.\nlet a = unsafe { b() };\nlet c = unsafe { d() };";
        shown_failing(unsafe_borders, &good, &Project::of(&[("crates/cpu/src/pool.rs", bare)]), 1);
        let inside = Project::of(&[("crates/ir/src/lib.rs", explained)]);
        shown_failing(unsafe_borders, &good, &inside, 2);
    }

    #[test]
    fn unfinished_code_is_found() {
        let good = Project::of(&[("a.rs", "// todo!()\nlet todo = 1; let s = \"todo!\";")]);
        let bad = Project::of(&[("a.rs", "fn a() { todo!() }\nfn b() { unimplemented!() }")]);
        shown_failing(unfinished, &good, &bad, 2);
    }
}
