//! Coverage-guided fuzzing in one process, on any toolchain.
//!
//! Inputs that reach new places are kept and damaged further. The input at hand lies in a file
//! before it is executed, so that whoever watches the process finds it when the process ends.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Target;
use super::mutate::mutate;
use crate::random::Random;

/// Small inputs that have reached places of their own, by target.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

/// An execution that takes longer is a finding.
pub const SLOW: Duration = Duration::from_secs(5);

/// How often places of the program were reached since the last look.
pub trait Coverage {
    /// Shows each place that was reached and how often, and forgets it.
    fn drain(&mut self, see: &mut dyn FnMut(usize, u8));
}

/// No coverage: every input counts as unremarkable.
#[derive(Clone, Copy, Debug)]
pub struct Blind;

impl Coverage for Blind {
    fn drain(&mut self, _: &mut dyn FnMut(usize, u8)) {}
}

/// How to fuzz.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Executions, those of the seeds included.
    pub runs: u64,
    /// Ends earlier after so much time.
    pub time: Option<Duration>,
    /// Of the random numbers.
    pub seed: u64,
    /// A folder of more seeds, into which inputs that reach new places are written.
    pub corpus: Option<PathBuf>,
    /// Where the input at hand lies: the number of the execution, its length (8 bytes each,
    /// little-endian), its bytes.
    pub current: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Executions.
    pub runs: u64,
    /// Inputs that reached new places.
    pub kept: usize,
    /// Places times magnitudes of how often they were reached.
    pub places: usize,
    /// What was found: a panic's message or a slow execution, and the input.
    pub finding: Option<(String, Vec<u8>)>,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Executes one input; what it does wrong, if anything.
pub fn execute(target: &Target, input: &[u8]) -> Option<String> {
    let started = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if ended.is_err() {
        return Some(PANIC.with(|text| text.take()));
    }
    let took = started.elapsed();
    (SLOW < took).then(|| format!("takes {took:?}"))
}

/// Keeps what panics say, and prints nothing.
pub fn quiet() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|text| *text.borrow_mut() = info.to_string());
    }));
}

/// Fuzzes `target` until something is found or `settings` say that it is enough. `progress` is told
/// about every five seconds how far it is.
///
/// # Errors
/// When files cannot be written.
pub fn fuzz(
    target: &Target,
    settings: &Settings,
    coverage: &mut dyn Coverage,
    progress: &mut dyn FnMut(&Report, Duration),
) -> std::io::Result<Report> {
    quiet();
    let mut seeds = (target.seeds)();
    seeds.extend(files(&Path::new(CORPUS).join(target.name)));
    if let Some(folder) = &settings.corpus {
        std::fs::create_dir_all(folder)?;
        seeds.extend(files(folder));
    }
    let mut current = settings.current.as_ref().map(File::create).transpose()?;
    let mut random = Random(settings.seed);
    let mut report = Report::default();
    let mut seen: Vec<u8> = Vec::new();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let started = Instant::now();
    let mut told = started;
    coverage.drain(&mut |_, _| {});
    while report.runs < settings.runs {
        let seed = usize::try_from(report.runs).ok().and_then(|index| seeds.get_mut(index));
        let is_seed = seed.is_some();
        let mut input = match seed {
            Some(seed) => std::mem::take(seed),
            None => draw(&kept, &mut random),
        };
        input.truncate(target.longest);
        report.runs += 1;
        if let Some(file) = &mut current {
            let head = [report.runs.to_le_bytes(), (input.len() as u64).to_le_bytes()].concat();
            file.rewind()?;
            file.write_all(&[&head[..], &input].concat())?;
        }
        let finding = execute(target, &input);
        let mut new = 0;
        coverage.drain(&mut |place, times| {
            if seen.len() <= place {
                seen.resize(place + 1, 0);
            }
            let magnitude = 1 << times.checked_ilog2().unwrap_or(0);
            new += usize::from(seen[place] & magnitude == 0);
            seen[place] |= magnitude;
        });
        report.places += new;
        if let Some(finding) = finding {
            report.finding = Some((finding, input));
            break;
        }
        if 0 < new || is_seed {
            if let (Some(folder), false) = (&settings.corpus, is_seed) {
                let name = format!("{:08x}", embarca_plan::crc32(&input));
                std::fs::write(folder.join(name), &input)?;
            }
            kept.push(input);
            report.kept = kept.len();
        }
        if report.runs.is_multiple_of(64) {
            if settings.time.is_some_and(|time| time <= started.elapsed()) {
                break;
            }
            if Duration::from_secs(5) <= told.elapsed() {
                told = Instant::now();
                progress(&report, started.elapsed());
            }
        }
    }
    Ok(report)
}

/// The files of a folder, if it is there, by name.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// An input that was kept, damaged a few times; late ones more often than early ones.
fn draw(kept: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random| {
        let from = if random.once_in(2) { 0 } else { kept.len() / 2 };
        kept.get(from + random.below((kept.len() - from).max(1)))
    };
    let mut input = pick(random).cloned().unwrap_or_default();
    for _ in 0..1 << random.below(4) {
        let other = pick(random).map(Vec::as_slice).unwrap_or_default();
        mutate(&mut input, other, random);
    }
    input
}
