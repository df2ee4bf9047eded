//! The encodings under the model formats: borrowed readers.
pub(crate) mod flexbuffer;
pub(crate) mod zip;

pub mod flat_writer;
pub mod flatbuffer;
pub mod proto_writer;
pub mod protobuf;
pub mod prototxt;
