//! A fork-join pool in which the caller takes part, so that a worker that does not come costs
//! nothing. A named border: the `unsafe` here lends a closure and disjoint parts of a buffer to
//! threads for the time of one call.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};

/// Rounds in which an idle worker looks for work before it sleeps: some 20 to 50 us.
const SPINS: usize = 20_000;

/// What the workers run: `(chunk, worker)`, worker 0 being the caller.
type Job = &'static (dyn Fn(usize, usize) + Sync);

/// Worker threads that share the work of one call at a time.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held during a call; a second caller runs alone instead of waiting.
    busy: Mutex<()>,
}

struct Shared {
    job: UnsafeCell<Option<(Job, usize)>>,
    /// Whether `job` may be entered.
    open: AtomicBool,
    /// Workers that may be looking at `job`.
    inside: AtomicUsize,
    /// The next chunk nobody has taken.
    next: AtomicUsize,
    stop: AtomicBool,
    /// Set by a worker before it sleeps, cleared by whoever wakes it.
    parked: Vec<AtomicBool>,
    failed: AtomicBool,
}

// SAFETY: `job` is written only while `open` is false and `inside` is 0 (by the holder of `busy`)
// and read only between an increment of `inside` that is followed by a look at `open` that finds
// it true, and the matching decrement. All of these are sequentially consistent.
unsafe impl Sync for Shared {}
// SAFETY: the job is `Sync` and is not owned.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool in which `threads` threads compute, the caller included.
    pub fn new(threads: usize) -> Self {
        let n_workers = threads.saturating_sub(1);
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            open: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            parked: (0..n_workers).map(|_| AtomicBool::new(false)).collect(),
            failed: AtomicBool::new(false),
        });
        let spawn = |index: usize| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("embarca-{}", index + 1));
            builder.spawn(move || shared.work(index)).ok()
        };
        // Fewer threads than asked for is no failure: the caller takes their share.
        let workers = (0..n_workers).map_while(spawn).collect();
        Self { shared, workers, busy: Mutex::new(()) }
    }

    /// Threads that compute, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `run(chunk, worker)` for each chunk, on several threads; `worker < threads()`.
    fn for_each(&self, chunks: usize, run: &(dyn Fn(usize, usize) + Sync)) {
        let guard =
            if chunks < 2 || self.workers.is_empty() { None } else { self.busy.try_lock().ok() };
        if guard.is_none() {
            (0..chunks).for_each(|chunk| run(chunk, 0));
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes; `run` is not used after this call, because `close`
        // below waits until no worker is inside.
        let job: Job = unsafe { std::mem::transmute(run) };
        // SAFETY: `busy` is held, `open` is false and the last call waited for `inside` to be 0.
        unsafe { *shared.job.get() = Some((job, chunks)) };
        shared.next.store(0, SeqCst);
        shared.open.store(true, SeqCst);
        let close = Close(shared);
        for (worker, parked) in self.workers.iter().zip(&shared.parked) {
            if parked.swap(false, SeqCst) {
                wake(worker.thread());
            }
        }
        loop {
            let chunk = shared.next.fetch_add(1, SeqCst);
            if chunks <= chunk {
                break;
            }
            run(chunk, 0);
        }
        drop(close);
        assert!(!shared.failed.swap(false, SeqCst), "a kernel panicked on a worker thread");
    }

    /// Splits `out` into `units` parts of equal size and calls `run(range, part, scratch)` for
    /// ranges of units that together are `0..units`, on several threads. Each call has `scratch`
    /// bytes of `scratches` to itself.
    ///
    /// `out.len()` must be a multiple of `units`, and `scratches` must hold `scratch` bytes for
    /// each of [`Pool::threads`].
    pub fn split(
        &self,
        units: usize,
        min_units: usize,
        out: &mut [u8],
        (scratches, scratch): (&mut [u8], usize),
        run: &(dyn Fn(Range<usize>, &mut [u8], &mut [u8]) + Sync),
    ) {
        if units == 0 {
            return;
        }
        let unit = out.len() / units;
        let wanted = units.div_ceil(min_units.max(1)).min(4 * self.threads());
        let threads = scratches.len().checked_div(scratch).unwrap_or(self.threads());
        if wanted < 2 || threads < self.threads() || self.workers.is_empty() {
            let len = scratch.min(scratches.len());
            run(0..units, out, &mut scratches[..len]);
            return;
        }
        let (out_at, scratch_at) = (Start(out.as_mut_ptr()), Start(scratches.as_mut_ptr()));
        self.for_each(wanted, &|chunk, worker| {
            let range = chunk * units / wanted..(chunk + 1) * units / wanted;
            // SAFETY: the ranges of different chunks are disjoint parts of `out`, which this
            // function borrows exclusively until `for_each` returns.
            let part = unsafe {
                std::slice::from_raw_parts_mut(out_at.at(range.start * unit), range.len() * unit)
            };
            // SAFETY: each worker is one thread with a part of `scratches` of its own, and the
            // whole is as long as checked above.
            let mine =
                unsafe { std::slice::from_raw_parts_mut(scratch_at.at(worker * scratch), scratch) };
            run(range, part, mine);
        });
    }
}

/// The first byte of a buffer of which threads take disjoint parts.
#[derive(Clone, Copy)]
struct Start(*mut u8);

impl Start {
    fn at(self, offset: usize) -> *mut u8 {
        self.0.wrapping_add(offset)
    }
}

// SAFETY: whoever turns it into slices answers for their disjointness.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

/// Ends a call even when it unwinds: no worker is inside afterwards.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.open.store(false, SeqCst);
        let mut rounds = 0usize;
        while self.0.inside.load(SeqCst) != 0 {
            rounds += 1;
            // A worker that lost its core needs it back more than this thread needs to spin.
            if rounds < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

fn wake(thread: &Thread) {
    thread.unpark();
}

impl Shared {
    fn work(&self, index: usize) {
        let mut idle = 0;
        while !self.stop.load(SeqCst) {
            if self.open.load(SeqCst) && self.help(index + 1) {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < SPINS {
                std::hint::spin_loop();
                continue;
            }
            self.parked[index].store(true, SeqCst);
            if !self.open.load(SeqCst) && !self.stop.load(SeqCst) {
                thread::park();
            }
            self.parked[index].store(false, SeqCst);
            idle = 0;
        }
    }

    /// Takes chunks until there are none; whether there was one.
    fn help(&self, worker: usize) -> bool {
        struct Leave<'a>(&'a Shared);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.failed.store(true, SeqCst);
                }
                self.0.inside.fetch_sub(1, SeqCst);
            }
        }
        self.inside.fetch_add(1, SeqCst);
        let _leave = Leave(self);
        if !self.open.load(SeqCst) {
            return false;
        }
        // SAFETY: see `impl Sync for Shared`.
        let Some((job, chunks)) = (unsafe { *self.job.get() }) else { return false };
        let mut helped = false;
        loop {
            let chunk = self.next.fetch_add(1, SeqCst);
            if chunks <= chunk {
                return helped;
            }
            job(chunk, worker);
            helped = true;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker that panicked has been reported by the call it belonged to.
            drop(worker.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_computed_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads);
            for units in [0, 1, 2, 5, 64, 1000] {
                for round in 0..50u8 {
                    let mut out = vec![0u8; units * 3];
                    let mut scratches = vec![0u8; threads * 8];
                    pool.split(units, 1, &mut out, (&mut scratches, 8), &|range, part, mine| {
                        assert_eq!((range.len() * 3, mine.len()), (part.len(), 8));
                        mine.fill(round);
                        for (unit, bytes) in range.zip(part.chunks_exact_mut(3)) {
                            bytes.fill((unit as u8).wrapping_add(mine[0]));
                        }
                    });
                    let expected =
                        (0..units).flat_map(|unit| [(unit as u8).wrapping_add(round); 3]);
                    assert!(out.iter().copied().eq(expected));
                }
            }
        }
    }

    #[test]
    fn two_callers_share_a_pool() {
        let pool = Pool::new(3);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut out = vec![0u8; 256];
                        pool.split(256, 1, &mut out, (&mut [], 0), &|range, part, _| {
                            for (unit, byte) in range.zip(part) {
                                *byte = unit as u8;
                            }
                        });
                        assert!(out.iter().copied().eq(0..=255));
                    }
                });
            }
        });
    }

    /// Splits 64 bytes and fills each with `value`.
    fn fill(pool: &Pool, value: u8) -> Vec<u8> {
        let mut out = vec![0; 64];
        pool.split(64, 1, &mut out, (&mut [], 0), &|_, part, _| part.fill(value));
        out
    }

    #[test]
    fn a_panic_ends_the_call_and_spares_the_pool() {
        for on_caller in [false, true] {
            let pool = Pool::new(3);
            let caller = thread::current().id();
            let panics = AtomicBool::new(false);
            let call = || {
                pool.split(64, 1, &mut [0; 64], (&mut [], 0), &|range, _, _| {
                    // Those who do not panic leave a share to those who do.
                    if (thread::current().id() == caller) == on_caller {
                        panics.store(true, SeqCst);
                        panic!("share {range:?}");
                    }
                    while !panics.load(SeqCst) {
                        thread::yield_now();
                    }
                });
            };
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
            assert!(ended.is_err());
            for value in 1..20 {
                assert_eq!(fill(&pool, value), [value; 64]);
            }
        }
    }

    #[test]
    fn a_share_may_use_the_pool() {
        let pool = Pool::new(3);
        let mut out = vec![0u8; 64];
        pool.split(64, 1, &mut out, (&mut [], 0), &|range, part, _| {
            let inner = fill(&pool, 7);
            part.copy_from_slice(&inner[range]);
        });
        assert_eq!(out, [7; 64]);
    }

    #[test]
    fn workers_that_sleep_wake_for_work_and_for_the_end() {
        for round in 0..20 {
            let pool = Pool::new(3);
            for value in 1..4 {
                assert_eq!(fill(&pool, value), [value; 64]);
                thread::sleep(std::time::Duration::from_micros(200 * round));
            }
        }
    }
}
