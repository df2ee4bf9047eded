//! Golden text of every pass: `tests/golden/<pass>.txt`.
//!
//! A case is `=== title`, the graph before, and either `--- becomes` with what the pass alone makes
//! of it in the end or `--- stays`. `EMBARCA_BLESS=1` (or `cargo xtask bless`) writes what the
//! passes yield now.

use std::path::{Path, PathBuf};

use embarca_ir::{Model, text, verify};
use embarca_opt::rewrite::{Verdict, rewrite};
use embarca_opt::{PASSES, Pass, QUANTIZED_PASSES, TARGET_PASSES};

/// Fewer cases than this do not say when a pass acts and when it must not.
const MIN_CASES: usize = 3;

struct Case<'a> {
    title: &'a str,
    before: &'a str,
}

struct File<'a> {
    preamble: &'a str,
    cases: Vec<Case<'a>>,
}

fn split(text: &str) -> File<'_> {
    let (preamble, rest) = match text.find("=== ") {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let cases = rest.split("=== ").skip(1).map(|case| {
        let (title, body) = case.split_once('\n').unwrap_or((case, ""));
        let before = body.split("--- ").next().unwrap_or_default();
        Case { title: title.trim(), before }
    });
    File { preamble, cases: cases.collect() }
}

fn parse(case: &Case<'_>, place: &str) -> Model {
    let model = text::parse(case.before, &[]).unwrap_or_else(|error| panic!("{place}: {error}"));
    verify(&model).unwrap_or_else(|error| panic!("{place}: {error}"));
    model
}

/// The section behind the graph of a case.
fn after(pass: &str, case: &Case<'_>, place: &str) -> String {
    let model = parse(case, place);
    let untouched = rewrite(model.clone(), &mut |_, _| Ok(Verdict::Keep)).unwrap().0;
    let (result, changed) = run(pass, model).unwrap_or_else(|error| panic!("{place}: {error}"));
    verify(&result).unwrap_or_else(|error| panic!("{place}: {error}\n{}", text::dump(&result)));
    let (result, untouched) = (text::dump(&result), text::dump(&untouched));
    assert_eq!(changed, result != untouched, "{place}: the pass does not say what it did");
    if changed { format!("--- becomes\n{result}\n") } else { "--- stays\n\n".to_owned() }
}

/// Applies a pass until it comes to rest.
fn run(pass: &str, mut model: Model) -> Result<(Model, bool), embarca_ir::ShapeError> {
    let (_, pass) = passes().find(|(name, _)| *name == pass).expect("a listed pass");
    let mut allowance = embarca_opt::Allowance::of(&model);
    for round in 0.. {
        let (next, changed) = pass(model, &mut allowance)?;
        model = next;
        if !changed {
            return Ok((model, 0 < round));
        }
        assert!(round < 16, "the pass does not come to rest");
    }
    unreachable!("the loop returns or panics")
}

fn passes() -> impl Iterator<Item = &'static (&'static str, Pass)> {
    let own = |pass: &&(&str, Pass)| PASSES.iter().all(|(name, _)| *name != pass.0);
    PASSES.iter().chain(QUANTIZED_PASSES.iter().filter(own)).chain(TARGET_PASSES)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn passes_do_what_their_golden_text_says() {
    let bless = std::env::var_os("EMBARCA_BLESS").is_some();
    for (pass, _) in passes() {
        let path = folder().join(format!("{pass}.txt"));
        let golden = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = split(&golden);
        assert!(MIN_CASES <= file.cases.len(), "{pass} has {} cases", file.cases.len());
        let mut text = file.preamble.to_owned();
        for case in &file.cases {
            let place = format!("{pass}: {}", case.title);
            let (title, before) = (case.title, case.before.trim_end());
            let after = after(pass, case, &place);
            text.push_str(&format!("=== {title}\n{before}\n{after}"));
        }
        let text = format!("{}\n", text.trim_end());
        assert!(text.contains("--- becomes") && text.contains("--- stays"), "{pass}");
        if bless {
            std::fs::write(&path, &text).unwrap();
        } else {
            let path = path.display();
            assert!(golden == text, "{path}: {}", first_difference(&golden, &text));
        }
    }
}

/// The first line that differs, and what to do about it.
fn first_difference(golden: &str, text: &str) -> String {
    let lines = golden.lines().chain([""]).zip(text.lines().chain([""]));
    let (number, (golden, now)) = (1..).zip(lines).find(|(_, (a, b))| a != b).unwrap_or_default();
    let hint = "`cargo xtask bless` refreshes the file";
    format!("line {number} was\n{golden}\nand is now\n{now}\n{hint}")
}

#[test]
fn every_golden_file_belongs_to_a_pass() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let pass = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(passes().any(|(name, _)| *name == pass), "{}", path.display());
    }
}
