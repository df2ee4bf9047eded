//! What users feed to a net, decoded within bounds: NumPy arrays, images, audio, tables, labels
//! and the built-in digits.
//!
//! Every reader takes bytes and [`DataLimits`], allocates no more than the input or the limits
//! justify, and answers with a [`DataError`] that names the file, the place in it and the reason.
//! This crate knows no graph, no plan and no runtime.

pub mod array;
pub mod atomic;
pub mod audio;
pub mod csv;
pub mod digits;
mod error;
pub mod image;
pub mod labels;
mod limits;
pub mod npy;
pub mod npz;
pub mod video;
pub mod zip;

pub use array::{Array, Element};
pub use atomic::atomic_write;
pub use audio::Audio;
pub use csv::Table;
pub use error::{DataError, ErrorKind, Result};
pub use image::Image;
pub use limits::{DataLimits, read_file};
