//! What a stream of sound says: events, and how likely each class is over all.

use embarca::{Event, Events, Span, Stream, Task};

use super::notes::Tracker;
use crate::failure::{Failure, Result};

/// Something heard from here to there.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// A class, or the number of a note.
    pub class: usize,
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// The greatest score in between.
    pub score: f32,
}

/// Something that has just begun or ended, for those who follow.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A class and where it begins, in seconds.
    Begins(usize, f64, f32),
    /// All of it.
    Ends(Heard),
}

/// What kind of answers a task gives.
enum Kind {
    /// Probabilities in which events are found.
    Events(Events),
    /// Probabilities of a clip: the best one is named when it changes.
    Classes { last: Option<usize> },
    /// Keys of a piano.
    Notes(Box<Tracker>),
}

/// Events that are kept of a sound without end: those that its picture shows.
pub const MARKS: usize = 1000;

/// Reads the answers of a stream.
pub struct Listener {
    kind: Kind,
    rate: f64,
    /// Probabilities of the last answer.
    scores: Vec<f32>,
    /// The greatest of each class so far, and their sum.
    most: Vec<f32>,
    sums: Vec<f64>,
    /// Events that counted, the first `most_kept` of them.
    pub heard: Vec<Heard>,
    most_kept: usize,
    /// Answers so far.
    pub answers: usize,
    /// The end of the sound in seconds, as soon as it is known: nothing is heard beyond.
    end: f64,
}

impl Listener {
    /// For the answers of a task, of which at most `most_kept` events are kept.
    pub fn new(task: &Task, stream: &Stream, most_kept: usize) -> Result<Self> {
        let rate = stream.rate();
        let kind = match task.kind.as_str() {
            "classification" => Kind::Classes { last: None },
            "notes" => Kind::Notes(Box::new(Tracker::new(task, stream))),
            _ => Kind::Events(Events::of(task, rate).ok_or_else(|| {
                Failure::refused(format!("a task '{}' finds nothing in sound", task.kind))
            })?),
        };
        let (scores, most, sums) = (Vec::new(), Vec::new(), Vec::new());
        let rate = f64::from(rate);
        let (heard, answers, end) = (Vec::new(), 0, f64::INFINITY);
        Ok(Self { kind, rate, scores, most, sums, heard, most_kept, answers, end })
    }

    /// Says where the sound ends, in seconds.
    pub fn ends(&mut self, seconds: f64) {
        self.end = seconds;
    }

    /// Reads the answer that the stream has just given; calls `tell` for what begins or ends.
    pub fn hear(&mut self, stream: &Stream, span: Span, tell: &mut dyn FnMut(News)) -> Result {
        self.answers += 1;
        let (most, end) = (self.most_kept, self.end);
        if let Kind::Notes(tracker) = &mut self.kind {
            let [notes, onsets] = ["notes", "onsets"].map(|name| stream.pipeline().output(name));
            let (Some(notes), Some(onsets)) = (notes, onsets) else { return Err(missing("notes")) };
            tracker.push(span, notes.data, onsets.data, &mut |note| {
                keep(note, &mut self.heard, most, end, tell);
            });
            return Ok(());
        }
        self.read(stream)?;
        if self.most.is_empty() {
            (self.most, self.sums) = (vec![0.0; self.scores.len()], vec![0.0; self.scores.len()]);
        }
        for ((most, sum), score) in self.most.iter_mut().zip(&mut self.sums).zip(&self.scores) {
            *most = most.max(*score);
            *sum += f64::from(*score);
        }
        match &mut self.kind {
            Kind::Events(events) => {
                for event in events.push(span, &self.scores).into_iter().flatten() {
                    hear(event, &mut self.heard, most, end, tell);
                }
            }
            Kind::Classes { last } => {
                let scores = &self.scores;
                let best = (0..scores.len()).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
                if let Some(class) = best.filter(|best| *last != Some(*best)) {
                    let at = span.start.max(0) as f64 / self.rate;
                    tell(News::Begins(class, at.min(end), scores[class]));
                }
                *last = best;
            }
            Kind::Notes(_) => {}
        }
        Ok(())
    }

    /// Ends what is open at the end of the sound.
    pub fn finish(&mut self, tell: &mut dyn FnMut(News)) {
        let (most, end) = (self.most_kept, self.end);
        match &mut self.kind {
            Kind::Events(events) => {
                if let Some(event) = events.finish(end) {
                    hear(event, &mut self.heard, most, end, tell);
                }
            }
            Kind::Classes { .. } => {}
            Kind::Notes(tracker) => {
                tracker.finish(&mut |note| keep(note, &mut self.heard, most, end, tell));
            }
        }
        if let Kind::Notes(_) = self.kind {
            self.heard.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.class.cmp(&b.class)));
        }
    }

    /// The probabilities of the last answer, by class.
    fn read(&mut self, stream: &Stream) -> Result {
        let pipeline = stream.pipeline();
        let floats = |bytes: &[u8], to: &mut Vec<f32>| {
            to.clear();
            to.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        };
        if let Some(probabilities) = pipeline.output("probabilities") {
            floats(probabilities.data, &mut self.scores);
            return Ok(());
        }
        // A ranking: scores from the greatest down, and whose they are.
        let (Some(scores), Some(classes)) = (pipeline.output("scores"), pipeline.output("classes"))
        else {
            return Err(missing("probabilities"));
        };
        self.scores.clear();
        self.scores.resize(scores.data.len() / 4, 0.0);
        let pairs = scores.data.as_chunks::<4>().0.iter().zip(classes.data.as_chunks::<4>().0);
        for (score, class) in pairs {
            let class = usize::try_from(i32::from_le_bytes(*class)).unwrap_or(usize::MAX);
            if let Some(to) = self.scores.get_mut(class) {
                *to = f32::from_le_bytes(*score);
            }
        }
        Ok(())
    }

    /// How likely each class is over all, the likeliest first: the mean of a classification, else the
    /// greatest that was met.
    pub fn ranking(&self) -> Vec<(usize, f64)> {
        let count = self.answers.max(1) as f64;
        let mut ranking: Vec<(usize, f64)> = match self.kind {
            Kind::Classes { .. } => self.sums.iter().map(|sum| sum / count).enumerate().collect(),
            _ => self.most.iter().map(|&most| f64::from(most)).enumerate().collect(),
        };
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranking
    }
}

fn missing(name: &str) -> Failure {
    Failure::refused(format!("the plan's back does not yield '{name}'"))
}

/// Keeps what was heard, up to the end of the sound, and tells it.
fn keep(found: Heard, heard: &mut Vec<Heard>, most: usize, end: f64, tell: &mut dyn FnMut(News)) {
    let found = Heard { end: found.end.min(end), ..found };
    if found.end <= found.start {
        return;
    }
    if heard.len() < most {
        heard.push(found.clone());
    }
    tell(News::Ends(found));
}

fn hear(event: Event, heard: &mut Vec<Heard>, most: usize, limit: f64, tell: &mut dyn FnMut(News)) {
    match event {
        Event::Begins { class, at, score } => tell(News::Begins(class, at.min(limit), score)),
        Event::Ends { class, start, end, score, counts: true } => {
            keep(Heard { class, start, end, score }, heard, most, limit, tell);
        }
        Event::Ends { .. } => {}
    }
}
