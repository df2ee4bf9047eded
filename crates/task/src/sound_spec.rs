//! The description of sound: the `[sound]` and `[events]` tables of a task.

use serde::{Deserialize, Serialize};

use crate::error::TaskError;

/// How sound becomes the model's input. Lengths are in samples at `rate`, frequencies in Hz.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SoundSpec {
    /// The number of the input.
    pub input: usize,
    /// Samples a second that the model takes; sound of another rate is resampled. 16000 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// What the model takes: `samples`, `spectrogram`, `mel`, `mfcc` or `micro` (TensorFlow Lite Micro's
    /// front end).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Samples of a frame; of `samples`, those that are fed at once where the model leaves it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Samples from one frame to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Frames, where the model leaves them open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Which comes first in the input, `time` or `features`, where its shape does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Samples from one answer to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop: Option<usize>,
    /// Samples in front of each window of `samples` that the model sees again; zeros at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Zeros in front of the sound, in samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<usize>,
    /// Multiplies the samples, whose full scale is -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<f32>,
    /// `peak` divides each clip by its largest sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// From each sample, this share of the one before is taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preemphasis: Option<f32>,
    /// The window's shape: `hann` (periodic), `hann-symmetric`, `hamming`, `hamming-symmetric`, `blackman`
    /// or `rectangle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// The length of the transform; the next power of two when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fft: Option<usize>,
    /// `power` (squares) or `magnitude`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<String>,
    /// Bands of the mel scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bands: Option<usize>,
    /// The lower edge of the lowest band.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f32>,
    /// The upper edge of the highest band; half the rate when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f32>,
    /// Whose mel filters: `tensorflow`, `htk` or `slaney`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mel: Option<String>,
    /// `slaney` makes all bands of one area; `none` leaves them at height 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// `natural`, `ten`, `decibel` (10 times `ten`) or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Added in front of the logarithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<f32>,
    /// The least number that the logarithm is taken of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f32>,
    /// Coefficients that are kept of the cosine transform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coefficients: Option<usize>,
    /// The cosine transform's scale: `tensorflow` (all by the root of 2/N) or `ortho` (the first by that
    /// of 1/N).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dct: Option<String>,
    /// `clip` brings all numbers of a clip to mean 0 and deviation 1, `bands` each band by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<String>,
    /// Subtracted from each feature: one number, or one a feature.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Divides each feature after the mean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f32>,
    /// How `micro` features become integers: `tflm` (as its audio preprocessor) or `input` (by the
    /// input's own scale).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<String>,
}

/// What counts as an event in a stream of answers. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EventSpec {
    /// Answers that are averaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smooth: Option<usize>,
    /// The score below which an event ends; the task's `score` is where it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<f32>,
    /// Shorter events do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortest: Option<f32>,
    /// Shorter pauses do not end an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<f32>,
    /// Added at both ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f32>,
    /// Classes that are no event. When left out, those whose labels say so (`silence`, `unknown`,
    /// `noise`, `background`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Vec<usize>>,
}

/// Samples of one window or clip, and numbers in its frames.
pub(crate) const MOST: usize = 1 << 22;

impl SoundSpec {
    /// The rate.
    pub fn rate(&self) -> u32 {
        self.rate.unwrap_or(16000)
    }

    /// Refuses numbers that nothing can be made of.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        let wrong = |key: &str, what: String| {
            Err(TaskError::spec(format!("sound: {what}")).key(format!("sound.{key}")))
        };
        if !(1000..=768_000).contains(&self.rate()) {
            return wrong(
                "rate",
                format!("rate = {}; it lies between 1000 and 768000", self.rate()),
            );
        }
        for (name, value, least) in [
            ("window", self.window, 1),
            ("step", self.step, 1),
            ("frames", self.frames, 1),
            ("hop", self.hop, 1),
            ("context", self.context, 0),
            ("lead", self.lead, 0),
            ("fft", self.fft, 1),
            ("bands", self.bands, 1),
            ("coefficients", self.coefficients, 1),
        ] {
            if value.is_some_and(|value| value < least || MOST < value) {
                return wrong(name, format!("{name} lies between {least} and {MOST}"));
            }
        }
        let numbers = [self.gain, self.preemphasis, self.low, self.high, self.offset, self.floor];
        let lists = self.mean.iter().chain(&self.std).copied().map(Some);
        if numbers.into_iter().chain(lists).flatten().any(|number| !number.is_finite()) {
            return wrong("", "a number is not finite".to_owned());
        }
        Ok(())
    }
}

/// Features that have frames; of them, spectra; of those, bands of the mel scale.
const FRAMES: &[&str] = &["spectrogram", "mel", "mfcc", "micro"];
const SPECTRA: &[&str] = &["spectrogram", "mel", "mfcc"];
const MEL: &[&str] = &["mel", "mfcc"];
const BANDS: &[&str] = &["mel", "mfcc", "micro"];
/// Features whose samples and numbers are real.
const REAL: &[&str] = &["samples", "spectrogram", "mel", "mfcc"];

impl SoundSpec {
    /// Refuses keys that say nothing about these features. (`input`, `rate`, `features`, `window`, `hop`
    /// and `lead` belong to all.)
    pub(crate) fn check_keys(&self, features: &str) -> Result<(), TaskError> {
        let keys: [(&str, bool, &[&str]); 24] = [
            ("step", self.step.is_some(), FRAMES),
            ("frames", self.frames.is_some(), FRAMES),
            ("first", self.first.is_some(), FRAMES),
            ("context", self.context.is_some(), &["samples"]),
            ("gain", self.gain.is_some(), REAL),
            ("level", self.level.is_some(), REAL),
            ("preemphasis", self.preemphasis.is_some(), REAL),
            ("shape", self.shape.is_some(), SPECTRA),
            ("fft", self.fft.is_some(), SPECTRA),
            ("spectrum", self.spectrum.is_some(), SPECTRA),
            ("bands", self.bands.is_some(), BANDS),
            ("low", self.low.is_some(), BANDS),
            ("high", self.high.is_some(), BANDS),
            ("mel", self.mel.is_some(), MEL),
            ("area", self.area.is_some(), MEL),
            ("log", self.log.is_some(), SPECTRA),
            ("offset", self.offset.is_some(), SPECTRA),
            ("floor", self.floor.is_some(), SPECTRA),
            ("coefficients", self.coefficients.is_some(), &["mfcc"]),
            ("dct", self.dct.is_some(), &["mfcc"]),
            ("normalize", self.normalize.is_some(), SPECTRA),
            ("mean", !self.mean.is_empty(), REAL),
            ("std", !self.std.is_empty(), REAL),
            ("rounding", self.rounding.is_some(), &["micro"]),
        ];
        let known = FRAMES.contains(&features) || REAL.contains(&features);
        let foreign = |(_, given, of): &&(&str, bool, &[&str])| *given && !of.contains(&features);
        match keys.iter().find(foreign).filter(|_| known) {
            Some((key, _, of)) => Err(TaskError::spec(format!(
                "sound: {key} does not belong to features = '{features}'"
            ))
            .hint(format!("it is for {}", of.join(", ")))
            .key(format!("sound.{key}"))),
            None => Ok(()),
        }
    }
}

impl EventSpec {
    /// Refuses numbers that nothing can be made of.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        let wrong = |key: &str, what: &str| {
            Err(TaskError::spec(format!("events: {what}")).key(format!("events.{key}")))
        };
        if self.smooth.is_some_and(|smooth| !(1..=1000).contains(&smooth)) {
            return wrong("smooth", "smooth is a number from 1 to 1000");
        }
        if self.release.is_some_and(|release| !(0.0..=1.0).contains(&release)) {
            return wrong("release", "release lies between 0 and 1");
        }
        let times = [self.shortest, self.gap, self.margin];
        if times.into_iter().flatten().any(|time| !(0.0..=3600.0).contains(&time)) {
            return wrong("", "times are seconds from 0 to 3600");
        }
        Ok(())
    }
}
