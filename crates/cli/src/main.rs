//! The `embarca` command.

mod answer;
mod answers;
mod args;
mod engine;
mod failure;
mod input;
mod items;
mod json;
mod limits;
mod media;
mod pictures;
mod progress;
mod rows;
mod show;
mod sounds;
mod stats;
mod task;
mod term;
mod texts;
mod verbs;
mod video;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are not failures; clap knows which stream each belongs to.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    let done = match args.verb {
        Verb::Tour(args) => verbs::tour::run(&args),
        Verb::Inspect(args) => verbs::inspect::run(&args),
        Verb::Build(args) => verbs::build::run(&args),
        Verb::Convert(args) => verbs::convert::run(&args),
        Verb::Check(args) => verbs::check::run(&args),
        Verb::Run(args) => verbs::run::run(&args),
        Verb::Compare(args) => verbs::compare::run(&args),
        Verb::Bench(args) => verbs::bench::run(&args),
        Verb::Emit(args) => verbs::emit::run(&args),
        Verb::Emulate(args) => verbs::emulate::run(&args),
        Verb::Targets(args) => verbs::targets::run(&args),
        Verb::Completions(args) => verbs::completions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
