//! A progress bar for what takes more than a second.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::term::bar;

/// Nothing is drawn before this much time has passed, nor more often.
const PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(100);

/// Characters of a full bar.
const WIDTH: usize = 30;

/// Draws on standard error, and only where a person looks at it.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    start: Instant,
    drawn: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Begins now.
    pub fn new(what: &'static str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { what, start: Instant::now(), drawn: None, is_terminal }
    }

    /// Says how much is done, from 0 to 1.
    pub fn at(&mut self, fraction: f64) {
        let due = match self.drawn {
            Some(drawn) => STEP <= drawn.elapsed(),
            None => PATIENCE <= self.start.elapsed(),
        };
        if self.is_terminal && due {
            self.drawn = Some(Instant::now());
            let bar = bar(fraction, WIDTH, false);
            let percent = (fraction.clamp(0.0, 1.0) * 100.0).round();
            let line = format!("\r{} [{bar:<WIDTH$}] {percent:>3}%", self.what);
            let _ = write!(std::io::stderr(), "{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
