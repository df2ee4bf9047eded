//! Files aim under 500 lines; 800 needs a reason.

use crate::tidy::{Finding, Project};

const AIM: usize = 500;
const LIMIT: usize = 800;

/// Longer files and why each is one piece.
const REASONS: &[(&str, &str)] = &[];

fn lines(text: &str) -> usize {
    text.lines().count()
}

/// No Rust file is longer than the limit without a reason, and no reason is stale.
pub fn check(project: &Project) -> Vec<Finding> {
    let is_long = |text: &str| LIMIT < lines(text);
    let reason = |path: &str| REASONS.iter().any(|(long, _)| *long == path);
    let long = project.tree.rust().filter(|(path, text)| is_long(text) && !reason(path));
    let mut findings: Vec<Finding> = long
        .map(|(path, text)| {
            let what = format!("{} lines; split it, or give the reason in lengths.rs", lines(text));
            Finding::in_file(path, what)
        })
        .collect();
    for (path, _) in REASONS {
        if !project.tree.text(path).is_some_and(is_long) {
            findings.push(Finding::in_file(path, "not long any more; remove its reason"));
        }
    }
    findings
}

/// Files that are longer than they aim to be.
pub fn notes(project: &Project) -> Vec<String> {
    let long = project.tree.rust().filter(|(_, text)| AIM < lines(text));
    long.map(|(path, text)| format!("{path}: {} lines", lines(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    #[test]
    fn a_long_file_is_found() {
        let (short, long) = ("// x\n".repeat(LIMIT), "// x\n".repeat(LIMIT + 1));
        let (good, bad) = (Project::of(&[("a.rs", &short)]), Project::of(&[("a.rs", &long)]));
        shown_failing(check, &good, &bad, 1);
        assert_eq!(notes(&good).len(), 1);
    }
}
