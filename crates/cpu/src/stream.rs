//! Sound through a pipeline, step by step.

use embarca_kernels::{Src, Ty};
use embarca_num::DType;
use zerocopy::IntoBytes;

use crate::error::PipelineError;
use crate::pipeline::{Feed, Pipeline};
use crate::plan::Task;

/// The part of the sound that an answer is about, in samples at the stream's rate; it may begin before
/// the sound does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first sample.
    pub start: i64,
    /// The first sample behind.
    pub end: i64,
}

/// A pipeline whose front takes `samples`, and the samples that wait for it.
///
/// The front runs on overlapping windows; every so many of its runs the model and its back do. What
/// they carry over lives in the pipeline. From the second answer on feeding it allocates nothing.
#[derive(Debug)]
pub struct Stream {
    pipeline: Pipeline,
    rate: u32,
    window: usize,
    step: usize,
    rows: u64,
    every: u64,
    lead: usize,
    /// The last samples, of which `filled` are there.
    buffer: Vec<f32>,
    filled: usize,
    /// Samples that are left out where windows do not touch.
    skip: usize,
    /// Samples fed, `lead` included.
    fed: u64,
    /// Samples at the end that no front has seen.
    unseen: usize,
    fronts: u64,
    answers: u64,
}

/// The longest window: 2^24 samples, which is also where whole numbers in f32 end.
const MOST: f32 = 16_777_216.0;

impl Stream {
    /// A pipeline as a stream of sound; gives it back where its task takes none.
    ///
    /// # Errors
    /// The pipeline, when the task does not say how often its front runs, or when what one answer is
    /// about, or what lies between two, exceeds 2^24 samples.
    pub fn new(pipeline: Pipeline, task: &Task) -> Result<Self, Box<Pipeline>> {
        let value = |name: &str, least: f32| -> Option<usize> {
            let (_, value) = task.values.iter().find(|(known, _)| known == name)?;
            (least..=MOST).contains(value).then_some(*value as usize)
        };
        let numbers = || {
            let [rate, window, step, rows, every] =
                ["sound-rate", "sound-window", "sound-step", "sound-rows", "sound-every"]
                    .map(|name| value(name, 1.0));
            Some((rate?, window?, step?, rows?, every?, value("sound-lead", 0.0)?))
        };
        // Bounds what the end of a sound may run over.
        let fits =
            |&(_, window, step, rows, every, _): &(usize, usize, usize, usize, usize, usize)| {
                let [clip, hop] = [rows - 1, every].map(|runs| runs.saturating_mul(step));
                clip.saturating_add(window).max(hop) <= MOST as usize
            };
        let Some((rate, window, step, rows, every, lead)) =
            numbers().filter(|_| pipeline.takes("samples")).filter(fits)
        else {
            return Err(Box::new(pipeline));
        };
        let mut stream = Self {
            pipeline,
            rate: u32::try_from(rate).unwrap_or(u32::MAX),
            window,
            step,
            rows: rows as u64,
            every: every as u64,
            lead,
            buffer: vec![0.0; window],
            filled: 0,
            skip: 0,
            fed: 0,
            unseen: 0,
            fronts: 0,
            answers: 0,
        };
        stream.reset();
        Ok(stream)
    }

    /// Begins another sound.
    pub fn reset(&mut self) {
        self.pipeline.reset();
        let lead = self.lead.min(self.window - 1);
        self.buffer[..lead].fill(0.0);
        (self.filled, self.skip, self.fed) = (lead, 0, lead as u64);
        (self.unseen, self.fronts, self.answers) = (0, 0, 0);
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Samples that one answer is about.
    pub fn clip(&self) -> usize {
        let before = usize::try_from(self.rows - 1).unwrap_or(0).saturating_mul(self.step);
        before.saturating_add(self.window)
    }

    /// Samples from one answer to the next.
    pub fn hop(&self) -> usize {
        usize::try_from(self.every).unwrap_or(usize::MAX).saturating_mul(self.step)
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// What the stages yielded.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Sets a value of the task, as [`Pipeline::set`].
    pub fn set(&mut self, name: &str, value: f32) -> bool {
        self.pipeline.set(name, value)
    }

    /// Takes samples, full scale from -1 to 1, up to the next answer: how many it took, and what the
    /// answer is about where there is one. Call it again with the rest.
    ///
    /// # Errors
    /// When a stage fails.
    pub fn feed(&mut self, samples: &[f32]) -> Result<(usize, Option<Span>), PipelineError> {
        let mut taken = 0;
        while let Some(rest) = samples.get(taken..).filter(|rest| !rest.is_empty()) {
            let skip = self.skip.min(rest.len());
            let room = (rest.len() - skip).min(self.window - self.filled);
            let end = self.filled + room;
            self.buffer[self.filled..end].copy_from_slice(&rest[skip..skip + room]);
            self.skip -= skip;
            self.filled = end;
            taken += skip + room;
            self.fed += (skip + room) as u64;
            self.unseen += room;
            if self.filled == self.window
                && let Some(span) = self.step()?
            {
                return Ok((taken, Some(span)));
            }
        }
        Ok((taken, None))
    }

    /// Ends the sound with silence where an answer to its last part is missing: where there was none
    /// yet, or half of what leads to the next one has come (any of it, where windows reach beyond both
    /// ends of the sound).
    ///
    /// # Errors
    /// As [`Stream::feed`].
    pub fn finish(&mut self) -> Result<Option<Span>, PipelineError> {
        let since = self.unseen as u64
            + (self.fronts.saturating_sub(self.rows) % self.every) * self.step as u64;
        let half = self.hop() as u64 <= since.saturating_mul(2);
        let waits = 0 < self.unseen && (half || 0 < self.lead);
        let none = self.answers == 0 && 0 < self.fed;
        if !none && !waits {
            return Ok(None);
        }
        // At most this many windows lead to an answer.
        for _ in 0..self.rows.max(self.every) {
            self.buffer[self.filled..].fill(0.0);
            let missing = self.window - self.filled + self.skip;
            (self.filled, self.skip) = (self.window, 0);
            self.fed += missing as u64;
            if let Some(span) = self.step()? {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    /// Runs the front on the window and, where it is time, what follows.
    fn step(&mut self) -> Result<Option<Span>, PipelineError> {
        let dims = [self.window as u32];
        let tensor =
            Src { ty: Ty { dtype: DType::F32, dims: &dims }, data: self.buffer.as_bytes() };
        let feeds = [Feed { name: "samples", tensor }];
        self.pipeline.prepare(&feeds)?;
        self.fronts += 1;
        self.unseen = 0;
        let due = self.rows <= self.fronts && (self.fronts - self.rows).is_multiple_of(self.every);
        if due {
            self.pipeline.answer(&feeds)?;
            self.answers += 1;
        }
        if self.step < self.window {
            self.buffer.copy_within(self.step.., 0);
            self.filled = self.window - self.step;
        } else {
            (self.filled, self.skip) = (0, self.step - self.window);
        }
        let end = self.fed as i64 - self.lead.min(self.window - 1) as i64;
        Ok(due.then(|| Span { start: end - self.clip() as i64, end }))
    }
}
