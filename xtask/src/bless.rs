//! `cargo xtask bless`: refreshes golden texts and `records.lock`.

use std::fs;

use crate::json::Json;
use crate::shell;
use crate::tidy::{Project, records};
use crate::tree::Tree;

/// Crates whose tests compare with golden texts and rewrite them under `EMBARCA_BLESS=1`.
const GOLDEN: &[&str] = &["embarca-ir", "embarca-opt", "embarca-compile", "embarca-cli"];

/// Locks new records and refreshes golden texts, or does one of the two. A changed record is refused.
pub fn run(args: &[String]) -> Result<bool, String> {
    let (lock, texts) = match args {
        [] => (true, true),
        [what] if what == "records" => (true, false),
        [what] if what == "texts" => (false, true),
        _ => return Err("bless takes nothing, 'records' or 'texts'".into()),
    };
    if lock && !lock_records()? {
        return Ok(false);
    }
    if texts { refresh_texts() } else { Ok(true) }
}

/// Whether nothing that plans rely on has changed; writes what is new.
fn lock_records() -> Result<bool, String> {
    let root = shell::root();
    let project = Project { tree: Tree::read(&root)?, metadata: Json::Null };
    let current = records::current(&project);
    let old = project.tree.text(records::LOCK).unwrap_or_default();
    let broken = records::broken(&records::locked(old), &current);
    for what in &broken {
        eprintln!("{}: {what}", records::LOCK);
    }
    if !broken.is_empty() {
        eprintln!("If no plan with it was ever released, delete its line there and bless again.");
        return Ok(false);
    }
    let new = records::text(&current);
    if new != old {
        let path = root.join(records::LOCK);
        fs::write(&path, new)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("{} refreshed", records::LOCK);
    }
    Ok(true)
}

/// Runs the tests that rewrite their golden texts when asked to.
fn refresh_texts() -> Result<bool, String> {
    let metadata = shell::metadata()?;
    let exists = |name: &str| {
        metadata.get("packages").list().iter().any(|package| package.get("name").text() == name)
    };
    let mut args = vec!["test", "--quiet"];
    for name in GOLDEN.iter().filter(|name| exists(name)) {
        args.extend(["--package", name]);
    }
    if args.len() == 2 {
        return Ok(true);
    }
    println!("refreshing golden texts; `git diff` shows what changed");
    shell::succeeds(shell::cargo(&args).env("EMBARCA_BLESS", "1"))
}
