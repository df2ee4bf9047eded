//! Fronts: from what a user has to a model's inputs, one file for each kind of data.

mod bytes;
mod mel;
mod micro;
pub mod picture;
pub mod sound;
pub mod table;
mod text;

use embarca_ir::Model;

use crate::net::Net;
use crate::spec::Spec;
use crate::stage::Result;

pub use text::roles;

/// The front of a task whose data are no picture; `None` where its data have none.
pub fn other(spec: &Spec, net: &Net) -> Result<Option<Model>> {
    if let Some(text) = &spec.text {
        return text::front(text, net).map(Some);
    }
    if let Some(bytes) = &spec.bytes {
        return bytes::front(bytes, net).map(Some);
    }
    spec.table.as_ref().map(|table| table::front(table, net)).transpose()
}
