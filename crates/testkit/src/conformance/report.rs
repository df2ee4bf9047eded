//! What is printed and what `docs/conformance.md` says. The same outcomes give the same text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::compare::{ATOL, RTOL, RTOL_BF16};
use super::{Outcome, Suite};

/// How many cases had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All cases.
    pub cases: usize,
    /// [`Outcome::Passed`]
    pub passed: usize,
    /// Of these: with some inputs fixed when the plan was built.
    pub some_fixed: usize,
    /// Of these: with all inputs fixed, so that the plan holds the answer.
    pub all_fixed: usize,
    /// [`Outcome::Refused`]
    pub refused: usize,
    /// [`Outcome::Wrong`]
    pub wrong: usize,
    /// [`Outcome::Died`]
    pub died: usize,
}

impl Counts {
    /// Of these outcomes.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self { cases: outcomes.len(), ..Self::default() };
        for outcome in outcomes {
            match outcome {
                Outcome::Passed { fixed, inputs } => {
                    counts.passed += 1;
                    counts.some_fixed += usize::from(0 < *fixed && fixed < inputs);
                    counts.all_fixed += usize::from(0 < *fixed && fixed == inputs);
                }
                Outcome::Refused { .. } => counts.refused += 1,
                Outcome::Wrong(_) => counts.wrong += 1,
                Outcome::Died(_) => counts.died += 1,
            }
        }
        counts
    }

    /// Passed cases in percent, cut to one decimal.
    pub fn percent(&self) -> String {
        let tenths = self.passed * 1000 / self.cases.max(1);
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// The heading under which a suite's section stands in the document.
pub fn heading(suite: Suite, label: &str) -> String {
    match suite {
        Suite::Onnx => format!("ONNX node tests, {label}"),
        Suite::Tflite => format!("One-operator TFLite models, {label}"),
        Suite::Zoo => format!("Models of the zoo, {label}"),
    }
}

/// The section of one suite, with its heading.
pub fn section(suite: Suite, label: &str, cases: &[String], outcomes: &[Outcome]) -> String {
    let counts = Counts::of(outcomes);
    let mut text = format!("## {}\n\n", heading(suite, label));
    let _ = writeln!(text, "| cases | passed | refused | wrong | panicked |");
    let _ = writeln!(text, "|---:|---:|---:|---:|---:|");
    let Counts { cases: all, passed, refused, wrong, died, .. } = counts;
    let percent = counts.percent();
    let row = format!("{all} | {passed} ({percent} %) | {refused} | {wrong} | {died}");
    let _ = writeln!(text, "| {row} |\n");
    if suite == Suite::Onnx {
        let _ = writeln!(
            text,
            "Of the passed, {} take some inputs as constants when the plan is built, because shapes or \
             tables\ndepend on them (axes, sizes, scales), and {} take all of them, so that the plan \
             holds the answer. Only\ninputs that the importer asks for by name are taken so. Floats: \
             within rtol {RTOL} (bf16 {RTOL_BF16}, as ONNX's \
             runner) and atol {ATOL:e},\nor what the case's `data.json` says; all other types: \
             equal.\n",
            counts.some_fixed, counts.all_fixed
        );
    } else {
        let _ = writeln!(text, "Integers are equal; floats are within the manifest's tolerance.\n");
    }
    for (name, outcome) in cases.iter().zip(outcomes) {
        match outcome {
            Outcome::Wrong(place) => {
                let _ = writeln!(text, "- **wrong**: `{name}`, {place}");
            }
            Outcome::Died(reason) => {
                let _ = writeln!(text, "- **panicked**: `{name}`, {reason}");
            }
            _ => {}
        }
    }
    if 0 < wrong + died {
        text.push('\n');
    }
    let groups = refusals(cases, outcomes);
    if !groups.is_empty() {
        let _ = writeln!(text, "Refused, by operator:\n");
        let _ = writeln!(text, "| operator | cases | which, and the first reason |");
        let _ = writeln!(text, "|---|---:|---|");
        for Group { op, names, reason } in &groups {
            let op = if op.is_empty() { "(none)" } else { op };
            let reason = reason.replace('|', "\\|");
            let names: Vec<&str> =
                names.iter().map(|name| name.strip_prefix("test_").unwrap_or(name)).collect();
            let _ = writeln!(text, "| {op} | {} | {}: {reason} |", names.len(), names.join(", "));
        }
        text.push('\n');
    }
    text
}

/// Refused cases of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The operator.
    pub op: String,
    /// The cases.
    pub names: Vec<String>,
    /// Why the first was refused.
    pub reason: String,
}

/// Refusals by operator, the most frequent first.
pub fn refusals(cases: &[String], outcomes: &[Outcome]) -> Vec<Group> {
    let mut by_op: BTreeMap<&str, Group> = BTreeMap::new();
    for (name, outcome) in cases.iter().zip(outcomes) {
        let Outcome::Refused { op, reason } = outcome else { continue };
        let group = by_op.entry(op).or_insert_with(|| Group {
            op: op.clone(),
            names: Vec::new(),
            reason: reason.clone(),
        });
        group.names.push(name.clone());
    }
    let mut groups: Vec<Group> = by_op.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.names.len()));
    groups
}

const TITLE: &str = "# Conformance\n\n\
    Other people's tests, run by `cargo xtask conformance`. Every case runs in a worker process with\n\
    limits on memory and time. *Refused* means an error that names the place; nothing is skipped.\n\n";

/// The document with one section replaced, or added behind the others.
pub fn merged(document: &str, heading: &str, section: &str) -> String {
    let mut sections: Vec<(String, String)> = Vec::new();
    for part in document.split("\n## ").skip(1) {
        let title = part.lines().next().unwrap_or_default().to_owned();
        sections.push((title, format!("## {}\n", part.trim_end_matches('\n'))));
    }
    match sections.iter_mut().find(|(title, _)| title == heading) {
        Some((_, text)) => section.clone_into(text),
        None => sections.push((heading.to_owned(), section.to_owned())),
    }
    sections.sort();
    let bodies: Vec<&str> = sections.iter().map(|(_, text)| text.trim_end()).collect();
    format!("{TITLE}{}\n", bodies.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_replaced_and_sorted() {
        let first = merged("", "b", "## b\n\ntext\n");
        let second = merged(&first, "a", "## a\n\nother\n\n");
        assert!(second.starts_with(TITLE));
        assert!(second.ends_with("## a\n\nother\n\n## b\n\ntext\n"));
        assert_eq!(merged(&second, "b", "## b\n\ntext"), second);
        assert!(merged(&second, "a", "## a\n\nnew\n").contains("new\n\n## b"));
    }

    #[test]
    fn counts_and_groups() {
        let refused = |op: &str| Outcome::Refused { op: op.into(), reason: "no".into() };
        let outcomes = [
            Outcome::Passed { fixed: 0, inputs: 0 },
            Outcome::Passed { fixed: 1, inputs: 2 },
            Outcome::Passed { fixed: 2, inputs: 2 },
            refused("B"),
            refused("A"),
            refused("A"),
            Outcome::Wrong("x".into()),
            Outcome::Died("y".into()),
        ];
        let counts = Counts::of(&outcomes);
        assert_eq!((counts.passed, counts.some_fixed, counts.all_fixed), (3, 1, 1));
        assert_eq!((counts.refused, counts.wrong, counts.died), (3, 1, 1));
        assert_eq!(counts.percent(), "37.5");
        let names: Vec<String> = (0..8).map(|i| format!("test_{i}")).collect();
        let groups = refusals(&names, &outcomes);
        assert_eq!(groups[0].names, ["test_4", "test_5"]);
        let text = section(Suite::Onnx, "x", &names, &outcomes);
        assert!(text.contains("| A | 2 | 4, 5: no |") && text.contains("**wrong**: `test_6`"));
    }
}
