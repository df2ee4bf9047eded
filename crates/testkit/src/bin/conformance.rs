//! Runs a suite of conformance tests; `cargo xtask conformance` starts it.
//!
//! `conformance SUITE FOLDER [--label TEXT] [--doc FILE] [--only TEXT] [--jobs N] [--list FILE]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use embarca_testkit::conformance::report::{self, Counts};
use embarca_testkit::conformance::{Outcome, Suite, run_all, worker};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("conformance: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is wrong and nothing panicked.
fn run(args: &[String]) -> Result<bool, String> {
    let suite = |name: &String| Suite::from_name(name).ok_or(format!("there is no suite '{name}'"));
    let (name, folder, rest) = match args {
        [first, name, folder] if first == "worker" => {
            worker(suite(name)?, Path::new(folder));
            return Ok(true);
        }
        [name, folder, rest @ ..] => (name, Path::new(folder), rest),
        _ => return Err("conformance SUITE FOLDER".to_owned()),
    };
    let suite = suite(name)?;
    let (mut label, mut doc, mut list) = (String::new(), None, None);
    let (mut only, mut jobs) = (None, std::thread::available_parallelism().map_or(2, usize::from));
    for pair in rest.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} has no value", pair[0])) };
        match flag.as_str() {
            "--label" => label.clone_from(value),
            "--doc" => doc = Some(PathBuf::from(value)),
            "--list" => list = Some(PathBuf::from(value)),
            "--only" => only = Some(value),
            "--jobs" => jobs = value.parse().map_err(|_| "--jobs takes a number")?,
            other => return Err(format!("there is no {other}")),
        }
    }
    let mut cases = suite.cases(folder)?;
    cases.retain(|case| only.is_none_or(|only| case.contains(only.as_str())));
    if label.is_empty() {
        label = format!("{} cases", cases.len());
    }
    let all = cases.len();
    let show = |done: usize| {
        if done.is_multiple_of(100) || done == all {
            eprint!("\r{done} of {all}");
        }
    };
    let outcomes = run_all(suite, folder, &cases, jobs, &show)?;
    eprintln!();

    let counts = Counts::of(&outcomes);
    for (case, outcome) in cases.iter().zip(&outcomes) {
        match outcome {
            Outcome::Wrong(place) => println!("wrong     {case}: {place}"),
            Outcome::Died(reason) => println!("panicked  {case}: {reason}"),
            _ => {}
        }
    }
    for group in report::refusals(&cases, &outcomes) {
        let op = if group.op.is_empty() { "(none)" } else { &group.op };
        println!("refused {:>4}  {op}: {}", group.names.len(), group.reason);
    }
    println!(
        "{}: {all} cases, {} passed ({} %; {} with some inputs fixed, {} with all), \
         {} refused, {} wrong, {} panicked",
        suite.name(),
        counts.passed,
        counts.percent(),
        counts.some_fixed,
        counts.all_fixed,
        counts.refused,
        counts.wrong,
        counts.died
    );
    if let Some(path) = list {
        let lines: Vec<String> =
            cases.iter().zip(&outcomes).map(|(case, o)| format!("{case}\t{o:?}\n")).collect();
        std::fs::write(&path, lines.concat()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if let Some(path) = doc {
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let section = report::section(suite, &label, &cases, &outcomes);
        let after = report::merged(&before, &report::heading(suite, &label), &section);
        std::fs::write(&path, after).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts.wrong == 0 && counts.died == 0)
}
