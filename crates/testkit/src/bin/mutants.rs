//! `mutants FORMAT COUNT CURRENT [FIRST]`: damaged models by the thousand, in one process that another
//! one watches. `CURRENT` is the file in which the mutant at hand lies: its number and its length (8
//! bytes each), then its bytes.

use std::error::Error;
use std::fs::File;
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use embarca_testkit::fuzz::mutants::{TIME, execute, files, mutant, open};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [format, count, current, rest @ ..] = &args[..] else { return Err("too few words".into()) };
    let count: u64 = count.parse()?;
    let first: u64 = rest.first().map_or(Ok(0), |first| first.parse())?;
    let mut current = File::create(current)?;
    let files = files(format)?;
    let (mut slowest, mut largest) = (Duration::ZERO, 0.0f64);
    let mut told = Instant::now();
    for number in first..first + count {
        let (name, original) = &files[number as usize % files.len()];
        let bytes = mutant(original, number);
        let head = [number.to_le_bytes(), (bytes.len() as u64).to_le_bytes()].concat();
        current.rewind()?;
        current.write_all(&head)?;
        current.write_all(&bytes)?;
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let took = catch_unwind(AssertUnwindSafe(|| open(format, &bytes)));
        // The file's own bytes count, as if they had just been read.
        let peak = MEMORY.peak_usage().saturating_sub(before) + bytes.len();
        let bound = 4 * bytes.len() + (16 << 20);
        let executed = catch_unwind(AssertUnwindSafe(|| execute(format, &bytes)));
        let fault = match took {
            Err(_) => Some("it panics".to_owned()),
            Ok(_) if executed.is_err() => Some("running it panics".to_owned()),
            Ok(took) if TIME < took => Some(format!("it takes {took:?}")),
            Ok(_) if bound < peak => Some(format!("it takes {peak} bytes, {bound} are allowed")),
            Ok(took) => {
                slowest = slowest.max(took);
                largest = largest.max(peak as f64 / bound as f64);
                None
            }
        };
        if let Some(fault) = fault {
            println!("mutant {number} of {name}: {fault}");
            return Ok(false);
        }
        if Duration::from_secs(5) <= told.elapsed() {
            told = Instant::now();
            println!("{format}: {} of {count}", number + 1 - first);
        }
    }
    println!(
        "{format}: {count} mutants of {} files read or refused, the slowest in {slowest:.1?}, \
         at most {:.0} % of 4 times the file and 16 MiB",
        files.len(),
        100.0 * largest
    );
    Ok(true)
}
