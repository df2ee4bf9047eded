//! The counters that LLVM's `sanitizer-coverage-inline-8bit-counters` puts into a program.

use std::sync::Mutex;

use embarca_testkit::fuzz::engine::Coverage;

/// Begin and length of each range of counters. A range is a section of the program: it lives as long
/// as the program, and nothing but this file and the counting itself touches it.
static RANGES: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called by constructors that the pass adds, before `main`, with the section's bounds.
///
/// # Safety
/// `start..end` are the bounds of one section of counters.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    let range = (start.addr(), end.addr() - start.addr());
    let mut ranges = RANGES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if range.1 != 0 && !ranges.contains(&range) {
        start.expose_provenance();
        ranges.push(range);
    }
}

/// The program's own counters.
#[derive(Debug)]
pub struct Counters;

impl Counters {
    /// How many there are; none in a program that was built without the pass.
    pub fn count() -> usize {
        let ranges = RANGES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ranges.iter().map(|(_, len)| len).sum()
    }
}

impl Coverage for Counters {
    fn drain(&mut self, see: &mut dyn FnMut(usize, u8)) {
        let ranges = RANGES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut before = 0;
        for &(start, len) in ranges.iter() {
            let start = std::ptr::with_exposed_provenance_mut::<u8>(start);
            // SAFETY: the bounds are those of a section of bytes that the program may write, and
            // this thread is the only one that runs instrumented code while it looks: targets
            // join the threads that they start.
            let counters = unsafe { std::slice::from_raw_parts_mut(start, len) };
            let (chunks, rest) = counters.as_chunks_mut::<16>();
            let mut place = before;
            for chunk in chunks {
                // Most places are not reached.
                if u128::from_ne_bytes(*chunk) != 0 {
                    for (index, times) in chunk.iter().enumerate().filter(|(_, n)| **n != 0) {
                        see(place + index, *times);
                    }
                    *chunk = [0; 16];
                }
                place += 16;
            }
            for (index, times) in rest.iter_mut().enumerate().filter(|(_, n)| **n != 0) {
                see(place + index, std::mem::take(times));
            }
            before += len;
        }
    }
}
