//! The encodings under the model formats: borrowed readers that allocate nothing.

pub mod protobuf;
