//! A child process under limits on memory and time that executes inputs one after the other.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::shell;

/// Address space of a child.
const MEMORY_KIB: u64 = 4 << 20;
/// One input may keep a child so long; the first may wait for seeds to be made.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST: Duration = Duration::from_secs(600);

/// How a child ended.
#[derive(Debug)]
pub enum Ended {
    /// It has nothing to report.
    Well,
    /// It has found something, or was ended by it; what that looked like.
    Badly(String),
}

/// Runs `program` until it ends or stays with one input for too long. `current` is the file in which
/// it keeps the number of the input, its length (8 bytes each, little-endian) and its bytes.
///
/// # Errors
/// When it cannot be started.
pub fn watch(program: &Path, args: &[&str], current: &Path) -> Result<Ended, String> {
    let mut command = Command::new("sh");
    let limit = MEMORY_KIB.to_string();
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &limit]).arg(program).args(args);
    let mut child = command.spawn().map_err(|error| shell::cannot_run(&command, &error))?;
    let (mut number, mut since) = (None, Instant::now());
    loop {
        let status = child.try_wait().map_err(|error| format!("{}: {error}", program.display()))?;
        if let Some(status) = status {
            return Ok(ended(status));
        }
        let now = input(current).map(|(number, _)| number);
        if now != number {
            (number, since) = (now, Instant::now());
        }
        let patience = if number.is_some() { PATIENCE } else { FIRST };
        if since.elapsed() > patience {
            // It may have ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Ended::Badly(format!("it did not end within {patience:?}")));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn ended(status: ExitStatus) -> Ended {
    match status.code() {
        Some(0) => Ended::Well,
        Some(1) => Ended::Badly("see above".into()),
        _ => Ended::Badly(format!("the process ended with {status}")),
    }
}

/// The number and the bytes of the input at hand.
pub fn input(current: &Path) -> Option<(u64, Vec<u8>)> {
    let bytes = std::fs::read(current).ok()?;
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let len = usize::try_from(word(8)?).ok()?;
    Some((word(0)?, bytes.get(16..)?.get(..len)?.to_vec()))
}

/// Keeps the input at hand in a folder; where.
///
/// # Errors
/// When there is none, or it cannot be written.
pub fn save(current: &Path, folder: &Path, name: &str) -> Result<PathBuf, String> {
    let (_, input) = input(current).ok_or("there is no input at hand")?;
    // FNV-1a, for a name that is the same for the same input.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = folder.join(format!("{name}-{hash:016x}"));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, input));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}
