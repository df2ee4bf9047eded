//! What a description leaves out: told by the model, and by what is to go into it.

use std::fmt;

use crate::error::TaskError;
use crate::kinds;
use crate::net::Net;
use crate::spec::{Kind, PictureSpec, Spec, TableSpec};

/// What goes into a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Pictures, and the frames of videos.
    Picture,
    /// Sound.
    Sound,
    /// Text.
    Text,
    /// The bytes of files.
    Bytes,
    /// Rows of numbers.
    Table,
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Picture => "pictures",
            Self::Sound => "sound",
            Self::Text => "text",
            Self::Bytes => "the bytes of files",
            Self::Table => "rows of numbers",
        })
    }
}

impl Kind {
    /// What models of this kind may take.
    pub fn media(self) -> &'static [Medium] {
        use Medium::{Bytes, Picture, Sound, Table, Text};
        match self {
            Self::Classification => &[Picture, Sound, Text, Bytes, Table],
            Self::Detection
            | Self::Segmentation
            | Self::Pose
            | Self::TextDetection
            | Self::TextRecognition
            | Self::SuperResolution => &[Picture],
            Self::SentenceEmbedding => &[Text, Picture],
            Self::Anomaly => &[Table, Picture],
            Self::Regression => &[Table, Picture, Text, Bytes],
            Self::KeywordSpotting | Self::VoiceActivity | Self::WakeWord | Self::Notes => &[Sound],
        }
    }
}

impl Spec {
    /// What goes into the model, as the description's own table or its kind say.
    pub fn medium(&self) -> Option<Medium> {
        let tables = [
            (self.picture.is_some(), Medium::Picture),
            (self.sound.is_some(), Medium::Sound),
            (self.text.is_some(), Medium::Text),
            (self.bytes.is_some(), Medium::Bytes),
            (self.table.is_some(), Medium::Table),
        ];
        let stated = tables.into_iter().find(|(given, _)| *given).map(|(_, medium)| medium);
        stated.or_else(|| match self.kind?.media() {
            [medium] => Some(*medium),
            _ => None,
        })
    }
}

/// Completes a description with what the model tells, and with what is to go into it where that is
/// known. Yields what was assumed.
///
/// # Errors
/// The description contradicts itself, or says too little and the model does not tell more.
pub fn complete(
    spec: &mut Spec,
    net: &Net,
    given: Option<Medium>,
) -> Result<Vec<String>, TaskError> {
    let medium = spec.medium().or(given);
    if let (Some(kind), Some(medium)) = (spec.kind, medium)
        && !kind.media().contains(&medium)
    {
        let known: Vec<String> = kind.media().iter().map(Medium::to_string).collect();
        let what = format!("kind = '{kind}' does not go with {medium}");
        return Err(TaskError::spec(what)
            .hint(format!("it takes {}", known.join(" or ")))
            .key("kind"));
    }
    let labels = if spec.labels.is_empty() { &net.labels } else { &spec.labels };
    let net = &Net { labels: labels.clone(), ..net.clone() };
    let seen = kinds::recognize_for(net, medium);
    let mut notes = Vec::new();
    if spec.kind.is_none() {
        // What listens to a clip, by features of its own, tells classes of sound.
        let classes = || match medium {
            Some(Medium::Sound) if kinds::tells_classes(net) => Some(Kind::Classification),
            _ => None,
        };
        let kind = seen.as_ref().and_then(|seen| seen.kind);
        let Some(kind) = kind.or_else(classes) else {
            let known: Vec<&str> = Kind::ALL
                .iter()
                .filter(|(kind, _)| medium.is_none_or(|medium| kind.media().contains(&medium)))
                .map(|(_, name)| *name)
                .collect();
            let what = "kind is missing, and the model does not tell it";
            return Err(TaskError::spec(what)
                .hint(format!("kind = '...' says what its answer is: {}", known.join(", "))));
        };
        spec.kind = Some(kind);
        if kind == Kind::Regression && net.outputs.iter().any(|port| !port.is_one()) {
            notes.push(
                "the answer is taken for numbers; kind = \"classification\" in the description \
                 makes them scores of classes"
                    .into(),
            );
        }
    }
    match seen.filter(|seen| seen.kind == spec.kind) {
        Some(seen) => fill(spec, seen),
        None => match medium {
            Some(Medium::Picture) => drop(spec.picture.get_or_insert_default()),
            Some(Medium::Text) => drop(spec.text.get_or_insert_default()),
            Some(Medium::Bytes) => drop(spec.bytes.get_or_insert_default()),
            Some(Medium::Table) => drop(spec.table.get_or_insert_with(TableSpec::default)),
            Some(Medium::Sound) if spec.sound.is_none() => {
                let what = "a [sound] table is missing, and the model does not tell what it takes";
                return Err(TaskError::spec(what).hint("features = 'samples', 'mfcc', ... says it"));
            }
            Some(Medium::Sound) | None => {}
        },
    }
    Ok(notes)
}

/// What stands in `spec` stays; the rest is as in `seen`, a task of the same kind.
fn fill(spec: &mut Spec, seen: Spec) {
    // Another decoder reads other outputs, of a model that was trained on other pictures.
    let same = spec.decoder.is_none() || spec.decoder == seen.decoder;
    fn or<T>(own: &mut Option<T>, seen: Option<T>) {
        if own.is_none() {
            *own = seen;
        }
    }
    fn or_list<T>(own: &mut Vec<T>, seen: Vec<T>) {
        if own.is_empty() {
            *own = seen;
        }
    }
    or_list(&mut spec.carry, seen.carry);
    if same {
        or(&mut spec.decoder, seen.decoder);
        or(&mut spec.blank, seen.blank);
        or(&mut spec.pooling, seen.pooling);
        or(&mut spec.events, seen.events);
        or_list(&mut spec.outputs, seen.outputs);
        // Names and bones belong together.
        if spec.points.is_empty() && spec.skeleton.is_empty() {
            (spec.points, spec.skeleton) = (seen.points, seen.skeleton);
        }
        // How a classification's scores are meant is resolved, and said, with its stages.
        if spec.kind != Some(Kind::Classification) {
            or(&mut spec.scores, seen.scores);
        }
    }
    match (&mut spec.picture, seen.picture) {
        (Some(own), Some(seen)) if same => fill_picture(own, seen),
        (None, seen) => spec.picture = seen,
        _ => {}
    }
    or(&mut spec.sound, seen.sound);
    or(&mut spec.text, seen.text);
    or(&mut spec.bytes, seen.bytes);
    or(&mut spec.table, seen.table);
}

/// Keys that belong together are taken together.
fn fill_picture(own: &mut PictureSpec, seen: PictureSpec) {
    if own.size.is_none() && own.longest.is_none() && own.multiple.is_none() {
        (own.size, own.longest, own.multiple) = (seen.size, seen.longest, seen.multiple);
    }
    if own.fit.is_none() && own.fill.is_none() && own.short.is_none() {
        (own.fit, own.fill, own.short) = (seen.fit, seen.fill, seen.short);
    }
    if own.mean.is_empty() && own.std.is_empty() {
        (own.mean, own.std) = (seen.mean, seen.std);
    }
    own.filter = own.filter.take().or(seen.filter);
    own.colours = own.colours.take().or(seen.colours);
    own.axes = own.axes.take().or(seen.axes);
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::net::{Finish, Port};

    fn net(input: &[usize], output: &[usize], finish: Finish, narrowest: usize) -> Net {
        // A size of 0 is open.
        let dims = |dims: &[usize]| dims.iter().map(|&dim| (dim != 0).then_some(dim)).collect();
        let port = |name: &str, of: &[usize], finish| Port {
            name: name.to_owned(),
            dtype: DType::F32,
            dims: dims(of),
            quant: None,
            finish,
        };
        Net {
            inputs: vec![port("x", input, Finish::Unknown)],
            outputs: vec![port("y", output, finish)],
            narrowest: Some(narrowest),
            ..Net::default()
        }
    }

    #[test]
    fn kinds_are_told_by_the_model() {
        use Finish::{Computed, Layer, Sigmoid, Softmax};
        for (toml, net, kind) in [
            ("[table]", net(&[0, 4], &[0, 3], Softmax, 3), Kind::Classification),
            ("[table]", net(&[0, 4], &[0, 3], Layer, 3), Kind::Regression),
            ("[table]", net(&[0, 4], &[0, 1], Layer, 1), Kind::Regression),
            (
                "labels = ['a', 'b', 'c']\n[table]",
                net(&[0, 4], &[0, 3], Layer, 3),
                Kind::Classification,
            ),
            (
                "labels = ['no', 'yes']\n[table]",
                net(&[0, 4], &[0, 1], Sigmoid, 1),
                Kind::Classification,
            ),
            ("[table]", net(&[0, 4], &[0, 4], Layer, 2), Kind::Anomaly),
            ("[table]", net(&[0, 4], &[0, 4], Computed, 4), Kind::Regression),
            ("[table]", net(&[0, 4], &[0, 4], Softmax, 2), Kind::Classification),
            ("[table]", net(&[0, 64], &[0, 64], Layer, 64), Kind::Anomaly),
            ("[table]\ncolumns = ['a', 'b']", net(&[0, 0], &[0, 1], Layer, 1), Kind::Regression),
            ("[picture]", net(&[1, 32, 32, 3], &[1, 2], Computed, 9), Kind::Regression),
            ("[picture]", net(&[1, 32, 32, 3], &[1, 64, 64, 3], Layer, 9), Kind::SuperResolution),
            ("[picture]", net(&[1, 192, 192, 3], &[1, 1, 17, 3], Layer, 9), Kind::Pose),
            (
                "[sound]\nfeatures = 'mel'",
                net(&[1, 49, 40], &[1, 3], Softmax, 3),
                Kind::Classification,
            ),
            (
                "labels = ['a', 'b', 'c']\n[sound]\nfeatures = 'mel'",
                net(&[1, 49, 40], &[1, 3], Layer, 3),
                Kind::Classification,
            ),
            ("[picture]", net(&[1, 3, 64, 96], &[1, 1, 64, 96], Sigmoid, 9), Kind::TextDetection),
            (
                "labels = ['bg', 'fg']\n[picture]",
                net(&[1, 3, 64, 96], &[1, 1, 64, 96], Sigmoid, 9),
                Kind::Segmentation,
            ),
        ] {
            let mut spec = Spec::from_toml(toml).unwrap();
            complete(&mut spec, &net, None).unwrap_or_else(|error| panic!("{toml}: {error}"));
            assert_eq!(spec.kind, Some(kind), "{toml} {net:?}");
            // What is complete stays as it is.
            let once = spec.clone();
            assert_eq!(complete(&mut spec, &net, None), Ok(Vec::new()));
            assert_eq!(spec, once);
        }
    }

    #[test]
    fn what_nothing_tells_is_asked_for() {
        for (toml, part) in [
            ("[table]", "kind is missing"),
            (
                "[sound]\nfeatures = 'mel'",
                "kind = '...' says what its answer is: classification, keyword",
            ),
            ("kind = 'keyword-spotting'", "a [sound] table is missing"),
            (
                "kind = 'pose'\n[table]",
                "kind = 'pose' does not go with rows of numbers; it takes pictures",
            ),
        ] {
            let mut spec = Spec::from_toml(toml).unwrap();
            let net = net(&[1, 49, 40], &[1, 1000], Finish::Layer, 9);
            let error = complete(&mut spec, &net, None).unwrap_err().to_string();
            assert!(error.contains(part), "{toml}: {error}");
        }
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let net = net(&[1, 192, 192, 3], &[1, 1, 17, 3], Finish::Layer, 9);
        let mut spec = Spec::from_toml("kind = 'pose'\nscore = 0.6").unwrap();
        complete(&mut spec, &net, None).unwrap();
        assert_eq!((spec.points.len(), spec.score), (17, Some(0.6)));
        assert!(spec.picture.is_some() && spec.decoder.is_some());
        let mut spec = Spec::from_toml("kind = 'pose'\npoints = ['a']").unwrap();
        complete(&mut spec, &net, None).unwrap();
        assert_eq!((spec.points.len(), spec.skeleton.len()), (1, 0));
    }
}
