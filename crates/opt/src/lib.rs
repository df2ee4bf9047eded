//! Rewrites of a graph that keep its meaning. Knows no target, no kernel's speed, no file.

pub mod eval;
pub mod fold;
pub mod rewrite;

pub use eval::{EvalError, eval, eval_with};
pub use fold::{LegalizeError, decompose};
