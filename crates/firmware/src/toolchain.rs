//! Finding a compiler with a core library for a board, and building with it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::error::{Error, Result, at};
use crate::machine::Machine;

/// A compiler with what a board's code needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    linker: PathBuf,
    /// Whether the core library is built from its sources.
    from_sources: bool,
    /// Names the compiler, for folders of what it made.
    id: String,
}

/// What is known of a compiler.
struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    host: String,
    release: String,
}

/// A command without what cargo sets for the programs that it runs, which would change the build.
pub(crate) fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let kept = text == "CARGO_HOME"
            || text.starts_with("CARGO_HTTP_")
            || text.starts_with("CARGO_NET_")
            || text.starts_with("CARGO_REGISTR")
            || text.starts_with("CARGO_SOURCE_");
        let cargos = text == "CARGO" || text.starts_with("CARGO_") || text.starts_with("RUST");
        if cargos && !kept && !text.starts_with("RUSTUP_HOME") {
            command.env_remove(&name);
        }
    }
    command
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first file of this name in the folders of `PATH`.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|p| p.is_file())
}

impl Compiler {
    fn ask(rustc: &Path, folder: &Path) -> Option<Self> {
        let sysroot = output(command(rustc).args(["--print", "sysroot"]).current_dir(folder))?;
        let sysroot = PathBuf::from(sysroot);
        let about = output(command(rustc).arg("-vV").current_dir(folder))?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name));
        let own = sysroot.join("bin").join(format!("rustc{}", env::consts::EXE_SUFFIX));
        Some(Self {
            rustc: if own.is_file() { own } else { rustc.to_path_buf() },
            host: field("host: ")?.to_owned(),
            release: field("release: ")?.to_owned(),
            sysroot,
        })
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    /// Whether the core library for a machine is installed.
    fn has_core(&self, triple: &str) -> bool {
        let entries = fs::read_dir(self.rustlib().join(triple).join("lib")).ok();
        let mut names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().starts_with("libcore-"))
    }

    fn has_sources(&self) -> bool {
        self.rustlib().join("src/rust/library/core/Cargo.toml").is_file()
    }

    fn linker(&self) -> Option<PathBuf> {
        let name = format!("rust-lld{}", env::consts::EXE_SUFFIX);
        Some(self.rustlib().join(&self.host).join("bin").join(name)).filter(|path| path.is_file())
    }
}

impl Toolchain {
    /// The compilers of this system: the one in `PATH`, and that of the system.
    fn compilers(folder: &Path) -> Vec<Compiler> {
        let named = env::var_os("EMBARCA_RUSTC").map(PathBuf::from);
        let usual = [in_path("rustc"), Some(PathBuf::from("/usr/bin/rustc"))];
        let paths = named.into_iter().chain(usual.into_iter().flatten());
        paths.filter_map(|path| Compiler::ask(&path, folder)).collect()
    }

    /// The host's compiler.
    pub(crate) fn host_rustc(folder: &Path) -> Result<(PathBuf, String)> {
        let first = Self::compilers(folder).into_iter().next();
        first.map(|found| (found.rustc, found.release)).ok_or_else(no_rust)
    }

    /// A compiler for a machine: one with the core library installed, else one with its sources.
    ///
    /// # Errors
    /// There is none; the error says which one command installs what is missing.
    pub fn find(machine: &Machine, cache: &Cache) -> Result<Self> {
        let folder = cache.path("");
        let compilers = Self::compilers(&folder);
        if compilers.is_empty() {
            return Err(no_rust());
        }
        let cargo = in_path("cargo").ok_or_else(no_rust)?;
        let installed = compilers.iter().find(|compiler| compiler.has_core(machine.triple));
        let found = installed.or_else(|| compilers.iter().find(|compiler| compiler.has_sources()));
        let Some(compiler) = found else {
            let what =
                format!("there is no core library for {} ({})", machine.core, machine.triple);
            let add = if in_path("rustup").is_some() {
                format!("rustup target add {}", machine.triple)
            } else {
                "cargo xtask boards      installs what the system's packages have".to_owned()
            };
            return Err(Error::new(what).next(add));
        };
        let lld = compilers.iter().find_map(Compiler::linker).or_else(|| in_path("ld.lld"));
        let lld = lld.or_else(|| in_path("rust-lld"));
        let linker = lld.ok_or_else(|| {
            Error::new("there is no linker for boards (rust-lld or ld.lld)")
                .next("rustup toolchain install stable      brings rust-lld")
        })?;
        Ok(Self {
            cargo,
            rustc: compiler.rustc.clone(),
            linker,
            from_sources: installed.is_none(),
            id: compiler.release.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        })
    }

    /// The compiler's version, for people.
    pub fn release(&self) -> String {
        self.id.clone()
    }
}

fn no_rust() -> Error {
    Error::new("building firmware needs cargo and rustc, and there are none")
        .next("https://rustup.rs      installs both")
}

/// Builds the crate in `folder`; the bytes of the file `name` that it makes. `progress` is told what
/// is being compiled.
///
/// # Errors
/// Those of cargo.
pub fn build(
    toolchain: &Toolchain,
    machine: &Machine,
    cache: &Cache,
    folder: &Path,
    name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<u8>> {
    let target = cache.path(&format!("build-{}", toolchain.id));
    // Cargo waits for itself only while it builds; what it made is copied under the same lock.
    let _lock = cache.lock("build")?;
    let mut flags = vec![
        "-Clinker-flavor=ld.lld".to_owned(),
        format!("-Clinker={}", toolchain.linker.display()),
        "-Cforce-unwind-tables=no".to_owned(),
    ];
    flags.extend(machine.flags());
    let mut offline = true;
    loop {
        let mut command = command(&toolchain.cargo);
        command.args(["build", "--release", "--target", machine.triple]).current_dir(folder);
        if toolchain.from_sources {
            command.arg("-Zbuild-std=core");
        }
        if offline {
            command.arg("--offline");
        }
        // The compiler's interface for instruction sets is one that stable compilers hide.
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", &toolchain.rustc);
        command.env("CARGO_TARGET_DIR", &target);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        let (done, log) = watch(&mut command, progress)?;
        if done {
            break;
        }
        let absent = ["no matching package", "--offline", "offline mode"];
        if offline && absent.iter().any(|words| log.contains(words)) {
            offline = false;
            continue;
        }
        return Err(Error::new(format!("the firmware does not build:\n{}", log.trim_end())));
    }
    let made = target.join(machine.triple).join("release").join(name);
    let bytes = fs::read(&made).map_err(at(&made))?;
    // The next one would lie beside it.
    let _ = fs::remove_file(&made);
    Ok(bytes)
}

/// Runs cargo; whether it succeeded, and what it said.
fn watch(command: &mut Command, progress: &mut dyn FnMut(&str)) -> Result<(bool, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error| Error::new(format!("cannot run cargo: {error}"));
    let mut child = command.spawn().map_err(failed)?;
    let mut log = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr.take(1 << 20)).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.trim_start().strip_prefix("Compiling ") {
                Some(what) => progress(what.split(" (").next().unwrap_or(what)),
                None => {
                    log += &line;
                    log.push('\n');
                }
            }
        }
    }
    let status = child.wait().map_err(failed)?;
    Ok((status.success(), log))
}
