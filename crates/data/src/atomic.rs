//! Files that are never half written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{DataError, Result};

/// Replaces or creates a file so that a reader, a crash or a full disk sees the old content or
/// the new, nothing between: writes a temporary file in the same folder, flushes it to the disk
/// and renames it. The permissions of a file that is replaced are kept; a symbolic link is
/// followed, not replaced. What writers of this file that were killed have left behind is removed. A
/// device or a pipe (`/dev/stdout`) is written to directly.
///
/// # Errors
/// The operating system's, naming the file; the temporary file is removed.
pub fn atomic_write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    write(path, bytes).map_err(|error| DataError::from(error).in_file(path))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let target = if old.is_some() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let (temporary, mut file) = create_beside(&target)?;
    let mut finish = || {
        file.write_all(bytes)?;
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &target)
    };
    finish().inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    })?;
    sync_folder(&target);
    Ok(())
}

/// A new file in the folder of `target`, under a name that no other writer uses. It is locked as long
/// as it is open, so that what a killed process has left behind can be told and is removed.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut serial = 0u32;
    loop {
        let temporary = target.with_file_name(format!(".{name}.{serial}.tmp"));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            // Someone who took it for abandoned before it was locked removes it.
            Ok(file) if is_ours(&file, &temporary) => return Ok((temporary, file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !remove_abandoned(&temporary) {
                    serial = serial.checked_add(1).ok_or(error)?;
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Locks a file; whether that succeeds and the file is still the one of this name. Where the system
/// has no locks, every file counts as ours and none as abandoned.
fn is_ours(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Ok(()) => is_same(file, path),
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => true,
    }
}

/// Removes a temporary file whose writer is gone; whether it did.
fn remove_abandoned(path: &Path) -> bool {
    // What is no plain file is nobody's temporary file, and opening it may wait for ever.
    if !fs::symlink_metadata(path).is_ok_and(|data| data.is_file()) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    file.try_lock().is_ok() && is_same(&file, path) && fs::remove_file(path).is_ok()
}

/// Whether an open file is the one of this name.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether an open file is the one of this name: open files keep their names here.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Makes the rename durable where folders can be flushed; elsewhere the content is safe anyway.
fn sync_folder(target: &Path) {
    if cfg!(unix) {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder that is removed at the end of a test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("embarca-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn creates_and_replaces() {
        let folder = Folder::new("replace");
        let path = folder.0.join("a.plan");
        atomic_write(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        atomic_write(&path, b"two, longer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two, longer");
        assert_eq!(folder.names(), ["a.plan"]);
    }

    #[test]
    fn failures_leave_nothing() {
        let folder = Folder::new("fail");
        // A folder with something in it cannot be replaced by a file.
        let path = folder.0.join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        let message = atomic_write(&path, b"x").unwrap_err().to_string();
        assert!(message.contains("taken: "), "{message}");
        assert_eq!(folder.names(), ["taken"]);
        assert!(atomic_write(folder.0.join("no/such/folder"), b"x").is_err());
        assert!(atomic_write("", b"x").is_err());
    }

    #[test]
    fn what_a_killed_writer_has_left_is_removed() {
        let folder = Folder::new("killed");
        let path = folder.0.join("a.plan");
        fs::write(folder.0.join(".a.plan.0.tmp"), b"half").unwrap();
        fs::write(folder.0.join(".b.plan.0.tmp"), b"of another file").unwrap();
        atomic_write(&path, b"whole").unwrap();
        assert_eq!(folder.names(), [".b.plan.0.tmp", "a.plan"]);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn many_writers_of_one_file_leave_one_of_their_contents() {
        let folder = Folder::new("writers");
        let path = folder.0.join("a.plan");
        std::thread::scope(|scope| {
            for writer in 0..8u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        atomic_write(path, &[writer; 5000]).unwrap();
                        let read = fs::read(path).unwrap();
                        assert!(read.len() == 5000 && read.iter().all(|byte| *byte == read[0]));
                    }
                });
            }
        });
        assert_eq!(folder.names(), ["a.plan"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("mode");
        let (path, link) = (folder.0.join("file"), folder.0.join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();

        atomic_write(&link, b"new").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(folder.names(), ["file", "link"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_through() {
        atomic_write("/dev/null", b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
