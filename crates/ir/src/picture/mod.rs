//! Pictures of graphs: boxes from top to bottom, values as lines, weights counted in the boxes.
//! Self-contained, without scripts; details appear where the pointer rests.

mod describe;
mod draw;
mod layout;
mod page;
mod place;
mod tighten;

use crate::ids::GraphId;

pub use draw::svg;
pub use page::html;

/// What to draw.
#[derive(Clone, Debug)]
pub struct PictureOptions {
    /// Which graph an SVG shows; a page shows all.
    pub graph: GraphId,
    /// The title of a page; the name of the main graph when it is empty.
    pub title: String,
}

impl Default for PictureOptions {
    fn default() -> Self {
        Self { graph: GraphId(0), title: String::new() }
    }
}

#[cfg(test)]
mod tests;
