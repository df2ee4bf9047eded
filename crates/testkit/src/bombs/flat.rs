//! FlatBuffers of TFLite files, sound or not.

use embarca_import::wire::flat_writer;

/// A value of a FlatBuffer.
pub(super) type Fb = flat_writer::Fb<'static>;

/// A text without the zero byte behind it.
pub(super) fn text(text: &str) -> Fb {
    Fb::Bytes(text.as_bytes().to_vec())
}

/// A file of TFLite.
pub(super) fn finish(root: &Fb) -> Vec<u8> {
    flat_writer::finish(root, b"TFL3")
}
