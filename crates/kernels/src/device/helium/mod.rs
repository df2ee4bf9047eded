//! Steps for cores that multiply and add sixteen 8-bit pairs at once (Helium).
//!
//! A window of the input is one run of bytes: lines of the input are spread into cells, one for each
//! place along the line, that hold what the kernel sees across the lines. Byte `c` of line `l` in
//! cell `i` lies at `i * cell + l * channels + c`, so a line takes the place of the one that no
//! window needs any more, and the windows move on by the bytes of a line's cell.
//!
//! Lines run along the width, or along the height where that is longer.

mod add;
mod conv;
mod dense;
mod depthwise;
pub mod pack;
mod parts;
mod portable;

pub use add::{HeliumAdd, add};
pub use conv::{HeliumConv, conv};
pub use dense::{HeliumDense, dense};
pub use depthwise::{HeliumDepthwise, depthwise};
pub use parts::{Columns, Helium, Line, Matrix, Scale, Sum, Vector, rescale};
