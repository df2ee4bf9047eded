//! The project's chores: `cargo xtask VERB`. Needs nothing but the Rust toolchain.

mod bench;
mod bless;
mod boards;
mod ci;
mod conformance;
mod fuzz;
mod json;
mod shell;
mod source;
mod test;
mod tidy;
mod tree;
mod watch;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask VERB

  test                   every test, unit tests first; with EMBARCA_ZOO=FOLDER the zoo's models too
  ci                     formatting, tidy, lints, documentation, test (--skip NAME leaves one out)
  tidy                   the laws of ARCHITECTURE.md that a program can check
  bless [records|texts]  locks new parameter records, refreshes golden texts
  boards                 installs Debian's emulators and compilers for microcontrollers
  conformance SUITE      onnx, tflite or zoo: passed, refused, wrong, into docs/conformance.md
  fuzz TARGET            guided by coverage, a target of docs/trust.md (--runs N, --seconds S)
  mutants FORMAT         damaged models by the thousand, in bounded time and memory (--count N)
  bench [NAME]...        builds for release and times the rows of benches.toml

Everything a verb prints is short; -v or --verbose prints all of it.
";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|arg| arg == "-v" || arg == "--verbose");
    args.retain(|arg| arg != "-v" && arg != "--verbose");
    let (verb, rest) = match args.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match verb {
        "test" => test::run(rest, verbose),
        "ci" => ci::run(rest, verbose),
        "tidy" => tidy::run(rest, verbose),
        "bless" => bless::run(rest),
        "boards" => boards::run(rest),
        "conformance" => conformance::run(rest),
        "fuzz" => fuzz::run(rest),
        "mutants" => fuzz::mutants(rest),
        "bench" => bench::run(rest),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(format!("there is no verb '{other}'\n\n{HELP}")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::from(2)
        }
    }
}
