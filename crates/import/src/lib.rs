//! Bounded readers: the bytes of a model file become an [`embarca_ir::foreign::ForeignModel`].
//!
//! A reader borrows constants from the file where it can, never holds more than
//! [`ImportLimits`] grants, and refuses with a [`ReadError`] that names the place. It gives no
//! operator a meaning: that is `embarca_ir`'s part.

pub mod caffe;
pub mod onnx;
pub mod tflite;
pub mod wire;

mod calls;
mod error;
mod limits;
mod narrow;

pub use error::{Fault, ReadError, shown};
pub use limits::ImportLimits;

pub(crate) use calls::check_calls;

use embarca_ir::foreign::Format;

/// The format that `bytes` begin like. Caffe's two files are told by their names, not here.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    if tflite::detect(bytes) {
        return Some(Format::TfLite);
    }
    onnx::detect(bytes).then_some(Format::Onnx)
}
