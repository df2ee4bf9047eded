//! `cargo xtask bench`: times the rows of `benches.toml`, one after the other, in one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::json::Json;
use crate::shell;

/// One row of the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    name: String,
    /// The id of a model in the zoo's manifest.
    zoo: String,
    /// Arguments of `embarca bench`.
    args: Vec<String>,
}

/// Reads `[[bench]]` tables of `key = "text"` lines; other keys and values are refused.
fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let fail = |what: &str| format!("benches.toml:{}: {what}", i + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[[bench]]" {
            rows.push(Row::default());
            continue;
        }
        let row = rows.last_mut().ok_or_else(|| fail("a row starts with [[bench]]"))?;
        let (key, value) = line.split_once('=').ok_or_else(|| fail("key = \"text\" expected"))?;
        let value = value.trim().strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = value.ok_or_else(|| fail("the value stands between quotes"))?;
        match key.trim() {
            "name" => row.name = value.into(),
            "zoo" => row.zoo = value.into(),
            "args" => row.args = value.split_whitespace().map(String::from).collect(),
            other => return Err(fail(&format!("a row has no '{other}'"))),
        }
    }
    match rows.iter().find(|row| row.name.is_empty() || row.zoo.is_empty()) {
        Some(row) => Err(format!("benches.toml: row '{}' needs a name and a zoo id", row.name)),
        None => Ok(rows),
    }
}

/// The file of a model of the zoo: of Caffe's several the net, beside which its weights lie.
fn model(zoo: &Path, manifest: &Json, id: &str) -> Result<PathBuf, String> {
    let models = manifest.get("models").list().iter();
    let model = models.clone().find(|model| model.get("id").text() == id);
    let model = model.ok_or_else(|| format!("the zoo has no model '{id}'"))?;
    let mut files = model.get("files").list().iter().map(Json::text);
    let net = files.clone().find(|file| file.ends_with(&format!("{id}.prototxt")));
    let file = net.or_else(|| files.next()).ok_or_else(|| format!("'{id}' has no file"))?;
    Ok(zoo.join(file))
}

/// Builds the command for release and runs `embarca bench` on each row that is named (or all).
pub fn run(args: &[String]) -> Result<bool, String> {
    let root = shell::root();
    let read = |path: PathBuf| {
        fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let mut rows = parse(&read(root.join("benches.toml"))?)?;
    if let Some(name) = args.iter().find(|name| !rows.iter().any(|row| row.name == **name)) {
        return Err(format!("benches.toml has no row '{name}'"));
    }
    rows.retain(|row| args.is_empty() || args.contains(&row.name));
    let zoo = std::env::var_os("EMBARCA_ZOO").map(PathBuf::from);
    let zoo = zoo.ok_or("set EMBARCA_ZOO to the folder of the zoo of models")?;
    let manifest = Json::parse(&read(zoo.join("manifest.json"))?)?;

    let build = ["build", "--release", "--package", "embarca-cli"];
    if !shell::succeeds(&mut shell::cargo(&build))? {
        return Ok(false);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = target.join("release").join(format!("embarca{}", std::env::consts::EXE_SUFFIX));
    println!("{:<32} {:>10} {:>10} {:>10} {:>10}", "ms", "first", "min", "p50", "p99");
    let mut all = true;
    for row in &rows {
        let mut command = Command::new(&program);
        command.arg("bench").arg(model(&zoo, &manifest, &row.zoo)?).arg("--raw").args(&row.args);
        let output = command.output().map_err(|error| shell::cannot_run(&command, &error))?;
        if output.status.success() {
            println!("{:<32} {}", row.name, Times::of(&String::from_utf8_lossy(&output.stdout)));
        } else {
            println!("{:<32} {}", row.name, String::from_utf8_lossy(&output.stderr).trim());
            all = false;
        }
    }
    Ok(all)
}

/// What `embarca bench --raw` printed, in milliseconds.
#[derive(Debug, Default, PartialEq)]
struct Times {
    first: f64,
    sorted: Vec<f64>,
}

impl Times {
    fn of(text: &str) -> Self {
        let mut times = Self::default();
        for line in text.lines() {
            if let Some(first) = line.strip_prefix("# first_ms ") {
                times.first = first.trim().parse().unwrap_or(f64::NAN);
            } else if let Ok(ms) = line.trim().parse() {
                times.sorted.push(ms);
            }
        }
        times.sorted.sort_by(f64::total_cmp);
        times
    }

    /// The smallest time that `percent` of the runs did not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (min, p50, p99) = (self.percentile(0), self.percentile(50), self.percentile(99));
        write!(f, "{:>10.3} {min:>10.3} {p50:>10.3} {p99:>10.3}", self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_read() {
        let rows =
            parse("# x\n[[bench]]\nname = \"a\"\nzoo = \"b\"\nargs = \"--threads 2\"\n").unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].args, ["--threads", "2"]);
        for bad in [
            "name = \"a\"",
            "[[bench]]\nname = a",
            "[[bench]]\nspeed = \"1\"",
            "[[bench]]\nname = \"a\"",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_summed_up() {
        let times = Times::of("# first_ms 9.5\n3\n1\nnoise\n2\n4\n");
        assert_eq!((times.first, times.sorted.len()), (9.5, 4));
        assert_eq!([0, 50, 99, 100].map(|percent| times.percentile(percent)), [1.0, 2.0, 4.0, 4.0]);
    }

    #[test]
    fn every_row_of_the_project_parses() {
        let text = include_str!("../../benches.toml");
        assert!(!parse(text).unwrap().is_empty());
    }
}
