//! The encodings under the model formats: borrowed readers.

pub mod flatbuffer;
pub(crate) mod flexbuffer;
pub mod protobuf;
pub mod prototxt;

pub(crate) mod zip;
