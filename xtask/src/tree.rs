//! The texts of the project, read once and handed to every check.

use std::collections::BTreeMap;
use std::path::Path;

/// Texts by path, relative to the workspace and with `/` between folders.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads every text file that the checks look at below `root`.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Self::default();
        tree.collect(root, "")?;
        Ok(tree)
    }

    fn collect(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let fail = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() {
                if path != "target" && !name.starts_with('.') {
                    self.collect(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && is_text(&name) {
                let bytes = std::fs::read(entry.path())
                    .map_err(|error| format!("cannot read {path}: {error}"))?;
                self.files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(())
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Path and text of every file whose path starts and ends so.
    pub fn files<'a>(
        &'a self,
        start: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.starts_with(start) && path.ends_with(end))
    }

    /// Path and text of every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files("", ".rs")
    }
}

fn is_text(name: &str) -> bool {
    [".rs", ".md", ".toml", ".lock"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
impl Tree {
    /// A tree of given texts.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string()));
        Self { files: files.collect() }
    }
}
