//! The laws of ARCHITECTURE.md that a program can check, one function each.

mod layers;
mod lengths;
pub mod records;
mod registries;
mod targets;
mod words;
mod writes;

use std::fmt;

use crate::json::Json;
use crate::shell;
use crate::tree::Tree;

/// Something that breaks a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the workspace.
    pub path: String,
    /// Counted from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl Finding {
    /// A finding about a line.
    pub fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into() }
    }

    /// A finding about a file.
    pub fn in_file(path: &str, what: impl Into<String>) -> Self {
        Self::at(path, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// What a check looks at.
#[derive(Debug)]
pub struct Project {
    /// The texts.
    pub tree: Tree,
    /// What `cargo metadata` says.
    pub metadata: Json,
}

type Check = fn(&Project) -> Vec<Finding>;

/// Every check and the law that it proves.
const CHECKS: &[(&str, Check)] = &[
    ("the layer table equals the dependencies", layers::table),
    ("every dependency has its reason", layers::reasons),
    ("inner crates are no_std without features", layers::inner_crates),
    ("registries are sorted and complete", registries::operators),
    ("kernel numbers are sorted and complete", registries::kernels),
    ("every operator has cases", registries::cases),
    ("every target descriptor is built in", targets::check),
    ("record layouts and opcodes are append-only", records::check),
    ("only simd names an instruction set", words::instruction_sets),
    ("no float in num::fixed", words::floats),
    ("unsafe stands at named borders and says why it is safe", words::unsafe_borders),
    ("nothing is left to do", words::unfinished),
    ("files are written at one place", writes::check),
    ("files stay short", lengths::check),
    ("the changelog has an Unreleased heading", changelog),
];

/// Runs every check and prints what they find.
pub fn run(args: &[String], verbose: bool) -> Result<bool, String> {
    if let Some(arg) = args.first() {
        return Err(format!("tidy takes no '{arg}'"));
    }
    let project = Project { tree: Tree::read(&shell::root())?, metadata: shell::metadata()? };
    let mut broken = 0;
    for (law, check) in CHECKS {
        let findings = check(&project);
        if verbose || !findings.is_empty() {
            println!("{} {law}", if findings.is_empty() { "ok  " } else { "FAIL" });
        }
        for finding in &findings {
            println!("     {finding}");
        }
        broken += usize::from(!findings.is_empty());
    }
    for note in lengths::notes(&project) {
        println!("note {note}");
    }
    println!("tidy: {} laws hold, {broken} broken", CHECKS.len() - broken);
    Ok(broken == 0)
}

fn changelog(project: &Project) -> Vec<Finding> {
    let path = "CHANGELOG.md";
    let text = project.tree.text(path).unwrap_or_default();
    let found = text.lines().any(|line| line.trim_end() == "## Unreleased");
    if found {
        Vec::new()
    } else {
        vec![Finding::in_file(path, "there is no line '## Unreleased'; add it on top")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Project {
        /// A project of given texts.
        pub fn of(files: &[(&str, &str)]) -> Self {
            Self { tree: Tree::of(files), metadata: Json::Null }
        }
    }

    /// Asserts that `check` finds nothing in `good` and exactly `count` things in `bad`.
    pub fn shown_failing(check: Check, good: &Project, bad: &Project, count: usize) {
        assert_eq!(check(good), [], "the good text is refused");
        let findings = check(bad);
        assert_eq!(findings.len(), count, "{findings:#?}");
    }

    #[test]
    fn a_missing_heading_is_found() {
        let good = Project::of(&[("CHANGELOG.md", "# Changes\n\n## Unreleased\n")]);
        let bad = Project::of(&[("CHANGELOG.md", "# Changes\n\n## 0.1.0\n")]);
        shown_failing(changelog, &good, &bad, 1);
    }
}
