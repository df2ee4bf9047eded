//! Dependencies against the tables of ARCHITECTURE.md.

use std::collections::BTreeSet;

use crate::json::Json;
use crate::source;
use crate::tidy::{Finding, Project};

const PATH: &str = "ARCHITECTURE.md";
const PREFIX: &str = "embarca-";

/// A row of the layers table.
struct Layer {
    line: usize,
    name: String,
    ring: String,
    depends_on: BTreeSet<String>,
}

/// The cells of the table below the heading `heading`, with line numbers counted from 1.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<(usize, Vec<&'a str>)> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| line.trim_end() != heading);
    let section = lines.skip(1).take_while(|(_, line)| !line.starts_with("## "));
    let table = section.filter(|(_, line)| line.starts_with('|')).skip(2);
    let cells = |line: &'a str| line.trim().trim_matches('|').split('|').map(str::trim).collect();
    table.map(|(i, line)| (i + 1, cells(line))).collect()
}

/// The words between backticks.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(String::from).collect()
}

fn layers(project: &Project) -> Vec<Layer> {
    let text = project.tree.text(PATH).unwrap_or_default();
    let layer = |(line, cells): (usize, Vec<&str>)| {
        let name = names(cells.first()?).into_iter().next()?;
        let ring = (*cells.get(1)?).into();
        Some(Layer { line, name, ring, depends_on: names(cells.get(2)?) })
    };
    rows(text, "## Layers").into_iter().filter_map(layer).collect()
}

/// A workspace package: name without prefix and its dependencies of the kind that ships.
fn packages(metadata: &Json) -> Vec<(&str, BTreeSet<String>, BTreeSet<String>)> {
    let packages = metadata.get("packages").list().iter();
    let short = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_string();
    packages
        .map(|package| {
            let shipped = package.get("dependencies").list().iter();
            let shipped = shipped.filter(|dependency| dependency.get("kind").text() != "dev");
            let (own, foreign): (Vec<_>, Vec<_>) =
                shipped.partition(|dependency| dependency.get("path") != &Json::Null);
            let name = package.get("name").text();
            (
                name.strip_prefix(PREFIX).unwrap_or(name),
                own.iter().map(|dependency| short(dependency.get("name").text())).collect(),
                foreign.iter().map(|dependency| dependency.get("name").text().into()).collect(),
            )
        })
        .collect()
}

fn rank(ring: &str) -> Option<usize> {
    ["inner", "host", "outer", "dev"].iter().position(|name| *name == ring)
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The table says for each crate exactly what it depends on, and rings only point inward.
pub fn table(project: &Project) -> Vec<Finding> {
    let layers = layers(project);
    let packages = packages(&project.metadata);
    let mut findings = Vec::new();
    for (name, depends_on, _) in &packages {
        let Some(layer) = layers.iter().find(|layer| layer.name == *name) else {
            findings.push(Finding::in_file(
                PATH,
                format!("crate `{name}` has no row; it depends on {}", list(depends_on)),
            ));
            continue;
        };
        if layer.depends_on != *depends_on {
            let what = format!(
                "`{name}` depends on {}, the table says {}",
                list(depends_on),
                list(&layer.depends_on)
            );
            findings.push(Finding::at(PATH, layer.line, what));
        }
    }
    for layer in &layers {
        if !packages.iter().any(|(name, ..)| *name == layer.name) {
            let what = format!("there is no crate `{}`; remove its row", layer.name);
            findings.push(Finding::at(PATH, layer.line, what));
        }
        let Some(own) = rank(&layer.ring) else {
            let what = format!("'{}' is none of the rings inner, host, outer, dev", layer.ring);
            findings.push(Finding::at(PATH, layer.line, what));
            continue;
        };
        for name in &layer.depends_on {
            let other = layers.iter().find(|other| other.name == *name);
            if other.and_then(|other| rank(&other.ring)).is_some_and(|other| own < other) {
                let what = format!("`{}` points outward to `{name}`", layer.name);
                findings.push(Finding::at(PATH, layer.line, what));
            }
        }
    }
    findings
}

/// The dependencies table has a line for each external crate that the workspace names, and only those.
pub fn reasons(project: &Project) -> Vec<Finding> {
    let text = project.tree.text(PATH).unwrap_or_default();
    let rows = rows(text, "## Dependencies");
    let given: BTreeSet<String> =
        rows.iter().flat_map(|(_, cells)| names(cells.first().unwrap_or(&""))).collect();
    let used: BTreeSet<String> =
        packages(&project.metadata).into_iter().flat_map(|(_, _, foreign)| foreign).collect();
    let missing =
        used.difference(&given).map(|name| format!("`{name}` has no reason in the table"));
    let stale =
        given.difference(&used).map(|name| format!("nothing uses `{name}`; remove its row"));
    let mut findings: Vec<Finding> =
        missing.chain(stale).map(|what| Finding::in_file(PATH, what)).collect();
    for (line, cells) in &rows {
        if cells.get(1).is_none_or(|reason| reason.len() < 10) {
            findings.push(Finding::at(PATH, *line, "the reason is missing"));
        }
    }
    findings
}

/// Whether a file is a module that its parent declares behind `#[cfg(test)]`.
fn is_for_tests(project: &Project, path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else { return false };
    let declared = format!("#[cfg(test)] mod {};", file.trim_end_matches(".rs"));
    let parents = [format!("{folder}/lib.rs"), format!("{folder}/mod.rs"), format!("{folder}.rs")];
    let texts = parents.iter().filter_map(|parent| project.tree.text(parent));
    let mut words = texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    words.any(|text| text.contains(&declared))
}

/// Crates of the inner ring are `no_std`, allocate nothing and have no `std` feature.
pub fn inner_crates(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in layers(project).iter().filter(|layer| layer.ring == "inner") {
        let folder = format!("crates/{}/", layer.name);
        let root = format!("{folder}src/lib.rs");
        let code = |text: &str| source::without_tests(&source::code_only(text));
        let text = project.tree.text(&root).unwrap_or_default();
        if !source::code_only(text).contains("#![no_std]") {
            findings.push(Finding::in_file(&root, "an inner crate starts with #![no_std]"));
        }
        for (path, text) in project.tree.files(&format!("{folder}src/"), ".rs") {
            if is_for_tests(project, path) {
                continue;
            }
            for name in ["alloc", "std"] {
                for line in source::lines_with(&code(text), name) {
                    let what = format!("an inner crate does not know `{name}`");
                    findings.push(Finding::at(path, line, what));
                }
            }
        }
        let manifest = format!("{folder}Cargo.toml");
        let text = project.tree.text(&manifest).unwrap_or_default();
        let features = text.lines().skip_while(|line| line.trim() != "[features]").skip(1);
        for line in features.take_while(|line| !line.starts_with('[')) {
            let name = line.split('=').next().unwrap_or_default().trim();
            if name == "std" || name == "alloc" {
                let what = format!("an inner crate has no feature `{name}`");
                findings.push(Finding::in_file(&manifest, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    const TABLES: &str = "\
## Layers

| crate | ring | depends on | must never know |
|---|---|---|---|
| `num` | inner | | anything |
| `ir` | host | `num` | bytes |

## Dependencies

| crate | reason |
|---|---|
| `zerocopy` | views of records without unsafe code of our own |

## Else
| `x` | y |
";

    fn metadata(ir: &str) -> Json {
        let text = r#"{"packages": [
            {"name": "embarca-num", "dependencies": [{"name": "zerocopy", "kind": null, "path": null}]},
            {"name": "embarca-ir", "dependencies": [DEPS,
                {"name": "embarca-testkit", "kind": "dev", "path": "/t"}]}
        ]}"#;
        Json::parse(&text.replace("DEPS", ir)).unwrap()
    }

    const NUM: &str = r#"{"name": "embarca-num", "kind": null, "path": "/n"}"#;
    const TARGET: &str = r#"{"name": "embarca-target", "kind": null, "path": "/n"}"#;
    const PNG: &str = r#"{"name": "png", "kind": null, "path": null}"#;

    fn project(table: &str, ir: &str) -> Project {
        Project { metadata: metadata(ir), ..Project::of(&[(PATH, table)]) }
    }

    #[test]
    fn an_unlisted_dependency_is_found() {
        let good = project(TABLES, NUM);
        shown_failing(table, &good, &project(TABLES, TARGET), 1);
        shown_failing(table, &good, &project(&TABLES.replace("| `ir`", "| `it`"), NUM), 2);
    }

    #[test]
    fn a_ring_that_points_outward_is_found() {
        let good = project(TABLES, NUM);
        let bad = TABLES.replace("`num` | inner", "`num` | outer");
        shown_failing(table, &good, &project(&bad, NUM), 1);
        let bad = TABLES.replace("`num` | inner", "`num` | middle");
        shown_failing(table, &good, &project(&bad, NUM), 1);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let good = project(TABLES, NUM);
        shown_failing(reasons, &good, &project(TABLES, &format!("{NUM},{PNG}")), 1);
        let bad = TABLES.replace("views of records without unsafe code of our own", "");
        shown_failing(reasons, &good, &project(&bad, NUM), 1);
        shown_failing(reasons, &good, &project(&TABLES.replace("zerocopy", "zeroc"), NUM), 2);
    }

    #[test]
    fn std_in_an_inner_crate_is_found() {
        let of = |lib: &str, toml: &str| {
            Project::of(&[
                (PATH, TABLES),
                ("crates/num/src/lib.rs", lib),
                ("crates/num/Cargo.toml", toml),
                ("crates/ir/src/lib.rs", "use std::fmt;"),
            ])
        };
        let lib = "//! Not std.\n#![no_std]\nuse core::fmt;\n#[cfg(test)]\nmod t { use std::fmt; }";
        let good = of(lib, "[features]\ndefault = []\n");
        shown_failing(inner_crates, &good, &of("use core::fmt;", ""), 1);
        shown_failing(inner_crates, &good, &of(&format!("{lib}\nextern crate alloc;"), ""), 1);
        shown_failing(inner_crates, &good, &of(lib, "[features]\nstd = []\n"), 1);

        let helper = ("crates/num/src/testing.rs", "use std::vec;");
        let with =
            |root: &str| Project::of(&[(PATH, TABLES), helper, ("crates/num/src/lib.rs", root)]);
        let tests = ("crates/num/src/fast/tests.rs", "use std::vec;");
        let fast = ("crates/num/src/fast.rs", "#[cfg(test)]\nmod tests;");
        let root = ("crates/num/src/lib.rs", lib);
        let nested = Project::of(&[(PATH, TABLES), root, fast, tests]);
        shown_failing(inner_crates, &nested, &Project::of(&[(PATH, TABLES), root, tests]), 1);
        let good = with(&format!("{lib}\n#[cfg(test)]\nmod testing;"));
        shown_failing(inner_crates, &good, &with(&format!("{lib}\nmod testing;")), 1);
    }
}
