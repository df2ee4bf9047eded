//! Runs a plan in an emulated machine and counts what it executes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cache::{Cache, put};
use crate::crates::{Crate, Shell, program};
use crate::elf::Elf;
use crate::error::{Error, Result, at};
use crate::gate::{Examined, examine, traffic};
use crate::machine::Machine;
use crate::sources::Sources;
use crate::steps;
use crate::toolchain::{self, Toolchain, build, in_path};

/// What is run.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The plan, at a multiple of 16.
    pub plan: &'a [u8],
    /// Where.
    pub machine: &'a Machine,
    /// For people.
    pub title: &'a str,
    /// The inputs of each run, one after the other.
    pub runs: &'a [Vec<Vec<u8>>],
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The kind of step.
    pub kernel: String,
    /// Instructions of a warm run.
    pub instructions: u64,
}

/// What was counted between two marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Instructions.
    pub instructions: u64,
    /// Steps as they were entered: address, instructions before.
    pub steps: Vec<(u32, u64)>,
    /// Address, how often.
    pub executed: Vec<(u32, u64)>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Emulation {
    /// Of a warm run.
    pub instructions: u64,
    /// Of each run.
    pub each: Vec<u64>,
    /// Of loading.
    pub load_instructions: u64,
    /// By step.
    pub layers: Vec<Layer>,
    /// The outputs of each run, bytes.
    pub outputs: Vec<Vec<Vec<u8>>>,
    /// Bytes of the arena.
    pub arena: u64,
    /// Bytes of other memory for data.
    pub statics: u64,
    /// The most that loading and running took of the stack.
    pub stack: u64,
    /// Code, tables and initial data without the plan and the measuring shell, by section.
    pub flash: Vec<(String, u64)>,
    /// Bytes of the plan.
    pub plan: u64,
    /// Words that a warm run loads.
    pub loads: u64,
    /// Words that it stores.
    pub stores: u64,
    /// What the program tells of panics, traps and its stack.
    pub examined: Examined,
    /// The program.
    pub elf: PathBuf,
}

impl Emulation {
    /// Bytes of firmware without the plan and the measuring shell.
    pub fn flash_bytes(&self) -> u64 {
        self.flash.iter().map(|(_, size)| size).sum()
    }

    /// Bytes of memory: arena, statics and the stack's high water.
    pub fn ram_bytes(&self) -> u64 {
        self.arena + self.statics + self.stack
    }
}

/// How long a machine may run.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the calibrating loop takes, with the marks around it: 2,000 instructions, one or two before
/// them, the return from the first mark and the call of the second (two, where it lies far).
const CALIBRATED: std::ops::RangeInclusive<u64> = 2003..=2006;

/// Builds the firmware, runs it and reads the counts. `progress` is told what is being done.
///
/// # Errors
/// A tool is missing, the plan does not fit the machine, or the firmware reports an error.
pub fn emulate(job: &Job<'_>, cache: &Cache, progress: &mut dyn FnMut(&str)) -> Result<Emulation> {
    let machine = job.machine;
    let qemu = in_path(machine.qemu).ok_or_else(|| {
        let package = if machine.is_arm() { "qemu-system-arm" } else { "qemu-system-misc" };
        Error::new(format!("{} is not installed", machine.qemu))
            .next(format!("apt-get install {package}      or `cargo xtask boards`"))
    })?;
    let model = Crate::new(job.plan, machine, job.title)?;
    let toolchain = Toolchain::find(machine, cache)?;
    let sources = Sources::cached(cache)?;
    let plugin = plugin(&qemu, cache, progress)?;
    let work = Work::new(cache)?;
    let name = "firmware";
    program(&model, Shell::Measure, &sources, &work.folder, name)?;
    let made = build(&toolchain, machine, cache, &work.folder, name, progress)?;
    let elf = read(&made)?;
    put(&work.folder.join("firmware.elf"), &made)?;

    progress("running");
    put(&work.folder.join("input.bin"), &inputs(&model, job.runs)?)?;
    let regions = run(&qemu, machine, &plugin, &elf, &work.folder)?;
    let path = work.folder.join("output.bin");
    let answer = fs::read(&path).map_err(at(&path))?;
    let keep = cache.path("last.elf");
    put(&keep, &made)?;
    found(&model, job, &elf, &regions, &answer, keep)
}

/// A program that was built.
pub(crate) fn read(bytes: &[u8]) -> Result<Elf> {
    Elf::read(bytes).ok_or_else(|| Error::new("what was built is no program for a board"))
}

/// Whether a function of a firmware is one of the model's steps.
pub(crate) fn is_step(name: &str) -> bool {
    name.contains("5model") && name.contains("step_")
}

/// A folder of this process in the cache, removed at the end.
pub(crate) struct Work {
    pub folder: PathBuf,
}

impl Work {
    pub fn new(cache: &Cache) -> Result<Self> {
        let folder = cache.path(&format!("work-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(Self { folder })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The file that the shell reads: the number of runs, the first run's inputs, those of all runs.
fn inputs(model: &Crate<'_>, runs: &[Vec<Vec<u8>>]) -> Result<Vec<u8>> {
    let ports = model.device().inputs();
    let mut file = u32::try_from(runs.len()).unwrap_or(0).to_le_bytes().to_vec();
    for run in runs.first().into_iter().chain(runs) {
        let sizes = run.iter().map(Vec::len);
        if !sizes.eq(ports.iter().map(|port| port.len as usize)) {
            return Err(Error::new("an input has another size than the plan's"));
        }
        run.iter().for_each(|input| file.extend_from_slice(input));
    }
    Ok(file)
}

/// The counting plugin for this emulator, built once.
fn plugin(qemu: &Path, cache: &Cache, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let text = Command::new(qemu).arg("--version").stdin(Stdio::null()).output();
    let text = text.map_err(|error| Error::new(format!("{}: {error}", qemu.display())))?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let major = text.split("version ").nth(1).and_then(|rest| rest.split('.').next());
    let major: u32 = major.and_then(|major| major.parse().ok()).unwrap_or(0);
    // The interface that is used is the same in all versions; only the number differs.
    let version = if major < 9 { 1 } else { 2 };
    let (rustc, release) = Toolchain::host_rustc(&cache.path(""))?;
    let source = include_str!("../aboard/count.rs.in");
    let source = source.replace("QEMU_PLUGIN_VERSION", &version.to_string());
    let sum = source.bytes().fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let name = format!("count-{version}-{release}-{sum:016x}");
    let folder = cache.folder(&name, |draft| {
        progress("the counter of the emulator");
        put(&draft.join("count.rs"), source.as_bytes())?;
        let mut rustc = toolchain::command(&rustc);
        rustc.args(["--edition", "2024", "--crate-type", "cdylib", "-Copt-level=2", "-o"]);
        rustc.arg(draft.join("count.so")).arg(draft.join("count.rs"));
        let output = rustc.stdin(Stdio::null()).output();
        let output = output.map_err(|error| Error::new(format!("cannot run rustc: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::new(format!("the emulator's counter does not build:\n{}", log.trim_end())))
    })?;
    Ok(folder.join("count.so"))
}

/// Runs the machine to its end.
fn run(
    qemu: &Path,
    machine: &Machine,
    plugin: &Path,
    elf: &Elf,
    folder: &Path,
) -> Result<Vec<Region>> {
    let symbol = |name: &str| {
        let found = elf.symbols.get(name).map(|address| address & !1);
        found.ok_or_else(|| Error::new(format!("the firmware lacks {name}")))
    };
    let counts = folder.join("counts.txt");
    let mut plugin = format!(
        "{},out={},begin={},end={}",
        plugin.display(),
        counts.display(),
        symbol("measure_begin")?,
        symbol("measure_end")?
    );
    for (address, _, name) in &elf.functions {
        if is_step(name) {
            plugin += &format!(",step={address}");
        }
    }
    let mut command = Command::new(qemu);
    command.args(machine.args).args(["-nographic", "-monitor", "none", "-serial", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-kernel", "firmware.elf"]);
    command.arg("-plugin").arg(plugin).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error| Error::new(format!("cannot run {}: {error}", machine.qemu));
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if PATIENCE < start.elapsed() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(format!(
                "the emulated {} did not end within {} s",
                machine.core,
                PATIENCE.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        let mut text = String::new();
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(4096).read_to_string(&mut text);
        }
        return Err(Error::new(format!(
            "the emulated {} stopped with a fault ({status}) {}",
            machine.core,
            text.trim()
        )));
    }
    let text = fs::read_to_string(&counts).map_err(at(&counts))?;
    regions(&text).ok_or_else(|| Error::new("the counts of the emulator cannot be read"))
}

/// Reads the file of the counter.
fn regions(text: &str) -> Option<Vec<Region>> {
    let mut regions: Vec<Region> = Vec::new();
    for line in text.lines() {
        if line == "region" {
            regions.push(Region::default());
            continue;
        }
        let mut words = line.split(' ');
        let (kind, address, count) = (words.next()?, words.next()?, words.next()?);
        let (address, count) = (address.parse().ok()?, count.parse::<u64>().ok()?);
        let region = regions.last_mut()?;
        match kind {
            "s" => region.steps.push((address, count)),
            "i" => {
                region.instructions += count;
                region.executed.push((address, count));
            }
            _ => return None,
        }
    }
    Some(regions)
}

/// Puts together what is known after a run.
fn found(
    model: &Crate<'_>,
    job: &Job<'_>,
    elf: &Elf,
    regions: &[Region],
    answer: &[u8],
    path: PathBuf,
) -> Result<Emulation> {
    let device = model.device();
    let (outputs, report) =
        answer.split_last_chunk::<16>().ok_or_else(|| Error::new("the firmware wrote nothing"))?;
    let word = |index: usize| {
        let bytes = report.get(index * 4..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let (stage, code, stack) = (word(0), word(1), word(2));
    if stage != 0 {
        let doing = if stage == 1 { "loading" } else { "running" };
        let (step, code) = (code >> 8, code & 0xff);
        return Err(Error::new(format!(
            "the firmware reports error {code} while {doing}, at step {step}"
        )));
    }
    let unreadable = || Error::new("the firmware did not run to its end");
    let mut rest = regions.iter();
    let mut next = || rest.next().ok_or_else(unreadable);
    let calibrated = next()?.instructions;
    if !CALIBRATED.contains(&calibrated) {
        return Err(Error::new(format!(
            "the emulator counts {calibrated} instructions for a loop of 2,000"
        )));
    }
    let load = next()?;
    // A cold run, and loading again.
    let (_, _) = (next()?, next()?);
    let warm: Vec<&Region> = rest.collect();
    let last = warm.last().filter(|_| warm.len() == job.runs.len()).ok_or_else(unreadable)?;

    let mut sizes = outputs;
    let mut answers = Vec::new();
    for _ in job.runs {
        let mut run = Vec::new();
        for port in device.outputs() {
            let (bytes, rest) = sizes.split_at_checked(port.len as usize).ok_or_else(unreadable)?;
            run.push(bytes.to_vec());
            sizes = rest;
        }
        answers.push(run);
    }
    let (loads, stores) = traffic(elf, &last.executed, job.machine.is_arm());
    let size = |name: &str| elf.section(name).map_or(0, |section| u64::from(section.size));
    let own = |name: &str| name != ".plan" && name != ".shell";
    let flash = elf.flash().into_iter().filter(|(name, _)| own(name));
    Ok(Emulation {
        instructions: last.instructions,
        each: warm.iter().map(|region| region.instructions).collect(),
        load_instructions: load.instructions,
        layers: layers(model, last),
        outputs: answers,
        arena: device.arena() as u64,
        statics: size(".data") + size(".bss"),
        stack: stack.into(),
        flash: flash.map(|(name, size)| (name.to_owned(), u64::from(size))).collect(),
        plan: job.plan.len() as u64,
        loads,
        stores,
        examined: examine(elf, job.machine.is_arm()),
        elf: path,
    })
}

/// The instructions of each step; nothing when the steps were not entered one by one.
fn layers(model: &Crate<'_>, region: &Region) -> Vec<Layer> {
    let all: Vec<_> = model.device().steps().collect();
    if all.len() != region.steps.len() {
        return Vec::new();
    }
    let ends = region.steps.iter().skip(1).map(|(_, before)| *before).chain([region.instructions]);
    let each = all.iter().zip(&region.steps).zip(ends);
    each.map(|((step, (_, before)), end)| Layer {
        kernel: steps::name(step.opcode, step.record),
        instructions: end - before,
    })
    .collect()
}
