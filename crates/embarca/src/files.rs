//! Which files make up a model.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use embarca_import::onnx::{Folder, NoExternal};
use embarca_import::{ImportLimits, ReadError, caffe, onnx, tflite};
use embarca_ir::emb;
use embarca_ir::foreign::{ForeignModel, Format};
use embarca_plan::{Container, FileKind};

use crate::error::{Error, ErrorKind, Result};
use crate::sha256;

/// The bytes of a model's files.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    main: Vec<u8>,
    /// Caffe's weights, where they lie in a file of their own.
    weights: Option<(PathBuf, Vec<u8>)>,
    format: Option<Format>,
}

impl Files {
    /// Reads the file at `path` and, for Caffe, the weights at `weights` or beside it under the
    /// same name.
    pub fn read(path: &Path, weights: Option<&Path>, limits: &ImportLimits) -> Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        if extension == "caffemodel" && weights.is_none() {
            let net = path.with_extension("prototxt");
            if net.is_file() {
                return Self::read(&net, Some(path), limits);
            }
        }
        let main = read(path, limits)?;
        let beside = path.with_extension("caffemodel");
        let weights = match (extension, weights) {
            (_, Some(weights)) => Some(weights),
            ("prototxt", None) if beside.is_file() => Some(beside.as_path()),
            _ => None,
        };
        let weights = match weights {
            Some(weights) => Some((weights.to_path_buf(), read(weights, limits)?)),
            None => None,
        };
        let format = match extension {
            "prototxt" | "caffemodel" => Some(Format::Caffe),
            _ if weights.is_some() => Some(Format::Caffe),
            _ => embarca_import::detect(&main),
        };
        Ok(Self { path: path.to_path_buf(), main, weights, format })
    }

    /// A model in memory: ONNX, TFLite or a portable graph, without files beside it.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let format = embarca_import::detect(bytes);
        Self { path: PathBuf::new(), main: bytes.to_vec(), weights: None, format }
    }

    /// The size of all files.
    pub fn len(&self) -> u64 {
        let weights = self.weights.as_ref().map_or(0, |(_, bytes)| bytes.len());
        self.main.len() as u64 + weights as u64
    }

    /// SHA-256 of all files, one after the other.
    pub fn hash(&self) -> String {
        let weights = self.weights.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        sha256::hex(&[&self.main, weights])
    }

    /// The model, if the file is a portable graph.
    pub fn portable(&self) -> Result<Option<embarca_ir::Model>> {
        if !emb::is_emb(&self.main) {
            return Ok(None);
        }
        let read = emb::read(&self.main, emb::Limits::default());
        read.map(Some).map_err(|error| Error::in_file(error, &self.path))
    }

    /// What the files say, before any operator has a meaning.
    pub fn parse(&self, limits: &ImportLimits) -> Result<ForeignModel<'_>> {
        let Some(format) = self.format else {
            return Err(Error::in_file(ErrorKind::NotAModel(self.unrecognized()), &self.path));
        };
        let weights = self.weights.as_ref().map(|(_, bytes)| bytes.as_slice());
        let is_text = self.path.extension().is_none_or(|extension| extension != "caffemodel");
        let parsed = match format {
            Format::TfLite => tflite::read(&self.main, limits),
            Format::Onnx if self.path.as_os_str().is_empty() => {
                onnx::read(&self.main, limits, &mut NoExternal)
            }
            Format::Onnx => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                onnx::read(&self.main, limits, &mut Folder::new(folder))
            }
            Format::Caffe if is_text => caffe::read(&self.main, weights, limits),
            Format::Caffe => caffe::read_binary(&self.main, limits),
        };
        parsed.map_err(|error| Error::in_file(error, &self.path))
    }

    fn unrecognized(&self) -> String {
        match self.main.as_slice() {
            [] => "the file is empty".into(),
            bytes if bytes.starts_with(b"\x89HDF") => {
                "a Keras or HDF5 file; export it as ONNX or TFLite first".into()
            }
            bytes if bytes.starts_with(b"PK\x03\x04") => {
                "a ZIP archive, perhaps a PyTorch or Keras model; export it as ONNX or TFLite first"
                    .into()
            }
            bytes if is_plan(bytes) => "a plan; it is built already".into(),
            bytes if PICTURES.iter().any(|magic| bytes.starts_with(magic)) => {
                "a picture, not a model; the model comes first".into()
            }
            bytes if bytes.starts_with(b"version https://git-lfs") => {
                "a pointer of Git LFS, not the model; `git lfs pull` fetches it".into()
            }
            _ => "neither ONNX, TFLite nor Caffe (Caffe nets are told by their names, \
                  NET.prototxt and NET.caffemodel)"
                .into(),
        }
    }
}

/// How PNG and JPEG files begin.
const PICTURES: [&[u8]; 2] = [b"\x89PNG", b"\xff\xd8\xff"];

/// A whole file, refused when it is larger than a model may be.
fn read(path: &Path, limits: &ImportLimits) -> Result<Vec<u8>> {
    let read = || -> Result<Vec<u8>, ErrorKind> {
        // Opening a pipe would wait for whoever writes into it.
        if path.metadata().is_ok_and(|data| !data.is_file()) {
            return Err(std::io::Error::other("a model is a file, which this is not").into());
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let too_large = |size: u64| {
            let what = format!("{size} bytes, `file_bytes` allows {}", limits.file_bytes);
            ErrorKind::Read(ReadError::over_limit(what))
        };
        if limits.file_bytes < size {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if limits.file_bytes < bytes.len() as u64 {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    };
    read().map_err(|error| Error::in_file(error, path))
}

/// Whether bytes begin like a plan.
pub fn is_plan(bytes: &[u8]) -> bool {
    Container::kind(bytes) == Some(FileKind::Plan)
}
