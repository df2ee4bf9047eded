//! Packs the sources that a board links: `mcu`, `simd`, and what they depend on.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where it starts; the rest follows from the manifests.
const ROOTS: [&str; 2] = ["mcu", "simd"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = root.join("../..");
    let mut files: Vec<(String, String)> = Vec::new();
    let mut crates = BTreeSet::new();
    let mut open: Vec<String> = ROOTS.map(str::to_owned).to_vec();
    while let Some(name) = open.pop() {
        if !crates.insert(name.clone()) {
            continue;
        }
        let folder = format!("crates/{name}");
        println!("cargo:rerun-if-changed={}", root.join(&folder).display());
        let manifest = read(&root.join(&folder).join("Cargo.toml"));
        open.extend(own_dependencies(&manifest));
        files.push((format!("{folder}/Cargo.toml"), manifest));
        collect(&root, &format!("{folder}/src"), &mut files);
    }
    for name in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(name).display());
    }
    files.push(("Cargo.toml".into(), workspace(&read(&root.join("Cargo.toml")))));
    files.push(("Cargo.lock".into(), lock(&read(&root.join("Cargo.lock")), &crates)));
    files.sort();

    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut list = String::new();
    for (path, text) in &files {
        for byte in path.bytes().chain([0]).chain(text.bytes()).chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        let _ = writeln!(list, "({path:?}, {text:?}),");
    }
    let text = format!(
        "/// A hash of all files.\npub const HASH: &str = \"{hash:016x}\";\n\
         /// Path and text of every file.\npub static FILES: &[(&str, &str)] = &[\n{list}];\n"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("sources.rs"), text).expect("the output folder can be written to");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crates of the workspace that a manifest depends on.
fn own_dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    let own = section.filter_map(|line| line.strip_prefix("embarca-")?.split(['.', ' ']).next());
    own.map(str::to_owned).collect()
}

fn collect(root: &Path, folder: &str, files: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{folder}: {error}"));
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(root, &path, files);
        } else if path.ends_with(".rs") {
            let text = read(&entry.path());
            files.push((path, text));
        }
    }
}

/// The manifest of a workspace of these crates only.
fn workspace(manifest: &str) -> String {
    let mut out = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n".to_owned();
    let mut kept = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            kept = line.starts_with("[workspace.");
        }
        if kept {
            out += line;
            out.push('\n');
        }
    }
    out
}

/// The part of a lock file that these crates need.
fn lock(text: &str, crates: &BTreeSet<String>) -> String {
    let (head, packages) = text.split_once("[[package]]").unwrap_or((text, ""));
    let packages: Vec<&str> = packages.split("[[package]]").collect();
    let field = |package: &str, name: &str| {
        let start = format!("{name} = \"");
        let line = package.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned));
        line.map(|line| line.trim_end_matches('"').to_owned()).unwrap_or_default()
    };
    let mut open: Vec<String> = crates.iter().map(|name| format!("embarca-{name}")).collect();
    let mut kept = vec![false; packages.len()];
    while let Some(wanted) = open.pop() {
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        for (index, package) in packages.iter().enumerate() {
            let same = field(package, "name") == name
                && version.is_none_or(|version| field(package, "version") == version);
            if !same || kept[index] {
                continue;
            }
            kept[index] = true;
            let list = package.split_once("dependencies = [").map_or("", |(_, list)| list);
            let list = list.split(']').next().unwrap_or_default();
            open.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let kept = packages.iter().zip(&kept).filter(|(_, kept)| **kept);
    kept.fold(head.to_owned(), |out, (package, _)| out + "[[package]]" + package)
}
