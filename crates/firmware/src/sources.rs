//! The sources of what a board links.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, put};
use crate::error::{Result, at};

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// The crates of the runtime and its kernels, as a workspace of their own.
#[derive(Clone, Debug)]
pub struct Sources {
    root: PathBuf,
}

impl Sources {
    /// In the cache, written there when they are not.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn cached(cache: &Cache) -> Result<Self> {
        let root = cache.folder(&format!("sources-{HASH}"), write)?;
        Ok(Self { root })
    }

    /// In any folder.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn beside(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        write(folder)?;
        Ok(Self { root: folder.to_path_buf() })
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lock file of its dependencies.
    pub(crate) fn lock() -> &'static str {
        FILES.iter().find(|(path, _)| *path == "Cargo.lock").map_or("", |(_, text)| text)
    }
}

fn write(folder: &Path) -> Result<()> {
    FILES.iter().try_for_each(|(path, text)| put(&folder.join(path), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_board_links_is_aboard_and_nothing_else() {
        let has = |path: &str| FILES.iter().any(|(name, _)| *name == path);
        for name in ["num", "plan", "kernels", "simd", "mcu"] {
            assert!(has(&format!("crates/{name}/src/lib.rs")), "{name}");
        }
        assert!(!FILES.iter().any(|(name, _)| name.starts_with("crates/compile/")));
        let lock = Sources::lock();
        assert!(lock.contains("name = \"zerocopy\"") && !lock.contains("name = \"clap\""));
    }
}
