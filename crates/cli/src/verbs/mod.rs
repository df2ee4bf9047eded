//! One file a verb.

pub mod bench;
pub mod build;
pub mod check;
pub mod compare;
pub mod completions;
pub mod convert;
pub mod emit;
pub mod emulate;
pub mod inspect;
pub mod run;
pub mod targets;
pub mod tour;
