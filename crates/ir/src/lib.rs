//! The graph: types, operators, verifier, text form.

pub mod foreign;
