//! What a model is for: from a description of the task to the stages around the model.
//!
//! A [`Spec`] is read from TOML or recognized from a [`Net`]'s ports and metadata. [`stages`] makes
//! two graphs of it: the *front* turns what a user has (a picture) into the model's inputs, the
//! *back* turns the model's outputs into an answer (classes, boxes, a mask). Both are graphs like the
//! model's own and become programs of the same plan; what is left over is plain data: labels, names,
//! thresholds, the [`Section`].
//!
//! Stages pass tensors by name. The model's inputs and outputs are `in0`, `in1`, ... and `out0`,
//! `out1`, ...; a front takes `picture` and yields `in0` and, where the back asks for it,
//! `placement`; a back takes outputs, thresholds and whatever the front saw or yielded.
//!
//! Each kind of task is one file, listed in `kinds`. This crate knows graphs, no files and no
//! terminals.

mod complete;
mod error;
mod front;
mod kinds;
mod net;
mod section;
mod sound_spec;
mod spec;
mod stage;

use embarca_ir::Model;

pub use complete::{Medium, complete};
pub use error::TaskError;
pub use front::{picture, table};
pub use kinds::{recognize, recognize_sound, usual_shapes};
pub use net::{Finish, Net, Port};
pub use section::{Section, Values};
pub use sound_spec::{EventSpec, SoundSpec};
pub use spec::{
    BytesSpec, Carry, Decoder, Kind, PictureSpec, Pooling, Scores, Spec, TableSpec, TextSpec,
};

/// A task as graphs and data.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// From what a user has to the model's inputs.
    pub front: Option<Model>,
    /// From the model's outputs to the answer.
    pub back: Option<Model>,
    /// What people and front ends need to know.
    pub section: Section,
}

/// The stages of a task around a model.
///
/// # Errors
/// The description contradicts itself or the model, or asks for what is not done.
pub fn stages(spec: &Spec, net: &Net) -> Result<Stages, TaskError> {
    let mut spec = spec.clone();
    let mut notes = complete(&mut spec, net, None)?;
    kinds::resolve(&mut spec, net, &mut notes);
    let spec = &spec;
    let mut section = Section::new(spec, net)?;
    section.notes = notes;
    let back = kinds::back(spec, net, &mut section)?;
    let wants_placement = back.as_ref().is_some_and(|back| takes(back, "placement"));
    let front = match &spec.picture {
        _ if 1 < given(spec) => {
            let what = "a task has one of [picture], [sound], [text], [bytes] and [table]";
            return Err(TaskError::spec(what));
        }
        _ if spec.sound.is_some() && !wants_placement => {
            Some(front::sound::front(spec, net, &mut section)?)
        }
        _ if spec.text.is_some() || spec.bytes.is_some() || spec.table.is_some() => {
            front::other(spec, net)?
        }
        Some(picture) => Some(picture::front(picture, net, wants_placement, &mut section.notes)?),
        None if wants_placement => {
            let what = format!("{} needs a picture", section.kind);
            return Err(TaskError::spec(what).hint("add a [picture] table").key("kind"));
        }
        None => None,
    };
    Ok(Stages { front, back, section })
}

fn takes(model: &Model, name: &str) -> bool {
    let main = model.main();
    main.inputs.iter().any(|&input| main.value(input).name == name)
}

/// How many kinds of data a task takes.
fn given(spec: &Spec) -> usize {
    let given = [
        spec.picture.is_some(),
        spec.sound.is_some(),
        spec.text.is_some(),
        spec.bytes.is_some(),
        spec.table.is_some(),
    ];
    given.into_iter().filter(|given| *given).count()
}
