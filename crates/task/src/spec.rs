//! The description of a task, as its TOML file states it. What is left out is recognized.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{TaskError, nearest};
use crate::sound_spec::{EventSpec, SoundSpec};

/// A description longer than this is refused.
const MOST_BYTES: usize = 1 << 24;

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Spec {
    /// What the answer is; told by the model where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The names of classes, characters or keypoints, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A file with these names, one a line, beside the description. Whoever reads files turns it
    /// into `labels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_file: Option<String>,
    /// The output that answers: its number. Several where a task has several; all in order when
    /// left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<usize>,
    /// How the scores of classes are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scores>,
    /// How boxes or points are decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Decoder>,
    /// The least score that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The largest overlap (intersection over union) of two boxes of one class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<f32>,
    /// The most boxes, lines or points that are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// The class that stands for nothing: the background of detectors, the blank of recognizers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blank: Option<usize>,
    /// The names of keypoints, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<String>,
    /// Pairs of keypoints that a skeleton joins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skeleton: Vec<[u32; 2]>,
    /// Inputs that take an output of the run before, zeros at first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carry: Vec<Carry>,
    /// How the vectors of tokens become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// The score from which on data are anomalous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// The units of numbers that are predicted, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// How a picture becomes the model's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureSpec>,
    /// How text becomes the model's inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSpec>,
    /// How the bytes of a file become the model's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesSpec>,
    /// How the rows of a table become the model's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableSpec>,
    /// How sound becomes the model's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundSpec>,
    /// What counts as an event in sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<EventSpec>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One class of several.
    Classification,
    /// Boxes with classes.
    Detection,
    /// A class for each pixel.
    Segmentation,
    /// The keypoints of a body, a hand or a face.
    Pose,
    /// Where there is text.
    TextDetection,
    /// What a line of text says.
    TextRecognition,
    /// A larger picture.
    SuperResolution,
    /// What a text means, as a vector of length 1.
    SentenceEmbedding,
    /// How far data are from what a model can reproduce.
    Anomaly,
    /// Numbers.
    Regression,
    /// Words out of a few, in sound.
    KeywordSpotting,
    /// Where somebody speaks.
    VoiceActivity,
    /// One word or phrase that wakes a device.
    WakeWord,
    /// The notes of music.
    Notes,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Classification, "classification"),
        (Self::Detection, "detection"),
        (Self::Segmentation, "segmentation"),
        (Self::Pose, "pose"),
        (Self::TextDetection, "text-detection"),
        (Self::TextRecognition, "text-recognition"),
        (Self::SuperResolution, "super-resolution"),
        (Self::SentenceEmbedding, "sentence-embedding"),
        (Self::Anomaly, "anomaly"),
        (Self::Regression, "regression"),
        (Self::KeywordSpotting, "keyword-spotting"),
        (Self::VoiceActivity, "voice-activity"),
        (Self::WakeWord, "wake-word"),
        (Self::Notes, "notes"),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(kind, _)| kind == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// How the scores of classes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scores {
    /// Numbers from 0 to 1.
    Probabilities,
    /// Numbers that a softmax turns into probabilities.
    Logits,
    /// Numbers that a sigmoid turns into probabilities, one by one.
    Sigmoid,
    /// Probabilities where they are none below 0 and sum to 1, otherwise logits: each answer tells.
    Either,
}

/// How boxes or points are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Ultralytics' YOLOv5: `[1, N, 5 + C]` of centre, size, objectness and classes, in pixels.
    Yolov5,
    /// Ultralytics' YOLOv8, YOLO11 and later: `[1, 4 + C, N]`; behind the classes, keypoints.
    Yolov8,
    /// YOLOv10 and others without suppression: `[1, N, 6]` of corners in pixels, score and class.
    EndToEnd,
    /// NanoDet: class scores and box distributions for each stride of 8, 16, 32 (and 64).
    Nanodet,
    /// MTCNN's first net: windows of 12 pixels at one scale.
    Mtcnn,
    /// MediaPipe's BlazeFace: 896 anchors on 128 by 128 pixels, six keypoints each.
    Blazeface,
    /// SSD boxes that are decoded: corners from 0 to 1.
    Corners,
    /// UltraFace's offsets to its priors.
    Ultraface,
    /// TFLite's `TFLite_Detection_PostProcess`: boxes, classes, scores and their number.
    Postprocess,
    /// Caffe's `DetectionOutput`: rows of image, class, score, corners from 0 to 1.
    DetectionOutput,
    /// Keypoints as y, x, score from 0 to 1: MoveNet.
    Points,
    /// A heat map for each keypoint.
    Heatmaps,
}

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    Cls,
    /// The greatest of each element.
    Max,
}

/// An input that takes an output of the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Carry {
    /// The number of the output.
    pub from: usize,
    /// The number of the input.
    pub to: usize,
}

/// How a picture becomes the model's input.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PictureSpec {
    /// The number of the input.
    pub input: usize,
    /// Height and width, where the model leaves them open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// The most pixels of the longer side, where the model leaves both open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<usize>,
    /// Open sides are multiples of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple: Option<usize>,
    /// How a picture of another shape is made to fit: `stretch`, `letterbox` (in the middle),
    /// `corner` (a letterbox at the top left) or `crop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<String>,
    /// What is beside a letterboxed picture, 0 to 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// The shorter side before a crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<usize>,
    /// Whose arithmetic resizes: `pillow-bilinear`, `opencv-linear`, `tensorflow`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// `rgb`, `bgr` or `grey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colours: Option<String>,
    /// The order of the input's axes: `nhwc`, `nchw`, or `ncwh` for nets that were trained in
    /// MATLAB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<String>,
    /// Subtracted from each channel: pixels of 0 to 255, or of 0 to 1 when all are fractions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Divides each channel after the mean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f32>,
}

/// How text becomes the model's inputs. Tokens, mask, kinds and places of tokens find their inputs
/// by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TextSpec {
    /// The tokenizer, beside the description: `tokenizer.json`, or BERT's `vocab.txt`. Whoever reads
    /// files turns it into `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The most tokens of a text; what is beyond is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The tokenizer itself. A plan keeps it beside the description.
    #[serde(skip)]
    pub data: String,
}

/// How the bytes of a file become the model's input: some of its beginning, then some of its end.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BytesSpec {
    /// The number of the input.
    pub input: usize,
    /// Bytes of the beginning.
    pub first: usize,
    /// Bytes of the end.
    pub last: usize,
    /// What stands where a file is shorter: behind its beginning, before its end.
    pub pad: i32,
    /// Whether white space at both ends is left out.
    pub strip: bool,
}

impl Default for BytesSpec {
    /// What Magika takes.
    fn default() -> Self {
        Self { input: 0, first: 1024, last: 1024, pad: 256, strip: true }
    }
}

/// How the rows of a table become the model's input.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TableSpec {
    /// The number of the input.
    pub input: usize,
    /// The columns that the model takes, by name, in its order; all in the table's order when left
    /// out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The array of an NPZ file that holds the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// Rows that the model takes at once; told by the input where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Rows from one window to the next; 1 when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The order of the input's axes: `rows-columns` or `columns-rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<String>,
    /// Subtracted from each column: one number, or one a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Divides each column after the mean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f32>,
}

impl Spec {
    /// A task of a kind, everything else left to the model.
    pub fn new(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// Reads a description.
    ///
    /// # Errors
    /// When it is not TOML, or holds what no task has.
    pub fn from_toml(text: &str) -> Result<Self, TaskError> {
        if MOST_BYTES < text.len() {
            return Err(TaskError::spec(format!("a description of {} bytes", text.len())));
        }
        let spec: Self = toml::from_str(text).map_err(|error| misread(text, &error))?;
        spec.check().map_err(|error| error.placed(text))?;
        Ok(spec)
    }

    /// The description as text that reads back.
    ///
    /// # Errors
    /// Only by a defect.
    pub fn to_toml(&self) -> Result<String, TaskError> {
        toml::to_string(self)
            .map_err(|error| TaskError { is_bug: true, ..TaskError::spec(error.to_string()) })
    }

    fn check(&self) -> Result<(), TaskError> {
        let share = |name: &str, value: Option<f32>| match value {
            Some(value) if !(0.0..=1.0).contains(&value) => {
                let what = format!("{name} is {value}; it lies between 0 and 1");
                Err(TaskError::spec(what).key(name))
            }
            _ => Ok(()),
        };
        share("score", self.score)?;
        share("overlap", self.overlap)?;
        self.sound.as_ref().map_or(Ok(()), SoundSpec::check)?;
        self.events.as_ref().map_or(Ok(()), EventSpec::check)?;
        if self.most.is_some_and(|most| !(1..=10_000).contains(&most)) {
            return Err(TaskError::spec("most is a number from 1 to 10000").key("most"));
        }
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(TaskError::spec("threshold is a number").key("threshold"));
        }
        let fronts = [
            self.picture.is_some(),
            self.text.is_some(),
            self.bytes.is_some(),
            self.table.is_some(),
        ];
        if 1 < fronts.iter().filter(|given| **given).count() {
            let what = "a task takes one of [picture], [text], [bytes] and [table]";
            return Err(TaskError::spec(what));
        }
        Ok(())
    }
}

/// Why text is no description: the line, the key that stands there, the word that was probably meant.
fn misread(text: &str, error: &toml::de::Error) -> TaskError {
    let mut message = error.message().to_owned();
    // `unknown field `a`, expected one of `b`, `c``: what stands between backticks are words.
    let mut words = message.split('`').skip(1).step_by(2);
    if let Some(given) = words.next().filter(|_| message.starts_with("unknown"))
        && let Some(near) = nearest(given, words)
    {
        message = format!("{message} (is `{near}` meant?)");
    }
    let Some(span) = error.span() else { return TaskError::spec(message) };
    let before = text.get(..span.start).unwrap_or_default();
    let number = 1 + before.matches('\n').count();
    let key = text.lines().nth(number - 1).and_then(|line| line.split_once('='));
    let key = key.map_or("", |(key, _)| key.trim()).trim_matches(['"', '\'']);
    let named = key.is_empty() || message.starts_with("unknown field");
    let key = if named { String::new() } else { format!("{key}: ") };
    TaskError::spec(format!("line {number}: {key}{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names() {
        for (kind, name) in Kind::ALL {
            let spec = Spec::from_toml(&format!("kind = \"{name}\"")).unwrap();
            assert_eq!((spec.kind, kind.to_string()), (Some(kind), name.to_owned()));
        }
    }

    #[test]
    fn descriptions_read_back() {
        let text = "kind = \"detection\"\ndecoder = \"yolov8\"\nscore = 0.4\n\
                    [[carry]]\nfrom = 1\nto = 2\n[picture]\nfit = \"corner\"\nstd = [255.0]\n";
        let spec = Spec::from_toml(text).unwrap();
        assert_eq!(spec.carry, [Carry { from: 1, to: 2 }]);
        assert_eq!(Spec::from_toml(&spec.to_toml().unwrap()).unwrap(), spec);
    }

    #[test]
    fn examples_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tasks");
        let mut kinds = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let spec = Spec::from_toml(&text);
            kinds.push(spec.unwrap_or_else(|error| panic!("{}: {error}", path.display())).kind);
        }
        for (kind, name) in Kind::ALL {
            assert!(kinds.contains(&Some(kind)), "no example of {name}");
        }
    }

    #[test]
    fn mistakes_have_places() {
        for (text, part) in [
            ("kind = \"detection\"\nscroe = 1", "line 2: unknown field `scroe`"),
            ("kind = \"guess\"", "line 1: kind: unknown variant `guess`, expected one of"),
            ("scroe = 1", "(is `score` meant?)"),
            ("kind = \"clasification\"", "(is `classification` meant?)"),
            ("\nscore = 2.0", "line 2: score is 2; it lies between 0 and 1"),
            ("most = 0", "line 1: most"),
            ("[picture]\nmean = 'a'", "line 2: mean: invalid type"),
            ("[sound]\n\nrate = 0", "line 3: sound: rate = 0"),
            ("kind = [", "line 1"),
        ] {
            let error = Spec::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
