//! One place opens files for writing.

use crate::source::{code_only, without_tests};
use crate::tidy::{Finding, Project};

/// It writes beside the file and renames, so that nobody sees half of one.
const PLACE: &str = "crates/data/src/atomic.rs";

/// What else opens a file for writing, in code.
const WRITES: [&str; 6] = [
    "fs::write(",
    "File::create",
    "OpenOptions::new()",
    "File::options()",
    "fs::copy(",
    "BufWriter",
];

/// Crates that ship write files through `atomic_write` only.
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.tree.files("crates/", ".rs") {
        let ships = path.contains("/src/") && !path.starts_with("crates/testkit/");
        if !ships || path == PLACE || path.ends_with("/tests.rs") {
            continue;
        }
        let code = without_tests(&code_only(text));
        for (index, line) in code.lines().enumerate() {
            if let Some(word) = WRITES.iter().find(|word| line.contains(**word)) {
                let what = format!("{word} writes a file; call embarca_data::atomic_write");
                findings.push(Finding::at(path, index + 1, what));
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
    fn a_second_place_that_writes_is_found() {
        let write = "fn f() { std::fs::write(path, bytes); }";
        let good = Project::of(&[
            (PLACE, write),
            ("crates/cli/tests/cli.rs", write),
            (
                "crates/cli/src/a.rs",
                "// std::fs::write(path)\nfn f() { atomic_write(path, bytes) }",
            ),
        ]);
        let bad = Project::of(&[("crates/cli/src/a.rs", write)]);
        shown_failing(check, &good, &bad, 1);
    }
}
