//! Tensors whose content lies in files beside the model.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::error::{ReadError, shown};
use crate::limits::Budget;

/// The one gate to the files that hold external tensors. `location` is what the model says: an
/// implementation decides whether it trusts it.
pub trait ExternalData {
    /// Bytes of the file.
    ///
    /// # Errors
    /// There is no such file, or it may not be read.
    fn size(&mut self, location: &str) -> Result<u64, ReadError>;

    /// The `length` bytes at `offset`, which lie within [`ExternalData::size`].
    ///
    /// # Errors
    /// The file cannot be read or has become shorter.
    fn read(&mut self, location: &str, offset: u64, length: usize) -> Result<Vec<u8>, ReadError>;
}

/// Refuses every external file.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoExternal;

impl ExternalData for NoExternal {
    fn size(&mut self, location: &str) -> Result<u64, ReadError> {
        Err(ReadError::unsupported(format!(
            "the tensor lies in the file '{}', and other files are not read here; \
             open the model by its path or export it as one file",
            shown(location)
        )))
    }

    fn read(&mut self, location: &str, _: u64, _: usize) -> Result<Vec<u8>, ReadError> {
        self.size(location).map(|_| Vec::new())
    }
}

/// Reads files that lie in the model's own folder: regular files by a plain name. No other
/// folder, link (symbolic or hard), pipe or device. The folder is opened once, and where the system
/// can, the kernel itself resolves names beneath it without following links: what changes there
/// meanwhile leads nowhere else.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The folder, once something in it was asked for.
    #[cfg(unix)]
    folder: Option<std::os::fd::OwnedFd>,
    /// The file used last.
    open: Option<(String, File)>,
}

impl Folder {
    /// The folder that holds the model.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            #[cfg(unix)]
            folder: None,
            open: None,
        }
    }

    fn file(&mut self, location: &str) -> Result<&mut File, ReadError> {
        let is_open = self.open.as_ref().is_some_and(|(name, _)| name == location);
        if !is_open {
            let file = self.open_new(location)?;
            self.open = Some((location.to_owned(), file));
        }
        match &mut self.open {
            Some((_, file)) => Ok(file),
            None => Err(refused(location, "it is not open")),
        }
    }

    fn open_new(&mut self, location: &str) -> Result<File, ReadError> {
        let is_plain = !location.is_empty()
            && !matches!(location, "." | "..")
            && !location.contains(['/', '\\', ':'])
            && !location.contains(char::is_control);
        if !is_plain {
            let why = "only a plain file name in the model's own folder is read";
            return Err(refused(location, why));
        }
        self.open_plain(location)
    }

    /// Opens a file of the folder by a name without path.
    #[cfg(unix)]
    fn open_plain(&mut self, name: &str) -> Result<File, ReadError> {
        use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, open, openat, statat};

        let failed =
            |error: rustix::io::Errno| refused(name, &std::io::Error::from(error).to_string());
        if self.folder.is_none() {
            let here = std::path::Path::new(".");
            let path = if self.path.as_os_str().is_empty() { here } else { &self.path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.folder = Some(open(path, flags, Mode::empty()).map_err(failed)?);
        }
        let Some(folder) = &self.folder else { return Err(refused(name, "it is not open")) };
        let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
        // Looked at before it is opened, because opening a device may do something.
        let look = || statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed);
        let mut before = look()?;
        // A link that is made and removed again leaves its mark in the time of the file's last change,
        // which tells only what lies further apart than the clock's steps.
        let mut rounds = 0..3;
        while is_file(before.st_mode) && has_just_changed(before.st_ctime, before.st_ctime_nsec) {
            if rounds.next().is_none() {
                return Err(refused(name, "it keeps changing"));
            }
            std::thread::sleep(SETTLED);
            before = look()?;
        }
        if !is_file(before.st_mode) {
            return Err(refused(name, "it is a link, a folder, a pipe or a device"));
        }
        if before.st_nlink != 1 {
            return Err(refused(name, "it is a hard link"));
        }
        // Opening a pipe must not wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        #[cfg(target_os = "linux")]
        let opened = {
            use rustix::fs::{ResolveFlags, openat2};
            use rustix::io::Errno;
            let beneath =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(folder, name, flags, Mode::empty(), beneath) {
                // Kernels before 5.6 and some sandboxes; for a plain name the next best is as good.
                Err(Errno::NOSYS | Errno::PERM) => openat(folder, name, flags, Mode::empty()),
                opened => opened,
            }
        };
        #[cfg(not(target_os = "linux"))]
        let opened = openat(folder, name, flags, Mode::empty());
        let opened = opened.map_err(failed)?;
        let now = fstat(&opened).map_err(failed)?;
        let is_same = (before.st_dev, before.st_ino) == (now.st_dev, now.st_ino)
            && (before.st_ctime, before.st_ctime_nsec) == (now.st_ctime, now.st_ctime_nsec);
        if !is_same || !is_file(now.st_mode) || now.st_nlink != 1 {
            return Err(refused(name, "it is a link, or was exchanged while it was opened"));
        }
        Ok(File::from(opened))
    }

    /// Opens a file of the folder by a name without path.
    #[cfg(not(unix))]
    fn open_plain(&mut self, name: &str) -> Result<File, ReadError> {
        let path = self.path.join(name);
        let failed = |error: std::io::Error| refused(name, &error.to_string());
        let before = std::fs::symlink_metadata(&path).map_err(failed)?;
        if !before.is_file() {
            return Err(refused(name, "it is a link, a folder, a pipe or a device"));
        }
        let file = File::open(&path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        if !opened.is_file() || before.len() != opened.len() {
            return Err(refused(name, "it is a link"));
        }
        Ok(file)
    }
}

/// Longer than the steps in which file systems count time.
#[cfg(unix)]
const SETTLED: std::time::Duration = std::time::Duration::from_millis(60);

/// Whether a time, in seconds and nanoseconds since 1970, is less than [`SETTLED`] ago.
#[cfg(unix)]
fn has_just_changed(seconds: impl TryInto<u64>, nanoseconds: impl TryInto<u32>) -> bool {
    let (Ok(seconds), Ok(nanoseconds)) = (seconds.try_into(), nanoseconds.try_into()) else {
        return false;
    };
    let changed = std::time::Duration::from_secs(seconds)
        .saturating_add(std::time::Duration::from_nanos(nanoseconds.into()));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    changed <= now && now - changed < SETTLED
}

impl ExternalData for Folder {
    fn size(&mut self, location: &str) -> Result<u64, ReadError> {
        let metadata = self.file(location)?.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|error| refused(location, &error.to_string()))
    }

    fn read(&mut self, location: &str, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        let failed = |error: std::io::Error| refused(location, &error.to_string());
        let file = self.file(location)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut bytes).map_err(failed)?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(refused(location, "it has become shorter")),
        }
    }
}

fn refused(location: &str, why: &str) -> ReadError {
    ReadError::malformed(format!("external file '{}': {why}", shown(location)))
}

/// External files of one model, with what has been read of each.
pub(super) struct Files<'e> {
    source: &'e mut dyn ExternalData,
    /// Size, and how many bytes were asked for so far.
    seen: HashMap<String, (u64, u64)>,
}

/// Where a tensor's content lies.
pub(super) struct Place<'a> {
    pub location: &'a str,
    pub offset: u64,
    /// `None`: to the end of the file.
    pub length: Option<u64>,
}

impl<'e> Files<'e> {
    pub fn new(source: &'e mut dyn ExternalData) -> Self {
        Self { source, seen: HashMap::new() }
    }

    /// The `wanted` bytes at `place`.
    pub fn read(
        &mut self,
        place: &Place<'_>,
        wanted: u64,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<u8>, ReadError> {
        let location = place.location;
        let (size, used) = match self.seen.get(location) {
            Some(&seen) => seen,
            None => (self.source.size(location)?, 0),
        };
        let length = place.length.unwrap_or(size.saturating_sub(place.offset));
        let end = place.offset.checked_add(length);
        if end.is_none_or(|end| end > size) {
            let offset = place.offset;
            let why = format!("{length} bytes at byte {offset} of a file of {size} bytes");
            return Err(refused(location, &why));
        }
        if length != wanted {
            let why = format!("{length} bytes where the shape asks for {wanted}");
            return Err(refused(location, &why));
        }
        // A file read in full once is paid for by itself; what is read again is not.
        let used = used.saturating_add(length);
        let again = used.saturating_sub(size).min(length);
        budget.bytes(again)?;
        budget.external(length)?;
        if !self.seen.contains_key(location) {
            let name = budget.text(location)?;
            self.seen.insert(name, (size, used));
        } else if let Some(seen) = self.seen.get_mut(location) {
            seen.1 = used;
        }
        let length = usize::try_from(length)
            .map_err(|_| ReadError::over_limit("a tensor larger than this machine's memory"))?;
        self.source.read(location, place.offset, length)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ImportLimits;

    /// A folder of its own, removed at the end.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let name = format!("embarca-external-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn plain_names_only() {
        let outer = Temporary::new("names");
        let inner = outer.0.join("model");
        fs::create_dir_all(inner.join("sub")).unwrap();
        fs::write(outer.0.join("secret"), b"secret").unwrap();
        fs::write(inner.join("w.bin"), b"01234567").unwrap();
        let mut folder = Folder::new(&inner);
        assert_eq!(folder.size("w.bin"), Ok(8));
        assert_eq!(folder.read("w.bin", 2, 3).as_deref(), Ok(&b"234"[..]));
        assert!(folder.read("w.bin", 6, 3).is_err());
        let absolute = inner.join("w.bin").display().to_string();
        for bad in ["", ".", "..", "../secret", "./w.bin", "sub", "a\\b", "c:d", "a\0", &absolute] {
            assert!(folder.size(bad).is_err(), "{bad:?}");
        }
        assert!(folder.size("missing").is_err());
        assert!(NoExternal.size("w.bin").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let folder = Temporary::new("links");
        fs::write(folder.0.join("w.bin"), b"0123").unwrap();
        std::os::unix::fs::symlink(folder.0.join("w.bin"), folder.0.join("soft")).unwrap();
        let mut gate = Folder::new(&folder.0);
        assert!(gate.size("soft").is_err());
        assert_eq!(gate.size("w.bin"), Ok(4));
        fs::hard_link(folder.0.join("w.bin"), folder.0.join("hard")).unwrap();
        let mut gate = Folder::new(&folder.0);
        for name in ["w.bin", "hard"] {
            assert!(gate.size(name).unwrap_err().fault().what.contains("link"));
        }
        let pipe = std::process::Command::new("mkfifo").arg(folder.0.join("pipe")).status();
        if pipe.is_ok_and(|status| status.success()) {
            assert!(gate.size("pipe").is_err());
        }
    }

    /// A thread puts a link to a secret, a hard link to it, a folder, a pipe and the file itself in each
    /// other's place while the gate reads.
    #[cfg(unix)]
    #[test]
    fn what_changes_meanwhile_leads_nowhere() {
        use std::sync::atomic::{AtomicBool, Ordering};

        let outer = Temporary::new("race");
        let (inner, secret) = (outer.0.join("model"), outer.0.join("secret"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(&secret, b"SSSS").unwrap();
        let (target, spare) = (inner.join("w.bin"), outer.0.join("spare"));
        fs::write(&target, b"0123").unwrap();
        /// Ends the other thread, also when this one fails.
        struct Stop<'s>(&'s AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let stop = AtomicBool::new(false);
        let (mut read, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0usize.. {
                    match turn % 4 {
                        0 => std::os::unix::fs::symlink(&secret, &spare).unwrap(),
                        2 => fs::hard_link(&secret, &spare).unwrap(),
                        _ => fs::write(&spare, b"0123").unwrap(),
                    }
                    fs::rename(&spare, &target).unwrap();
                    // Now and then long enough for the gate to take the file for settled.
                    std::thread::sleep(std::time::Duration::from_millis(
                        [0, 70, 0, 1][turn / 4 % 4],
                    ));
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            let _stop = Stop(&stop);
            let started = std::time::Instant::now();
            while started.elapsed().as_millis() < 3000 {
                let mut gate = Folder::new(&inner);
                match gate.size("w.bin").and_then(|_| gate.read("w.bin", 0, 4)) {
                    Ok(bytes) => {
                        assert_ne!(bytes, b"SSSS", "the secret was read");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        });
        assert!(0 < read && 0 < refused, "{read} read, {refused} refused: there was no race");
    }

    #[cfg(unix)]
    #[test]
    fn folders_and_pipes_are_refused_without_waiting() {
        let folder = Temporary::new("kinds");
        fs::create_dir_all(folder.0.join("folder")).unwrap();
        fs::write(folder.0.join("w.bin"), b"0123").unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.0.join("device")).unwrap();
        std::os::unix::fs::symlink("w.bin", folder.0.join("beside")).unwrap();
        std::os::unix::fs::symlink("missing", folder.0.join("dangling")).unwrap();
        let mut gate = Folder::new(&folder.0);
        for name in ["folder", "device", "beside", "dangling"] {
            assert!(gate.size(name).unwrap_err().fault().what.contains("it is a link"), "{name}");
        }
        let pipe = std::process::Command::new("mkfifo").arg(folder.0.join("pipe")).status();
        if pipe.is_ok_and(|status| status.success()) {
            assert!(gate.size("pipe").unwrap_err().fault().what.contains("a pipe"));
        }
        // Devices themselves, where the gate is opened on their folder.
        if std::path::Path::new("/dev/zero").exists() {
            assert!(Folder::new("/dev").size("zero").is_err());
        }
    }

    #[test]
    fn reading_again_is_paid_for() {
        let folder = Temporary::new("again");
        fs::write(folder.0.join("w.bin"), [7; 100]).unwrap();
        let limits =
            ImportLimits { memory_base: 150, memory_per_byte: 0, ..ImportLimits::default() };
        let mut budget = Budget::new(&limits, 0).unwrap();
        let mut gate = Folder::new(&folder.0);
        let mut files = Files::new(&mut gate);
        let place = |offset, length| Place { location: "w.bin", offset, length };
        assert_eq!(files.read(&place(0, None), 100, &mut budget).map(|bytes| bytes.len()), Ok(100));
        assert!(files.read(&place(0, Some(100)), 100, &mut budget).is_ok());
        assert!(files.read(&place(0, Some(100)), 100, &mut budget).is_err());
        assert!(files.read(&place(90, Some(11)), 11, &mut budget).is_err());
        assert!(files.read(&place(u64::MAX, Some(2)), 2, &mut budget).is_err());
        assert!(files.read(&place(0, Some(2)), 3, &mut budget).is_err());
    }
}
