//! The kinds of tasks, one file each: how a model of the kind is recognized, and its back.

mod anomaly;
mod classification;
mod detection;
mod embedding;
mod enlarge;
mod keyword;
mod notes;
mod pose;
mod regression;
mod segmentation;
mod sounds;
mod text;
mod text_detection;
mod voice;
mod wake;

use embarca_ir::Model;
use embarca_num::DType;

use crate::complete::Medium;
use crate::error::TaskError;
use crate::front::{picture, roles, table};
use crate::net::{Net, Port};
use crate::section::Section;
use crate::spec::{BytesSpec, Carry, Kind, PictureSpec, Scores, Spec, TableSpec, TextSpec};
use crate::stage::{Result, Stage};

/// What a kind consists of.
struct Definition {
    kind: Kind,
    /// The task, when the model is of this kind and takes pictures; without `picture` and `carry`. Models
    /// that take sound are recognized in `sounds`.
    recognize: fn(&Net) -> Option<Spec>,
    /// Adds what turns the model's outputs into the answer.
    back: fn(&Spec, &Net, &mut Stage<'_>, &mut Section) -> Result<()>,
}

/// In the order in which models are asked: what is told by more comes first.
const DEFINITIONS: &[Definition] = &[
    Definition { kind: Kind::Detection, recognize: detection::recognize, back: detection::back },
    Definition { kind: Kind::Pose, recognize: pose::recognize, back: pose::back },
    Definition { kind: Kind::TextRecognition, recognize: text::recognize, back: text::back },
    Definition {
        kind: Kind::TextDetection,
        recognize: text_detection::recognize,
        back: text_detection::back,
    },
    Definition {
        kind: Kind::Segmentation,
        recognize: segmentation::recognize,
        back: segmentation::back,
    },
    Definition { kind: Kind::SuperResolution, recognize: enlarge::recognize, back: enlarge::back },
    Definition { kind: Kind::KeywordSpotting, recognize: |_| None, back: keyword::back },
    Definition { kind: Kind::VoiceActivity, recognize: |_| None, back: voice::back },
    Definition { kind: Kind::WakeWord, recognize: |_| None, back: wake::back },
    Definition { kind: Kind::Notes, recognize: |_| None, back: notes::back },
    Definition {
        kind: Kind::Classification,
        recognize: classification::recognize,
        back: classification::back,
    },
    Definition { kind: Kind::SentenceEmbedding, recognize: |_| None, back: embedding::back },
    Definition { kind: Kind::Anomaly, recognize: |_| None, back: anomaly::back },
    Definition { kind: Kind::Regression, recognize: |_| None, back: regression::back },
];

pub use sounds::recognize as recognize_sound;
pub use voice::usual_shapes;

/// The task of a model, told from its ports and metadata. With `given`, its input is taken for a
/// picture wherever it can be one; otherwise it is a picture, or sound, beyond doubt.
pub fn recognize(net: &Net, given: bool) -> Option<Spec> {
    let others =
        || if given { None } else { recognize_sound(net, false).or_else(|| of_others(net)) };
    of_pictures(net, given).or_else(others)
}

/// The task of a model that takes no pictures: text, bytes of files, rows of tables.
fn of_others(net: &Net) -> Option<Spec> {
    if roles(net).is_some() {
        let text = Some(TextSpec::default());
        let spec = embedding::recognize(net).or_else(|| classification::of_logits(net))?;
        return Some(Spec { text, ..spec });
    }
    let [input] = &net.inputs[..] else { return None };
    let bytes = BytesSpec::default();
    let fits =
        matches!(input.dims[..], [None | Some(1), Some(len)] if len == bytes.first + bytes.last);
    if fits && input.dtype == DType::I32 && input.quant.is_none() && input.name == "bytes" {
        let spec = classification::of_logits(net)?;
        // Magika's own softmax is spelled out.
        let scores = Some(Scores::Probabilities);
        return Some(Spec { bytes: Some(bytes), scores, ..spec });
    }
    let is_real = input.dtype == DType::F32 || input.quant.is_some();
    let table = TableSpec::default();
    table::window(&table, input).ok().filter(|_| is_real && input.dims.len() < 4)?;
    let spec = anomaly::recognize(net)
        .or_else(|| classification::recognize(net))
        .or_else(|| regression::recognize(net))?;
    Some(Spec { table: Some(table), ..spec })
}

/// The task of a model that takes what is given; of any where nothing is.
pub(crate) fn recognize_for(net: &Net, medium: Option<Medium>) -> Option<Spec> {
    let numbers = || {
        let [_] = &net.inputs[..] else { return None };
        anomaly::recognize(net).or_else(|| regression::recognize(net))
    };
    let seen = match medium {
        None => return recognize(net, false),
        Some(Medium::Picture) => of_pictures(net, true).or_else(numbers),
        Some(Medium::Sound) => recognize_sound(net, true),
        Some(Medium::Table) => {
            // What a description says of the table may tell more of the input than its shape.
            of_others(net).or_else(|| classification::recognize(net)).or_else(numbers)
        }
        Some(Medium::Text | Medium::Bytes) => of_others(net),
    };
    seen.filter(|seen| seen.medium().is_none() || seen.medium() == medium)
}

/// Whether the model yields one score for each of several classes.
pub(crate) fn tells_classes(net: &Net) -> bool {
    classification::recognize(net).is_some()
}

fn of_pictures(net: &Net, given: bool) -> Option<Spec> {
    let is_picture = |port: &Port| {
        if given { picture::frame(&port.dims, None).is_some() } else { picture::is_picture(port) }
    };
    let input = net.inputs.iter().position(is_picture)?;
    let carry = carried(net, input)?;
    let mut spec = DEFINITIONS.iter().find_map(|definition| (definition.recognize)(net))?;
    spec.carry = carry;
    let picture = spec.picture.get_or_insert_with(PictureSpec::default);
    picture.input = input;
    if picture.size.is_none() {
        picture.size = declared_size(net, input);
    }
    Some(spec)
}

/// Inputs beside `main`, each with the output of the same type that it takes in the next run; `None`
/// where one has none.
fn carried(net: &Net, main: usize) -> Option<Vec<Carry>> {
    let mut carry: Vec<Carry> = Vec::new();
    for (to, input) in net.inputs.iter().enumerate().filter(|(to, _)| *to != main) {
        let same = |output: &Port| {
            output.dtype == input.dtype
                && output.dims == input.dims
                && output.dims.iter().all(Option::is_some)
        };
        let free = |from: usize| carry.iter().all(|carry| carry.from != from);
        let from = (0..net.outputs.len()).find(|&from| same(&net.outputs[from]) && free(from))?;
        carry.push(Carry { from, to });
    }
    Some(carry)
}

/// The size that an Ultralytics file names, where the input leaves it open.
fn declared_size(net: &Net, input: usize) -> Option<[usize; 2]> {
    let dims = &net.inputs.get(input)?.dims;
    let frame = picture::frame(dims, None)?;
    if frame.height.is_some() || frame.width.is_some() {
        return None;
    }
    let [height, width] = numbers(net.properties.get("imgsz")?)[..] else { return None };
    Some([height, width])
}

/// The whole numbers in a list as Python writes it.
pub(crate) fn numbers(text: &str) -> Vec<usize> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Completes a description with what only the model tells, so that stages made of it again, around
/// a plan, are the same.
pub(crate) fn resolve(spec: &mut Spec, net: &Net, notes: &mut Vec<String>) {
    if spec.kind == Some(Kind::Classification) {
        classification::resolve(spec, net, notes);
    }
}

/// The back of a task; `None` where the model's outputs are the answer.
pub(crate) fn back(spec: &Spec, net: &Net, section: &mut Section) -> Result<Option<Model>> {
    let find = DEFINITIONS.iter().find(|definition| Some(definition.kind) == spec.kind);
    let definition = find.ok_or_else(|| TaskError::spec("the kind of the task is missing"))?;
    let mut model = Model::new("back");
    let mut stage = Stage::new(&mut model);
    (definition.back)(spec, net, &mut stage, section)?;
    Ok((!model.main().outputs.is_empty()).then_some(model))
}

/// Output number `at` of those that the task names, or of the model's.
pub(crate) fn output(spec: &Spec, at: usize) -> usize {
    spec.outputs.get(at).copied().unwrap_or(at)
}

/// The keypoints of a body as COCO orders them, and the bones between them.
pub(crate) fn body() -> (Vec<String>, Vec<[u32; 2]>) {
    let names = [
        "nose",
        "left eye",
        "right eye",
        "left ear",
        "right ear",
        "left shoulder",
        "right shoulder",
        "left elbow",
        "right elbow",
        "left wrist",
        "right wrist",
        "left hip",
        "right hip",
        "left knee",
        "right knee",
        "left ankle",
        "right ankle",
    ];
    let bones = [
        [0, 1],
        [0, 2],
        [1, 3],
        [2, 4],
        [5, 6],
        [5, 7],
        [7, 9],
        [6, 8],
        [8, 10],
        [5, 11],
        [6, 12],
        [11, 12],
        [11, 13],
        [13, 15],
        [12, 14],
        [14, 16],
    ];
    (names.map(str::to_owned).to_vec(), bones.to_vec())
}
