//! Hostile files are refused at once, in little memory, with words that name the place.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use embarca_testkit::bombs::{self, Bomb};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a refusal may take.
const TIME: Duration = Duration::from_millis(50);
const BYTES: usize = 32 << 20;

/// Time on the processor since the program began, where the system tells; else since `start`.
fn spent(start: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|text| text.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// What is wrong with how a file is refused, if anything.
fn judge(bomb: &Bomb, folder: &std::path::Path) -> Option<String> {
    let path = folder.join(format!("{:?}.{}", bomb.reader, bomb.extension()));
    std::fs::write(&path, &bomb.bytes).unwrap();
    let mut fastest = Duration::MAX;
    let epoch = Instant::now();
    // The first time may have to fetch code from the disk.
    for _ in 0..5 {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let started = spent(epoch);
        let opened = catch_unwind(AssertUnwindSafe(|| bomb.open(&path)));
        fastest = fastest.min(spent(epoch).saturating_sub(started));
        let peak = MEMORY.peak_usage().saturating_sub(before);
        match opened {
            Err(_) => return Some("panics".into()),
            Ok(Ok(())) => return Some("is accepted".into()),
            Ok(Err(refusal)) if bomb.refusal.is_empty() || !refusal.contains(bomb.refusal) => {
                return Some(format!("is refused with\n    {refusal}"));
            }
            Ok(Err(_)) if BYTES < peak => return Some(format!("takes {peak} bytes")),
            Ok(Err(_)) if fastest <= TIME => return None,
            Ok(Err(_)) => {}
        }
    }
    Some(format!("takes {fastest:?}"))
}

#[test]
fn hostile_files_are_refused() {
    let folder = std::env::temp_dir().join(format!("embarca-bombs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let bombs = bombs::all();
    assert!(150 <= bombs.len(), "{} files", bombs.len());
    let names: BTreeSet<_> = bombs.iter().map(|bomb| (bomb.reader, bomb.name)).collect();
    assert_eq!(names.len(), bombs.len(), "names occur twice");
    let fault = |bomb| judge(bomb, &folder).map(|fault| (bomb, fault));
    let faults: Vec<_> = bombs.iter().filter_map(fault).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    for (bomb, fault) in &faults {
        println!("{:?} '{}' ({}) {fault}", bomb.reader, bomb.name, bomb.stands_for);
    }
    assert!(faults.is_empty(), "{} of {} files", faults.len(), bombs.len());
    println!("{} files", bombs.len());
}

#[test]
fn odd_files_mean_what_others_read() {
    for odd in bombs::contradictions::odd() {
        let model = embarca::Model::from_bytes(&odd.bytes, &Default::default());
        let model = model.unwrap_or_else(|error| panic!("{}: {error}", odd.name));
        let mut session = model.plan(Default::default()).unwrap().session().unwrap();
        session.input_bytes(0).unwrap().copy_from_slice(&odd.input);
        session.run().unwrap();
        assert_eq!(session.output_bytes(0).unwrap(), odd.output, "{}", odd.name);
    }
}
