//! `cargo xtask test`: every test of the workspace, the fast ones first.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use crate::json::Json;
use crate::shell;

/// What test programs said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Count {
    /// Adds the numbers of a line `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some(numbers) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = numbers.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Runs unit tests, then integration tests, then the examples in the documentation. The last line
/// is `N passed, N failed`.
pub fn run(args: &[String], verbose: bool) -> Result<bool, String> {
    if let Some(arg) = args.first() {
        return Err(format!("test takes no '{arg}'; for one crate: cargo test -p CRATE"));
    }
    match std::env::var_os("EMBARCA_ZOO") {
        Some(zoo) => println!("with the models in {}", zoo.display()),
        None => println!("without the zoo of models (EMBARCA_ZOO=FOLDER adds it)"),
    }
    let metadata = shell::metadata()?;
    let has = |kind: &str| {
        let packages = metadata.get("packages").list().iter();
        let mut targets = packages.flat_map(|package| package.get("targets").list());
        targets.any(|target| target.get("kind").list().contains(&Json::Text(kind.into())))
    };
    let mut tiers: Vec<(&str, Vec<&str>)> = vec![("unit tests", vec!["--lib", "--bins"])];
    if has("test") {
        tiers.push(("integration tests", vec!["--test", "*"]));
    }
    if has("example") {
        tiers.push(("examples", vec!["--examples"]));
    }
    tiers.push(("documentation", vec!["--doc"]));

    let mut count = Count::default();
    let mut sound = true;
    for (name, args) in tiers {
        println!("-- {name}");
        let start = Instant::now();
        sound &= tier(&args, verbose, &mut count)?;
        println!("-- {name}: {:.0?}", start.elapsed());
    }
    if 0 < count.ignored {
        println!("{} ignored", count.ignored);
    }
    if !sound && count.failed == 0 {
        println!("a test program did not build or did not finish");
        count.failed = 1;
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(sound && count.failed == 0)
}

/// Runs one tier and shows what is worth seeing of it.
fn tier(args: &[&str], verbose: bool, count: &mut Count) -> Result<bool, String> {
    let mut command = shell::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(args).stdout(Stdio::piped());
    if !verbose {
        command.arg("--quiet");
    }
    let mut child = command.spawn().map_err(|error| shell::cannot_run(&command, &error))?;
    let stdout = child.stdout.take().ok_or("cargo has no output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| format!("cannot read cargo's output: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        count.add(&line);
        if verbose || !is_routine(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("cargo: {error}"))?;
    Ok(status.success())
}

/// Whether a line says nothing but that all is well.
fn is_routine(line: &str) -> bool {
    let dots = |line: &str| {
        line.split(' ').next().is_some_and(|dots| dots.bytes().all(|b| b == b'.' || b == b'i'))
    };
    line.is_empty()
        || line.starts_with("running ")
        || line.starts_with("test result: ok")
        || line.starts_with("all doctests ran in")
        || (line.starts_with("test ") && (line.ends_with("... ok") || line.contains("... ignored")))
        || dots(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let mut count = Count::default();
        count.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        count.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        count.add("test tests::result: 7 passed ... ok");
        assert_eq!(count, Count { passed: 15, failed: 2, ignored: 1 });
    }

    #[test]
    fn only_news_is_shown() {
        for line in [
            "",
            "running 3 tests",
            "test a::b ... ok",
            "....i..",
            ".... 87/93",
            "test result: ok. 1 passed",
        ] {
            assert!(is_routine(line), "{line}");
        }
        for line in
            ["test a::b ... FAILED", "thread 'a' panicked at b", "skipped: EMBARCA_ZOO is not set"]
        {
            assert!(!is_routine(line), "{line}");
        }
    }
}
