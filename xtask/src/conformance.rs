//! `cargo xtask conformance SUITE`: other people's tests, counted into `docs/conformance.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;

const HELP: &str = "\
cargo xtask conformance onnx [--from FOLDER|WHEEL] [--download VERSION] [--only TEXT] [--list FILE]
cargo xtask conformance tflite|zoo [--from ZOO] [--only TEXT] [--list FILE]

  --from      ONNX: the folder `node` of the package's test data, or a wheel up to onnx 1.22.0, which
              holds it; the others: the zoo, else what EMBARCA_ZOO names
  --download  fetches that version of the package `onnx` with pip, into the build folder; from 1.23 on
              the cases are written by the package itself, in a virtual environment there
  --only      only cases whose name holds this text; docs/conformance.md stays as it is
  --list      writes a line for each case into a file
";

/// Runs a suite; whether nothing was wrong and nothing panicked.
pub fn run(args: &[String]) -> Result<bool, String> {
    let Some((suite, rest)) = args.split_first() else { return Err(HELP.into()) };
    let (mut from, mut download, mut passed_on) = (None, None, Vec::new());
    for pair in rest.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} has no value\n\n{HELP}", pair[0])) };
        match flag.as_str() {
            "--from" => from = Some(PathBuf::from(value)),
            "--download" if suite == "onnx" => download = Some(value.as_str()),
            "--only" | "--list" => passed_on.extend([flag.clone(), value.clone()]),
            other => return Err(format!("conformance takes no '{other}'\n\n{HELP}")),
        }
    }
    let root = shell::root();
    let build = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let store = build.join("conformance");
    let (folder, label) = match suite.as_str() {
        "onnx" => {
            let source = match (from, download) {
                (Some(from), _) => from,
                (None, Some(version)) => fetch(&store, version)?,
                (None, None) => return Err(nothing()),
            };
            let label = version_in(&source).map(|version| format!("onnx {version}"));
            (unpacked(&source, &store)?, label.unwrap_or_default())
        }
        "tflite" | "zoo" => {
            let zoo = from.or_else(|| std::env::var_os("EMBARCA_ZOO").map(PathBuf::from));
            let zoo = zoo.ok_or("give the folder of the zoo with --from, or in EMBARCA_ZOO")?;
            (zoo, "the zoo".to_owned())
        }
        other => return Err(format!("there is no suite '{other}'\n\n{HELP}")),
    };
    let mut command = shell::cargo(&["run", "--quiet", "--package", "embarca-testkit"]);
    command.args(["--bin", "conformance", "--", suite]).arg(folder).args(&passed_on);
    if !label.is_empty() {
        command.args(["--label", &label]);
    }
    if !passed_on.iter().any(|arg| arg == "--only") {
        command.arg("--doc").arg(root.join("docs/conformance.md"));
    }
    shell::succeeds(&mut command)
}

fn nothing() -> String {
    "the cases are part of the Python package `onnx`. One command fetches them with pip and runs \
     them:\n\n    cargo xtask conformance onnx --download 1.22.0\n\nor give a wheel or a folder with \
     --from"
        .to_owned()
}

/// `1.22.0` from the first part of a path that begins with `onnx-`.
fn version_in(path: &Path) -> Option<String> {
    let mut parts = path.iter().filter_map(|part| part.to_str());
    let version = parts.find_map(|part| part.strip_prefix("onnx-"))?;
    Some(version.split('-').next().unwrap_or(version).to_owned())
}

/// The folder of the cases in a folder or a wheel.
fn unpacked(source: &Path, store: &Path) -> Result<PathBuf, String> {
    const INSIDE: &str = "onnx/backend/test/data/node";
    if source.is_dir() {
        let inner = source.join(INSIDE);
        return Ok(if inner.is_dir() { inner } else { source.to_path_buf() });
    }
    let stem = source.file_stem().ok_or("--from names no file")?;
    let to = store.join(stem);
    if !to.join(INSIDE).is_dir() {
        let mut unzip = Command::new("unzip");
        unzip.args(["-q", "-o"]).arg(source).arg(format!("{INSIDE}/*")).arg("-d").arg(&to);
        if !shell::succeeds(&mut unzip)? {
            let what = "does not unpack; wheels from onnx 1.23 on hold no cases: --download them";
            return Err(format!("{} {what}", source.display()));
        }
    }
    Ok(to.join(INSIDE))
}

/// Fetches a version of the package; the wheel or the folder of its cases.
fn fetch(store: &Path, version: &str) -> Result<PathBuf, String> {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    if parts.len() != 3 {
        return Err(format!("{version} is no version: 1.22.0, say"));
    }
    std::fs::create_dir_all(store).map_err(|error| error.to_string())?;
    let package = format!("onnx=={version}");
    let step = |command: &mut Command| {
        println!("{command:?}");
        match shell::succeeds(command)? {
            true => Ok(()),
            false => Err(format!("{} failed", command.get_program().display())),
        }
    };
    if (parts[0], parts[1]) < (1, 23) {
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", &package, "--dest"];
        step(Command::new("python3").args(pip).arg(store))?;
        let wheels = std::fs::read_dir(store).map_err(|error| error.to_string())?;
        let mut wheels = wheels.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
        let wheel = wheels.find(|path| version_in(path).as_deref() == Some(version));
        return wheel.ok_or_else(|| format!("pip left no wheel in {}", store.display()));
    }
    let cases = store.join(format!("onnx-{version}"));
    if !cases.is_dir() {
        let environment = store.join(format!("python-{version}"));
        let python = environment.join(if cfg!(windows) { "Scripts/python" } else { "bin/python" });
        step(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        step(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        let script = shell::root().join("xtask/onnx_cases.py");
        step(Command::new(&python).arg(script).arg(&cases))?;
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_names() {
        let found = |path: &str| version_in(Path::new(path));
        assert_eq!(found("a/onnx-1.22.0-cp311-x.whl").as_deref(), Some("1.22.0"));
        assert_eq!(found("store/onnx-1.23.2").as_deref(), Some("1.23.2"));
        assert_eq!(found("onnx/backend"), None);
    }
}
