//! The folder for what is made once.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use embarca_data::atomic_write;

use crate::error::{Error, Result, at};

/// A folder that processes share. `EMBARCA_CACHE` names it; otherwise it is `embarca` in the user's
/// cache folder, as the XDG base directories have it.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The user's.
    ///
    /// # Errors
    /// Neither `EMBARCA_CACHE` nor a home folder is set, or the folder cannot be made.
    pub fn of_user() -> Result<Self> {
        let set = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = set("EMBARCA_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|root| root.join("embarca")))
            .or_else(|| set("HOME").map(|home| home.join(".cache/embarca")))
            .or_else(|| set("LOCALAPPDATA").map(|root| root.join("embarca/cache")));
        let root = root.ok_or_else(|| {
            Error::new("there is no folder for what is built once")
                .next("export EMBARCA_CACHE=FOLDER")
        })?;
        Self::at(&root)
    }

    /// In this folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(at(root))?;
        let root = fs::canonicalize(root).map_err(at(root))?;
        Ok(Self { root })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Waits until no other process holds the lock of this name; it is held until the file is
    /// dropped. Where the system has no locks, nothing waits.
    ///
    /// # Errors
    /// The file of the lock cannot be made.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.path(&format!("{name}.lock"));
        if !path.exists() {
            atomic_write(&path, b"")?;
        }
        let file = File::open(&path).map_err(at(&path))?;
        // A system without locks is one where nobody else waits either.
        let _ = file.lock();
        Ok(file)
    }

    /// The folder of this name, filled by `fill` when it is not there; `fill` gets a folder that
    /// takes the name only when all went well.
    ///
    /// # Errors
    /// Those of `fill`, and what the operating system refuses.
    pub fn folder(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = self.path(name);
        if path.is_dir() {
            return Ok(path);
        }
        let _lock = self.lock(name)?;
        if path.is_dir() {
            return Ok(path);
        }
        let draft = self.path(&format!("{name}.draft"));
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(at(&draft))?;
        }
        fs::create_dir_all(&draft).map_err(at(&draft))?;
        fill(&draft)?;
        fs::rename(&draft, &path).map_err(at(&path))?;
        Ok(path)
    }
}

/// Writes a file and the folders above it, unless it has this content already: cargo looks at times.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    Ok(atomic_write(path, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_filled_once_and_only_whole() {
        let root = env::temp_dir().join(format!("embarca-cache-{}", std::process::id()));
        let cache = Cache::at(&root).unwrap();
        let failed = cache.folder("a", |draft| {
            put(&draft.join("x/y"), b"half")?;
            Err(Error::new("no"))
        });
        assert!(failed.is_err() && !cache.path("a").exists());
        let fill = |draft: &Path| put(&draft.join("x/z"), b"whole");
        let folder = cache.folder("a", fill).unwrap();
        assert!(folder.join("x/z").exists() && !folder.join("x/y").exists());
        cache.folder("a", |_| Err(Error::new("filled twice"))).unwrap();
        fs::remove_dir_all(&root).unwrap();
    }
}
