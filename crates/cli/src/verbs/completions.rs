//! `embarca completions SHELL`

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::failure::Result;
use crate::show;

/// Prints a completion script.
pub fn run(args: &Completions) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "embarca", &mut script);
    show::print(&String::from_utf8_lossy(&script))
}
