//! One word or phrase that wakes a device.
//!
//! The back yields `probabilities` f32 `[1]`, the mean over the last answers.

use super::sounds::{self, Defaults, elements};
use crate::net::Net;
use crate::section::Section;
use crate::sound_spec::{EventSpec, SoundSpec};
use crate::spec::{Kind, Scores, Spec};
use crate::stage::{Result, Stage};

/// Answers that are averaged unless the description says otherwise, as most of microWakeWord's models
/// ask for.
const SMOOTH: usize = 5;

/// microWakeWord's nets: a few frames of the micro front each 10 ms, one probability.
pub fn recognize(net: &Net) -> Option<Spec> {
    let ([input], [output]) = (&net.inputs[..], &net.outputs[..]) else { return None };
    sounds::micro_frames(input).filter(|frames| *frames < 20)?;
    if elements(output) != 1 {
        return None;
    }
    let sound = SoundSpec {
        rate: Some(16000),
        features: Some("micro".to_owned()),
        step: Some(160),
        ..SoundSpec::default()
    };
    let events = EventSpec { smooth: Some(SMOOTH), ..EventSpec::default() };
    let scores = Some(Scores::Probabilities);
    let (sound, events) = (Some(sound), Some(events));
    Some(Spec { sound, events, scores, ..Spec::new(Kind::WakeWord) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let x = sounds::probabilities(spec, net, stage)?;
    let smooth = spec.events.as_ref().and_then(|events| events.smooth).unwrap_or(SMOOTH);
    let x = sounds::smoothed(stage, x, smooth)?;
    stage.yields("probabilities", x);
    if section.labels.is_empty() {
        section.labels.push("wake word".to_owned());
    }
    let defaults = Defaults { score: 0.85, release: 0.5, shortest: 0.0, gap: 0.5, margin: 0.0 };
    sounds::events(spec, defaults, section);
    Ok(())
}
