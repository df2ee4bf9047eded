//! `driver TARGET RUNS SECONDS SEED CORPUS CURRENT` fuzzes, `driver TARGET --input FILE` executes once.
//! Seconds of 0 stand for no limit. `cargo xtask fuzz` calls it and watches it.

mod coverage;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use embarca_testkit::fuzz::engine::{Settings, execute, fuzz};
use embarca_testkit::fuzz::find;

use coverage::Counters;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("driver: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().ok_or("no target")?;
    let target = find(name).ok_or_else(|| format!("there is no target '{name}'"))?;
    if let [_, flag, path] = &args[..]
        && flag == "--input"
    {
        let input = std::fs::read(path)?;
        return Ok(match execute(target, &input) {
            Some(finding) => {
                println!("{name}: {finding}");
                false
            }
            None => {
                println!("{name}: nothing is wrong");
                true
            }
        });
    }
    let [_, runs, seconds, seed, corpus, current] = &args[..] else {
        return Err("driver TARGET RUNS SECONDS SEED CORPUS CURRENT".into());
    };
    let seconds: u64 = seconds.parse()?;
    let settings = Settings {
        runs: runs.parse()?,
        time: (0 < seconds).then(|| Duration::from_secs(seconds)),
        seed: seed.parse()?,
        corpus: Some(corpus.into()),
        current: Some(current.into()),
    };
    println!("{name}: {}; {} counters", target.about, Counters::count());
    let report = fuzz(target, &settings, &mut Counters, &mut |report, time| {
        let rate = report.runs as f64 / time.as_secs_f64();
        let (runs, kept, places) = (report.runs, report.kept, report.places);
        println!("{name}: {runs} runs, {rate:.0} a second, {kept} inputs, {places} places");
    })?;
    let (runs, kept, places) = (report.runs, report.kept, report.places);
    println!("{name}: {runs} runs done, {kept} inputs, {places} places");
    match report.finding {
        Some((finding, _)) => {
            println!("{name}: {finding}");
            Ok(false)
        }
        None => Ok(true),
    }
}
