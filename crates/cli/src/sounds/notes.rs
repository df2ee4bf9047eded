//! From the keys of a piano, frame by frame, to notes.

use embarca::{Span, Stream, Task};

use super::listener::Heard;

/// Keys.
const KEYS: usize = 88;
/// Bytes of a frame.
const ROW: usize = 4 * KEYS;
/// The MIDI number of the lowest.
const LOWEST: usize = 21;
/// Frames of a note at least, and frames of silence that end one.
const SHORTEST: usize = 11;

#[derive(Clone, Copy, Debug)]
struct Open {
    start: f64,
    frames: usize,
    quiet: usize,
    /// Where it was heard last.
    last: f64,
    score: f32,
}

/// Finds notes: one begins where the probability that its key is struck has a peak, and ends when it has
/// not sounded for 11 frames. (Basic Pitch's `output_to_notes_polyphonic` looks backwards from onsets
/// over a whole recording; this hears them in order.)
pub struct Tracker {
    score: f32,
    release: f32,
    rate: f64,
    hop: i64,
    /// The end of what was heard.
    heard: i64,
    /// The onsets of the two frames before.
    before: [[f32; KEYS]; 2],
    open: [Option<Open>; KEYS],
}

impl Tracker {
    pub fn new(task: &Task, stream: &Stream) -> Self {
        let value = |name: &str, default: f32| {
            task.values.iter().find(|(known, _)| known == name).map_or(default, |(_, value)| *value)
        };
        Self {
            score: value("score", 0.5),
            release: value("release", 0.3),
            rate: f64::from(stream.rate()),
            hop: stream.hop() as i64,
            heard: 0,
            before: [[0.0; KEYS]; 2],
            open: [None; KEYS],
        }
    }

    /// Takes the frames of a span, of which those at the ends are left to its neighbours.
    pub fn push(&mut self, span: Span, notes: &[u8], onsets: &[u8], tell: &mut dyn FnMut(Heard)) {
        let (notes, onsets) = (notes.as_chunks::<ROW>().0, onsets.as_chunks::<ROW>().0);
        let count = notes.len().max(1) as f64;
        let frame = (span.end - span.start) as f64 / count;
        let margin = ((span.end - span.start - self.hop) / 2).max(0);
        let (from, to) = (self.heard.max(span.start), span.end - margin);
        for (i, (notes, onsets)) in notes.iter().zip(onsets).enumerate() {
            let at = span.start + (frame * i as f64) as i64;
            if at < from || to <= at {
                continue;
            }
            let mut row = [[0.0; KEYS]; 2];
            for (to, from) in row.iter_mut().zip([notes, onsets]) {
                for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
                    *to = f32::from_le_bytes(*from);
                }
            }
            self.frame(at as f64 / self.rate, &row[0], &row[1], tell);
        }
        self.heard = to;
    }

    fn frame(
        &mut self,
        at: f64,
        notes: &[f32; KEYS],
        onsets: &[f32; KEYS],
        tell: &mut dyn FnMut(Heard),
    ) {
        for key in 0..KEYS {
            let [two, one] = self.before.map(|onsets| onsets[key]);
            // The frame before had a peak.
            let struck = self.score <= one && two < one && onsets[key] <= one;
            if struck {
                self.end(key, tell);
                self.open[key] =
                    Some(Open { start: at, frames: 0, quiet: 0, last: at, score: one });
            }
            let Some(open) = &mut self.open[key] else { continue };
            if self.release <= notes[key] {
                open.frames += 1 + open.quiet;
                (open.quiet, open.last) = (0, at);
                open.score = open.score.max(notes[key]);
            } else {
                open.quiet += 1;
                if SHORTEST <= open.quiet {
                    self.end(key, tell);
                }
            }
        }
        self.before = [self.before[1], *onsets];
    }

    fn end(&mut self, key: usize, tell: &mut dyn FnMut(Heard)) {
        let Some(open) = self.open[key].take() else { return };
        if SHORTEST <= open.frames {
            let (start, end, score) = (open.start, open.last, open.score);
            tell(Heard { class: LOWEST + key, start, end, score });
        }
    }

    pub fn finish(&mut self, tell: &mut dyn FnMut(Heard)) {
        for key in 0..KEYS {
            self.end(key, tell);
        }
    }
}

/// `C4` for 60.
pub fn name(midi: usize) -> String {
    let names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    format!("{}{}", names[midi % 12], (midi / 12).cast_signed() - 1)
}
