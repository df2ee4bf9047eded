//! Registries: sorted lists that name every file of their folder.

use std::collections::BTreeSet;

use crate::source;
use crate::tidy::{Finding, Project};

const OPS: &str = "crates/ir/src/ops/mod.rs";
const KERNELS: &str = "crates/kernels/src/lib.rs";
const CASES: &str = "crates/testkit/src/cases/mod.rs";

/// The modules of the folder of `root`: `x.rs` and `x/mod.rs` are `x`, with their path and text.
fn modules<'a>(project: &'a Project, root: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder).len() + 1;
    let files = project.tree.rust().filter(|(path, _)| path.get(..folder) == root.get(..folder));
    files
        .filter(|(path, _)| *path != root)
        .filter_map(|(path, text)| {
            let name = path.get(folder..)?.strip_suffix(".rs")?;
            let name = name.strip_suffix("/mod").unwrap_or(name);
            (!name.contains('/')).then_some((name, path, text))
        })
        .collect()
}

/// The entries of a list in braces: what stands before each comma.
fn entries(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// The operators and the compositions that [`OPS`] lists.
fn listed(code: &str) -> Option<(Vec<&str>, Vec<&str>)> {
    // The first `registry` is the macro itself.
    let at = source::positions(code, "registry").last()?;
    let all = source::braces(code, at)?;
    let part = |name| Some(entries(source::braces(all, source::positions(all, name).next()?)?));
    Some((part("operators")?, part("compositions")?))
}

fn unsorted(path: &str, list: &str, names: &[&str]) -> Vec<Finding> {
    let pairs = names.windows(2).filter(|pair| pair[1] <= pair[0]);
    let finding = |pair: &[&str]| {
        let what = format!("'{}' stands after '{}' in {list}; keep it sorted", pair[1], pair[0]);
        Finding::in_file(path, what)
    };
    pairs.map(finding).collect()
}

/// The two lists of [`OPS`] are sorted, and every file beside it is listed or a declared helper.
pub fn operators(project: &Project) -> Vec<Finding> {
    let Some(text) = project.tree.text(OPS) else {
        return vec![Finding::in_file(OPS, "the registry of operators is missing")];
    };
    let code = source::code_only(text);
    let Some((operators, compositions)) = listed(&code) else {
        return vec![Finding::in_file(
            OPS,
            "there is no registry! { operators {} compositions {} }",
        )];
    };
    let mut findings = unsorted(OPS, "operators", &operators);
    findings.extend(unsorted(OPS, "compositions", &compositions));
    let module = |entry: &'_ str| entry.split("::").next().unwrap_or_default().to_string();
    let listed: BTreeSet<String> =
        operators.iter().chain(&compositions).map(|e| module(e)).collect();
    for (name, path, text) in modules(project, OPS) {
        let code = source::code_only(text);
        let dossier = source::positions(&code, "SPELLINGS").next().is_some()
            || source::positions(&code, "OpDef").any(|at| code[at..].starts_with("OpDef for"));
        let declared = |code: &str| code.contains(&format!("mod {name};"));
        if listed.contains(name) || name == "prelude" {
            continue;
        }
        if dossier {
            findings.push(Finding::in_file(path, "this dossier is not listed in registry!"));
        } else if !declared(&code_of(project, OPS)) {
            findings.push(Finding::in_file(path, "nothing declares this file"));
        }
    }
    let files: BTreeSet<&str> = modules(project, OPS).into_iter().map(|(name, ..)| name).collect();
    for name in listed.iter().filter(|name| !files.contains(name.as_str())) {
        findings.push(Finding::in_file(OPS, format!("'{name}' is listed but has no file")));
    }
    findings
}

fn code_of(project: &Project, path: &str) -> String {
    source::code_only(project.tree.text(path).unwrap_or_default())
}

/// Number and module of each line of `kernels! { 1 => softmax, }`.
fn numbered(code: &str) -> Option<Vec<(u32, String)>> {
    let at = source::positions(code, "kernels").filter(|&at| code[at..].starts_with("kernels! {"));
    let list = source::braces(code, at.last()?)?;
    let pair = |entry: &str| {
        let (number, module) = entry.split_once("=>")?;
        Some((number.trim().parse().ok()?, module.trim().to_string()))
    };
    entries(list).into_iter().map(pair).collect()
}

/// The kernel list is sorted by number and names every module that has kernels.
pub fn kernels(project: &Project) -> Vec<Finding> {
    let code = code_of(project, KERNELS);
    let Some(list) = numbered(&code) else {
        return vec![Finding::in_file(KERNELS, "there is no kernels! { NUMBER => module, }")];
    };
    let mut findings = Vec::new();
    for pair in list.windows(2) {
        let ((before, _), (number, module)) = (&pair[0], &pair[1]);
        if number <= before {
            let what =
                format!("{number} => {module} stands after {before}; keep numbers ascending");
            findings.push(Finding::in_file(KERNELS, what));
        }
    }
    let names: BTreeSet<&str> = list.iter().map(|(_, module)| module.as_str()).collect();
    if names.len() != list.len() {
        findings.push(Finding::in_file(KERNELS, "a module is listed under two numbers"));
    }
    let modules = modules(project, KERNELS);
    for (name, path, text) in &modules {
        let has_kernels = source::code_only(text).contains("pub const KERNELS:");
        if has_kernels && !names.contains(name) {
            findings.push(Finding::in_file(path, "these kernels have no number in kernels!"));
        }
    }
    for name in names.iter().filter(|name| !modules.iter().any(|(module, ..)| module == *name)) {
        findings.push(Finding::in_file(KERNELS, format!("'{name}' is listed but has no file")));
    }
    findings
}

/// `cases! { a, b, }` is sorted and names every operator of the graph; every file beside it is listed
/// or a declared helper.
pub fn cases(project: &Project) -> Vec<Finding> {
    if project.tree.files("crates/testkit/", "").next().is_none() {
        return Vec::new();
    }
    let code = code_of(project, CASES);
    let at = source::positions(&code, "cases").filter(|&at| code[at..].starts_with("cases! {"));
    let Some(list) = at.last().and_then(|at| source::braces(&code, at)) else {
        return vec![Finding::in_file(CASES, "there is no cases! { operator, }")];
    };
    let list = entries(list);
    let mut findings = unsorted(CASES, "cases", &list);
    let ops = code_of(project, OPS);
    let (operators, _) = listed(&ops).unwrap_or_default();
    for operator in operators {
        let name = operator.split("::").next().unwrap_or_default();
        if !list.contains(&name) {
            let what = format!("operator '{name}' has no cases; list it and write them");
            findings.push(Finding::in_file(CASES, what));
        }
    }
    for (name, path, _) in modules(project, CASES) {
        if !list.contains(&name) && !code.contains(&format!("mod {name};")) {
            findings.push(Finding::in_file(path, "these cases are not listed in cases!"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    const LIST: &str = "macro_rules! registry { (x) => { mod $x; } }
pub mod prelude;
mod shared;
registry! {
    operators { add::Add, clip::Clip, }
    compositions { flatten, identity, }
}
";

    fn ops(list: &str, extra: &[(&str, &str)]) -> Project {
        let dossier = "impl OpDef for X { const SPELLINGS: &[Spelling] = &[]; }";
        let mut files = vec![(OPS, list)];
        for name in ["add", "clip", "flatten", "identity"] {
            let path: &'static str = Box::leak(format!("crates/ir/src/ops/{name}.rs").into());
            files.push((path, dossier));
        }
        files.push(("crates/ir/src/ops/shared/mod.rs", "pub fn helper() {}"));
        files.push(("crates/ir/src/ops/shared/more.rs", "pub fn helper() {}"));
        files.extend_from_slice(extra);
        Project::of(&files)
    }

    #[test]
    fn unlisted_and_unsorted_operators_are_found() {
        let good = ops(LIST, &[]);
        let swapped = LIST.replace("add::Add, clip::Clip", "clip::Clip, add::Add");
        shown_failing(operators, &good, &ops(&swapped, &[]), 1);
        let twice = LIST.replace("flatten,", "flatten, flatten,");
        shown_failing(operators, &good, &ops(&twice, &[]), 1);
        let file = "crates/ir/src/ops/gelu.rs";
        shown_failing(operators, &good, &ops(LIST, &[(file, "impl OpDef for Gelu {}")]), 1);
        shown_failing(operators, &good, &ops(LIST, &[(file, "fn helper() {}")]), 1);
        shown_failing(operators, &good, &ops(&LIST.replace("clip::", "clop::"), &[]), 2);
    }

    #[test]
    fn unnumbered_kernels_are_found() {
        let of = |list: &str, extra: &[(&str, &str)]| {
            let kernel = "pub const KERNELS: &[Kernel] = &[];";
            let mut files = vec![
                (KERNELS, list),
                ("crates/kernels/src/add.rs", kernel),
                ("crates/kernels/src/conv/mod.rs", kernel),
                ("crates/kernels/src/conv/f32.rs", "pub fn run() {}"),
                ("crates/kernels/src/call.rs", "pub struct Call;"),
            ];
            files.extend_from_slice(extra);
            Project::of(&files)
        };
        let list = "macro_rules! kernels { (x) => {} }\nkernels! {\n 1 => add,\n 4 => conv,\n}";
        let good = of(list, &[]);
        shown_failing(kernels, &good, &of(&list.replace("4 =>", "1 =>"), &[]), 1);
        shown_failing(kernels, &good, &of(&list.replace("4 => conv,", ""), &[]), 1);
        shown_failing(kernels, &good, &of(&list.replace("add", "sub"), &[]), 2);
        let new = ("crates/kernels/src/new.rs", "pub const KERNELS: &[Kernel] = &[];");
        shown_failing(kernels, &good, &of(list, &[new]), 1);
    }

    #[test]
    fn an_operator_without_cases_is_found() {
        let toml = ("crates/testkit/Cargo.toml", "");
        let list = "macro_rules! cases { (x) => {} }\ncases! {\n add,\n clip,\n}";
        let good = ops(LIST, &[toml, (CASES, list)]);
        let missing = list.replace("clip,", "");
        shown_failing(cases, &good, &ops(LIST, &[toml, (CASES, &missing)]), 1);
        let unsorted = list.replace("add,\n clip,", "clip,\n add,");
        shown_failing(cases, &good, &ops(LIST, &[toml, (CASES, &unsorted)]), 1);
        shown_failing(cases, &good, &ops(LIST, &[toml]), 1);
        let new = ("crates/testkit/src/cases/gelu.rs", "pub fn cases() {}");
        shown_failing(cases, &good, &ops(LIST, &[toml, (CASES, list), new]), 1);
        let helper = ("crates/testkit/src/cases/case.rs", "pub struct Case;");
        let declared = format!("mod case;\n{list}");
        shown_failing(
            cases,
            &ops(LIST, &[toml, (CASES, &declared), helper]),
            &ops(LIST, &[toml]),
            1,
        );
    }
}
