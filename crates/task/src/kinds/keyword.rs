//! Words out of a few, in sound.
//!
//! The back yields `probabilities` f32 `[C]`, the mean over the last answers.

use super::sounds::{self, Defaults, elements};
use crate::net::{Finish, Net, Port};
use crate::section::Section;
use crate::sound_spec::{EventSpec, SoundSpec};
use crate::spec::{Kind, Spec};
use crate::stage::{Result, Stage};

/// Answers that are averaged unless the description says otherwise.
const SMOOTH: usize = 3;

/// A second of the micro front's features, or MLPerf Tiny's 49 frames of 10 coefficients, and a
/// probability for each of several classes.
pub fn recognize(net: &Net) -> Option<Spec> {
    let ([input], [output]) = (&net.inputs[..], &net.outputs[..]) else { return None };
    let is_share = |port: &Port| {
        let stored = port.quant.is_some_and(|(scale, _)| scale == 1.0 / 256.0);
        stored || port.finish == Finish::Softmax
    };
    if !is_share(output) || !(2..=256).contains(&elements(output)) {
        return None;
    }
    let text = |text: &str| Some(text.to_owned());
    let sound = if let Some(frames) = sounds::micro_frames(input).filter(|&frames| 20 <= frames) {
        let step = if frames < 60 { 320 } else { 160 };
        SoundSpec {
            rate: Some(16000),
            features: text("micro"),
            step: Some(step),
            rounding: text("tflm"),
            ..SoundSpec::default()
        }
    } else if input.dims.iter().flatten().filter(|&&dim| dim != 1).eq([&49, &10]) {
        // MLPerf Tiny's `keyword_spotting/get_dataset.py`.
        SoundSpec {
            rate: Some(16000),
            features: text("mfcc"),
            window: Some(480),
            step: Some(320),
            level: text("peak"),
            spectrum: text("magnitude"),
            bands: Some(40),
            low: Some(20.0),
            high: Some(4000.0),
            mel: text("tensorflow"),
            offset: Some(1e-6),
            coefficients: Some(10),
            dct: text("tensorflow"),
            ..SoundSpec::default()
        }
    } else {
        return None;
    };
    let events = EventSpec { smooth: Some(SMOOTH), ..EventSpec::default() };
    Some(Spec { sound: Some(sound), events: Some(events), ..Spec::new(Kind::KeywordSpotting) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let x = sounds::probabilities(spec, net, stage)?;
    let classes = stage.known(x)?.iter().product::<usize>();
    section.name_classes(classes);
    let smooth = spec.events.as_ref().and_then(|events| events.smooth).unwrap_or(SMOOTH);
    let x = sounds::smoothed(stage, x, smooth)?;
    stage.yields("probabilities", x);
    let defaults = Defaults { score: 0.6, release: 0.4, shortest: 0.0, gap: 0.0, margin: 0.0 };
    sounds::events(spec, defaults, section);
    Ok(())
}
