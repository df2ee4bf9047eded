//! `cargo xtask ci`: everything a change must pass.

use std::time::Instant;

use crate::{shell, test, tidy};

type Step = fn(bool) -> Result<bool, String>;

const STEPS: &[(&str, Step)] = &[
    ("fmt", |_| shell::succeeds(&mut shell::cargo(&["fmt", "--all", "--check"]))),
    ("tidy", |verbose| tidy::run(&[], verbose)),
    ("clippy", |_| {
        let args = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        shell::succeeds(&mut shell::cargo(&args))
    }),
    ("doc", |_| {
        let args = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
        shell::succeeds(shell::cargo(&args).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("test", |verbose| test::run(&[], verbose)),
];

/// Runs every step, also after one has failed, and says which failed.
pub fn run(args: &[String], verbose: bool) -> Result<bool, String> {
    let mut skipped = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let name = (arg == "--skip").then(|| args.next()).flatten();
        let known = name.filter(|name| STEPS.iter().any(|(step, _)| step == name));
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        let usage = || format!("ci takes --skip and one of {}", names.join(", "));
        skipped.push(known.ok_or_else(usage)?.as_str());
    }
    let mut failed = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| !skipped.contains(name)) {
        println!("== {name}");
        let start = Instant::now();
        let passed = step(verbose)?;
        println!("== {name}: {} in {:.0?}", if passed { "ok" } else { "FAILED" }, start.elapsed());
        if !passed {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("ci: all passed");
    } else {
        println!("ci: FAILED {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}
