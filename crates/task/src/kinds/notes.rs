//! The notes of music.
//!
//! The back yields `notes` and `onsets` f32 `[frames, 88]`: how likely each key of a piano sounds, and
//! begins to.

use embarca_ir::Dim;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::sound_spec::SoundSpec;
use crate::spec::{Kind, Spec};
use crate::stage::{Result, Stage};

/// Keys of a piano.
const KEYS: usize = 88;

/// Spotify's Basic Pitch: 43844 samples at 22050 Hz, frames of 256 samples. Windows overlap by 30
/// frames, of which half are left out at each end.
pub fn recognize(net: &Net) -> Option<Spec> {
    let [input] = &net.inputs[..] else { return None };
    let samples = input.dims.iter().flatten().filter(|&&dim| dim != 1).eq([&43844]);
    let is_keys = |port: &&Port| port.dims.last() == Some(&Some(KEYS));
    if !samples || input.dtype != DType::F32 || net.outputs.iter().filter(is_keys).count() != 2 {
        return None;
    }
    let sound = SoundSpec {
        rate: Some(22050),
        features: Some("samples".to_owned()),
        hop: Some(43844 - 30 * 256),
        lead: Some(15 * 256),
        ..SoundSpec::default()
    };
    // The graph's outputs were numbered before they were named: note is 1, onset 2.
    let named = |end: &str| net.outputs.iter().position(|port| port.name.ends_with(end));
    let keys = |i: &usize| is_keys(&&net.outputs[*i]);
    let mut outputs: Vec<usize> =
        [":1", ":2"].iter().filter_map(|end| named(end)).filter(keys).collect();
    if outputs.len() != 2 {
        outputs = (0..net.outputs.len()).filter(keys).collect();
    }
    Some(Spec { sound: Some(sound), outputs, ..Spec::new(Kind::Notes) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    for (at, name) in ["notes", "onsets"].into_iter().enumerate() {
        let x = stage.output(net, super::output(spec, at))?;
        let len: usize = stage.known(x)?.iter().product();
        if !len.is_multiple_of(KEYS) || len == 0 {
            let what = format!("output {} is not of {KEYS} keys a frame", super::output(spec, at));
            return Err(TaskError::spec(what).hint("outputs = [note, onset] names others"));
        }
        let x = stage.reshape(x, &[len / KEYS, KEYS].map(|dim| Dim::Known(dim as i64)))?;
        stage.yields(name, x);
    }
    // Those of Basic Pitch's `output_to_notes_polyphonic`.
    for (name, value) in [("score", spec.score.unwrap_or(0.5)), ("release", 0.3)] {
        section.values.push((name.to_owned(), value));
    }
    Ok(())
}
