//! Hostile files: each stands for a way in which readers of its kind have failed.
//!
//! Every file is made here, by the builders in `proto` and `flat` or by damaging a sound one. What a
//! case stands for is a public advisory, the number of an issue, or the law of the format that it breaks.

pub(crate) mod caffe;
pub mod contradictions;
mod data;
mod flat;
pub(crate) mod onnx;
mod plan;
mod proto;
mod tflite;

use std::fmt::Display;
use std::path::Path;

use embarca::{LoadOptions, Model, Plan};
use embarca_data::{DataLimits, audio, csv, image, npy, npz};

/// Who reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// Importer, compiler and loader of ONNX files.
    Onnx,
    /// Importer, compiler and loader of TFLite files.
    TfLite,
    /// A Caffe net as text.
    Prototxt,
    /// A Caffe net in binary form.
    CaffeModel,
    /// A portable graph.
    Emb,
    /// A plan.
    Plan,
    /// One NumPy array.
    Npy,
    /// Several NumPy arrays.
    Npz,
    /// PNG, JPEG or BMP.
    Image,
    /// Sound.
    Wav,
    /// A table.
    Csv,
}

/// A hostile file.
#[derive(Clone, Debug)]
pub struct Bomb {
    /// What it does, unique among those of its reader.
    pub name: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// The advisory, issue or law that it stands for.
    pub stands_for: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// Part of the refusal: the place, then what is wrong there.
    pub refusal: &'static str,
}

fn bomb(
    reader: Reader,
    name: &'static str,
    stands_for: &'static str,
    bytes: Vec<u8>,
    refusal: &'static str,
) -> Bomb {
    Bomb { name, reader, stands_for, bytes, refusal }
}

/// All of them.
pub fn all() -> Vec<Bomb> {
    [
        onnx::bombs(),
        tflite::bombs(),
        caffe::bombs(),
        contradictions::bombs(),
        plan::bombs(),
        plan::graphs(),
        plan::endless(),
        data::bombs(),
    ]
    .concat()
}

impl Bomb {
    /// The extension by which files of its kind are known.
    pub fn extension(&self) -> &'static str {
        match self.reader {
            Reader::Onnx => "onnx",
            Reader::TfLite => "tflite",
            Reader::Prototxt => "prototxt",
            Reader::CaffeModel => "caffemodel",
            Reader::Emb => "emb",
            Reader::Plan => "plan",
            Reader::Npy => "npy",
            Reader::Npz => "npz",
            Reader::Image => "img",
            Reader::Wav => "wav",
            Reader::Csv => "csv",
        }
    }

    /// Opens the file at `path`, which holds [`Bomb::bytes`], as far as it goes: a model as far as a
    /// session for it.
    ///
    /// # Errors
    /// The refusal.
    pub fn open(&self, path: &Path) -> Result<(), String> {
        fn text(error: impl Display) -> String {
            error.to_string()
        }
        let limits = DataLimits::default();
        match self.reader {
            Reader::Onnx | Reader::TfLite | Reader::Prototxt | Reader::CaffeModel | Reader::Emb => {
                let model = Model::open(path).map_err(text)?;
                let plan = model.plan(LoadOptions::default()).map_err(text)?;
                plan.session().map(drop).map_err(text)
            }
            Reader::Plan => {
                let plan = Plan::from_bytes(&self.bytes, LoadOptions::default()).map_err(text)?;
                plan.session().map(drop).map_err(text)
            }
            Reader::Npy => npy::read(&self.bytes, &limits).map(drop).map_err(text),
            Reader::Npz => npz::read(&self.bytes, &limits).map(drop).map_err(text),
            Reader::Image => image::decode(&self.bytes, &limits).map(drop).map_err(text),
            Reader::Wav => audio::decode_wav(&self.bytes, &limits).map(drop).map_err(text),
            Reader::Csv => csv::read(&self.bytes, &limits).map(drop).map_err(text),
        }
    }
}
