//! Limits have the same names everywhere, and a file that is being written is never half written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const TOUR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour");

fn embarca() -> Command {
    Command::new(env!("CARGO_BIN_EXE_embarca"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embarca-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_verb_that_reads_models_keeps_the_limits() {
    let folder = Folder::new("limits");
    let model = format!("{TOUR}/digits_int8.tflite");
    let plan = folder.0.join("x.plan");
    let out = plan.to_str().unwrap();
    let verbs: [&[&str]; 5] = [
        &["inspect", &model],
        &["build", &model, "--out", out],
        &["run", &model, &model],
        &["compare", &model, &model],
        &["bench", &model, "--runs", "1"],
    ];
    for limit in [
        "--limit-tensors=3",
        "--limit-nodes=1",
        "--limit-graphs=0",
        "--limit-rank=1",
        "--limit-elements=5",
        "--limit-list=1",
        "--limit-text=2",
        "--limit-file=100",
        "--limit-memory=0 --limit-memory-per-byte=0",
    ] {
        let flag = limit.split('=').next().unwrap();
        for verb in verbs {
            let output = embarca().args(verb).args(limit.split(' ')).output().unwrap();
            let error = said(&output);
            assert_eq!(output.status.code(), Some(1), "{verb:?} {limit}: {error}");
            let raises = error.contains("raises the limit") && error.contains(flag);
            assert!(raises, "{verb:?} {limit}: {error}");
        }
    }
    let output = embarca().args(["inspect", &model, "--limit-tensors", "1000"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn build(model: &Path, plan: &Path) -> Command {
    let mut command = embarca();
    command.arg("build").arg(model).arg("--out").arg(plan);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// `EMBARCA_KILLS` says how often; 100 times unless it does.
#[test]
fn a_build_that_is_killed_leaves_the_old_plan_or_the_new() {
    let kills = std::env::var("EMBARCA_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills: u32 = kills.unwrap_or(100);
    let folder = Folder::new("kills");
    let models = ["f32", "int8"].map(|kind| PathBuf::from(format!("{TOUR}/digits_{kind}.tflite")));
    let plan = folder.0.join("digits.plan");
    let mut whole = Vec::new();
    let mut took = Duration::ZERO;
    for model in &models {
        let started = Instant::now();
        assert!(build(model, &plan).status().unwrap().success());
        took = took.max(started.elapsed());
        whole.push(std::fs::read(&plan).unwrap());
    }
    assert_ne!(whole[0], whole[1]);
    let mut found = [0; 2];
    for kill in 0..kills {
        let mut child = build(&models[kill as usize % 2], &plan).spawn().unwrap();
        // Most of the moments lie at the end, where the file is written.
        let share = 0.5 + 0.7 * f64::from(kill) / f64::from(kills);
        std::thread::sleep(took.mul_f64(share));
        child.kill().unwrap();
        child.wait().unwrap();
        let there = std::fs::read(&plan).unwrap();
        let which = whole.iter().position(|plan| *plan == there);
        found[which.unwrap_or_else(|| panic!("kill {kill} leaves {} bytes", there.len()))] += 1;
        let files = std::fs::read_dir(&folder.0).unwrap().count();
        assert!(files <= 2, "kill {kill} leaves {files} files");
    }
    println!("{kills} kills: {found:?} of the two plans");
    assert!(build(&models[0], &plan).status().unwrap().success());
    let names: Vec<_> =
        std::fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["digits.plan"], "the next build cleans up");
}
