//! The encodings under the model formats: borrowed readers.

pub mod flatbuffer;
pub mod protobuf;
pub mod prototxt;

pub(crate) mod zip;
