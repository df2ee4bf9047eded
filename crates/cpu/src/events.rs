//! From a stream of probabilities to events with a beginning and an end.

use crate::plan::Task;
use crate::stream::Span;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A class has reached the score at which it counts, for as long as an event lasts at least.
    Begins {
        /// Its number.
        class: usize,
        /// Where, in seconds.
        at: f64,
        /// Its score.
        score: f32,
    },
    /// It has stayed below the score at which it ends. One that does not count did not begin.
    Ends {
        /// Its number.
        class: usize,
        /// Where it began, in seconds.
        start: f64,
        /// Where it ended.
        end: f64,
        /// Its greatest score.
        score: f32,
        /// Whether it was long enough to count.
        counts: bool,
    },
}

/// Finds events. One class at a time is heard: that of the greatest score which is no background.
#[derive(Clone, Debug)]
pub struct Events {
    rate: f64,
    score: f32,
    release: f32,
    shortest: f64,
    gap: f64,
    margin: f64,
    background: Vec<usize>,
    open: Option<Open>,
    /// The end of the last event.
    last: f64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    class: usize,
    first: Span,
    last: Span,
    /// That of the greatest score, which is `score`.
    best: Span,
    score: f32,
    /// Whether spans overlap.
    shared: bool,
    /// Whether it has been long enough, and its beginning was told.
    counts: bool,
    /// Where it fell below the score at which it ends.
    below: Option<i64>,
}

impl Open {
    /// First sample and the one behind the last of what was heard so far. Where clips overlap, what they
    /// have in common holds the event; where they have nothing in common, the likeliest does.
    fn place(&self, rate: f64) -> (i64, i64) {
        if self.last.start < self.first.end && self.first != self.last {
            (self.last.start, self.first.end)
        } else if self.shared && is_clip(self.best, rate) {
            (self.best.start, self.best.end)
        } else {
            (self.first.start, self.last.end)
        }
    }
}

/// Long spans are clips somewhere in which the event is: it is known when they end.
fn is_clip(span: Span, rate: f64) -> bool {
    0.25 <= (span.end - span.start) as f64 / rate
}

impl Events {
    /// Events as a task counts them; `None` where it names no score.
    pub fn of(task: &Task, rate: u32) -> Option<Self> {
        let value = |name: &str| {
            task.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
        };
        let score = value("score")?;
        let background = task.values.iter().filter(|(known, _)| known == "background");
        Some(Self {
            rate: f64::from(rate.max(1)),
            score,
            release: value("release").unwrap_or(score).min(score),
            shortest: value("shortest").unwrap_or(0.0).into(),
            gap: value("gap").unwrap_or(0.0).into(),
            margin: value("margin").unwrap_or(0.0).into(),
            background: background.map(|(_, class)| *class as usize).collect(),
            open: None,
            last: 0.0,
        })
    }

    /// Whether a class is no event.
    pub fn is_background(&self, class: usize) -> bool {
        self.background.contains(&class)
    }

    /// Takes the probabilities of the next span; spans come in order. At most one event ends and one
    /// begins.
    pub fn push(&mut self, span: Span, scores: &[f32]) -> [Option<Event>; 2] {
        let mut events = [None; 2];
        let best = (0..scores.len()).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let best = best.filter(|&class| self.score <= scores[class] && !self.is_background(class));
        if let Some(open) = &mut self.open {
            let score = scores.get(open.class).copied().unwrap_or(0.0);
            let stays = self.release <= score && best.is_none();
            if best == Some(open.class) || (stays && open.below.is_none()) {
                open.shared |= span.start < open.last.end;
                (open.last, open.below) = (span, None);
                if open.score < score {
                    (open.best, open.score) = (span, score);
                }
            }
            if best == Some(open.class) || stays {
                events[1] = self.begins(span);
                return events;
            }
            let changed = best.is_some();
            let below = *open.below.get_or_insert(span.start);
            if changed || self.gap <= (span.start - below) as f64 / self.rate {
                let open = *open;
                events[0] = Some(self.end(&open));
                self.open = None;
            }
        }
        if let Some(class) = best.filter(|_| self.open.is_none()) {
            let score = scores[class];
            let [first, last, best] = [span; 3];
            let (shared, counts, below) = (false, false, None);
            self.open = Some(Open { class, first, last, best, score, shared, counts, below });
            events[1] = self.begins(span);
        }
        events
    }

    /// The beginning of what is open, once that is known to last long enough; `span` is heard now.
    fn begins(&mut self, span: Span) -> Option<Event> {
        let shortest = self.shortest;
        let (overlap, rate) = (is_clip(span, self.rate), self.rate);
        let open = self.open.as_mut().filter(|open| !open.counts)?;
        let (start, end) = open.place(rate);
        if (end - start) as f64 / rate <= shortest {
            return None;
        }
        open.counts = true;
        let (class, score) = (open.class, open.score);
        let at = if overlap { open.first.end } else { open.first.start };
        let at = (at as f64 / self.rate - self.margin).max(self.last).max(0.0);
        Some(Event::Begins { class, at, score })
    }

    /// Ends what is open, at the end of the sound.
    pub fn finish(&mut self, total: f64) -> Option<Event> {
        let open = self.open.take()?;
        match self.end(&open) {
            Event::Ends { class, start, end, score, counts } => {
                Some(Event::Ends { class, start, end: end.min(total), score, counts })
            }
            event @ Event::Begins { .. } => Some(event),
        }
    }

    fn end(&mut self, open: &Open) -> Event {
        let (start, end) = open.place(self.rate);
        let [start, end] = [start, end].map(|at| at as f64 / self.rate);
        let counts = open.counts;
        let start = (start - self.margin).max(self.last).max(0.0);
        let end = (end + self.margin).max(start);
        self.last = end;
        Event::Ends { class: open.class, start, end, score: open.score, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(values: &[(&str, f32)]) -> Events {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Events::of(&Task { values, ..Task::default() }, 1000).unwrap()
    }

    #[test]
    fn speech_has_a_beginning_and_an_end() {
        let mut events = events(&[
            ("score", 0.5),
            ("release", 0.35),
            ("shortest", 0.25),
            ("gap", 0.15),
            ("margin", 0.03),
        ]);
        let scores = [0.1, 0.6, 0.9, 0.4, 0.2, 0.6, 0.9, 0.1, 0.4, 0.1, 0.1, 0.0];
        let mut found = Vec::new();
        for (i, score) in scores.into_iter().enumerate() {
            let start = 100 * i as i64;
            found.extend(
                events.push(Span { start, end: start + 100 }, &[score]).into_iter().flatten(),
            );
        }
        assert_eq!(events.finish(1.2), None);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let [
            Event::Begins { class: 0, at, score: 0.9 },
            Event::Ends { start, end, score: 0.9, counts: true, .. },
        ] = found[..]
        else {
            panic!("{found:?}");
        };
        assert!(close(at, 0.07) && close(start, 0.07) && close(end, 0.73), "{found:?}");
    }

    #[test]
    fn what_is_too_short_neither_begins_nor_counts() {
        // Half a second above the score: not long enough for 0.5, long enough for 0.4.
        for (shortest, begins) in [(0.5, None), (0.4, Some(0.1))] {
            let mut events = events(&[("score", 0.5), ("shortest", shortest)]);
            let mut found = Vec::new();
            for (i, score) in [0.0, 0.6, 0.6, 0.6, 0.6, 0.6, 0.0].into_iter().enumerate() {
                let start = 100 * i as i64;
                let new = events.push(Span { start, end: start + 100 }, &[score]);
                found.extend(new.into_iter().flatten());
            }
            let at = found.iter().find_map(|event| match event {
                Event::Begins { at, .. } => Some(*at),
                Event::Ends { .. } => None,
            });
            let counts =
                found.iter().any(|event| matches!(event, Event::Ends { counts: true, .. }));
            assert_eq!((at, counts), (begins, begins.is_some()), "{found:?}");
        }
    }

    #[test]
    fn words_lie_where_clips_overlap() {
        let mut events = events(&[("score", 0.5), ("background", 0.0)]);
        let scores = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]];
        let mut found = Vec::new();
        for (i, scores) in scores.iter().enumerate() {
            let start = 200 * i as i64;
            found.extend(
                events.push(Span { start, end: start + 1000 }, scores).into_iter().flatten(),
            );
        }
        assert_eq!(
            found,
            [
                Event::Begins { class: 1, at: 1.2, score: 0.6 },
                Event::Ends { class: 1, start: 0.4, end: 1.2, score: 0.7, counts: true },
            ]
        );
    }

    #[test]
    fn clips_that_overlap_are_as_long_as_what_they_share() {
        // Clips of a second, 0.2 seconds apart: a clip alone lasts a second, never longer.
        for (shortest, begins) in [(0.9, Some(1.2)), (1.0, None), (1.3, None)] {
            let mut events = events(&[("score", 0.5), ("shortest", shortest)]);
            let mut found = Vec::new();
            for (i, score) in [0.1, 0.6, 0.7, 0.6, 0.1].into_iter().enumerate() {
                let start = 200 * i as i64;
                let new = events.push(Span { start, end: start + 1000 }, &[score]);
                found.extend(new.into_iter().flatten());
            }
            let at = found.iter().find_map(|event| match event {
                Event::Begins { at, .. } => Some(*at),
                Event::Ends { .. } => None,
            });
            let Some(Event::Ends { start: 0.6, end: 1.2, counts, .. }) = found.last() else {
                panic!("{found:?}");
            };
            assert_eq!((at, *counts), (begins, begins.is_some()), "{found:?}");
        }
    }

    #[test]
    fn a_word_is_no_longer_than_its_clip() {
        let mut events = events(&[("score", 0.5)]);
        let scores = [0.1, 0.6, 0.7, 0.6, 0.8, 0.9, 0.8, 0.6, 0.1];
        let mut found = Vec::new();
        for (i, score) in scores.into_iter().enumerate() {
            let start = 200 * i as i64;
            found.extend(
                events.push(Span { start, end: start + 1000 }, &[score]).into_iter().flatten(),
            );
        }
        let ends = Event::Ends { class: 0, start: 1.0, end: 2.0, score: 0.9, counts: true };
        assert_eq!(found[1..], [ends]);
    }
}
