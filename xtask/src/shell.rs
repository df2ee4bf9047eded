//! Running cargo.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::json::Json;

/// The folder of the workspace that cargo runs this in: checkouts may share a build folder, so what
/// was known when this was compiled may be another's.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().unwrap_or(&here).to_path_buf()
}

/// A cargo command in the workspace. Warnings are errors when `CI` is `true`.
pub fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        command.env("RUSTFLAGS", "-D warnings");
    }
    command
}

/// Whether the command succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool, String> {
    let status = command.status().map_err(|error| cannot_run(command, &error))?;
    Ok(status.success())
}

/// `cannot run cargo: no such file`
pub fn cannot_run(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", command.get_program().display())
}

/// What `cargo metadata` says about the workspace, without its external dependencies.
pub fn metadata() -> Result<Json, String> {
    let mut command = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| cannot_run(&command, &error))?;
    if !output.status.success() {
        return Err("cargo metadata failed".into());
    }
    Json::parse(&String::from_utf8_lossy(&output.stdout))
}
