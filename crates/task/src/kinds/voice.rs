//! Where somebody speaks.
//!
//! The back yields `probabilities` f32 `[1]`: that of speech in the samples just fed.

use embarca_num::DType;

use super::sounds::{self, Defaults};
use crate::net::{Net, Port};
use crate::section::Section;
use crate::sound_spec::SoundSpec;
use crate::spec::{Carry, Kind, Spec};
use crate::stage::{Result, Stage};

/// Samples that Silero's nets take at once at 16 kHz, and how many they see again.
const WINDOW: usize = 512;
const CONTEXT: usize = 64;

/// Shapes for nets that leave open what their operators need, told by the names of all inputs: those
/// that Silero's voice detector takes at 16 kHz.
pub fn usual_shapes(inputs: &[String]) -> Option<Vec<(String, Vec<u64>)>> {
    let mut names: Vec<&str> = inputs.iter().map(String::as_str).collect();
    names.sort_unstable();
    let shapes: &[(&str, &[u64])] = match names[..] {
        ["input", "sr", "state"] => {
            &[("input", &[1, (WINDOW + CONTEXT) as u64]), ("state", &[2, 1, 128])]
        }
        ["c", "h", "input", "sr"] => {
            &[("input", &[1, WINDOW as u64]), ("h", &[2, 1, 64]), ("c", &[2, 1, 64])]
        }
        _ => return None,
    };
    Some(shapes.iter().map(|(name, dims)| ((*name).to_owned(), dims.to_vec())).collect())
}

/// Silero's nets: samples, recurrent states of 64 or 128 numbers and, where it is asked for, the rate.
pub fn recognize(net: &Net) -> Option<Spec> {
    let (samples, rest) = net.inputs.split_first()?;
    let (speech, next) = net.outputs.split_first()?;
    let is_state = |port: &Port| {
        let width = matches!(port.dims[..], [Some(1 | 2), _, Some(64 | 128)]);
        port.dtype == DType::F32 && width
    };
    let is_rate = |port: &Port| port.dtype.is_int() && port.dims.iter().all(|dim| *dim == Some(1));
    let states: Vec<usize> = (1..net.inputs.len()).filter(|&i| is_state(&net.inputs[i])).collect();
    let all = rest.iter().all(|port| is_state(port) || is_rate(port) || port.dims.is_empty());
    let one = matches!(speech.dims[..], [None] | [None | Some(1), Some(1)]);
    if states.is_empty() || !all || !one || next.len() != states.len() {
        return None;
    }
    let (window, context) = match (samples.dtype, &samples.dims[..]) {
        (DType::F32, [_, Some(total)]) if *total == WINDOW + CONTEXT => (WINDOW, CONTEXT),
        (DType::F32, [_, Some(total)]) if *total == WINDOW => (WINDOW, 0),
        // Nets with one state are those that see samples again.
        (DType::F32, [_, None]) if states.len() == 1 => (WINDOW, CONTEXT),
        (DType::F32, [_, None]) => (WINDOW, 0),
        _ => return None,
    };
    let sound = SoundSpec {
        rate: Some(16000),
        features: Some("samples".to_owned()),
        window: Some(window),
        context: Some(context),
        ..SoundSpec::default()
    };
    let carry = states.into_iter().enumerate().map(|(i, to)| Carry { from: i + 1, to });
    let labels = vec!["speech".to_owned()];
    let carry = carry.collect();
    Some(Spec { sound: Some(sound), carry, labels, ..Spec::new(Kind::VoiceActivity) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let x = sounds::probabilities(spec, net, stage)?;
    let smooth = spec.events.as_ref().and_then(|events| events.smooth).unwrap_or(1);
    let x = sounds::smoothed(stage, x, smooth)?;
    stage.yields("probabilities", x);
    if section.labels.is_empty() {
        section.labels.push("speech".to_owned());
    }
    // Those of Silero's `get_speech_timestamps`.
    let defaults = Defaults { score: 0.5, release: 0.35, shortest: 0.25, gap: 0.1, margin: 0.03 };
    sounds::events(spec, defaults, section);
    Ok(())
}
