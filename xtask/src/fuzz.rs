//! `cargo xtask fuzz` and `cargo xtask mutants`: inputs that nobody has thought of, in a child process
//! under limits.

use std::path::PathBuf;

use crate::shell;
use crate::watch::{Ended, save, watch};

const HELP: &str = "\
cargo xtask fuzz TARGET [--runs N] [--seconds S] [--seed N]    guided by coverage, on any toolchain
cargo xtask fuzz TARGET --input FILE                           executes one input, a finding say

  TARGET      onnx, tflite, caffe, plan, task, differential or emb
  --runs      executions [default: 100000]
  --seconds   ends earlier after so many
  --seed      of the random numbers [default: 1]

Seeds are hostile files, small models and fuzz/corpus/TARGET; what reaches new places is kept in the
build folder.
";

const MUTANTS: &str = "\
cargo xtask mutants FORMAT [--count N] [--first N]

  FORMAT      onnx, tflite, caffe or plan
  --count     damaged models [default: 20000]
  --first     the number of the first; a finding names its own
";

/// The passes that count how often places are reached; code generation options of stable rustc.
const PASSES: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
                      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters";

/// The values of these flags, in their order.
fn flags<const N: usize>(
    args: &[String],
    names: [&str; N],
    help: &str,
) -> Result<[Option<String>; N], String> {
    let mut values = [const { None }; N];
    for pair in args.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} has no value\n\n{help}", pair[0])) };
        let place = names.iter().position(|name| name == flag);
        let place = place.ok_or_else(|| format!("there is no '{flag}'\n\n{help}"))?;
        values[place] = Some(value.clone());
    }
    Ok(values)
}

fn build_folder() -> PathBuf {
    let own = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    own.unwrap_or_else(|| shell::root().join("target"))
}

/// Fuzzes one target; whether nothing was found.
pub fn run(args: &[String]) -> Result<bool, String> {
    let Some((target, rest)) = args.split_first() else { return Err(HELP.into()) };
    let names = ["--runs", "--seconds", "--seed", "--input"];
    let [runs, seconds, seed, input] = flags(rest, names, HELP)?;
    let root = shell::root();
    let store = build_folder().join("fuzz");
    let host = host()?;
    // Flags for a named host leave the programs that run while building alone.
    let mut command = shell::cargo(&["build", "--quiet", "--release", "--target", &host]);
    command.args(["--package", "embarca-fuzz-driver", "--target-dir"]).arg(&store);
    command.current_dir(root.join("fuzz")).env("RUSTFLAGS", PASSES);
    if !shell::succeeds(&mut command)? {
        return Err("the driver does not build".into());
    }
    let driver = store.join(&host).join("release/embarca-fuzz-driver");
    if let Some(input) = input {
        return Ok(matches!(
            watch(&driver, &[target, "--input", &input], &input_of(&input))?,
            Ended::Well
        ));
    }
    let (corpus, current) =
        (store.join("corpus").join(target), store.join(format!("{target}.current")));
    std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    // What a run before this one has left must not be taken for a first input.
    let _ = std::fs::remove_file(&current);
    let (corpus_text, current_text) = (corpus.display().to_string(), current.display().to_string());
    let words = [
        target,
        runs.as_deref().unwrap_or("100000"),
        seconds.as_deref().unwrap_or("0"),
        seed.as_deref().unwrap_or("1"),
        &corpus_text,
        &current_text,
    ];
    match watch(&driver, &words, &current)? {
        Ended::Well => Ok(true),
        Ended::Badly(how) => {
            let path = save(&current, &root.join("fuzz/findings"), target)?;
            let path = path.strip_prefix(&root).unwrap_or(&path);
            println!("{target}: {how}");
            println!(" next: cargo xtask fuzz {target} --input {}", path.display());
            Ok(false)
        }
    }
}

/// A file that is never written: one execution keeps nothing at hand.
fn input_of(input: &str) -> PathBuf {
    PathBuf::from(format!("{input}.current"))
}

/// The triple of this machine.
fn host() -> Result<String, String> {
    let mut command = std::process::Command::new("rustc");
    command.args(["--version", "--verbose"]);
    let output = command.output().map_err(|error| shell::cannot_run(&command, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".into())
}

/// Reads damaged models of one format; whether nothing was found.
pub fn mutants(args: &[String]) -> Result<bool, String> {
    let Some((format, rest)) = args.split_first() else { return Err(MUTANTS.into()) };
    let [count, first] = flags(rest, ["--count", "--first"], MUTANTS)?;
    let mut command = shell::cargo(&["build", "--quiet", "--package", "embarca-testkit"]);
    command.args(["--bin", "mutants"]);
    if !shell::succeeds(&mut command)? {
        return Err("the runner does not build".into());
    }
    let build = build_folder();
    let current = build.join(format!("mutants-{format}.current"));
    let _ = std::fs::remove_file(&current);
    let current_text = current.display().to_string();
    let (count, first) = (count.as_deref().unwrap_or("20000"), first.as_deref().unwrap_or("0"));
    match watch(&build.join("debug/mutants"), &[format, count, &current_text, first], &current)? {
        Ended::Well => Ok(true),
        Ended::Badly(how) => {
            let number = crate::watch::input(&current).map_or(0, |(number, _)| number);
            let path =
                save(&current, &shell::root().join("fuzz/findings"), &format!("mutant-{format}"))?;
            println!("{format}: {how}; mutant {number} is kept as {}", path.display());
            println!(" next: cargo xtask mutants {format} --count 1 --first {number}");
            Ok(false)
        }
    }
}
